"""Places: every result in one section, named for what sets it apart."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from marble_eval.leaderboard import Board, board, wide_table
from tests.leaderboard.conftest import (
    EXAMPLE,
    Edit,
    deviating,
    example_file,
    named,
    one_seed,
    task,
    without_layer,
    without_sum,
)

if TYPE_CHECKING:
    import pandas as pd

MAIN = "MARBLE, marble-v1@2, constrained"


def _runs(table: pd.DataFrame) -> pd.DataFrame:
    return table[table["source"] == "run"]


def _sections(tables: Board) -> dict[str, list[str]]:
    """List the folders of the results of each section that has any."""
    return {
        section.title: [entry.path.parent.name for entry in section.results]
        for section in tables.sections
        if section.results
    }


@pytest.mark.parametrize(
    ("edit", "title", "because"),
    [
        (deviating, "marble-v1@2, constrained, with deviations", "deviate from their protocol"),
        (task("X", ""), "marble-v1@2, constrained, other tasks", "has no column"),
        (task("X", "MyGenres"), "marble-v1@2, constrained, other tasks", "has no column"),
        (without_layer, "marble-v1@2, constrained, on part of the layers", "some layers only"),
        (without_sum, "marble-v1@2, constrained, on part of the layers", "some layers only"),
        (
            lambda values: values["protocol"].update(name="quick"),
            "quick@2, constrained",
            "the protocol is not marble-v1@2",
        ),
        (
            lambda values: values["protocol"].update(track="semi-constrained"),
            "marble-v1@2, semi-constrained",
            "the track is not constrained",
        ),
    ],
)
def test_what_does_not_compare_has_a_section_of_its_own(
    tmp_path: Path, edit: Edit, title: str, because: str
) -> None:
    tables = board([example_file(tmp_path, "a"), example_file(tmp_path, "b", edit)])
    assert _sections(tables) == {MAIN: ["a"], title: ["b"]}
    section = next(each for each in tables.sections if each.title == title)
    assert because in section.reason
    assert len(section.models) == 1
    assert set(_runs(tables.long)["section"]) == {MAIN, title}


@pytest.mark.parametrize("provider", ["folder", "their-tasks 1.0", "marble-evaluation 2"])
def test_a_task_of_somebody_else_has_no_column_of_marble_s(provider: str, tmp_path: Path) -> None:
    ours = example_file(tmp_path, "ours")
    theirs = example_file(
        tmp_path,
        "theirs",
        named("theirs"),
        lambda values: values["task"].update(provider=provider, name="Easy"),
    )
    first, *others = board([ours, theirs]).sections
    assert [each.path for each in first.results] == [ours]
    assert [each.path for section in others for each in section.results] == [theirs]


def _claiming(version: int, what: str = "task") -> Edit:
    def edit(values: dict[str, Any]) -> None:
        values[what]["version"] = version

    return edit


def test_a_protocol_version_that_is_not_installed_takes_nobody_s_place(tmp_path: Path) -> None:
    edits = (_claiming(99, "protocol"), named("other"))
    tables = board([example_file(tmp_path, "a"), example_file(tmp_path, "b", *edits)])
    assert _sections(tables) == {MAIN: ["a"], "marble-v1@99, constrained": ["b"]}


def test_a_task_version_that_is_not_installed_empties_nobody_s_cells(tmp_path: Path) -> None:
    claims = [example_file(tmp_path, each, named(each), _claiming(99)) for each in ("x", "y")]
    tables = board([example_file(tmp_path, "a"), *claims])
    apart = "marble-v1@2, constrained, GTZAN@99 on data b1b1b1b1b1b1"
    assert _sections(tables) == {MAIN: ["a"], apart: ["x", "y"]}
    section = next(each for each in tables.sections if each.title == apart)
    assert "the installed card has another version" in section.reason
    wide = wide_table(section)
    assert wide["GTZAN accuracy"].tolist() == wide["flat_average"].tolist() == [74.8276] * 2
    assert _sections(board(claims)) == {apart: ["x", "y"]}  # alone as well


def test_most_results_decide_on_the_version_of_a_task_that_is_not_installed(
    tmp_path: Path,
) -> None:
    many = [example_file(tmp_path, each, task("Theirs"), named(each)) for each in "ab"]
    claim = example_file(tmp_path, "x", task("Theirs", version=99), named("x"))
    assert _sections(board([*many, claim])) == {
        "marble-v1@2, constrained, other tasks": ["a", "b"],
        "marble-v1@2, constrained, other tasks, Theirs@99 on data b1b1b1b1b1b1": ["x"],
    }


def test_the_data_that_most_results_share_are_current(tmp_path: Path) -> None:
    other = task("GTZAN", "GTZAN", data_digest="aa" * 16)
    paths = [
        example_file(tmp_path, "few", other),
        *(example_file(tmp_path, each, named(each)) for each in ("one", "two")),
    ]
    tables = board(paths)
    few = "marble-v1@2, constrained, GTZAN@1 on data aaaaaaaaaaaa"
    assert _sections(tables) == {MAIN: ["one", "two"], few: ["few"]}


def test_deviating_runs_have_no_say_in_which_data_are_current(tmp_path: Path) -> None:
    other = task("GTZAN", "GTZAN", data_digest="aa" * 16)
    odd = [example_file(tmp_path, each, named(each), other, deviating) for each in "xy"]
    tables = board([*odd, example_file(tmp_path, "a")])
    assert _sections(tables)[MAIN] == ["a"]


def test_no_result_vanishes_and_none_stands_twice(tmp_path: Path) -> None:
    """All combinations of eight ways to be different."""
    edits: list[Edit] = [
        deviating,
        without_layer,
        one_seed,
        task("GTZAN", "GTZAN", version=2),
        task("GTZAN", "GTZAN", data_digest="aa" * 16),
        lambda values: values["task"].update(column=""),
        lambda values: values["protocol"].update(name="quick"),
        lambda values: values["protocol"].update(track="semi-constrained"),
    ]
    paths = []
    for number in range(2 ** len(edits)):
        chosen = [edit for bit, edit in enumerate(edits) if number >> bit & 1]
        # Names of two encoders, so that rows of several models meet.
        paths.append(example_file(tmp_path, f"r{number}", *chosen, named(f"e{number % 2}")))
    tables = board(paths)
    seen = Counter(entry.path for section in tables.sections for entry in section.results)
    copies = tables.left_out.get("copies of another result", 0)
    assert set(seen.values()) == {1}
    assert sorted(seen) == sorted(paths)
    assert copies == 0
    rows = _runs(tables.long)
    assert len(rows) == 2 * len(paths)
    assert set(rows["reference"]) == {json.loads(each.read_text())["unit"] for each in paths}
    titles = [section.title for section in tables.sections]
    assert len(set(titles)) == len(titles)
    for section in tables.sections:
        of_section = {row.reference for model in section.models for row in model.rows}
        assert of_section >= {entry.result.unit for entry in section.results}
        shown = [path for model in section.models for path in model.paths.values()]
        assert set(shown) == {entry.path for entry in section.results}


def test_rows_of_a_section_share_what_they_must(tmp_path: Path) -> None:
    """Two editions of two tasks under two protocols never meet in a row or a column."""
    paths = []
    for protocol in ("marble-v1", "quick"):
        for version in (1, 2):

            def edit(
                values: dict[str, Any], version: int = version, protocol: str = protocol
            ) -> None:
                values["task"]["version"] = version
                values["protocol"]["name"] = protocol

            paths.append(example_file(tmp_path, f"{protocol}{version}", edit))
    for section in board(paths).sections:
        kinds = {(each.result.protocol.name, each.result.task.version) for each in section.results}
        assert len(kinds) <= 1


def test_logistic_regression_needs_no_learned_sum(tmp_path: Path) -> None:
    logreg = [without_sum, lambda values: values["probe"].update(name="logreg", reads_sum=False)]
    assert _sections(board([example_file(tmp_path, "a", *logreg)])) == {MAIN: ["a"]}


def test_an_encoder_of_two_layers_needs_no_learned_sum(tmp_path: Path) -> None:
    def two(values: dict[str, Any]) -> None:
        values["encoder"]["layers"] = ["0", "1"]

    path = example_file(tmp_path, "a", without_sum, without_layer, two)
    assert _sections(board([path])) == {MAIN: ["a"]}


def test_fewer_seeds_give_way_to_more_and_stand_apart(tmp_path: Path) -> None:
    tables = board([example_file(tmp_path, "a", one_seed), example_file(tmp_path, "b")])
    assert _runs(tables.wide)["GTZAN"].tolist() == [74.8276]
    apart = "marble-v1@2, constrained, with fewer choices"
    assert _sections(tables) == {MAIN: ["b"], apart: ["a"]}
    (row,) = tables.sections[1].models
    assert row.model.choices == "layers 0 1 2 sum; seeds 1234"
    assert row.averages == {} and not tables.sections[1].comparable


def test_another_protocol_has_no_say_in_which_data_are_current(tmp_path: Path) -> None:
    """Quick runs on other data leave MARBLE's board as it is."""

    def quick(values: dict[str, Any]) -> None:
        values["protocol"]["name"] = "quick"
        values["task"]["data_digest"] = "aa" * 16

    odd = [example_file(tmp_path, each, quick, named(each)) for each in "xy"]
    tables = board([example_file(tmp_path, "a"), *odd])
    assert _sections(tables) == {MAIN: ["a"], "quick@2, constrained": ["x", "y"]}


def test_of_two_states_of_the_data_with_as_many_results_the_first_digest_is_current(
    tmp_path: Path,
) -> None:
    other = task("GTZAN", "GTZAN", data_digest="aa" * 16)
    paths = [example_file(tmp_path, "a"), example_file(tmp_path, "b", named("x"), other)]
    assert _sections(board(paths))[MAIN] == ["b"]
    assert _sections(board(reversed(paths)))[MAIN] == ["b"]


def test_the_example_is_what_these_tests_say_of_it() -> None:
    values = json.loads(EXAMPLE.read_text(encoding="utf-8"))
    assert values["task"]["data_digest"] == "b1" * 16
