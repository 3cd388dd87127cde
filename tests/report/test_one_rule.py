"""The tables, the page and the figures agree on which results compare."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from marble_eval.leaderboard import board
from marble_eval.report.figures.series import comparable
from marble_eval.report.page.data import group_title
from marble_eval.report.page.encoders_by_task import heat_maps
from marble_eval.report.page.listing import listed_results
from marble_eval.results import Result
from marble_eval.results.caveats import OtherDeviation
from tests.report.result_files import example, write

Edit = Callable[[Result], Result]

BATCH = OtherDeviation("batch 128")


def _some_layers(result: Result) -> Result:
    grid = tuple(each for each in result.grid if each.layer != "2")
    return replace(result, grid=grid, choices=replace(result.choices, layers=("0", "1", "sum")))


@pytest.mark.parametrize(
    ("edit", "same"),
    [
        (lambda result: result, True),
        (lambda r: replace(r, encoder=replace(r.encoder, revision="v2")), True),
        (lambda r: replace(r, protocol=replace(r.protocol, name="quick")), False),
        (lambda r: replace(r, protocol=replace(r.protocol, version=3)), False),
        (lambda r: replace(r, protocol=replace(r.protocol, track="semi-constrained")), False),
        (
            lambda r: replace(
                r,
                protocol=replace(r.protocol, conforms=False, deviations=(BATCH,)),
            ),
            False,
        ),
        (lambda r: replace(r, task=replace(r.task, version=2)), False),
        (lambda r: replace(r, task=replace(r.task, data_digest="9" * 32)), False),
        (_some_layers, False),
    ],
)
def test_all_forms_agree(tmp_path: Path, edit: Edit, same: bool) -> None:
    one, two = example("a"), edit(example("b"))
    sections = board(write(tmp_path, one, two)).sections
    assert any(len(each.results) == 2 for each in sections) is same
    columns = [
        sum(row.cells[at] is not None for row in each.rows)
        for each in heat_maps(listed_results([one, two], ()), ())
        for at in range(len(each.headings))
    ]
    assert (max(columns) == 2) is same
    assert (group_title(one) == group_title(two)) is same
    assert (len(comparable([one, two])) == 1) is same
