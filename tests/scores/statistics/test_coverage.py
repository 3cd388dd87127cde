"""How often an interval holds the truth: data sets are simulated whose truth is known.

A nominal 95 % interval may cover 92 to 98 %. All data sets of a test share their resamples,
as results on the same items do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pytest
from scipy.stats import norm

from marble_eval.metrics.classification import accuracy
from marble_eval.metrics.regression import r2
from marble_eval.metrics.tagging import average_precision, roc_auc
from marble_eval.scores.statistics import (
    Interval,
    bootstrap_interval,
    bootstrap_weights,
    left_out_weights,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

Reals = npt.NDArray[np.float64]


def _percentiles(values: npt.ArrayLike) -> Interval:
    """Take the plain percentiles: as of many groups, and not moved."""
    return bootstrap_interval(
        values, 0.95, groups=10**6, observed=float(np.mean(np.asarray(values)))
    )


def _coverage(resampled: Iterable[npt.ArrayLike], truth: float) -> float:
    """Say how often plain percentiles of a data set's resampled scores hold the truth."""
    intervals = [_percentiles(each) for each in resampled]
    return float(np.mean([each.low <= truth <= each.high for each in intervals]))


def _accuracies(hits: npt.NDArray[np.bool_], weights: Reals) -> list[Reals]:
    """Resample the accuracy of each data set; hits is (data set, item)."""
    reference = np.ones(hits.shape[1], dtype=np.int64)
    return [accuracy(reference, hit.astype(np.int64), weights=weights) for hit in hits]


def test_intervals_cover_the_true_accuracy() -> None:
    weights = bootstrap_weights(range(200), seed=1)
    hits = np.random.default_rng(2).random((1000, 200)) < 0.75
    assert 0.92 <= _coverage(_accuracies(hits, weights), 0.75) <= 0.98


def test_intervals_cover_the_true_area_under_the_curve() -> None:
    # Scores of positives are normal around a shift, of negatives around 0: a positive beats
    # a negative with probability Phi(shift / sqrt(2)).
    shifts, common = np.array([0.5, 1.0, 1.5]), np.array([0.5, 0.3, 0.2])
    truth = float(norm.cdf(shifts / np.sqrt(2)).mean())
    weights = bootstrap_weights(range(200), resamples=400, seed=1)
    generator = np.random.default_rng(3)
    areas = []
    for _ in range(500):
        reference = generator.random((200, 3)) < common
        scores = generator.standard_normal((200, 3)) + shifts * reference
        areas.append(roc_auc(reference, scores, weights=weights))
    assert 0.92 <= _coverage(areas, truth) <= 0.98


def test_intervals_cover_the_true_r2() -> None:
    # Two dimensions of variance 1, estimated with errors of variance 0.36 and 0.64.
    spread, truth = np.array([0.6, 0.8]), (0.64 + 0.36) / 2
    weights = bootstrap_weights(range(200), resamples=400, seed=1)
    generator = np.random.default_rng(4)
    found = []
    for _ in range(500):
        reference = generator.standard_normal((200, 2))
        estimate = reference + spread * generator.standard_normal((200, 2))
        found.append(r2(reference, estimate, weights=weights))
    assert 0.92 <= _coverage(found, truth) <= 0.98


@pytest.fixture(scope="module")
def artists() -> npt.NDArray[np.int64]:
    """Artist of each of 400 songs: 100 artists with one to seven songs."""
    return np.repeat(np.arange(100), np.tile([1, 2, 4, 6, 7], 20))


def _hits_by_artist(artists: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Draw an artist's chance of being right from a beta distribution with mean 3/4."""
    generator = np.random.default_rng(5)
    chances = generator.beta(0.75, 0.25, size=(1000, 100))
    return np.asarray(generator.random((1000, len(artists))) < chances[:, artists])


def test_intervals_of_grouped_items_cover_the_truth(artists: npt.NDArray[np.int64]) -> None:
    weights = bootstrap_weights(artists, seed=6)
    found = _accuracies(_hits_by_artist(artists), weights)
    assert 0.92 <= _coverage(found, 0.75) <= 0.98


def test_intervals_that_ignore_groups_are_too_short(artists: npt.NDArray[np.int64]) -> None:
    weights = bootstrap_weights(range(len(artists)), seed=6)
    assert _coverage(_accuracies(_hits_by_artist(artists), weights), 0.75) < 0.80


def test_intervals_of_a_paired_difference_cover_the_truth() -> None:
    # Both are right where an item is easy (half of them); elsewhere with chance 0.5 and 0.7.
    weights = bootstrap_weights(range(200), seed=7)
    generator = np.random.default_rng(8)
    easy = generator.random((1000, 200)) < 0.5
    first, second = (
        _accuracies(easy | (generator.random((1000, 200)) < chance), weights)
        for chance in (0.5, 0.7)
    )
    differences = [b - a for a, b in zip(first, second, strict=True)]
    assert 0.92 <= _coverage(differences, 0.5 * (0.7 - 0.5)) <= 0.98


@pytest.mark.parametrize("groups", [8, 16])
def test_intervals_of_few_groups_cover_the_truth(groups: int) -> None:
    # A group of 12 items has a chance of its own (beta, correlation 0.2) around 0.7.
    names = np.repeat(np.arange(groups), 12)
    weights, without = bootstrap_weights(names, seed=1), left_out_weights(names)
    generator = np.random.default_rng(2)
    plain, ours = [], []
    for _ in range(1000):
        hits = generator.random(len(names)) < np.repeat(generator.beta(2.8, 1.2, groups), 12)
        resampled = weights @ hits / len(names)
        interval = bootstrap_interval(
            resampled,
            0.95,
            groups=groups,
            observed=float(hits.mean()),
            left_out=without @ hits / without.sum(axis=1),
        )
        ours.append(interval.low <= 0.7 <= interval.high)
        low, high, _ = _percentiles(resampled)
        plain.append(low <= 0.7 <= high)
    assert 0.93 <= np.mean(ours) <= 0.97
    assert np.mean(plain) < np.mean(ours) - 0.01


def test_intervals_cover_the_true_r2_of_96_items() -> None:
    weights, without = bootstrap_weights(range(96), seed=1), left_out_weights(range(96))
    generator = np.random.default_rng(4)
    inside = []
    for _ in range(600):
        reference = generator.standard_normal((96, 2))
        noise = generator.standard_normal((96, 2)) * np.array([0.6, 0.8])
        estimate = reference * (1 - np.array([0.36, 0.64])) + noise * np.sqrt(
            1 - np.array([0.36, 0.64])
        )
        interval = bootstrap_interval(
            r2(reference, estimate, weights=weights),
            0.95,
            groups=96,
            observed=float(r2(reference, estimate)),
            left_out=r2(reference, estimate, weights=without),
        )
        inside.append(interval.low <= 0.5 <= interval.high)
    assert 0.93 <= np.mean(inside) <= 0.975


def _tagged(generator: np.random.Generator) -> tuple[npt.NDArray[np.bool_], Reals]:
    """Simulate 2,000 items with 30 tags, the rarest on ten of them or so."""
    reference = generator.random((2000, 30)) < np.geomspace(0.005, 0.1, 30)
    reference[0] = True
    return reference, generator.standard_normal(reference.shape) + 1.5 * reference


def test_intervals_cover_the_expected_precision_only_when_they_are_moved_back() -> None:
    # Copies of a positive item stand beside it in a resample and raise its precision.
    generator = np.random.default_rng(6)
    truth = float(np.mean([average_precision(*_tagged(generator)) for _ in range(400)]))
    weights = bootstrap_weights(range(2000), resamples=300, seed=1)
    plain: list[bool] = []
    moved: list[bool] = []
    for _ in range(200):
        reference, scores = _tagged(generator)
        resampled = average_precision(reference, scores, weights=weights)
        value = float(average_precision(reference, scores))
        for intervals, centre in ((plain, None), (moved, value)):
            interval = _percentiles(resampled)
            if centre is not None:
                interval = bootstrap_interval(
                    resampled, 0.95, groups=2000, observed=centre, biased=True
                )
            intervals.append(interval.low <= truth <= interval.high)
    assert np.mean(plain) < 0.92 <= np.mean(moved) <= 0.98
