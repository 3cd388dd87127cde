"""The heat maps of a page: encoders down, tasks across.

There is a map for each set of conditions, with a column for each edition of a task, and a map for
each source of published scores. Shades are relative within a column: the worst 0, the best
`SHADES` - 1.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from marble_eval.leaderboard import ScoreRow
from marble_eval.leaderboard.comparable import conditions_of
from marble_eval.report.page.listing import ListedResult, PublishedRow

SHADES = 8


class Heading(NamedTuple):
    """A column: an edition of a task, and its main metric."""

    task: str
    metric: str
    unit: str
    version: int | None
    digest: str


class HeatCell(NamedTuple):
    """A score; `number` is the place of its result, None for a published score."""

    row: ScoreRow
    shade: int
    number: int | None


class HeatRow(NamedTuple):
    """An encoder, what distinguishes it, and a cell or None for each column."""

    encoder: str
    note: str
    cells: tuple[HeatCell | None, ...]


class HeatMap(NamedTuple):
    """One map: its conditions in words, columns and rows."""

    title: str
    reported: bool
    headings: tuple[Heading, ...]
    rows: tuple[HeatRow, ...]


@dataclass(frozen=True, slots=True)
class _Score:
    title: str
    heading: Heading
    encoder: str
    note: str
    row: ScoreRow
    higher_is_better: bool
    number: int | None


def heat_maps(listed: Sequence[ListedResult], published: Iterable[PublishedRow]) -> list[HeatMap]:
    """Make every map of a page: runs first, the map with the most scores foremost."""
    scores = [_of_run(number, each) for number, each in enumerate(listed)]
    maps = _maps(scores, reported=False)
    maps.sort(key=lambda each: -sum(cell is not None for row in each.rows for cell in row.cells))
    return maps + _maps([_of_paper(each.row) for each in published], reported=True)


def _of_run(number: int, listed: ListedResult) -> _Score:
    result, row = listed.result, listed.rows[0]
    notes = [
        f"revision {row.revision}" if row.revision else "",
        "" if result.encoder.precision == "float32" else result.encoder.precision,
        "" if result.features.dtype == "float16" else f"{result.features.dtype} features",
        f"may have seen the data: {row.overlap}" if row.overlap else "",
    ]
    task = result.task
    heading = Heading(task.name, row.metric, row.unit, task.version, task.data_digest)
    higher = result.metrics[row.metric].higher_is_better
    note = "; ".join(filter(None, notes))
    return _Score(conditions_of(result).title, heading, row.encoder, note, row, higher, number)


def _of_paper(row: ScoreRow) -> _Score:
    heading = Heading(row.task, row.metric, row.unit, None, "")
    note = "; ".join(filter(None, [row.track, f"protocol {row.protocol}"]))
    return _Score(f"reported, {row.reference}", heading, row.encoder, note, row, True, None)


def _maps(scores: Iterable[_Score], *, reported: bool) -> list[HeatMap]:
    by_title: dict[str, list[_Score]] = {}
    for score in scores:
        by_title.setdefault(score.title, []).append(score)
    return [_map(title, members, reported=reported) for title, members in sorted(by_title.items())]


def _map(title: str, scores: Sequence[_Score], *, reported: bool) -> HeatMap:
    place: dict[str, int] = {}
    for score in scores:
        place.setdefault(score.heading.task, len(place))
    headings = sorted(
        dict.fromkeys(each.heading for each in scores),
        key=lambda each: (place[each.task], each.version or 0, each.digest),
    )
    shades = {heading: _shades(scores, heading) for heading in headings}
    rows: dict[tuple[str, str, int], dict[Heading, HeatCell]] = {}
    for score in scores:
        again = 0
        # A second run of a cell, by another seed or a copy, gets a row of its own.
        while score.heading in rows.get((score.encoder, score.note, again), {}):
            again += 1
        cell = HeatCell(score.row, shades[score.heading][score.row.value], score.number)
        rows.setdefault((score.encoder, score.note, again), {})[score.heading] = cell
    order = sorted(rows, key=lambda row: (row[0].casefold(), *row))
    return HeatMap(
        title,
        reported,
        tuple(headings),
        tuple(
            HeatRow(
                encoder,
                "; ".join(filter(None, [note, f"run {again + 1}" if again else ""])),
                tuple(rows[encoder, note, again].get(heading) for heading in headings),
            )
            for encoder, note, again in order
        ),
    )


def _shades(scores: Iterable[_Score], heading: Heading) -> Mapping[float, int]:
    """Shade the values of a column; a single value is the best."""
    column = [each for each in scores if each.heading == heading]
    values = [each.row.value for each in column]
    worst, best = min(values), max(values)
    if not column[0].higher_is_better:
        worst, best = best, worst
    if worst == best:
        return {best: SHADES - 1}
    return {
        value: min(SHADES - 1, int(SHADES * (value - worst) / (best - worst))) for value in values
    }
