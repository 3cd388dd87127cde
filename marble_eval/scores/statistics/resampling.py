"""How sure a score is: bootstrap over the items of a test split.

A resample is written as weights, how often each item was drawn, so that a
metric that takes weights scores all resamples at once. Items of one group (an
artist, a song) are drawn together, because they err together. Plain percentiles of 8
or 16 groups would cover 88 or 92 times in 100 and not 95, so they are expanded. A
resample for which a metric has no value is nan: it is counted, never dropped unseen.

A metric may be off on every resample because copies of an item stand side by side there:
a mean of average precisions over rare tags is too high by about one standard error. Such an
interval is moved back by as much, or it would cover the score expected on other items
78 to 88 times in 100 and not 95 (50 tags, 5,000 items).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.stats import norm
from scipy.stats import t as student

Reals = npt.NDArray[np.float64]

_MOST_LEFT_OUT = 200  # groups; of more, an acceleration is below 0.02
_MOST_SKEWED = 0.2  # of an acceleration: beyond it z / (1 - a z) leaves the percentiles


class Interval(NamedTuple):
    """An interval from resamples."""

    low: float
    high: float
    undefined: int = 0


def bootstrap_weights(groups: npt.ArrayLike, *, resamples: int = 1000, seed: int) -> Reals:
    """Draw groups of items with replacement and count how often each item came.

    Shapes: groups (n,) -> (resamples, n).
    """
    names = np.asarray(groups)
    if names.ndim != 1:
        raise ValueError(f"groups must have shape (n,). Got {names.shape}.")
    if resamples < 1:
        raise ValueError(f"resamples must be at least 1. Got {resamples!r}.")
    distinct, group_of_item = np.unique(names, return_inverse=True)
    if len(distinct) < 2:
        raise ValueError(
            f"groups must name at least two groups for an interval. Got {len(distinct)}."
        )
    generator = np.random.default_rng(seed)
    drawn = np.empty((resamples, len(distinct)))
    for row in drawn:
        row[:] = np.bincount(
            generator.integers(len(distinct), size=len(distinct)), minlength=len(distinct)
        )
    return drawn[:, group_of_item]


def left_out_weights(groups: npt.ArrayLike) -> Reals:
    """Leave out each group once: (n,) -> (group, n); no rows where there are many groups.

    With many groups the skewness they estimate is too small to move an interval.
    """
    distinct, group_of_item = np.unique(np.asarray(groups), return_inverse=True)
    count = len(distinct) if len(distinct) <= _MOST_LEFT_OUT else 0
    return np.asarray(np.arange(count)[:, None] != group_of_item, dtype=np.float64)


def expanded_level(level: float, groups: int) -> float:
    """Return the level whose percentiles are as wide as a t interval of so many groups.

    Resamples of few groups spread too little, and normal quantiles are too near: the
    expanded percentile interval of Hesterberg (The American Statistician 69, 2015).
    """
    if not 0 < level < 1:
        raise ValueError(f"level must lie between 0 and 1. Got {level!r}.")
    t = student.ppf((1 + level) / 2, groups - 1)
    return float(2 * norm.cdf(np.sqrt(groups / (groups - 1)) * t) - 1)


def bootstrap_interval(
    values: npt.ArrayLike,
    level: float,
    *,
    groups: int,
    observed: float,
    left_out: npt.ArrayLike = (),
    biased: bool = False,
) -> Interval:
    """Take the interval of a score from its resamples (resamples,).

    Percentiles at the expanded level, accelerated (Efron 1987) by the skewness that
    `left_out`, the score without each group (group,), shows; widened to the same percentiles
    moved to where the resamples' mean is the observed score. Of a metric that is `biased` on
    resamples the moved percentiles alone count. Chosen by simulation, see
    tests/benchmarks/coverage.py.
    """
    defined = _defined(values)
    undefined = len(np.asarray(values)) - len(defined)
    ends = (1 + np.array([-1.0, 1.0]) * expanded_level(level, groups)) / 2
    moved = np.quantile(defined, ends) + (observed - defined.mean())
    if biased:
        return Interval(float(moved[0]), float(moved[1]), undefined)
    z = norm.ppf(np.clip(ends, 1e-12, 1 - 1e-12))
    skewed = np.quantile(defined, norm.cdf(z / (1 - _acceleration(left_out) * z)))
    # No score lies outside what the metric can give, which the resamples never leave.
    low = max(min(moved[0], skewed[0]), min(defined.min(), observed))
    high = min(max(moved[1], skewed[1]), max(defined.max(), observed))
    return Interval(float(low), float(high), undefined)


def _acceleration(left_out: npt.ArrayLike) -> float:
    """Estimate how the spread of a score grows with it, by the jackknife; 0 without rows."""
    values = np.asarray(left_out, dtype=np.float64)
    if not len(values) or not np.isfinite(values).all():
        return 0.0
    away = values.mean() - values
    scale = float((away**2).sum()) ** 1.5
    found = float((away**3).sum()) / (6 * scale) if scale > 0 else 0.0
    return float(np.clip(found, -_MOST_SKEWED, _MOST_SKEWED))


def _defined(values: npt.ArrayLike) -> Reals:
    """Return the resamples that have a value; refuse none, and infinity."""
    scores = np.asarray(values, dtype=np.float64)
    if scores.ndim != 1:
        raise ValueError(f"values must have shape (resamples,). Got {scores.shape}.")
    if np.isinf(scores).any():
        raise ValueError("values must be finite, or nan where the metric has none. Got infinity.")
    defined: Reals = scores[~np.isnan(scores)]
    if not len(defined):
        raise ValueError(f"values must hold at least one number. Got {len(scores)} nan.")
    return defined
