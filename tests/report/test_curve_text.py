"""A curve is the results themselves, in the order of their steps."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import pytest

from marble_eval.report import curve_text, write_curve
from marble_eval.results import Result
from marble_eval.results.schema import from_json

EXAMPLE = Path(__file__).parents[1] / "results" / "example_result.json"


def at(step: int | None, value: float) -> Result:
    result = from_json(EXAMPLE.read_text(encoding="utf-8"), str(EXAMPLE))
    name = next(iter(result.metrics))
    metrics = {**result.metrics, name: replace(result.metrics[name], value=value)}
    return replace(result, encoder=replace(result.encoder, step=step), metrics=metrics)


def test_steps_stand_in_order_with_their_own_scores() -> None:
    lines = curve_text([at(1000, 0.75), at(50, 0.25)]).splitlines()
    assert [line.split()[:2] for line in lines[1:]] == [["50", "25.0"], ["1000", "75.0"]]
    assert lines[2].count("█") == 3 * lines[1].count("█") == 30


def test_the_file_has_a_row_for_every_step_and_metric(tmp_path: Path) -> None:
    results = [at(1000, 0.75), at(50, 0.25)]
    rows = list(csv.DictReader(write_curve(tmp_path, results).open(encoding="utf-8")))
    assert len(rows) == 2 * len(results[0].metrics)
    main = next(iter(results[0].metrics))
    found = [(row["step"], float(row["value"])) for row in rows if row["metric"] == main]
    assert found == [("50", 0.25), ("1000", 0.75)]
    assert all(row["layer"] == results[0].chosen.layer for row in rows)


def test_a_result_without_a_step_has_no_place_on_it() -> None:
    with pytest.raises(ValueError, match="needs steps"):
        curve_text([at(None, 0.5)])
