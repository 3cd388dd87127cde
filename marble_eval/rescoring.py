"""Scores from stored predictions: no model, no audio, no data set.

A result file names its predictions; from them the scores are computed by the same code
as in the run, so that they come out equal, and any other metric of the task's kind can
be asked for.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from marble_eval.errors import SpecError, ValidationError, near_misses
from marble_eval.recorded_task import BY_RECORDING, recorded_task
from marble_eval.results import read_predictions, read_result
from marble_eval.scoring import label_scores, recording_outputs
from marble_eval.spec import FrameRules
from marble_eval.split_scores import (
    RESAMPLES,
    SEED,
    EventCounts,
    ItemEstimates,
    SplitScores,
    metric_scores,
)
from marble_eval.statistics import bootstrap_weights

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import pandas as pd

    from marble_eval.registry import Task
    from marble_eval.results import LabelScore, MetricScore, Result


@dataclass(frozen=True)
class StoredScores:
    """What a result's predictions score on one split.

    Attributes
    ----------
    result : Result
        The record.
    task : Task
        Whose functions score.
    items, groups, references : tuple of str
        Id, group and reference of each item, in the stored order.
    estimates : tuple of tuple of str
        What each seed said of each item.
    metrics : mapping of str to bool
        Every metric that can be computed, and whether higher is better.
    split : SplitScores
        Of the items.
    recordings : SplitScores or None
        Of whole recordings, where the result scores those besides.
    recording_groups : tuple of str
        Group of each recording.
    """

    result: Result
    task: Task
    items: tuple[str, ...]
    groups: tuple[str, ...]
    references: tuple[str, ...]
    estimates: tuple[tuple[str, ...], ...]
    metrics: Mapping[str, bool]
    split: SplitScores
    recordings: SplitScores | None
    recording_groups: tuple[str, ...]

    def values(self, metric: str) -> np.ndarray:
        """Score each seed.

        Parameters
        ----------
        metric : str
            One of ``metrics``.

        Returns
        -------
        np.ndarray [shape=(seed,)]
            As the metric gives it: accuracy as a share in [0, 1].

        Raises
        ------
        SpecError
            If the metric is not known.
        """
        scores, name, _ = self._of(metric)
        return np.asarray(scores.values((name,))[name])

    def bootstrap(self, metric: str, resamples: int = RESAMPLES, seed: int = SEED) -> np.ndarray:
        """Score resamples of the items, as the mean over the seeds.

        Parameters
        ----------
        metric : str
            One of ``metrics``.
        resamples, seed : int
            How many, and which.

        Returns
        -------
        np.ndarray [shape=(resample,)]
            nan where the metric has no value. Two results on the same items and groups
            get the same draws, in whatever order their items lie.

        Raises
        ------
        SpecError
            If the metric is not known.
        """
        scores, name, groups = self._of(metric)
        weights = bootstrap_weights(groups, resamples=resamples, seed=seed)
        return np.asarray(scores.resampled((name,), weights)[name])

    def scored(self, metrics: Sequence[str]) -> dict[str, MetricScore]:
        """Score by several metrics, with intervals, as a run does.

        A ceiling is the one of the record, since the frames of the tracks are not stored.

        Raises
        ------
        SpecError
            If a metric is not known.
        """
        ceilings = {name: each.ceiling for name, each in self.result.metrics.items()}
        found = {}
        for metric in metrics:
            scores, name, groups = self._of(metric)
            wanted = {name: self.metrics[metric]}
            (found[metric],) = metric_scores(
                scores, np.array(groups), wanted, {name: ceilings.get(metric)}
            ).values()
        return found

    def _of(self, metric: str) -> tuple[SplitScores, str, tuple[str, ...]]:
        if metric not in self.metrics:
            task = self.result.task
            raise SpecError(
                f"{task.name}, a task of kind {task.kind}, has no metric {metric!r} that its "
                f"predictions can give. {near_misses(metric, self.metrics)}"
            )
        if self.recordings is not None and metric.endswith(BY_RECORDING):
            return self.recordings, metric.removesuffix(BY_RECORDING), self.recording_groups
        return self.split, metric, self.groups


def stored_scores(path: Path, split: str = "test") -> StoredScores:
    """Read what a result's predictions score.

    Parameters
    ----------
    path : Path
        The `result.json`.
    split : {"test", "valid"}
        Which predictions.

    Returns
    -------
    StoredScores
        Ready to be scored.

    Raises
    ------
    MissingError
        If one of the two files is absent.
    ValidationError
        If one is invalid, the seeds differ in their items, a reference is none of the
        record's labels, or the task's scoring is not to be had.
    """
    result, table = read_result(path), read_predictions(path)
    task = recorded_task(result, path)
    seeds = [_of_seed(table, split, seed, path) for seed in result.chosen.seeds]
    first = seeds[0]
    for each in seeds[1:]:
        if not each[["id", "reference", "group", "recording"]].equals(
            first[["id", "reference", "group", "recording"]]
        ):
            raise ValidationError(
                f"{path.with_name('predictions.parquet')}: every seed must have the same items "
                f"with the same references. Seed {each['seed'].iloc[0]} differs from seed "
                f"{first['seed'].iloc[0]} in {split!r}. Take the file from its source."
            )
    try:
        found = _events(task, result, seeds) if task.kind.FRAMES else _items(task, seeds)
    except ValueError as error:
        raise ValidationError(
            f"{path.with_name('predictions.parquet')}: references of {split!r} {error} "
            f"Take the file from its source."
        ) from None
    known = task.kind.metrics_of(task.spec)
    metrics = {name: known[name] for name, n in found.scorable.items() if n}
    recordings, groups = _recordings(task, result, seeds, found)
    if recordings is not None:
        metrics |= {f"{name}{BY_RECORDING}": better for name, better in metrics.items()}
    return StoredScores(
        result=result,
        task=task,
        items=tuple(first["id"]),
        groups=tuple(first["group"]),
        references=tuple(first["reference"]),
        estimates=tuple(tuple(each["estimate"]) for each in seeds),
        metrics=metrics,
        split=found,
        recordings=recordings,
        recording_groups=groups,
    )


def rescored(path: Path, metrics: Sequence[str] | None = None) -> dict[str, MetricScore]:
    """Compute a result's metrics anew from its predictions.

    Parameters
    ----------
    path : Path
        The `result.json`.
    metrics : sequence of str, optional
        Which; those of the record otherwise.

    Returns
    -------
    dict of str to MetricScore
        As the run made them.

    Raises
    ------
    SpecError
        If a metric is not known to the task's kind.
    MissingError, ValidationError
        As `stored_scores`.
    """
    stored = stored_scores(path)
    return stored.scored(tuple(stored.result.metrics) if metrics is None else metrics)


def relabelled(
    stored: StoredScores,
) -> tuple[tuple[LabelScore, ...], tuple[tuple[int, ...], ...]]:
    """Compute the scores of labels and the confusion anew; nothing where there are none."""
    if isinstance(stored.split, ItemEstimates):
        return label_scores(stored.task, stored.split)
    return (), ()


def _of_seed(table: pd.DataFrame, split: str, seed: int, path: Path) -> pd.DataFrame:
    rows = table[(table["split"] == split) & (table["seed"] == seed)]
    if rows.empty:
        raise ValidationError(
            f"{path.with_name('predictions.parquet')}: must have items of {split!r} for seed "
            f"{seed}, which {path.name} names. Got none. Take the file from its source."
        )
    return rows.reset_index(drop=True)


def _items(task: Task, seeds: Sequence[pd.DataFrame]) -> ItemEstimates:
    columns = [name for name in seeds[0].columns if name.startswith("output_")]
    outputs = np.stack([each[columns].to_numpy() for each in seeds])
    if not np.isfinite(outputs).all():
        raise ValueError("must have finite outputs. Got nan or infinity.")
    if len(columns) != task.kind.outputs(task.spec):
        raise ValueError(f"must have {task.kind.outputs(task.spec)} outputs. Got {len(columns)}.")
    return ItemEstimates(task, task.kind.values_of(list(seeds[0]["reference"]), task.spec), outputs)


def _events(task: Task, result: Result, seeds: Sequence[pd.DataFrame]) -> EventCounts:
    kind, rules = task.kind, result.protocol.frames or FrameRules()
    spec = replace(task.spec, metrics=tuple(kind.metrics_of(task.spec)))
    references = [kind.annotation_of(each) for each in seeds[0]["reference"]]
    counts = np.array(
        [
            [
                task.score(reference, kind.annotation_of(text), spec, rules)
                for reference, text in zip(references, each["estimate"], strict=True)
            ]
            for each in seeds
        ]
    )
    return EventCounts(spec.metrics, counts)


def _recordings(
    task: Task, result: Result, seeds: Sequence[pd.DataFrame], items: SplitScores
) -> tuple[SplitScores | None, tuple[str, ...]]:
    """Join the pieces of recordings, if the result scores those besides."""
    by_recording = any(each.endswith(BY_RECORDING) for each in result.metrics)
    if not by_recording or not isinstance(items, ItemEstimates):
        return None, ()
    table = seeds[0]
    names = table["recording"].where(table["recording"] != "", table["id"])
    of_item, first = names.factorize()[0], ~names.duplicated()
    outputs = recording_outputs(items.outputs, of_item)
    return (
        ItemEstimates(task, items.targets[first.to_numpy()], outputs),
        tuple(table.loc[first, "group"]),
    )
