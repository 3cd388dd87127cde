"""R², the share of the variance that a regression explains, of each dimension and their mean.

scikit-learn's definition with all dimensions counting alike ("uniform_average"): 1 for
a perfect estimate, 0 for the mean of the reference, below 0 for worse. A constant
reference has no variance to explain and so no R²; scikit-learn would say 0 or 1.
"""

from __future__ import annotations

from typing import overload

import numpy as np
import numpy.typing as npt

from marble_eval.metrics.item_weights import Reals, as_given, item_weights

Values = npt.NDArray[np.floating]


@overload
def r2(reference: Values, estimate: Values, *, weights: None = None) -> float: ...
@overload
def r2(reference: Values, estimate: Values, *, weights: npt.ArrayLike) -> Reals: ...
def r2(
    reference: Values, estimate: Values, *, weights: npt.ArrayLike | None = None
) -> float | Reals:
    """Give the mean R² over the dimensions.

    Parameters
    ----------
    reference : np.ndarray [shape=(n, dimensions), float]
        Annotated values of each item.
    estimate : np.ndarray [shape=(n, dimensions), float]
        Predicted values, in the same unit.
    weights : array_like [shape=(..., n)] or None
        How often each item counts, not negative; None for once.

    Returns
    -------
    float or np.ndarray [shape=(...)]
        R², at most 1, one for each row of weights; higher is better. nan for a row in
        which a dimension of the reference is constant.

    Raises
    ------
    ValueError
        As `per_dimension_r2`.

    Examples
    --------
    The first dimension is found, the second estimated by its mean:

    >>> reference = np.array([[1.0, 2.0], [3.0, 4.0]])
    >>> r2(reference, np.array([[1.0, 3.0], [3.0, 3.0]]))
    0.5
    """
    each = per_dimension_r2(reference, estimate, weights=weights)
    return as_given(each.mean(axis=-1), weights)


def per_dimension_r2(
    reference: Values, estimate: Values, *, weights: npt.ArrayLike | None = None
) -> Reals:
    """Give the R² of every dimension.

    Parameters
    ----------
    reference : np.ndarray [shape=(n, dimensions), float]
        Annotated values of each item.
    estimate : np.ndarray [shape=(n, dimensions), float]
        Predicted values, in the same unit.
    weights : array_like [shape=(..., n)] or None
        How often each item counts, not negative; None for once.

    Returns
    -------
    np.ndarray [shape=(..., dimensions)]
        R², at most 1, higher is better; nan where the reference is the same for all
        items of positive weight in a row.

    Raises
    ------
    ValueError
        If there are fewer than two items, the arrays do not fit together or hold
        what is not finite, or, without weights, a dimension of the reference is constant.

    Examples
    --------
    Errors of 0, 0 and 1 against deviations of -1, 0 and 1 from the mean:

    >>> per_dimension_r2(np.array([[1.0], [2.0], [3.0]]), np.array([[1.0], [2.0], [4.0]]))
    array([0.5])
    """
    reference, estimate = _pair(reference, estimate)
    counts = item_weights(weights, len(reference))
    columns = zip(reference.T, estimate.T, strict=True)
    each = np.stack([_r2(values, found, counts) for values, found in columns], axis=-1)
    if weights is None and np.isnan(each).any():
        constant = int(np.flatnonzero(np.isnan(each))[0])
        raise ValueError(
            f"each dimension of the reference must vary. Dimension {constant} is "
            f"{reference[0, constant]} for all {len(reference)} items."
        )
    return each


def _r2(reference: Reals, estimate: Reals, counts: Reals) -> Reals:
    """Give one dimension's R² for each row of counts."""
    lowest = np.broadcast_to(reference, counts.shape).min(axis=-1, where=counts > 0, initial=np.inf)
    highest = np.broadcast_to(reference, counts.shape).max(
        axis=-1, where=counts > 0, initial=-np.inf
    )
    # The deviations from the rounded mean of a constant need not be 0.
    mean = counts @ reference / counts.sum(axis=-1)
    spread = (counts * (reference - mean[..., None]) ** 2).sum(axis=-1)
    error = counts @ (reference - estimate) ** 2
    missed = np.divide(error, spread, out=np.full_like(error, np.nan), where=highest > lowest)
    return np.asarray(1 - missed)


def _pair(reference: npt.ArrayLike, estimate: npt.ArrayLike) -> tuple[Reals, Reals]:
    """Check that reference and estimate are values of the same items."""
    checked = []
    for name, given in (("reference", reference), ("estimate", estimate)):
        values = np.asarray(given, dtype=np.float64)
        if values.ndim != 2 or values.shape[1] == 0:
            raise ValueError(f"{name} must have shape (n, dimensions). Got {values.shape}.")
        if len(values) < 2:
            raise ValueError(f"{name} must hold at least two items. Got {len(values)}.")
        if not np.isfinite(values).all():
            raise ValueError(f"{name} must be finite. Got nan or infinity.")
        checked.append(values)
    if checked[0].shape != checked[1].shape:
        raise ValueError(
            f"reference and estimate must have one shape. "
            f"Got {checked[0].shape} and {checked[1].shape}."
        )
    return checked[0], checked[1]
