"""The results of a page in its order: identifiers, rows, and the published scores they match.

The order is by task, then runs before published scores, then the better score. `score_rows.js`
keeps it where a column ties.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from marble_eval.leaderboard import PublishedScore, ScoreRow, published_row, result_rows
from marble_eval.leaderboard.comparable import first_scope, scopes
from marble_eval.leaderboard.published import is_reproduced, published_cells, published_matches
from marble_eval.leaderboard.score_text import interval_text, score_text, unit_suffix
from marble_eval.results import Found, Result

_SHORTEST_ID = 8  # hexadecimal digits; more where two results would share them


class ListedResult(NamedTuple):
    """A result on the page; rows, and what follows, are one for each metric, the main one first."""

    id: str  # the beginning of its unit, which its link ends with
    result: Result
    rows: tuple[ScoreRow, ...]
    published: tuple[tuple[int, ...], ...]  # places of the published scores of its cell
    reproduced: tuple[bool | None, ...]


class PublishedRow(NamedTuple):
    """A published score on the page; `main` if it is of its task's main metric."""

    row: ScoreRow
    main: bool


class TableLine(NamedTuple):
    """A line of the page's table in words; "–" for what does not apply."""

    encoder: str
    task: str
    metric: str
    score: str
    interval: str
    source: str
    verdict: str  # "reproduced", "not reproduced" or empty
    n: str
    layer: str
    protocol: str
    deviates: bool
    revision: str
    licence: str
    reference: str  # paper of a published score, identifier of a run


def listed_results(
    results: Iterable[Result], published: Sequence[PublishedScore]
) -> list[ListedResult]:
    """Order the results of a page, and match them with published scores."""
    ordered = sorted(results, key=_result_order)
    places = {id(score): place for place, score in enumerate(published)}
    cells = published_cells(published)
    first = first_scope()
    embedded = any(each.task.embedded for each in ordered)
    of_result = scopes([Found(Path(), each) for each in ordered], embedded=embedded)
    ids = _short_ids([each.unit for each in ordered])
    listed = []
    for name, result, scope in zip(ids, ordered, of_result, strict=True):
        rows = tuple(result_rows(result))
        matches = [published_matches(row, cells) for row in rows]
        reproduced = [
            is_reproduced(row, found, in_first=scope == first)
            for row, found in zip(rows, matches, strict=True)
        ]
        of_rows = tuple(tuple(places[id(score)] for score in found) for found in matches)
        listed.append(ListedResult(name, result, rows, of_rows, tuple(reproduced)))
    return listed


def _result_order(result: Result) -> tuple[object, ...]:
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


def published_listing(
    published: Iterable[PublishedScore], listed: Sequence[ListedResult]
) -> tuple[PublishedRow, ...]:
    """Make the rows of published scores; where no run has the task, every metric is a main one."""
    main: dict[str, set[str]] = {}
    for each in listed:
        for name in (each.result.task.column, each.result.task.name):
            main.setdefault(name.casefold(), set()).add(each.rows[0].metric)
    return tuple(
        PublishedRow(
            published_row(score),
            score.metric in main.get(score.task.casefold(), {score.metric}),
        )
        for score in published
    )


def table_lines(
    listed: Sequence[ListedResult], published: Sequence[PublishedRow]
) -> list[TableLine]:
    """Write the rows of the main metrics, in the order of the page."""
    rows = [(each.rows[0], each.id, each.reproduced[0]) for each in listed]
    rows += [(each.row, each.row.reference, None) for each in published if each.main]
    return [_line(*each) for each in sorted(rows, key=lambda each: _row_order(each[0]))]


def _row_order(row: ScoreRow) -> tuple[object, ...]:
    better = row.value if row.higher_is_better == "false" else -row.value
    return (
        row.task.lower(),
        row.task,
        row.metric,
        row.source != "run",
        better,
        row.encoder.lower(),
    )


def _line(row: ScoreRow, reference: str, reproduced: bool | None) -> TableLine:
    return TableLine(
        encoder=row.encoder,
        task=versioned(row.task, row.task_version),
        metric=row.metric + unit_suffix(row.unit),
        score=shown_score(row.value, row.unit),
        interval=_interval(row),
        source=row.source,
        verdict={True: "reproduced", False: "not reproduced", None: ""}[reproduced],
        n="–" if row.n is None else f"{row.n:,}",
        layer=row.layer or "–",
        protocol=versioned(row.protocol, row.protocol_version) or "–",
        deviates=row.conforms == "false",
        revision=row.revision or "–",
        licence=row.licence or "–",
        reference=reference,
    )


def shown_score(value: float, unit: str) -> str:
    """Write a score for the page, with a minus sign for a hyphen."""
    return score_text(value, unit).replace("-", "−")


def _interval(row: ScoreRow) -> str:
    if row.low is None or row.high is None:
        return "–"
    return interval_text(row.low, row.high, row.unit).replace("-", "−")


def versioned(name: str, version: int | None) -> str:
    """Name a task or protocol, with its version from the second on: GTZAN, GTZAN@2."""
    return name if version in (None, 1) else f"{name}@{version}"
