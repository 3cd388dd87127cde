"""Published values beside runs: when a cell counts as reproduced."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from marble_eval.leaderboard import PublishedScore, ScoreRow, board
from marble_eval.leaderboard.published import published_cells, reported_rows, with_published
from tests.leaderboard.conftest import (
    Edit,
    deviating,
    example_file,
    named,
    scores,
    task,
    without_layer,
)

MERT = named("mert-V1-95m")  # the paper has 74.8 for it on GTZAN, and 63.5 on GS


def _said(tables: Any, source: str, metric: str = "accuracy") -> tuple[Any, ...]:
    long = tables.long
    rows = long[
        (long["source"] == source)
        & (long["encoder"].str.casefold() == "mert-v1-95m")
        & (long["task"] == "GTZAN")
        & (long["metric"] == metric)
    ]
    (row,) = rows.to_dict("records")
    return row["published"], row["reproduced"]


@pytest.mark.parametrize(
    ("value", "said"),
    [(0.76, "true"), (0.798, "true"), (0.7981, "false"), (0.698, "true"), (0.6979, "false")],
)
def test_a_value_is_reproduced_if_it_lies_inside_the_interval(
    tmp_path: Path, value: float, said: str
) -> None:
    """The interval is 0.05 on both sides, its ends belong to it."""
    tables = board([example_file(tmp_path, "a", MERT, scores(accuracy=value))])
    assert _said(tables, "run") == (74.8, said)
    assert _said(tables, "reported")[1] == said


@pytest.mark.parametrize(
    "edit",
    [
        deviating,
        without_layer,
        lambda values: values["protocol"].update(track="semi-constrained"),
        lambda values: values["protocol"].update(name="quick"),
    ],
)
def test_other_runs_name_the_value_and_reproduce_nothing(tmp_path: Path, edit: Edit) -> None:
    tables = board([example_file(tmp_path, "a", MERT, scores(accuracy=0.75), edit)])
    assert _said(tables, "run") == (74.8, "")
    assert _said(tables, "reported")[1] == ""


def test_another_edition_reproduces_nothing(tmp_path: Path) -> None:
    other = task("GTZAN", "GTZAN", version=2)
    old = example_file(tmp_path, "a", MERT, scores(accuracy=0.75), other)
    assert _said(board([old]), "run") == (74.8, "")


def test_one_run_of_several_is_enough(tmp_path: Path) -> None:
    def revised(values: dict[str, Any]) -> None:
        values["encoder"]["revision"] = "v2"

    far = example_file(tmp_path, "a", MERT, scores(accuracy=0.5))
    near = example_file(tmp_path, "b", MERT, scores(accuracy=0.75), revised)
    assert _said(board([far]), "reported")[1] == "false"
    assert _said(board([far, near]), "reported")[1] == "true"


@pytest.mark.parametrize("revision", ["local-d21f133d8ac2", "step300-local-d21f133d8ac2"])
def test_weights_of_anybody_reproduce_nothing(tmp_path: Path, revision: str) -> None:
    def local(values: dict[str, Any]) -> None:
        values["encoder"]["revision"] = revision

    tables = board([example_file(tmp_path, "a", MERT, scores(accuracy=0.75), local)])
    assert _said(tables, "run")[1] == ""
    assert _said(tables, "reported")[1] == ""


def test_what_nobody_published_or_ran_says_nothing(tmp_path: Path) -> None:
    tables = board([example_file(tmp_path, "a", MERT, scores(accuracy=0.75, macro_f1=0.75))])
    assert _said(tables, "run", "macro_f1")[1] == ""
    reported = tables.long[tables.long["source"] == "reported"]
    assert (reported["reproduced"] != "").sum() == 1


def test_a_value_by_a_paper_s_own_protocol_is_named_and_not_reproduced() -> None:
    cell = ("toy", "GTZAN", "accuracy")
    own = PublishedScore(*cell, 75.0, "percent", "", "Paper", "")
    run = ScoreRow(
        encoder="toy", task="GTZAN", column="GTZAN", protocol="marble-v1", metric="accuracy",
        unit="percent", value=75.0, low=70.0, high=80.0, source="run", reference="0",
    )  # fmt: skip
    found = with_published(run, published_cells([own]), in_first=True)
    assert (found.published, found.reproduced) == (75.0, "")
    assert [each.reproduced for each in reported_rows([own], [run])] == [""]
