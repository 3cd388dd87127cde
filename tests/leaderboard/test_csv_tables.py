"""The CSV files: what they hold, their bytes, and that no spreadsheet runs a cell."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from marble_eval.leaderboard import COLUMNS, board, csv_bytes, write_board
from tests.leaderboard.conftest import embedded, example_file, named, task

HOSTILE = ("=1+1", "+x", "-x", "@x", "\t=x", "\r=x", " =cmd|' /C calc'!A0", "\n=x", "＝x")


def _read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_the_files_hold_the_tables(tmp_path: Path) -> None:
    tables = board([example_file(tmp_path, "a")])
    long, wide = write_board(tables, tmp_path / "leaderboard.csv")
    assert (long.name, wide.name) == ("leaderboard.csv", "leaderboard.wide.csv")
    rows = _read(long)
    assert tuple(rows[0]) == COLUMNS
    ours = next(row for row in rows if row["source"] == "run" and row["metric"] == "accuracy")
    assert (ours["value"], ours["unit"], ours["n"]) == ("74.8276", "percent", "4")
    assert (ours["setting"], ours["task_version"], ours["parameters"]) == ("0.001", "1", "94371712")
    theirs = next(row for row in rows if row["encoder"] == "MERT-v1-95M" and row["task"] == "GTZAN")
    assert (theirs["value"], theirs["n"], theirs["setting"], theirs["low"]) == ("74.8", "", "", "")
    assert b"\r" not in long.read_bytes()
    row = next(row for row in _read(wide) if row["source"] == "run")
    assert (row["licence"], row["train_seconds"], row["device"]) == ("CC-BY-NC-4.0", "3.0", "cpu")


def test_the_cost_of_a_model_is_the_sum_over_its_tasks(tmp_path: Path) -> None:
    def seen(values: dict[str, Any]) -> None:
        values["encoder"]["overlap"] = "all clips"

    paths = [
        example_file(tmp_path, "a"),
        example_file(tmp_path, "b", task("GS", "GS", licence="CC BY"), seen),
    ]
    row = board(paths).wide.set_index("encoder").loc["toy-encoder"]
    assert (row["extract_seconds"], row["train_seconds"]) == (25.0, 6.0)
    assert (row["clips"], row["feature_bytes"]) == (1288, 2 * 2967552)
    assert (row["data_licence"], row["overlap"]) == ("unknown; CC BY", "GS: all clips")


def test_the_same_results_give_the_same_bytes_in_any_order(tmp_path: Path) -> None:
    paths = [example_file(tmp_path, name, named(name)) for name in ("é", "b", "A")]
    first = write_board(board(paths), tmp_path / "one.csv")
    second = write_board(board(reversed(paths)), tmp_path / "two.csv")
    for one, two in zip(first, second, strict=True):
        assert one.read_bytes() == two.read_bytes()


@pytest.mark.parametrize("name", HOSTILE)
def test_no_text_cell_starts_a_formula_or_a_line(tmp_path: Path, name: str) -> None:
    def hostile(values: dict[str, Any]) -> None:
        values["encoder"].update(name=name, revision=name, licence=name)
        values["metrics"]["accuracy"].update(value=-0.25, low=-0.5)

    tables = board([example_file(tmp_path, "a", hostile)])
    for file in write_board(tables, tmp_path / "leaderboard.csv"):
        lines = file.read_text(encoding="utf-8").splitlines()
        rows = _read(file)
        assert len(lines) == len(rows) + 1
        row = next(row for row in rows if row["source"] == "run")
        assert row["encoder"] == row["revision"] == row["licence"]
        assert row["encoder"].startswith("'")
        assert row["encoder"].endswith(name[-1])
        assert "-25.0" in row.values()


@pytest.mark.parametrize("name", HOSTILE)
def test_no_header_starts_a_formula(tmp_path: Path, name: str) -> None:
    path = example_file(tmp_path, "a", embedded, task(name, embedded=True))
    _, wide = write_board(board([path], embedded=True), tmp_path / "leaderboard.csv")
    headers = list(_read(wide)[0])
    hostile = [header for header in headers if header.endswith(" accuracy")]
    assert len(hostile) == 1
    assert hostile[0].startswith("'")


def test_numbers_and_harmless_text_stay_as_they_are() -> None:
    table = pd.DataFrame({"a": [-1.5], "b": ["a-b, c"], "c": [None]})
    assert csv_bytes(table) == b'a,b,c\n-1.5,"a-b, c",\n'


def test_an_empty_board_is_written_with_its_columns(tmp_path: Path) -> None:
    long, wide = write_board(board([], embedded=True), tmp_path / "leaderboard.csv")
    assert long.read_text(encoding="utf-8") == ",".join(COLUMNS) + "\n"
    assert wide.read_text(encoding="utf-8").startswith("encoder,revision,precision,")
