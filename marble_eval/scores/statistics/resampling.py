"""How sure a score is: bootstrap over the items of a test split.

A resample is written as weights, how often each item was drawn, so that a
metric that takes weights scores all resamples at once. Items of one group (an
artist, a song) are drawn together, because they err together. Intervals are
percentile intervals (Efron and Tibshirani 1993, ch. 13). A resample for which a
metric has no value is nan: it is counted in the interval, never dropped unseen.

A metric may be off on every resample because copies of an item stand side by side there:
a mean of average precisions over rare tags is too high by about one standard error. Such an
interval is moved back by as much, or it would cover the score expected on other items
78 to 88 times in 100 and not 95 (50 tags, 5,000 items).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Reals = npt.NDArray[np.float64]


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


def percentile_interval(
    values: npt.ArrayLike, level: float = 0.95, *, centre: float | None = None
) -> Interval:
    """Take the middle share of resampled values.

    Shapes: values (resamples,).
    """
    if not 0 < level < 1:
        raise ValueError(f"level must lie between 0 and 1. Got {level!r}.")
    scores = np.asarray(values, dtype=np.float64)
    if scores.ndim != 1:
        raise ValueError(f"values must have shape (resamples,). Got {scores.shape}.")
    if np.isinf(scores).any():
        raise ValueError("values must be finite, or nan where the metric has none. Got infinity.")
    defined = scores[~np.isnan(scores)]
    if not len(defined):
        raise ValueError(f"values must hold at least one number. Got {len(scores)} nan.")
    tail = 50 * (1 - level)
    low, high = np.percentile(defined, [tail, 100 - tail])
    shift = 0.0 if centre is None else centre - float(defined.mean())
    return Interval(float(low) + shift, float(high) + shift, len(scores) - len(defined))
