"""Scores that papers report, as data: `marble_eval.published/*.csv`.

They stand beside ours and are never mixed up with them: a published score is
what its source says, in the unit of its source, and was not measured here.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from importlib import resources
from typing import NamedTuple

from marble_eval.spec import from_mapping


@dataclass(frozen=True, slots=True)
class PublishedScore:
    """One cell of a published table.

    Attributes
    ----------
    encoder, task, metric : str
        Model, column of MARBLE's leaderboard and metric.
    value : float
        The score, in ``unit``.
    unit : str
        "percent" or "dB".
    track : str
        "constrained" or "unconstrained".
    source : str
        Paper and table.
    note : str
        What the source says of the cell; often empty.
    """

    encoder: str
    task: str
    metric: str
    value: float
    unit: str
    track: str
    source: str
    note: str


class PublishedValue(NamedTuple):
    """A published score and where it stands."""

    value: float
    source: str


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


def published_value(encoder: str, task: str, metric: str) -> PublishedValue | None:
    """Look up what a paper reports for an encoder on a task.

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
    PublishedValue or None
        The value in the unit of its source (percent, or dB for SDR) and the
        source; None if nothing was published.

    Examples
    --------
    >>> published_value("mert-v1-95m", "GTZAN", "accuracy")
    PublishedValue(value=74.8, source='MARBLE, arXiv 2306.10548, Tables 3 and 4')
    >>> published_value("my-encoder", "GTZAN", "accuracy")
    """
    wanted = (encoder.casefold(), task.casefold(), metric)
    for each in published_scores():
        if (each.encoder.casefold(), each.task.casefold(), each.metric) == wanted:
            return PublishedValue(each.value, each.source)
    return None
