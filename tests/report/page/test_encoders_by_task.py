"""Which results share a heat map, and how it is shaded."""

from __future__ import annotations

from dataclasses import replace

from marble_eval.leaderboard import published_scores
from marble_eval.report.page.encoders_by_task import SHADES, HeatMap, heat_maps
from marble_eval.report.page.listing import listed_results, published_listing
from marble_eval.results import Result
from tests.report.page.many_results import deviating, many_results


def maps_of(*results: Result) -> list[HeatMap]:
    return heat_maps(listed_results(results, ()), ())


def valued(result: Result, value: float, *, higher: bool = True) -> Result:
    name, score = next(iter(result.metrics.items()))
    score = replace(score, value=value, low=value, high=value, higher_is_better=higher)
    return replace(result, metrics={name: score})


def test_encoders_stand_down_and_tasks_across() -> None:
    (found,) = maps_of(*many_results(3, 2))
    assert [row.encoder for row in found.rows] == ["encoder-000", "encoder-001", "encoder-002"]
    assert [each.task for each in found.headings] == ["MTGInstrument", "MTT"]
    assert all(cell is not None for row in found.rows for cell in row.cells)


def test_shades_go_from_the_worst_to_the_best_of_a_column() -> None:
    one, two, three = many_results(3, 1)
    (found,) = maps_of(valued(one, 0.2), valued(two, 0.6), valued(three, 0.3))
    # (0.3 - 0.2) / (0.6 - 0.2) = 0.25 of the way, 0.25 * 8 = 2
    assert [row.cells[0].shade for row in found.rows if row.cells[0]] == [0, SHADES - 1, 2]


def test_of_an_error_the_least_is_shaded_most() -> None:
    one, two = many_results(2, 1)
    (found,) = maps_of(valued(one, 0.2, higher=False), valued(two, 0.6, higher=False))
    assert [row.cells[0].shade for row in found.rows if row.cells[0]] == [SHADES - 1, 0]


def test_a_missing_result_leaves_its_cell_empty() -> None:
    results = many_results(2, 2)
    (found,) = maps_of(*results[:3])
    assert [each is None for each in found.rows[1].cells] == [True, False]


def test_what_does_not_compare_has_a_map_of_its_own() -> None:
    one, two, three, four = many_results(4, 1)
    other = replace(two, protocol=replace(two.protocol, name="marble-v2"))
    part = replace(four, grid=tuple(each for each in four.grid if each.layer == "5"))
    part = replace(part, choices=replace(part.choices, layers=("5",)))
    titles = [each.title for each in maps_of(one, other, deviating(three), part)]
    assert titles == [
        "marble-v1 (version 2), constrained, mlp probe",
        "marble-v1 (version 2), constrained, mlp probe, layers 5 only",
        "marble-v1 (version 2), constrained, mlp probe, runs that deviate: another batch",
        "marble-v2 (version 2), constrained, mlp probe",
    ]


def test_another_version_or_other_data_of_a_task_is_another_column() -> None:
    one, two, three = many_results(3, 1)
    newer = replace(two, task=replace(two.task, version=2))
    moved = replace(three, task=replace(three.task, data_digest="f" * 32))
    (found,) = maps_of(one, newer, moved)
    assert [(each.version, each.digest[:2]) for each in found.headings] == [
        (1, "b1"),
        (1, "ff"),
        (2, "b1"),
    ]
    assert all(sum(cell is not None for cell in row.cells) == 1 for row in found.rows)


def test_two_runs_of_one_cell_are_two_rows() -> None:
    (one,) = many_results(1, 1)
    (found,) = maps_of(one, replace(one, unit="0" * 32))
    assert [row.note.split("; ")[1:] for row in found.rows] == [[], ["run 2"]]


def test_papers_stand_apart_with_every_metric_they_report() -> None:
    reported = published_listing(published_scores(), ())
    maps = heat_maps(listed_results(many_results(1, 1), ()), reported)
    assert [each.reported for each in maps][:2] == [False, True]
    marble = next(each for each in maps if "2306.10548" in each.title)
    row = next(each for each in marble.rows if each.encoder == "MERT-v1-95M")
    scores = {
        (heading.task, heading.metric): cell.row.value
        for heading, cell in zip(marble.headings, row.cells, strict=True)
        if cell
    }
    assert scores["GTZAN", "accuracy"] == 74.8 and len(scores) == 23
