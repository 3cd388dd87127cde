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

from marble_eval.leaderboard.average import (
    CELLS,
    PERCENT_HEADERS,
    Number,
    flat_average,
    task_average,
)
from marble_eval.leaderboard.entries import Entry
from marble_eval.leaderboard.models import Model
from marble_eval.leaderboard.rows import Row

MARBLE, FLAT = "average", "flat_average"
_DECIMALS = 4


class Column(NamedTuple):
    """A column of a section: its header, what stands in it, its unit and direction."""

    header: str
    task: str
    metric: str
    unit: str
    higher_is_better: bool
    main: bool


class Standing(NamedTuple):
    """Ranks that resampling the items gives, the chance of being first, a tie with the best."""

    low: int
    high: int
    first_chance: float
    tied: bool


@dataclass(frozen=True, slots=True)
class ModelScores:
    """A row of a section.

    Attributes
    ----------
    model : Model
        Who.
    scores : mapping of str to Row
        By header of the column.
    paths : mapping of str to Path
        Result file of each score, by header; empty for what a paper reports.
    rows : tuple of Row
        Every metric of its results, also those without a column here.
    averages : mapping of str to float
        By name; without those that miss a cell.
    ranks : mapping of str to Standing
        By header or name of an average; empty unless ranks were asked for.
    """

    model: Model
    scores: Mapping[str, Row]
    paths: Mapping[str, Path]
    rows: tuple[Row, ...]
    averages: Mapping[str, float]
    ranks: Mapping[str, Standing] = dataclasses.field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Section:
    """Rows that may stand in one table.

    Attributes
    ----------
    title, reason : str
        Its name, and why it stands apart.
    comparable : bool
        Whether its rows compare with each other.
    columns : tuple of Column
        The scores.
    averages : tuple of str
        Names of the averages it can have.
    models : tuple of ModelScores
        Its rows.
    entries : tuple of Entry
        Its results and their files.
    """

    title: str
    reason: str
    comparable: bool
    columns: tuple[Column, ...]
    averages: tuple[str, ...]
    models: tuple[ModelScores, ...]
    entries: tuple[Entry, ...] = ()

    def average(self, name: str, scores: Mapping[str, Number]) -> Number | None:
        """Average scores as this section does.

        Parameters
        ----------
        name : str
            One of ``averages``.
        scores : mapping of str to float or np.ndarray [shape=(resample,)]
            By header, in the unit of the column.

        Returns
        -------
        float, np.ndarray or None
            None if a cell is missing.
        """
        if name == MARBLE:
            return task_average(scores)
        return flat_average(scores, _averaged(self.columns))


class Claim(NamedTuple):
    """A row of the long table, whose row of a wide one it belongs to, and its file."""

    model: Model
    row: Row
    path: Path | None


def marble_columns() -> tuple[Column, ...]:
    """Return MARBLE's columns, in its order."""
    main = {cell.task: cell.metric for cell in reversed(CELLS)}
    return tuple(
        Column(
            *cell,
            unit="dB" if cell.metric.startswith("sdr_") else "percent",
            higher_is_better=True,
            main=main[cell.task] == cell.metric,
        )
        for cell in CELLS
    )


def own_columns(rows: Iterable[Row]) -> tuple[Column, ...]:
    """Make a column of each metric of each task, the main one of a task first.

    Parameters
    ----------
    rows : iterable of Row
        Of runs.

    Returns
    -------
    tuple of Column
        By task.
    """
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


def reported_columns(rows: Iterable[Row]) -> tuple[Column, ...]:
    """Make the columns of a paper's own table: MARBLE's that it has, then any other.

    Every one is averaged, since the papers with tables of their own do so.
    """
    present = {(row.task, row.metric): row.unit for row in rows}
    known = [column for column in marble_columns() if (column.task, column.metric) in present]
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
    """Collect the scores of each model.

    Parameters
    ----------
    claims : iterable of Claim
        Rows of the section's results.
    columns : sequence of Column
        Its columns.
    by_column : bool
        Whether a column is found by MARBLE's name of the task.

    Returns
    -------
    tuple of ModelScores
        By name, those of papers among them; without averages.
    """
    headers = {(each.task, each.metric): each.header for each in columns}
    of_model: dict[Model, list[Claim]] = {}
    for claim in claims:
        of_model.setdefault(claim.model, []).append(claim)
    models = []
    for model in sorted(of_model, key=lambda model: (model.encoder.casefold(), *model)):
        scores: dict[str, Row] = {}
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


def _averaged(columns: Sequence[Column]) -> tuple[str, ...]:
    """Choose the columns of the flat average: MARBLE's in percent, else the main metrics."""
    headers = tuple(column.header for column in columns)
    if headers == tuple(cell.header for cell in CELLS):
        return PERCENT_HEADERS
    main = [column for column in columns if column.main]
    return tuple(each.header for each in main) if _one_unit(main) else ()


def _one_unit(columns: Iterable[Column]) -> bool:
    return all(column.unit == "percent" for column in columns)
