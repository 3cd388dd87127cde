"""Result files made from the example, for every test of the leaderboard."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

EXAMPLE = Path(__file__).parents[1] / "results" / "example_result.json"
Edit = Callable[[dict[str, Any]], object]


def example_file(root: Path, name: str, *edits: Edit, unit: str = "") -> Path:
    """Write the example under a name, edited; with a unit of its own, as two runs have."""
    values = json.loads(EXAMPLE.read_text(encoding="utf-8"))
    values["unit"] = unit or (name.encode().hex() + "0" * 32)[:32]
    for edit in edits:
        edit(values)
    path = root / name / "result.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(values), encoding="utf-8")
    return path


def deviating(values: dict[str, Any]) -> None:
    values["protocol"].update(conforms=False, deviations=[{"words": "batch 128 instead of 64"}])


def embedded(values: dict[str, Any]) -> None:
    values["task"].update(name="ToyPitch", column="", embedded=True)


def without_layer(values: dict[str, Any]) -> None:
    values["grid"] = [point for point in values["grid"] if point["layer"] != "2"]
    values["choices"]["layers"] = ["0", "1", "sum"]


def without_sum(values: dict[str, Any]) -> None:
    values["grid"] = [point for point in values["grid"] if point["layer"] != "sum"]
    values["choices"]["layers"] = ["0", "1", "2"]


def one_seed(values: dict[str, Any]) -> None:
    values["choices"]["seeds"] = [1234]
    values["metrics"]["accuracy"]["value"] = 0.9


def named(name: str) -> Edit:
    """Make the edit that names the encoder."""

    def edit(values: dict[str, Any]) -> None:
        values["encoder"]["name"] = name

    return edit


def task(name: str, column: str = "", **changes: object) -> Edit:
    """Make the edit that says the task."""

    def edit(values: dict[str, Any]) -> None:
        values["task"].update(name=name, column=column, **changes)

    return edit


def scores(**values_by_metric: float) -> Edit:
    """Make the edit that gives metrics their values, 0.05 below and above them."""

    def edit(values: dict[str, Any]) -> None:
        score = values["metrics"]["accuracy"]
        values["metrics"] = {
            name: score
            | {"value": value, "low": value - 0.05, "high": value + 0.05}
            | {"unit": "dB" if name.startswith("sdr_") else "1" if name == "a" else "percent"}
            for name, value in values_by_metric.items()
        }

    return edit
