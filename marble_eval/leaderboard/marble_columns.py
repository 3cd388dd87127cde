"""MARBLE's columns in its order, its average over the 14 tasks, and a flat one.

In MARBLE's average, a task counts once with the plain mean of its metrics, and separation enters in
decibels as published (arXiv 2306.10548, section 3.2). The flat average is the plain mean of the
columns in percent. A model that lacks a cell has no average.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple, TypeVar

import numpy as np

Number = TypeVar("Number", float, np.ndarray)


class Column(NamedTuple):
    """A column of a section: its header, what it holds, unit and direction."""

    header: str
    task: str
    metric: str
    unit: str = "percent"
    higher_is_better: bool = True
    main: bool = True  # whether it is the task's main metric


MARBLE_COLUMNS = (
    Column("MTT ROC", "MTT", "roc_auc"),
    Column("MTT AP", "MTT", "average_precision", main=False),
    Column("GS", "GS", "weighted_score"),
    Column("GTZAN", "GTZAN", "accuracy"),
    Column("Beat F1", "GTZANBeat", "beat_f1"),
    Column("EMO V", "EMO", "r2_valence"),
    Column("EMO A", "EMO", "r2_arousal", main=False),
    Column("NSynthI", "NSynthI", "accuracy"),
    Column("NSynthP", "NSynthP", "accuracy"),
    Column("VocTech", "VocalSetT", "accuracy"),
    Column("VocSinger", "VocalSetS", "accuracy"),
    Column("MTGInst ROC", "MTGInstrument", "roc_auc"),
    Column("MTGInst AP", "MTGInstrument", "average_precision", main=False),
    Column("MTGMood ROC", "MTGMood", "roc_auc"),
    Column("MTGMood AP", "MTGMood", "average_precision", main=False),
    Column("MTGGenre ROC", "MTGGenre", "roc_auc"),
    Column("MTGGenre AP", "MTGGenre", "average_precision", main=False),
    Column("MTGTop50 ROC", "MTGTop50", "roc_auc"),
    Column("MTGTop50 AP", "MTGTop50", "average_precision", main=False),
    Column("SDR vocals", "MUSDB18", "sdr_vocals", "dB"),
    Column("SDR drums", "MUSDB18", "sdr_drums", "dB", main=False),
    Column("SDR bass", "MUSDB18", "sdr_bass", "dB", main=False),
    Column("SDR other", "MUSDB18", "sdr_other", "dB", main=False),
)


def task_average(scores: Mapping[str, Number]) -> Number | None:
    """Average scores as MARBLE does, by header; of arrays, each (resample,)."""
    tasks: dict[str, list[Number]] = {}
    for column in MARBLE_COLUMNS:
        if column.header not in scores:
            return None
        tasks.setdefault(column.task, []).append(scores[column.header])
    return _mean([_mean(metrics) for metrics in tasks.values()])


def flat_average(scores: Mapping[str, Number], columns: Iterable[Column]) -> Number | None:
    """Average the scores of some columns, each once; None without a column or with an empty one."""
    headers = [column.header for column in columns]
    if not headers or any(header not in scores for header in headers):
        return None
    return _mean([scores[header] for header in headers])


def averaged_columns(columns: Iterable[Column]) -> tuple[Column, ...]:
    """Choose the columns of the flat average: MARBLE's in percent, else the main metrics."""
    given = tuple(columns)
    if [each.header for each in given] == [each.header for each in MARBLE_COLUMNS]:
        return tuple(each for each in given if each.unit == "percent")
    main = tuple(each for each in given if each.main)
    return main if all(each.unit == "percent" for each in main) else ()


def _mean(values: list[Number]) -> Number:
    total = values[0]
    for each in values[1:]:
        total = total + each
    return total / len(values)
