"""Scores that papers report, as data: `marble_eval.published/*.csv`.

They stand beside ours and are never mixed up with them: a published score is
what its source says, in the unit of its source, and was not measured here.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import NamedTuple

from marble_eval.spec import from_mapping

#: The protocol of MARBLE's own table, and the first to be named where papers differ.
PROTOCOL = "marble-v1"
#: Any paper's own, which compares with nothing here; what a table without the column has.
OWN = "own"


@dataclass(frozen=True, slots=True)
class PublishedScore:
    """One cell of a published table.

    Attributes
    ----------
    encoder, task, metric : str
        Model, column of MARBLE's leaderboard and metric; a task of the paper's own
        where MARBLE has no such column.
    value : float
        The score, in ``unit``.
    unit : str
        "percent" or "dB".
    track : str
        "constrained" or "unconstrained"; empty where the source names no track.
    source : str
        Paper and table.
    note : str
        What the source says of the cell; often empty.
    protocol : str
        "marble-v1", "own" (the paper's) or "various".
    """

    encoder: str
    task: str
    metric: str
    value: float
    unit: str
    track: str
    source: str
    note: str
    protocol: str = OWN


class PublishedValue(NamedTuple):
    """A published score and where it stands."""

    value: float
    source: str


Cell = tuple[str, str, str]


def published_scores() -> tuple[PublishedScore, ...]:
    """Read every published score that ships with the package.

    Returns
    -------
    tuple of PublishedScore
        In the order of the files' names and of their lines.

    Raises
    ------
    SpecError
        If a file lacks a column or a value is no number.

    Examples
    --------
    >>> len([each for each in published_scores() if each.encoder == "MERT-v1-95M"])
    23
    """
    return _shipped()


@cache
def _shipped() -> tuple[PublishedScore, ...]:
    """Read the tables once; they belong to the package and do not change."""
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


def published_cells(
    scores: Iterable[PublishedScore],
) -> Mapping[Cell, tuple[PublishedScore, ...]]:
    """Put published scores under their cells.

    Parameters
    ----------
    scores : iterable of PublishedScore
        Of any papers.

    Returns
    -------
    mapping of tuple of str to tuple of PublishedScore
        By encoder, task and metric, the two names without case; those under MARBLE's
        protocol first, then in the given order.
    """
    cells: dict[Cell, tuple[PublishedScore, ...]] = {}
    for each in sorted(scores, key=lambda score: score.protocol != PROTOCOL):
        cell = cell_of(each.encoder, each.task, each.metric)
        cells[cell] = (*cells.get(cell, ()), each)
    return cells


def cell_of(encoder: str, task: str, metric: str) -> Cell:
    """Name a cell, whatever the case of the names."""
    return encoder.casefold(), task.casefold(), metric


def published_values(encoder: str, task: str, metric: str) -> tuple[PublishedValue, ...]:
    """Look up what papers report for an encoder on a task.

    Parameters
    ----------
    encoder : str
        Name of the encoder, in any case.
    task : str
        Name of the task, or its column on MARBLE's leaderboard, in any case.
    metric : str
        Name of the metric.

    Returns
    -------
    tuple of PublishedValue
        Values in the unit of their source (percent, or dB for SDR), MARBLE's own first;
        empty if nothing was published.

    Examples
    --------
    >>> published_values("my-encoder", "GTZAN", "accuracy")
    ()
    """
    found = _shipped_cells().get(cell_of(encoder, task, metric), ())
    return tuple(PublishedValue(each.value, each.source) for each in found)


@cache
def _shipped_cells() -> Mapping[Cell, tuple[PublishedScore, ...]]:
    return published_cells(_shipped())


def published_value(encoder: str, task: str, metric: str) -> PublishedValue | None:
    """Look up the published value to name beside a score.

    Parameters
    ----------
    encoder, task, metric : str
        As `published_values`.

    Returns
    -------
    PublishedValue or None
        The first of `published_values`; None if nothing was published.

    Examples
    --------
    >>> published_value("mert-v1-95m", "GTZAN", "accuracy")
    PublishedValue(value=74.8, source='MARBLE, arXiv 2306.10548, Tables 3 and 4')
    >>> published_value("my-encoder", "GTZAN", "accuracy")
    """
    return next(iter(published_values(encoder, task, metric)), None)
