"""The order of a page, its identifiers, and what is said to be reproduced."""

from __future__ import annotations

from dataclasses import replace

import pytest

from marble_eval.leaderboard import PublishedScore
from marble_eval.report.page.listing import (
    listed_results,
    published_listing,
    shown_score,
    table_lines,
)
from marble_eval.results import Result
from tests.report.page.many_results import deviating, example, many_results


def reported(value: float, metric: str = "accuracy", **said: str) -> PublishedScore:
    return PublishedScore(
        encoder=said.get("encoder", "Toy-Encoder"),
        task=said.get("task", "GTZAN"),
        metric=metric,
        value=value,
        unit="percent",
        track="constrained",
        source="a paper",
        note="",
        protocol=said.get("protocol", "marble-v1"),
    )


def whole_grid() -> Result:
    """The example, its grid over all of its encoder's layers and their sum."""
    (result,) = many_results(1, 1)
    base = example()
    score = replace(base.metrics["accuracy"], value=0.748, low=0.70, high=0.80)
    return replace(
        result, task=base.task, encoder=replace(result.encoder, name="toy-encoder"),
        metrics={"accuracy": score, "macro_f1": score},
    )  # fmt: skip


def test_the_better_of_a_task_comes_first_and_papers_come_last() -> None:
    shown = listed_results(many_results(5, 3), ())
    rows = table_lines(
        shown, published_listing([reported(99.0, encoder="x", task="MTT", metric="roc_auc")], shown)
    )
    tasks = [row.task for row in rows]
    assert tasks == sorted(tasks, key=str.lower)
    scores = [float(row.score) for row in rows if row.task == "MTT"]
    assert scores[:-1] == sorted(scores[:-1], reverse=True)
    assert scores[-1] == 99.0 and (rows[-1].source, rows[-1].reference) == ("reported", "a paper")


def test_the_least_error_is_the_best() -> None:
    results = []
    for value in (0.2, 0.1, 0.3):
        score = replace(
            example().metrics["accuracy"], value=value, higher_is_better=False, unit="1"
        )
        results.append(replace(example(), metrics={"tempo_error": score}))
    assert [row.score for row in table_lines(listed_results(results, ()), ())] == [
        "0.100",
        "0.200",
        "0.300",
    ]


def test_identifiers_are_as_long_as_they_must_be_and_copies_are_counted() -> None:
    units = ["0123456789" + "0" * 22, "0123456789" + "f" * 22, "abcdef0123" + "0" * 22]
    results = [replace(example(), unit=unit) for unit in (*units, units[2])]
    ids = {each.id for each in listed_results(results, ())}
    assert ids == {"01234567890", "0123456789f", "abcdef01230", "abcdef01230-2"}


@pytest.mark.parametrize(
    ("value", "found"), [(74.8, True), (70.0, True), (80.0, True), (69.9, False), (80.1, False)]
)
def test_reproduced_means_inside_the_interval(value: float, found: bool) -> None:
    (entry,) = listed_results([whole_grid()], [reported(value)])
    assert entry.published == ((0,), ())
    assert entry.reproduced == (found, None)


def test_a_run_that_deviates_reproduces_nothing() -> None:
    (entry,) = listed_results([deviating(whole_grid())], [reported(74.8)])
    assert entry.published[0] == (0,) and entry.reproduced[0] is None


def test_a_run_over_some_layers_reproduces_nothing() -> None:
    result = whole_grid()
    grid = tuple(each for each in result.grid if each.layer != "3")
    (entry,) = listed_results([replace(result, grid=grid)], [reported(74.8)])
    assert entry.reproduced[0] is None


def test_a_value_by_another_protocol_is_named_second_and_not_reproduced() -> None:
    scores = [reported(74.8, protocol="own"), reported(90.0)]
    (entry,) = listed_results([whole_grid()], scores)
    assert entry.published[0] == (1, 0)
    assert entry.reproduced[0] is False


def test_a_published_score_of_a_side_metric_is_no_main_row() -> None:
    shown = listed_results([whole_grid()], ())
    scores = [reported(1.0), reported(2.0, "macro_f1"), reported(3.0, "roc_auc", task="MTT")]
    assert [each.main for each in published_listing(scores, shown)] == [True, False, True]


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (12.25, "percent", "12.3"),
        (74.85, "percent", "74.9"),  # although it is 74.8499999... as a binary number
        (-5.2, "percent", "−5.2"),
        (5.65, "dB", "5.7"),
        (0.0405, "1", "0.041"),
    ],
)
def test_numbers_are_rounded_as_the_page_rounds_them(value: float, unit: str, text: str) -> None:
    assert shown_score(value, unit) == text
