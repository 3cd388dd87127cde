"""Estimates of several seeds on one split, and their scores with intervals.

The split is scored as a whole. A score is the mean over the seeds; its interval
resamples the items (by group where they share one). Two ways lead here: one estimate
an item, scored by the task's kind, and events found in tracks, counted one track at a
time. Both can be scored on resamples, and mixed with the estimates of another encoder
on the same items, which is what a permutation test asks for.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from math import lcm
from typing import TYPE_CHECKING, Protocol, Self

import numpy as np
from scipy.stats import rankdata

from marble_eval.metrics.counts import ratio
from marble_eval.results import LabelScore, MetricScore
from marble_eval.scores.statistics import (
    Interval,
    bootstrap_interval,
    bootstrap_weights,
    left_out_weights,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from marble_eval.metrics.metric import Metric
    from marble_eval.registry import Task

LEVEL = 0.95
RESAMPLES = 1000
SEED = 20230618  # of the resamples; fixed, so that a result can be recomputed


class SplitScores(Protocol):
    """What the seeds of one probe found in one split."""

    @property
    def biased(self) -> frozenset[str]:
        """Return the metrics that are off on resamples, whose intervals are moved back."""

    @property
    def scorable(self) -> Mapping[str, int]:
        """Return how many items each metric can be computed from."""

    def values(self, metrics: Sequence[str]) -> Mapping[str, np.ndarray]:
        """Score each seed: arrays (seed,)."""

    def resampled(self, metrics: Sequence[str], weights: np.ndarray) -> Mapping[str, np.ndarray]:
        """Score rows of weights (row, item), as the mean over the seeds: arrays (row,)."""

    def swapped(self, other: Self, metric: str, swaps: np.ndarray) -> np.ndarray:
        """Give the difference of two scores after each row of swaps (row, item): (row,)."""

    def item_scores(self, metric: str) -> np.ndarray:
        """Score each item by itself, as the mean over the seeds: (item,); nan where it has none."""


class ItemEstimates:
    """One estimate an item and seed.

    Shapes: targets (item, ...), outputs (seed, item, output).
    """

    def __init__(self, task: Task, targets: np.ndarray, outputs: np.ndarray) -> None:
        self._task, self._metrics = task, task.kind.metrics_of(task.spec)
        self.targets = targets
        # As they are stored, so that a score can be computed again from the table.
        self.outputs = outputs.astype(np.float32)

    @cached_property
    def decoded(self) -> list[np.ndarray]:
        """The estimates of each seed."""
        return [self._task.track_kind.decode(each, self._task.spec) for each in self.outputs]

    @property
    def biased(self) -> frozenset[str]:
        """Return the metrics that are off on resamples."""
        return frozenset(each.name for each in self._metrics.values() if each.biased)

    @property
    def scorable(self) -> Mapping[str, int]:
        """Return the number of items, whatever the metric."""
        return dict.fromkeys(self._metrics, len(self.targets))

    def values(self, metrics: Sequence[str]) -> Mapping[str, np.ndarray]:
        """Score each seed: arrays (seed,)."""
        spec = replace(self._task.spec, metrics=tuple(metrics))
        scored = [self._task.track_kind.score(self.targets, each, spec) for each in self.decoded]
        return {name: np.array([float(each[name]) for each in scored]) for name in metrics}

    def resampled(self, metrics: Sequence[str], weights: np.ndarray) -> Mapping[str, np.ndarray]:
        """Score rows of weights (row, item), as the mean over the seeds: arrays (row,)."""
        spec = replace(self._task.spec, metrics=tuple(metrics))
        score = self._task.track_kind.score
        scored = [score(self.targets, each, spec, weights=weights) for each in self.decoded]
        return {name: np.mean([each[name] for each in scored], axis=0) for name in metrics}

    def swapped(self, other: Self, metric: str, swaps: np.ndarray) -> np.ndarray:
        """Give the difference of two scores after each row of swaps (row, item): (row,).

        Every item stands there twice, with both estimates; a swap moves its weight from
        the one to the other, so any metric that takes weights can be asked.
        """
        spec = replace(self._task.spec, metrics=(metric,))
        targets = np.concatenate([self.targets, self.targets])
        ours = np.concatenate([1.0 - swaps, swaps], axis=1)
        theirs = np.concatenate([swaps, 1.0 - swaps], axis=1)
        pairs = lcm(len(self.decoded), len(other.decoded))
        total = np.zeros(len(swaps))
        for pair in range(pairs):
            mixed = np.concatenate(
                [
                    self._exchangeable(metric, each.decoded[pair % len(each.decoded)])
                    for each in (self, other)
                ]
            )
            first, second = (
                self._task.track_kind.score(targets, mixed, spec, weights=each)[metric]
                for each in (ours, theirs)
            )
            total += np.asarray(first) - np.asarray(second)
        return np.asarray(total / pairs)

    def item_scores(self, metric: str) -> np.ndarray:
        """Score each item by itself as the task's kind does for the metric: (item,)."""
        score = self._metrics[metric].item_scores or self._task.track_kind.item_scores
        spec = replace(self._task.spec, metrics=(metric,))
        of_seeds = [score(self.targets, each, spec) for each in self.decoded]
        return np.asarray(np.mean(of_seeds, axis=0))

    def _exchangeable(self, metric: str, estimate: np.ndarray) -> np.ndarray:
        """Put outputs of which the order alone counts on one scale, so that two can be mixed."""
        if not self._metrics[metric].ranked:
            return estimate
        return np.asarray(rankdata(estimate, axis=0) / len(estimate))


class EventCounts:
    """Numerators and denominators of each track, from events found in it.

    Shapes: counts (seed, track, metric, 2).
    """

    def __init__(self, metrics: Sequence[str], counts: np.ndarray) -> None:
        self._at = {name: number for number, name in enumerate(metrics)}
        self._counts = counts

    #: Sums over tracks are on resamples what they are on tracks.
    biased: frozenset[str] = frozenset()

    @property
    def scorable(self) -> Mapping[str, int]:
        """Return how many tracks have a reference with something to be found."""
        held = (self._counts[0, :, :, 1] > 0).sum(axis=0)
        return {name: int(held[at]) for name, at in self._at.items()}

    def values(self, metrics: Sequence[str]) -> Mapping[str, np.ndarray]:
        """Score each seed: arrays (seed,)."""
        of_seeds = ratio(self._counts.sum(axis=1))
        return {name: of_seeds[:, self._at[name]] for name in metrics}

    def resampled(self, metrics: Sequence[str], weights: np.ndarray) -> Mapping[str, np.ndarray]:
        """Score rows of weights, as the mean over the seeds; nan where it has none."""
        chosen = self._counts[:, :, [self._at[name] for name in metrics]]
        scores = _weighted(chosen, weights)
        return {name: scores[:, at] for at, name in enumerate(metrics)}

    def swapped(self, other: Self, metric: str, swaps: np.ndarray) -> np.ndarray:
        """Give the difference of two scores after each row of swaps (row, track): (row,)."""
        mine, theirs = (each._counts[:, :, [each._at[metric]]] for each in (self, other))
        pairs = lcm(len(mine), len(theirs))
        both = np.concatenate(
            [np.resize(each, (pairs, *each.shape[1:])) for each in (mine, theirs)], axis=1
        )
        ours = np.concatenate([1.0 - swaps, swaps], axis=1)
        other_way = np.concatenate([swaps, 1.0 - swaps], axis=1)
        return np.asarray((_weighted(both, ours) - _weighted(both, other_way))[:, 0])

    def item_scores(self, metric: str) -> np.ndarray:
        """Score each track by itself, as the mean over the seeds; nan where it has nothing."""
        counts = self._counts[:, :, self._at[metric]]
        return np.asarray(np.where(counts[..., 1] > 0, ratio(counts), np.nan).mean(axis=0))


def _weighted(counts: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Score rows of weights (row, metric), as the mean over the seeds."""
    sums = np.einsum("rt,stmk->srmk", weights, counts, optimize=True)
    # No track with a reference may have been drawn: that is no score of 0.
    return np.asarray(np.where(sums[..., 1] > 0, ratio(sums), np.nan).mean(axis=0))


def intervals_of(
    split: SplitScores, values: Mapping[str, np.ndarray], groups: np.ndarray
) -> dict[str, Interval]:
    """Give the interval of each metric whose `values` (seed,) are given: groups (item,)."""
    names = list(values)
    resampled = split.resampled(names, bootstrap_weights(groups, resamples=RESAMPLES, seed=SEED))
    weights = left_out_weights(groups)
    left_out = split.resampled(names, weights) if len(weights) else dict.fromkeys(names, ())
    count = len(np.unique(groups))
    return {
        name: bootstrap_interval(
            resampled[name],
            LEVEL,
            groups=count,
            observed=float(of_seeds.mean()),
            left_out=left_out[name],
            biased=name in split.biased,
        )
        for name, of_seeds in values.items()
    }


def metric_scores(
    split: SplitScores,
    groups: np.ndarray,
    metrics: Mapping[str, Metric],
    ceilings: Mapping[str, float | None],
) -> dict[str, MetricScore]:
    """Score a split by several metrics, with intervals and spread over seeds: groups (item,)."""
    values = split.values(list(metrics))
    intervals = intervals_of(split, values, groups)
    count = len(np.unique(groups))
    return {
        name: MetricScore(
            value=float(of_seeds.mean()),
            low=intervals[name].low,
            high=intervals[name].high,
            level=LEVEL,
            higher_is_better=metrics[name].higher_is_better,
            n=split.scorable[name],
            seed_values=tuple(of_seeds.tolist()),
            seed_spread=float(of_seeds.std(ddof=1)) if len(of_seeds) > 1 else 0.0,
            ceiling=ceilings.get(name),
            unit=metrics[name].unit,
            written=metrics[name].written,
            citation=metrics[name].citation,
            groups=count if count < len(groups) else None,
        )
        for name, of_seeds in values.items()
    }


def recording_outputs(outputs: np.ndarray, of_item: np.ndarray) -> np.ndarray:
    """Average outputs within each recording: (seed, item, output) -> (seed, recording, output).

    `of_item` (item,) has the number of each item's recording, from 0.
    """
    belongs = of_item[None] == np.arange(of_item.max() + 1)[:, None]
    return np.asarray((belongs @ outputs.astype(np.float32)) / belongs.sum(axis=1)[:, None])


def label_scores(
    task: Task, found: ItemEstimates
) -> tuple[tuple[LabelScore, ...], tuple[tuple[int, ...], ...]]:
    """Score each label, averaged over the seeds, and count confusions over all seeds.

    Rows of the confusions are references, columns estimates; there are none without classes.
    """
    kind, spec = task.track_kind, task.spec
    targets = found.targets
    by_seed = [kind.label_scores(targets, each, spec) for each in found.decoded]
    means = {name: np.mean([each[name] for each in by_seed], axis=0) for name in by_seed[0]}
    counts = kind.label_counts(targets, spec)
    scores = tuple(
        LabelScore(
            label,
            int(counts[at]),
            {
                name: None if np.isnan(values[at]) else float(values[at])
                for name, values in means.items()
            },
        )
        for at, label in enumerate(spec.labels)
    )
    tables = [kind.confusion_of(targets, each, spec) for each in found.decoded]
    counted = [each for each in tables if each is not None]
    if not counted:
        return scores, ()
    table = np.sum(counted, axis=0)
    return scores, tuple(tuple(int(cell) for cell in row) for row in table)
