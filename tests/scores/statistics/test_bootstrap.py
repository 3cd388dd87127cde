"""The draw of the bootstrap and its intervals: by hand, and scipy's answers."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
import scipy.stats

from marble_eval.scores.statistics import (
    Interval,
    bootstrap_interval,
    bootstrap_weights,
    left_out_weights,
)

_MANY = 10**6  # groups, of which a t quantile is a normal one


def percentiles(values: npt.ArrayLike, level: float = 0.95) -> Interval:
    """Take the interval of a score that many groups estimate and resamples do not move."""
    return bootstrap_interval(
        values, level, groups=_MANY, observed=float(np.nanmean(np.asarray(values, dtype=float)))
    )


def test_interval_agrees_with_scipy() -> None:
    values = np.random.default_rng(5).gamma(2.0, size=200)
    weights = bootstrap_weights(range(200), resamples=4000, seed=6)
    ours = percentiles(weights @ values / 200)
    theirs = scipy.stats.bootstrap(
        (values,), np.mean, n_resamples=4000, method="percentile", rng=np.random.default_rng(7)
    ).confidence_interval
    # Both are draws: an end of the interval has a standard error of about 0.005.
    assert ours.low == pytest.approx(theirs.low, abs=0.025)
    assert ours.high == pytest.approx(theirs.high, abs=0.025)


def test_each_resample_draws_as_many_items_as_there_are() -> None:
    weights = bootstrap_weights([f"track{index}" for index in range(50)], resamples=200, seed=0)
    assert weights.shape == (200, 50)
    np.testing.assert_array_equal(weights.sum(axis=1), 50)
    # An item is left out of a resample with probability (1 - 1/50) ** 50 = 0.364.
    assert np.mean(weights == 0) == pytest.approx(0.364, abs=0.02)


def test_items_of_a_group_are_drawn_together() -> None:
    weights = bootstrap_weights(["a", "b", "a", "c", "b", "a"], resamples=100, seed=0)
    np.testing.assert_array_equal(weights[:, [0, 0]], weights[:, [2, 5]])
    np.testing.assert_array_equal(weights[:, 1], weights[:, 4])
    np.testing.assert_array_equal(weights[:, [0, 1, 3]].sum(axis=1), 3)


def test_order_of_the_items_does_not_change_the_draw() -> None:
    names = np.array(["d", "a", "c", "b"])
    order = np.array([2, 0, 3, 1])
    weights = bootstrap_weights(names, resamples=20, seed=9)
    np.testing.assert_array_equal(
        bootstrap_weights(names[order], resamples=20, seed=9), weights[:, order]
    )


def test_the_draw_is_the_one_that_stored_results_were_made_with() -> None:
    # Each row: as many groups as there are, drawn one by one from the same stream.
    generator = np.random.default_rng(20)
    expected = np.zeros((5, 4))
    for row in expected:
        for drawn in generator.integers(4, size=4):
            row[drawn] += 1
    weights = bootstrap_weights(["d", "b", "a", "c"], resamples=5, seed=20)
    np.testing.assert_array_equal(weights, expected[:, [3, 1, 0, 2]])


def test_the_seed_decides_the_draw() -> None:
    first, again = (bootstrap_weights(range(20), resamples=10, seed=1) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert (first != bootstrap_weights(range(20), resamples=10, seed=2)).any()


def test_the_draw_leaves_the_global_generator_alone() -> None:
    np.random.seed(11)
    expected = np.random.random()
    np.random.seed(11)
    bootstrap_weights(range(20), resamples=10, seed=1)
    assert np.random.random() == expected


def test_resamples_without_a_value_are_counted() -> None:
    interval = percentiles([0.1, np.nan, 0.2, 0.3, np.nan], level=0.5)
    # The quartiles of the three numbers that there are.
    assert isinstance(interval, Interval)
    assert interval == pytest.approx((0.15, 0.25, 2), abs=1e-5)


def test_no_interval_from_resamples_that_all_lack_a_value() -> None:
    with pytest.raises(ValueError, match="Got 3 nan"):
        bootstrap_interval([np.nan] * 3, 0.95, groups=9, observed=0.5)
    with pytest.raises(ValueError, match="Got 0 nan"):
        bootstrap_interval([], 0.95, groups=9, observed=0.5)


@pytest.mark.parametrize("level", [0.0, 1.0, 95.0])
def test_a_level_outside_zero_to_one_is_refused(level: float) -> None:
    with pytest.raises(ValueError, match="level must lie between 0 and 1"):
        percentiles([0.1, 0.2], level)


def test_arguments_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValueError, match="at least two groups"):
        bootstrap_weights(["same", "same"], seed=0)
    with pytest.raises(ValueError, match="at least two groups"):
        bootstrap_weights([], seed=0)
    with pytest.raises(ValueError, match="shape"):
        bootstrap_weights([["a", "b"]], seed=0)
    with pytest.raises(ValueError, match="resamples must be at least 1"):
        bootstrap_weights(["a", "b"], resamples=0, seed=0)
    with pytest.raises(ValueError, match="infinity"):
        percentiles([0.1, np.inf])
    with pytest.raises(ValueError, match="shape"):
        percentiles([[0.1], [0.2]])


def test_a_biased_metric_has_the_percentiles_around_its_score() -> None:
    values = np.linspace(0.0, 1.0, 101)
    moved = bootstrap_interval(values, 0.5, groups=_MANY, observed=0.4, biased=True)
    assert moved == pytest.approx((0.15, 0.65, 0), abs=1e-5)
    # Of any other metric both are inside: moved, and as they are.
    both = bootstrap_interval(values, 0.5, groups=_MANY, observed=0.4)
    assert both == pytest.approx((0.15, 0.75, 0), abs=1e-5)


def test_normal_resamples_of_few_groups_have_the_t_interval() -> None:
    resampled = scipy.stats.norm.ppf((np.arange(200_000) + 0.5) / 200_000)
    interval = bootstrap_interval(resampled, 0.95, groups=8, observed=0.0)
    # Their spread is short by sqrt(7 / 8).
    assert interval.high == pytest.approx(scipy.stats.t.ppf(0.975, 7) * np.sqrt(8 / 7), abs=1e-3)
    assert interval.low == pytest.approx(-interval.high, abs=1e-6)


def test_an_interval_is_accelerated_as_scipy_does_it() -> None:
    values = np.random.default_rng(3).gamma(1.0, size=60)
    weights = bootstrap_weights(range(60), resamples=20_000, seed=4)
    left_out = left_out_weights(range(60)) @ values / 59
    resampled = weights @ values / 60
    # Compared at the same bias correction: the median of the resamples is their mean.
    resampled += values.mean() - np.median(resampled)
    ours = bootstrap_interval(
        resampled, 0.95, groups=_MANY, observed=resampled.mean() - 1, left_out=left_out
    )
    theirs = scipy.stats.bootstrap(
        (values,), np.mean, n_resamples=20_000, method="BCa", rng=np.random.default_rng(7)
    ).confidence_interval
    assert ours.high == pytest.approx(theirs.high, abs=0.05)
    assert theirs.high - values.mean() > 1.1 * (values.mean() - theirs.low)


def test_each_group_is_left_out_once() -> None:
    np.testing.assert_array_equal(left_out_weights(["b", "a", "b"]), [[1, 0, 1], [0, 1, 0]])
    assert left_out_weights(range(1000)).shape == (0, 1000)
