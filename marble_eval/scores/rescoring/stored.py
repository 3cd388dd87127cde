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
from marble_eval.metrics.metric import BY_RECORDING
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

    `groups`, `references` and `estimates` (of each seed) are in the order of `items`; `metrics`
    are all that can be computed, by name. `recordings` are the scores of
    whole recordings, where the result has those too.
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
        """Score each seed: (seed,)."""
        scores, name, _ = self._of(metric)
        with self._told(metric):
            return np.asarray(scores.values((name,))[name])

    def bootstrap(self, metric: str, resamples: int = RESAMPLES, seed: int = SEED) -> np.ndarray:
        """Score resamples of the items, mean over the seeds: (resample,)."""
        scores, name, groups = self._of(metric)
        weights = bootstrap_weights(groups, resamples=resamples, seed=seed)
        return np.asarray(scores.resampled((name,), weights)[name])

    def groups_of(self, metric: str) -> tuple[str, ...]:
        """Return the group of each item that the metric counts: items, or whole recordings."""
        return self._of(metric)[2]

    def swapped(self, other: StoredScores, metric: str, swaps: np.ndarray) -> np.ndarray:
        """Score this less another with some estimates swapped: (row, item) -> (row,)."""
        (ours, name, _), (theirs, _, _) = self._of(metric), other._of(metric)
        return np.asarray(ours.swapped(theirs, name, swaps))

    def scored(self, metrics: Sequence[str]) -> dict[str, MetricScore]:
        """Score by several metrics, with intervals, as a run does.

        A ceiling is the one of the record, since the frames of the tracks are not stored.
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
