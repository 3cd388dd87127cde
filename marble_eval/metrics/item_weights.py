"""How often each item of a split counts: the weights every metric here takes.

A row of weights is one way to count the items, for instance a bootstrap resample: how
often each item was drawn. All rows are scored in one call, hence the leading axes.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Reals = npt.NDArray[np.float64]


def item_weights(weights: npt.ArrayLike | None, items: int) -> Reals:
    """Check how often each item counts.

    Parameters
    ----------
    weights : array_like [shape=(..., n)] or None
        How often each item counts, not negative; None for once.
    items : int
        Number of items, n.

    Returns
    -------
    np.ndarray [shape=(..., n) or (n,), float64]
        The same weights, or ones.

    Raises
    ------
    ValueError
        If the weights have another shape, are negative or not finite, or leave no
        item in a row.

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
    """Return scores as they were asked for: a number without weights, else an array.

    Parameters
    ----------
    scores : array_like [shape=(...) or ()]
        One score for each row of weights.
    weights : array_like [shape=(..., n)] or None
        The weights as the caller gave them.

    Returns
    -------
    float or np.ndarray [shape=(...)]
        A float where weights are None.

    Examples
    --------
    >>> as_given(np.array(0.5), None)
    0.5
    >>> as_given([0.5, 1.0], [[1, 1], [2, 0]])
    array([0.5, 1. ])
    """
    return float(np.asarray(scores)) if weights is None else np.asarray(scores, dtype=np.float64)
