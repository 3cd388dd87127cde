"""How often each item of a split counts: the weights every metric here takes.

A row of weights is one way to count the items, for instance a bootstrap resample: how
often each item was drawn. All rows are scored in one call, hence the leading axes.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Reals = npt.NDArray[np.float64]


def item_weights(weights: npt.ArrayLike | None, items: int) -> Reals:
    """Check weights (..., n): finite, not negative, and with an item in each row.

    Examples
    --------
    >>> item_weights([[0, 2], [1, 1]], 2)
    array([[0., 2.],
           [1., 1.]])
    >>> item_weights(None, 3)
    array([1., 1., 1.])
    """
    if weights is None:
        return np.ones(items)
    counts = np.asarray(weights, dtype=np.float64)
    if counts.ndim == 0 or counts.shape[-1] != items:
        raise ValueError(f"weights must have shape (..., {items}). Got {counts.shape}.")
    if not np.isfinite(counts).all() or (counts < 0).any():
        raise ValueError("weights must be finite and not negative.")
    if not (counts.sum(axis=-1) > 0).all():
        raise ValueError("weights must leave at least one item in each row. Got a row of zeros.")
    return counts


def as_given(scores: npt.ArrayLike, weights: npt.ArrayLike | None) -> float | Reals:
    """Return scores as they were asked for: a number without weights, else an array."""
    return float(np.asarray(scores)) if weights is None else np.asarray(scores, dtype=np.float64)
