"""What a page shows of each result: an identifier, its rows and what papers report.

The order here is the order of the page: by task, the main metric first, runs before
what papers report, the better score first. `order.js` keeps it where a column ties.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from marble_eval.leaderboard import PublishedScore, Row, published_row, result_rows
from marble_eval.leaderboard.reproduction import is_inside
from marble_eval.leaderboard.task_versions import is_listed, is_whole_grid
from marble_eval.results import Result

_SHORTEST_ID = 8  # hexadecimal digits; more where two results would share them


class Entry(NamedTuple):
    """A result on the page.

    Attributes
    ----------
    id : str
        What its link ends with: the beginning of its unit.
    result : Result
        The record.
    rows : tuple of Row
        One for each metric, the main one first.
    reported : tuple of tuple of int
        For each row, which published scores are of the same encoder, task, metric and
        unit; those by the protocol of the run first.
    reproduced : tuple of bool or None
        For each row, whether one of those by the protocol of the run lies inside its
        interval; None where there is none, or the run is not one to compare: it kept to
        its protocol, in the constrained track, over the whole grid of layers.
    """

    id: str
    result: Result
    rows: tuple[Row, ...]
    reported: tuple[tuple[int, ...], ...]
    reproduced: tuple[bool | None, ...]


class ReportedRow(NamedTuple):
    """A published score on the page; `main` if it is of its task's main metric."""

    row: Row
    main: bool


def entries(results: Iterable[Result], reported: Sequence[PublishedScore]) -> list[Entry]:
    """Put the results of a page in order.

    Parameters
    ----------
    results : iterable of Result
        What runs found.
    reported : sequence of PublishedScore
        What papers say.

    Returns
    -------
    list of Entry
        Sorted by task, then the better main score first.
    """
    ordered = sorted(results, key=_place)
    by_cell: dict[tuple[str, str, str], list[int]] = {}
    for number, score in enumerate(reported):
        cell = (score.encoder.casefold(), score.task.casefold(), score.metric)
        by_cell.setdefault(cell, []).append(number)
    ids = _short_ids([each.unit for each in ordered])
    return [_entry(id_, each, by_cell, reported) for id_, each in zip(ids, ordered, strict=True)]


def _place(result: Result) -> tuple[object, ...]:
    task, encoder = result.task, result.encoder
    score = next(iter(result.metrics.values()))
    better = -score.value if score.higher_is_better else score.value
    names = (encoder.name.casefold(), encoder.name, encoder.revision, result.unit, result.created)
    return (task.name.casefold(), task.name, task.version, better, *names)


def _short_ids(units: Sequence[str]) -> list[str]:
    """Shorten the units as far as they stay different; copies of one unit get a number."""
    different = set(units)
    length = _SHORTEST_ID
    while len({each[:length] for each in different}) < len(different):
        length += 1
    seen: dict[str, int] = {}
    ids = []
    for unit in units:
        seen[unit] = seen.get(unit, 0) + 1
        copy = f"-{seen[unit]}" if seen[unit] > 1 else ""
        ids.append(f"{unit[:length]}{copy}")
    return ids


def _entry(
    id_: str,
    result: Result,
    by_cell: Mapping[tuple[str, str, str], list[int]],
    reported: Sequence[PublishedScore],
) -> Entry:
    rows = tuple(result_rows(result))
    matches, reproduced = [], []
    for row in rows:
        cell = (row.encoder.casefold(), row.column.casefold(), row.metric)
        found = [each for each in by_cell.get(cell, ()) if reported[each].unit == row.unit]
        found.sort(key=lambda number: reported[number].protocol != row.protocol)
        matches.append(tuple(found))
        reproduced.append(_reproduced(result, row, [reported[number] for number in found]))
    return Entry(id_, result, rows, tuple(matches), tuple(reproduced))


def _reproduced(result: Result, row: Row, scores: Iterable[PublishedScore]) -> bool | None:
    protocol = result.protocol
    same = [each.value for each in scores if each.protocol == protocol.name]
    kept = protocol.conforms and protocol.track == "constrained" and is_whole_grid(result)
    ours = kept and is_listed(result)
    return any(is_inside(value, row) for value in same) if same and ours else None


def reported_rows(
    reported: Iterable[PublishedScore], shown: Sequence[Entry]
) -> tuple[ReportedRow, ...]:
    """Make the rows of published scores.

    Parameters
    ----------
    reported : iterable of PublishedScore
        What papers say.
    shown : sequence of Entry
        The results on the same page: their first metric is the main one of their task.

    Returns
    -------
    tuple of ReportedRow
        In the given order. Where no run tells a task's main metric, every one counts.
    """
    main: dict[str, set[str]] = {}
    for entry in shown:
        for name in (entry.result.task.column, entry.result.task.name):
            main.setdefault(name.casefold(), set()).add(entry.rows[0].metric)
    return tuple(
        ReportedRow(
            published_row(score),
            score.metric in main.get(score.task.casefold(), {score.metric}),
        )
        for score in reported
    )
