"""Published scores beside runs: what a paper reports, and whether it was reproduced.

A published value is reproduced where it lies inside the interval of a run of that encoder
in the first section: by MARBLE's protocol, conforming, constrained, over the whole grid.
Rows of other runs name the published value, and nothing is said of them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from marble_eval.leaderboard.published import PublishedScore, cell_of
from marble_eval.leaderboard.rows import published_row, said

if TYPE_CHECKING:
    from marble_eval.leaderboard.published import Cell
    from marble_eval.leaderboard.rows import Row


def with_published(row: Row, cells: Mapping[Cell, Sequence[PublishedScore]], *, first: bool) -> Row:
    """Put the published value beside the score of a run.

    Parameters
    ----------
    row : Row
        Of a run.
    cells : mapping of tuple of str to sequence of PublishedScore
        As `published_cells` gives them; of several papers the first is named.
    first : bool
        Whether the run stands in the first section.

    Returns
    -------
    Row
        The same where nothing was published in its unit.
    """
    reported = [
        each
        for each in cells.get(cell_of(row.encoder, row.column, row.metric), ())
        if each.unit == row.unit
    ]
    if not reported:
        return row
    return dataclasses.replace(
        row,
        published=reported[0].value,
        published_source=reported[0].source,
        reproduced=said(is_inside(reported[0].value, row)) if first else "",
    )


def reported_rows(reported: Iterable[PublishedScore], runs: Iterable[Row]) -> list[Row]:
    """Make the rows of published scores, and say which were reproduced.

    Parameters
    ----------
    reported : iterable of PublishedScore
        What papers say.
    runs : iterable of Row
        Rows of the first section's runs.

    Returns
    -------
    list of Row
        In the given order.
    """
    of_cell: dict[Cell, list[Row]] = {}
    for row in runs:
        of_cell.setdefault(cell_of(row.encoder, row.column, row.metric), []).append(row)
    rows = []
    for score in reported:
        same = [
            row
            for row in of_cell.get(cell_of(score.encoder, score.task, score.metric), ())
            if row.unit == score.unit
        ]
        found = said(any(is_inside(score.value, row) for row in same)) if same else ""
        rows.append(dataclasses.replace(published_row(score), reproduced=found))
    return rows


def is_inside(value: float, row: Row) -> bool:
    """Say whether a value lies inside the interval of a run's row.

    Parameters
    ----------
    value : float
        In the unit of the row.
    row : Row
        Of a run; one without an interval holds nothing.

    Returns
    -------
    bool
        True also on an end of the interval.
    """
    return row.low is not None and row.high is not None and row.low <= value <= row.high
