"""Sections: the wide tables of a leaderboard, one for each set of rows that compare.

A section of MARBLE's tasks has MARBLE's columns and both averages; any other has a column
for each metric of its tasks, and the flat average of their main metrics. Rows that do not
compare with each other get no average and no mark of the best.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from marble_eval.leaderboard.marble_columns import (
    MARBLE_COLUMNS,
    Column,
    Number,
    averaged_columns,
    flat_average,
    task_average,
)
from marble_eval.leaderboard.models import Model
from marble_eval.leaderboard.score_rows import ScoreRow
from marble_eval.results import Found

MARBLE, FLAT = "average", "flat_average"
_DECIMALS = 4


class Standing(NamedTuple):
    """The rank of a model over resampled items: range, chance of being first, tie with the best."""

    low: int
    high: int
    first_chance: float
    tied: bool


@dataclass(frozen=True, slots=True)
class ModelScores:
    """A row of a section; scores, paths and ranks by header, ranks also by name of an average."""

    model: Model
    scores: Mapping[str, ScoreRow]
    paths: Mapping[str, Path]  # result files; empty for a published model
    rows: tuple[ScoreRow, ...]  # every metric of its results, also those without a column here
    averages: Mapping[str, float]  # those with every cell, by name
    ranks: Mapping[str, Standing] = dataclasses.field(default_factory=dict)  # with ranks only


@dataclass(frozen=True, slots=True)
class Section:
    """One wide table, with its title and the reason why it is separate."""

    title: str
    reason: str
    comparable: bool  # whether its rows compare with each other
    columns: tuple[Column, ...]
    averages: tuple[str, ...]  # names of the averages it can have
    models: tuple[ModelScores, ...]
    results: tuple[Found, ...] = ()

    def average(self, name: str, scores: Mapping[str, Number]) -> Number | None:
        """Average scores, or resampled scores (resample,), by header; None if a cell is missing."""
        if name == MARBLE:
            return task_average(scores)
        return flat_average(scores, averaged_columns(self.columns))


class Claim(NamedTuple):
    """A score, the model that it belongs to, and its result file."""

    model: Model
    row: ScoreRow
    path: Path | None


def own_columns(rows: Iterable[ScoreRow]) -> tuple[Column, ...]:
    """Make a column of each metric of each task, the main one of a task first."""
    found: dict[tuple[str, str], Column] = {}
    for row in rows:
        column = Column(
            header=f"{row.task} {row.metric}",
            task=row.task,
            metric=row.metric,
            unit=row.unit,
            higher_is_better=row.higher_is_better == "true",
            main=row.main == "true",
        )
        found.setdefault((row.task, row.metric), column)
    return tuple(sorted(found.values(), key=lambda each: (each.task, not each.main, each.metric)))


def reported_columns(rows: Iterable[ScoreRow]) -> tuple[Column, ...]:
    """Make the columns of a paper's own table: MARBLE's that it has, then any other.

    Every one is averaged, since the papers with tables of their own do so.
    """
    present = {(row.task, row.metric): row.unit for row in rows}
    known = [column for column in MARBLE_COLUMNS if (column.task, column.metric) in present]
    shown = {(column.task, column.metric) for column in known}
    others = [
        Column(f"{task} {metric}", task, metric, unit, higher_is_better=True, main=True)
        for (task, metric), unit in present.items()
        if (task, metric) not in shown
    ]
    return tuple(column._replace(main=True) for column in (*known, *others))


def section_models(
    claims: Iterable[Claim], columns: Sequence[Column], *, by_column: bool
) -> tuple[ModelScores, ...]:
    """Collect the scores of each model."""
    headers = {(each.task, each.metric): each.header for each in columns}
    of_model: dict[Model, list[Claim]] = {}
    for claim in claims:
        of_model.setdefault(claim.model, []).append(claim)
    models = []
    for model in sorted(of_model, key=lambda model: (model.encoder.casefold(), *model)):
        scores: dict[str, ScoreRow] = {}
        paths: dict[str, Path] = {}
        for _, row, path in of_model[model]:
            header = headers.get((row.column if by_column else row.task, row.metric))
            if header is not None:
                scores[header] = row
                if path is not None:
                    paths[header] = path
        rows = tuple(claim.row for claim in of_model[model])
        models.append(ModelScores(model, scores, paths, rows, {}))
    return tuple(models)


def with_averages(section: Section) -> Section:
    """Fill in the averages of each row that has every cell."""
    models = []
    for each in section.models:
        scores = {header: row.value for header, row in each.scores.items()}
        found = {name: section.average(name, scores) for name in section.averages}
        averages = {
            name: round(value, _DECIMALS) for name, value in found.items() if value is not None
        }
        models.append(dataclasses.replace(each, averages=averages))
    return dataclasses.replace(section, models=tuple(models))
