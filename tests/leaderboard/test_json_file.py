"""The JSON form: strict, whole, and the same as the tables."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from marble_eval.leaderboard import COLUMNS, MARBLE_COLUMNS, board, board_json
from tests.leaderboard.conftest import deviating, example_file, named, scores


def _refuse(name: str) -> Any:
    raise AssertionError(f"{name} is no JSON")


def test_it_holds_every_row_and_section_as_strict_json(tmp_path: Path) -> None:
    tables = board([example_file(tmp_path, "a"), example_file(tmp_path, "b", deviating)])
    values = json.loads(board_json(tables), parse_constant=_refuse)
    assert (values["format"], values["format_version"]) == ("marble-eval leaderboard", 1)
    assert len(values["rows"]) == len(tables.long)
    assert all(tuple(row) == COLUMNS for row in values["rows"])
    assert [each["title"] for each in values["sections"]] == [
        each.title for each in tables.sections
    ]
    first, apart = values["sections"][:2]
    assert [each["header"] for each in first["columns"]] == [cell.header for cell in MARBLE_COLUMNS]
    assert first["averages"] == ["average", "flat_average"]
    assert (first["comparable"], apart["comparable"]) == (True, False)
    assert apart["models"][0]["deviations"] == "batch 128 instead of 64"
    assert first["results"] == apart["results"] == 1


def test_what_does_not_apply_is_null_and_truth_is_truth(tmp_path: Path) -> None:
    path = example_file(tmp_path, "a", named("MERT-v1-95M"), scores(accuracy=0.75))
    values = json.loads(board_json(board([path])))
    ours = next(row for row in values["rows"] if row["source"] == "run")
    theirs = next(row for row in values["rows"] if row["source"] == "reported")
    assert (ours["conforms"], ours["embedded"], ours["reproduced"]) == (True, False, True)
    assert (ours["published"], ours["rank_low"], ours["tied"]) == (74.8, None, None)
    assert (theirs["low"], theirs["n"], theirs["conforms"]) == (None, None, None)
    model = next(each for each in values["sections"][0]["models"] if each["source"] == "run")
    assert model["scores"]["GTZAN"] == {
        "value": 75.0,
        "low": 70.0,
        "high": 80.0,
        "reference": ours["reference"],
        "reproduced": True,
    }
    assert model["averages"] == {}


def test_a_published_average_stands_there() -> None:
    values = json.loads(board_json(board([])))
    models = {each["encoder"]: each for each in values["sections"][0]["models"]}
    assert round(models["MERT-v1-330M"]["averages"]["average"], 1) == 64.2


def test_the_same_results_give_the_same_text(tmp_path: Path) -> None:
    paths = [example_file(tmp_path, name, named(name)) for name in "cab"]
    assert board_json(board(paths)) == board_json(board(reversed(paths)))
