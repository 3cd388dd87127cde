"""MARBLE's columns in its order, and its average over the 14 tasks.

A task with several metrics counts once, with their plain mean, and the average is
the plain mean of the tasks (MARBLE, arXiv 2306.10548, section 3.2). Separation is
averaged as it is published: decibels among percentages. A model that misses a
task has no average.
"""

from __future__ import annotations

from collections.abc import Mapping
from statistics import fmean
from typing import NamedTuple


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


def task_average(scores: Mapping[str, float]) -> float | None:
    """Average a model's scores as MARBLE does.

    Parameters
    ----------
    scores : mapping of str to float
        Score under each header of `CELLS`, in percent, SDR in dB.

    Returns
    -------
    float or None
        Mean over the 14 tasks; None if a cell is missing.

    Examples
    --------
    >>> task_average({cell.header: 50.0 for cell in CELLS})
    50.0
    >>> task_average({"GTZAN": 74.8}) is None
    True
    """
    tasks: dict[str, list[float]] = {}
    for cell in CELLS:
        if cell.header not in scores:
            return None
        tasks.setdefault(cell.task, []).append(scores[cell.header])
    return fmean(fmean(metrics) for metrics in tasks.values())
