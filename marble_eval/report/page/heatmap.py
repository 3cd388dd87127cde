"""The heat map of a page: encoders down, tasks across, one map for each set of rules.

What is not comparable never shares a column: another protocol, track, probe or choice
of layers makes another map, another version or digest of a task's data another column,
and runs with deviations stand in maps of their own. Published scores have a map for
each source. Shades are relative within a column: the worst 0, the best `SHADES` - 1.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from marble_eval.leaderboard import Row
from marble_eval.leaderboard.task_versions import is_whole_grid
from marble_eval.report.page.entries import Entry, ReportedRow

SHADES = 8


class Heading(NamedTuple):
    """A column: the task as it is shown, the metric, the version and digest of its data."""

    task: str
    metric: str
    unit: str
    version: int | None
    digest: str


class HeatCell(NamedTuple):
    """A score in its map; `number` is its entry's place, None for a published score."""

    row: Row
    shade: int
    number: int | None


class HeatRow(NamedTuple):
    """An encoder, what sets it apart, and a cell or None for each column."""

    encoder: str
    note: str
    cells: tuple[HeatCell | None, ...]


class HeatMap(NamedTuple):
    """One map: its rules in words, its columns and rows."""

    title: str
    reported: bool
    headings: tuple[Heading, ...]
    rows: tuple[HeatRow, ...]


@dataclass(frozen=True, slots=True)
class _Score:
    title: tuple[str, ...]
    heading: Heading
    encoder: str
    note: str
    row: Row
    higher_is_better: bool
    number: int | None


def heat_maps(shown: Sequence[Entry], reported: Iterable[ReportedRow]) -> list[HeatMap]:
    """Make every map of a page.

    Parameters
    ----------
    shown : sequence of Entry
        The results, in the order of the page.
    reported : iterable of ReportedRow
        What papers say.

    Returns
    -------
    list of HeatMap
        Maps of runs, those with the most scores first, then those of published scores.
    """
    scores = [_of_run(number, entry) for number, entry in enumerate(shown)]
    maps = _maps(scores, reported=False)
    maps.sort(key=lambda each: -sum(cell is not None for row in each.rows for cell in row.cells))
    return maps + _maps([_of_paper(each.row) for each in reported], reported=True)


def _of_run(number: int, entry: Entry) -> _Score:
    result, row = entry.result, entry.rows[0]
    protocol = result.protocol
    title = (
        f"{protocol.name} (version {protocol.version})",
        protocol.track,
        f"{result.probe.name} probe",
        *([] if is_whole_grid(result) else [f"layers {', '.join(result.choices.layers)} only"]),
        *([] if protocol.conforms else ["runs that deviate"]),
    )
    notes = [
        f"revision {row.revision}" if row.revision else "",
        "" if result.encoder.precision == "float32" else result.encoder.precision,
        "" if result.features.dtype == "float16" else f"{result.features.dtype} features",
        row.deviations,
        f"may have seen the data: {row.overlap}" if row.overlap else "",
    ]
    task = result.task
    heading = Heading(task.name, row.metric, row.unit, task.version, task.data_digest)
    higher = result.metrics[row.metric].higher_is_better
    note = "; ".join(filter(None, notes))
    return _Score(title, heading, row.encoder, note, row, higher, number)


def _of_paper(row: Row) -> _Score:
    heading = Heading(row.task, row.metric, row.unit, None, "")
    note = "; ".join(filter(None, [row.track, f"protocol {row.protocol}"]))
    return _Score(("reported", row.reference), heading, row.encoder, note, row, True, None)


def _maps(scores: Iterable[_Score], *, reported: bool) -> list[HeatMap]:
    by_title: dict[tuple[str, ...], list[_Score]] = {}
    for score in scores:
        by_title.setdefault(score.title, []).append(score)
    return [
        _map(", ".join(title), members, reported=reported)
        for title, members in sorted(by_title.items())
    ]


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
    """Give each value of a column its shade; one value alone is the best."""
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
