"""Published scores, from `marble_eval.published/*.csv`, and where runs match them.

A published score is what its source says, in the unit of its source. It belongs to a run's score if
encoder, column, metric and unit agree. It is reproduced if it lies inside the interval of a run in
the first section (MARBLE's protocol, conforming, constrained, all layers, current edition) and its
table was made under that protocol too.
"""

from __future__ import annotations

import csv
import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

from marble_eval.leaderboard.score_rows import ScoreRow, flag_text
from marble_eval.names import look_alikes
from marble_eval.registry import encoder_names
from marble_eval.spec import from_mapping

#: The protocol of MARBLE's own table, named first where papers differ.
PROTOCOL = "marble-v1"
#: A paper's own protocol, which compares with nothing here; the default of a table.
OWN = "own"

Cell = tuple[str, str, str]
Cells = Mapping[Cell, tuple["PublishedScore", ...]]


@dataclass(frozen=True, slots=True)
class PublishedScore:
    """One cell of a published table."""

    encoder: str
    task: str  # MARBLE's column, or a task of the paper's own
    metric: str
    value: float
    unit: str  # "percent" or "dB"
    track: str  # "constrained" or "unconstrained"; empty where the source names none
    source: str  # paper and table
    note: str  # what the source notes; often empty
    protocol: str = OWN  # "marble-v1", "own" or "various"


def odd_encoders(names: Iterable[str]) -> Mapping[str, str]:
    """Say of each encoder's name that is not what it looks like why."""
    return look_alikes(names, {*encoder_names(), *(each.encoder for each in published_scores())})


@cache
def published_scores() -> tuple[PublishedScore, ...]:
    """Read every published score of the package, in the order of files and lines."""
    folder = resources.files("marble_eval.published")
    files = sorted(
        (each for each in folder.iterdir() if each.name.endswith(".csv")),
        key=lambda each: each.name,
    )
    return tuple(
        from_mapping(PublishedScore, line, f"{each.name}:{number}")
        for each in files
        for number, line in enumerate(
            csv.DictReader(each.read_text(encoding="utf-8").splitlines()), start=2
        )
    )


def published_cells(scores: Iterable[PublishedScore]) -> Cells:
    """Group published scores by cell, names without case, MARBLE's protocol first."""
    cells: dict[Cell, tuple[PublishedScore, ...]] = {}
    for each in sorted(scores, key=lambda score: score.protocol != PROTOCOL):
        cell = _cell(each.encoder, each.task, each.metric)
        cells[cell] = (*cells.get(cell, ()), each)
    return cells


def _cell(encoder: str, task: str, metric: str) -> Cell:
    return encoder.casefold(), task.casefold(), metric


@cache
def _shipped_cells() -> Cells:
    return published_cells(published_scores())


def published_value(encoder: str, task: str, metric: str) -> PublishedScore | None:
    """Look up the published score of an encoder on a task or column, MARBLE's own first."""
    return next(iter(_shipped_cells().get(_cell(encoder, task, metric), ())), None)


def published_matches(row: ScoreRow, cells: Cells) -> list[PublishedScore]:
    """List the published scores of a run's cell, those under its protocol first."""
    if not _is_released(row):
        return []
    found = [
        each
        for each in cells.get(_cell(row.encoder, row.column, row.metric), ())
        if each.unit == row.unit
    ]
    return sorted(found, key=lambda each: each.protocol != row.protocol)


def _is_released(row: ScoreRow) -> bool:
    """Check that weights are not known by their own digest alone, as those of anybody are."""
    return not row.revision.startswith(("local-", "step"))


def is_reproduced(
    row: ScoreRow, matches: Iterable[PublishedScore], *, in_first: bool
) -> bool | None:
    """Check whether a run's interval holds a published value; None if that cannot be asked."""
    values = [each.value for each in matches if each.protocol == row.protocol]
    return any(_is_inside(value, row) for value in values) if values and in_first else None


def with_published(row: ScoreRow, cells: Cells, *, in_first: bool) -> ScoreRow:
    """Add the published value to the row of a run, and whether it was reproduced."""
    matches = published_matches(row, cells)
    if not matches:
        return row
    return dataclasses.replace(
        row,
        published=matches[0].value,
        published_source=matches[0].source,
        reproduced=flag_text(is_reproduced(row, matches, in_first=in_first)),
    )


def reported_rows(reported: Iterable[PublishedScore], runs: Iterable[ScoreRow]) -> list[ScoreRow]:
    """Make the rows of published scores, marking those that the first section's runs reproduce."""
    of_cell: dict[Cell, list[ScoreRow]] = {}
    for row in filter(_is_released, runs):
        of_cell.setdefault(_cell(row.encoder, row.column, row.metric), []).append(row)
    rows = []
    for score in reported:
        same = of_cell.get(_cell(score.encoder, score.task, score.metric), ())
        rows.append(dataclasses.replace(published_row(score), reproduced=_by_any(score, same)))
    return rows


def _by_any(score: PublishedScore, rows: Sequence[ScoreRow]) -> str:
    same = [each for each in rows if (each.unit, each.protocol) == (score.unit, score.protocol)]
    return flag_text(any(_is_inside(score.value, row) for row in same) if same else None)


def published_row(score: PublishedScore) -> ScoreRow:
    """Make the row of a published score."""
    return ScoreRow(
        encoder=score.encoder,
        task=score.task,
        protocol=score.protocol,
        track=score.track,
        deviations=score.note,
        metric=score.metric,
        unit=score.unit,
        value=score.value,
        source="reported",
        reference=score.source,
        column=score.task,
    )


def _is_inside(value: float, row: ScoreRow) -> bool:
    return row.low is not None and row.high is not None and row.low <= value <= row.high
