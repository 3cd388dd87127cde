"""Results of several folders: copies count once, and what differs stays."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from marble_eval.errors import ValidationError
from marble_eval.leaderboard import board
from marble_eval.results import find_results
from tests.leaderboard.conftest import example_file, named, one_seed, scores, task


def test_a_folder_of_submissions_is_one_board_and_copies_count_once(tmp_path: Path) -> None:
    example_file(tmp_path / "anna" / "results", "toy/v1/GTZAN@1", named("one"))
    example_file(tmp_path / "ben" / "submission" / "results", "toy", named("two"))
    shutil.copytree(tmp_path / "anna", tmp_path / "carl" / "copied from anna")
    tables = board(find_results(tmp_path))
    runs = tables.wide[tables.wide["source"] == "run"]
    assert runs["encoder"].tolist() == ["one", "two"]
    assert tables.left_out == {"copies of another result": 1}
    assert (tables.long["encoder"] == "one").sum() == 2  # one row for each of two metrics
    assert sum(len(section.results) for section in tables.sections) == 2


def test_a_second_run_with_the_same_scores_counts_once(tmp_path: Path) -> None:
    def later(values: dict[str, Any]) -> None:
        values["created"] = "2026-01-02T03:04:05Z"
        values["cost"]["train_seconds"] = 99.0

    first = example_file(tmp_path, "a", unit="ab" * 16)
    second = example_file(tmp_path, "b", later, unit="ab" * 16)
    tables = board([second, first])
    assert tables.left_out == {"copies of another result": 1}
    assert tables.sections[0].results[0].path == first


def test_one_unit_with_two_scores_is_an_error_that_names_both(tmp_path: Path) -> None:
    first = example_file(tmp_path, "a", unit="ab" * 16)
    second = example_file(tmp_path, "b", scores(accuracy=0.9), unit="ab" * 16)
    with pytest.raises(ValidationError, match="must be the only result") as caught:
        board([first, second])
    assert str(first) in str(caught.value) and str(second) in str(caught.value)


def test_the_same_weights_under_two_names_are_two_rows(tmp_path: Path) -> None:
    paths = [example_file(tmp_path, each, named(each), unit="ab" * 16) for each in ("x", "y")]
    tables = board(paths)
    assert tables.left_out == {}
    assert set(tables.wide["encoder"]) >= {"x", "y"}


def test_two_narrower_results_of_one_cell_are_told_apart_by_their_choices(tmp_path: Path) -> None:
    def other_seed(values: dict[str, Any]) -> None:
        values["choices"]["seeds"] = [1235]

    paths = [
        example_file(tmp_path, "all"),
        example_file(tmp_path, "one", one_seed),
        example_file(tmp_path, "other", other_seed),
    ]
    tables = board(paths)
    apart = tables.sections[1]
    assert [each.model.choices[-4:] for each in apart.models] == ["1234", "1235"]


def test_partial_grids_are_told_apart_by_their_layers(tmp_path: Path) -> None:
    def some(*layers: str) -> Any:
        def edit(values: dict[str, Any]) -> None:
            values["grid"] = [each for each in values["grid"] if each["layer"] in layers]
            values["choices"]["layers"] = list(layers)

        return edit

    paths = [
        example_file(tmp_path, "low", some("0", "1")),
        example_file(tmp_path, "high", some("1", "2")),
        example_file(tmp_path, "one", some("1"), task("GS", "GS")),
    ]
    tables = board(paths)
    (section,) = [each for each in tables.sections if each.results]
    assert len(section.models) == 3
    with pytest.raises(ValidationError, match="must be the only result"):
        board([*paths, example_file(tmp_path, "again", some("0", "1"), scores(accuracy=0.1))])
