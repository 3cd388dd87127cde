"""MARBLE's columns in its order, its average over the 14 tasks, and a flat one.

In MARBLE's, a task with several metrics counts once, with their plain mean, and the
average is the plain mean of the tasks (MARBLE, arXiv 2306.10548, section 3.2).
Separation is averaged as it is published: decibels among percentages. The flat average
is the plain mean of columns in percent, each once. Who misses a cell has no average.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple, TypeVar

import numpy as np

Number = TypeVar("Number", float, np.ndarray)


class Cell(NamedTuple):
    """A column of the wide table: its header, task and metric."""

    header: str
    task: str
    metric: str


CELLS = (
    Cell("MTT ROC", "MTT", "roc_auc"),
    Cell("MTT AP", "MTT", "average_precision"),
    Cell("GS", "GS", "weighted_score"),
    Cell("GTZAN", "GTZAN", "accuracy"),
    Cell("Beat F1", "GTZANBeat", "beat_f1"),
    Cell("EMO V", "EMO", "r2_valence"),
    Cell("EMO A", "EMO", "r2_arousal"),
    Cell("NSynthI", "NSynthI", "accuracy"),
    Cell("NSynthP", "NSynthP", "accuracy"),
    Cell("VocTech", "VocalSetT", "accuracy"),
    Cell("VocSinger", "VocalSetS", "accuracy"),
    Cell("MTGInst ROC", "MTGInstrument", "roc_auc"),
    Cell("MTGInst AP", "MTGInstrument", "average_precision"),
    Cell("MTGMood ROC", "MTGMood", "roc_auc"),
    Cell("MTGMood AP", "MTGMood", "average_precision"),
    Cell("MTGGenre ROC", "MTGGenre", "roc_auc"),
    Cell("MTGGenre AP", "MTGGenre", "average_precision"),
    Cell("MTGTop50 ROC", "MTGTop50", "roc_auc"),
    Cell("MTGTop50 AP", "MTGTop50", "average_precision"),
    Cell("SDR vocals", "MUSDB18", "sdr_vocals"),
    Cell("SDR drums", "MUSDB18", "sdr_drums"),
    Cell("SDR bass", "MUSDB18", "sdr_bass"),
    Cell("SDR other", "MUSDB18", "sdr_other"),
)


PERCENT_HEADERS = tuple(cell.header for cell in CELLS if not cell.metric.startswith("sdr_"))


def task_average(scores: Mapping[str, Number]) -> Number | None:
    """Average a model's scores as MARBLE does.

    Parameters
    ----------
    scores : mapping of str to float, or to np.ndarray [shape=(resample,)]
        Score under each header of `CELLS`, in percent, SDR in dB.

    Returns
    -------
    float, np.ndarray or None
        Mean over the 14 tasks; None if a cell is missing.

    Examples
    --------
    >>> task_average({cell.header: 50.0 for cell in CELLS})
    50.0
    >>> task_average({"GTZAN": 74.8}) is None
    True
    """
    tasks: dict[str, list[Number]] = {}
    for cell in CELLS:
        if cell.header not in scores:
            return None
        tasks.setdefault(cell.task, []).append(scores[cell.header])
    return _mean([_mean(metrics) for metrics in tasks.values()])


def flat_average(scores: Mapping[str, Number], headers: Iterable[str]) -> Number | None:
    """Average a model's scores, each column once.

    Parameters
    ----------
    scores : mapping of str to float, or to np.ndarray [shape=(resample,)]
        Score under each header, in percent.
    headers : iterable of str
        The columns to be averaged; `PERCENT_HEADERS` are MARBLE's.

    Returns
    -------
    float, np.ndarray or None
        Plain mean; None if there is no column, or a cell is missing.

    Examples
    --------
    >>> flat_average({"GTZAN": 80.0, "GS": 60.0, "SDR vocals": 5.0}, ("GTZAN", "GS"))
    70.0
    >>> flat_average({"GTZAN": 80.0}, ("GTZAN", "GS")) is None
    True
    """
    wanted = tuple(headers)
    if not wanted or any(header not in scores for header in wanted):
        return None
    return _mean([scores[header] for header in wanted])


def _mean(values: list[Number]) -> Number:
    total = values[0]
    for each in values[1:]:
        total = total + each
    return total / len(values)
