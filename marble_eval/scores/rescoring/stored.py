"""What the stored predictions of a result score: values, resamples, intervals.

Two results on the same items and groups get the same resamples, in whatever order
their items lie, so what they score on them is paired.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from marble_eval.errors import SpecError, ValidationError, near_misses
from marble_eval.scores.rescoring.recorded_task import BY_RECORDING
from marble_eval.scores.split_scores import RESAMPLES, SEED, SplitScores, metric_scores
from marble_eval.scores.statistics import bootstrap_weights

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from marble_eval.metrics.metric import Metric
    from marble_eval.registry import Task
    from marble_eval.results import MetricScore, Result


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
    metrics : mapping of str to Metric
        Every metric that can be computed.
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
    metrics: Mapping[str, Metric]
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
        ValidationError
            If the items have no score by it.
        """
        scores, name, _ = self._of(metric)
        with self._told(metric):
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

    def groups_of(self, metric: str) -> tuple[str, ...]:
        """Return the group of each item that the metric counts: items, or whole recordings."""
        return self._of(metric)[2]

    def swapped(self, other: StoredScores, metric: str, swaps: np.ndarray) -> np.ndarray:
        """Score two results with the estimates of some items swapped between them.

        Parameters
        ----------
        other : StoredScores
            On the same items, in the same order.
        metric : str
            One that both have.
        swaps : np.ndarray [shape=(row, item)]
            1 where an item's estimates change places, else 0; items as `groups_of` has them.

        Returns
        -------
        np.ndarray [shape=(row,)]
            Difference of the scores, this one's less the other's, as means over the seeds.
            Only the order of tags' outputs counts, so they are mixed as ranks.
        """
        (ours, name, _), (theirs, _, _) = self._of(metric), other._of(metric)
        return np.asarray(ours.swapped(theirs, name, swaps))

    def scored(self, metrics: Sequence[str]) -> dict[str, MetricScore]:
        """Score by several metrics, with intervals, as a run does.

        A ceiling is the one of the record, since the frames of the tracks are not stored.

        Raises
        ------
        SpecError
            If a metric is not known.
        ValidationError
            If the items have no score by one.
        """
        ceilings = {name: each.ceiling for name, each in self.result.metrics.items()}
        found = {}
        for metric in metrics:
            scores, name, groups = self._of(metric)
            wanted = {name: self.metrics[metric]}
            with self._told(metric):
                (found[metric],) = metric_scores(
                    scores, np.array(groups), wanted, {name: ceilings.get(metric)}
                ).values()
        return found

    @contextmanager
    def _told(self, metric: str) -> Iterator[None]:
        """Say whose items a metric refuses, such as references that never vary."""
        try:
            yield
        except ValueError as error:
            raise ValidationError(
                f"{self.result.task.name}, {self.result.encoder.name}: its {len(self.items)} "
                f"stored items cannot be scored by {metric}: {error}"
            ) from None

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
