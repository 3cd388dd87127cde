"""Accuracy, macro F1 and the confusion matrix of a choice among classes.

Classes are integers from 0. All counts are sums of item weights, so a weight of
two is the same as an item that occurs twice. A label that no item has is left
out of the macro mean, as scikit-learn does when given the labels that occur.
"""

from __future__ import annotations

from typing import overload

import numpy as np
import numpy.typing as npt

from marble_eval.metrics.item_weights import Reals, as_given, item_weights

Classes = npt.NDArray[np.integer]


@overload
def accuracy(reference: Classes, estimate: Classes, *, weights: None = None) -> float: ...
@overload
def accuracy(reference: Classes, estimate: Classes, *, weights: npt.ArrayLike) -> Reals: ...
def accuracy(
    reference: Classes, estimate: Classes, *, weights: npt.ArrayLike | None = None
) -> float | Reals:
    """Give the share of items whose class was found.

    Parameters
    ----------
    reference : np.ndarray [shape=(n,), int]
        Annotated class of each item.
    estimate : np.ndarray [shape=(n,), int]
        Predicted class of each item.
    weights : array_like [shape=(..., n)] or None
        How often each item counts, not negative; None for once.

    Returns
    -------
    float or np.ndarray [shape=(...)]
        Accuracy in [0, 1], one for each row of weights. Higher is better.

    Raises
    ------
    ValueError
        If there is no item, or the arrays do not fit together.

    Examples
    --------
    >>> accuracy(np.array([0, 1, 2, 2]), np.array([0, 1, 2, 0]))
    0.75
    >>> accuracy(np.array([0, 1]), np.array([0, 0]), weights=[[1, 1], [2, 0]])
    array([0.5, 1. ])
    """
    reference, estimate = paired_classes(reference, estimate)
    counts = item_weights(weights, len(reference))
    found = counts @ (reference == estimate).astype(np.float64)
    return as_given(found / counts.sum(axis=-1), weights)


@overload
def macro_f1(
    reference: Classes, estimate: Classes, *, labels: int, weights: None = None
) -> float: ...
@overload
def macro_f1(
    reference: Classes, estimate: Classes, *, labels: int, weights: npt.ArrayLike
) -> Reals: ...
def macro_f1(
    reference: Classes, estimate: Classes, *, labels: int, weights: npt.ArrayLike | None = None
) -> float | Reals:
    """Give the mean F1 over the labels that occur in the reference.

    Parameters
    ----------
    reference : np.ndarray [shape=(n,), int]
        Annotated class of each item, 0 to ``labels`` - 1.
    estimate : np.ndarray [shape=(n,), int]
        Predicted class of each item, same range.
    labels : int
        Number of classes.
    weights : array_like [shape=(..., n)] or None
        How often each item counts, not negative; None for once.

    Returns
    -------
    float or np.ndarray [shape=(...)]
        Macro F1 in [0, 1], one for each row of weights. Higher is better.

    Raises
    ------
    ValueError
        If there is no item, the arrays do not fit together or a class is out of
        range.

    Notes
    -----
    A label is left out of the mean where no item of positive weight has it. It
    then still costs precision: whoever was taken for it is missing elsewhere.
    torchmetrics instead counts such a label as 0 once it has been predicted.

    Examples
    --------
    Label 0 has F1 2/3, label 1 has 0.8 and label 2 does not occur:

    >>> round(macro_f1(np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1]), labels=3), 4)
    0.7333
    """
    each = per_label_f1(reference, estimate, labels=labels, weights=weights)
    occurs = ~np.isnan(each)
    return as_given(np.where(occurs, each, 0.0).sum(axis=-1) / occurs.sum(axis=-1), weights)


def per_label_f1(
    reference: Classes, estimate: Classes, *, labels: int, weights: npt.ArrayLike | None = None
) -> Reals:
    """Give the F1 of every label.

    Parameters
    ----------
    reference : np.ndarray [shape=(n,), int]
        Annotated class of each item, 0 to ``labels`` - 1.
    estimate : np.ndarray [shape=(n,), int]
        Predicted class of each item, same range.
    labels : int
        Number of classes.
    weights : array_like [shape=(..., n)] or None
        How often each item counts, not negative; None for once.

    Returns
    -------
    np.ndarray [shape=(..., labels)]
        F1 in [0, 1], higher is better; nan for a label that no item of positive
        weight has.

    Raises
    ------
    ValueError
        As `macro_f1`.

    Examples
    --------
    >>> per_label_f1(np.array([0, 0, 1]), np.array([0, 0, 0]), labels=3)
    array([0.8, 0. , nan])
    """
    reference, estimate = paired_classes(reference, estimate, labels)
    counts = item_weights(weights, len(reference))
    is_reference = reference[:, None] == np.arange(labels)
    is_estimate = estimate[:, None] == np.arange(labels)
    # (..., n) x (n, 3 * labels): found, annotated and predicted in one product.
    table = np.concatenate([is_reference & is_estimate, is_reference, is_estimate], axis=1)
    found, annotated, predicted = np.split(counts @ table.astype(np.float64), 3, axis=-1)
    nothing = np.full_like(found, np.nan)
    return np.divide(2 * found, annotated + predicted, out=nothing, where=annotated > 0)


def confusion(reference: Classes, estimate: Classes, labels: int) -> npt.NDArray[np.int64]:
    """Count how often each class was taken for each other one.

    Parameters
    ----------
    reference : np.ndarray [shape=(n,), int]
        Annotated class of each item, 0 to ``labels`` - 1.
    estimate : np.ndarray [shape=(n,), int]
        Predicted class of each item, same range.
    labels : int
        Number of classes.

    Returns
    -------
    np.ndarray [shape=(labels, labels), int64]
        Items; the row is the reference, the column the estimate.

    Raises
    ------
    ValueError
        As `macro_f1`.

    Examples
    --------
    >>> confusion(np.array([0, 0, 1]), np.array([0, 1, 1]), labels=2)
    array([[1, 1],
           [0, 1]])
    """
    reference, estimate = paired_classes(reference, estimate, labels)
    flat = reference.astype(np.int64) * labels + estimate.astype(np.int64)
    return np.bincount(flat, minlength=labels * labels).reshape(labels, labels).astype(np.int64)


def paired_classes(
    reference: npt.ArrayLike, estimate: npt.ArrayLike, labels: int | None = None
) -> tuple[Classes, Classes]:
    """Check that reference and estimate are classes of the same items, below ``labels``."""
    checked = []
    for name, given in (("reference", reference), ("estimate", estimate)):
        values = np.asarray(given)
        if values.size == 0:
            raise ValueError(f"{name} must hold at least one item. Got none.")
        if values.ndim != 1 or not np.issubdtype(values.dtype, np.integer):
            raise ValueError(
                f"{name} must be integers of shape (n,). Got {values.dtype} {values.shape}."
            )
        if labels is not None and not (0 <= values.min() and values.max() < labels):
            raise ValueError(
                f"{name} must lie in 0 to {labels - 1}. Got {values.min()} to {values.max()}."
            )
        checked.append(values)
    if len(checked[0]) != len(checked[1]):
        raise ValueError(
            f"reference and estimate must have the same items. "
            f"Got {len(checked[0])} and {len(checked[1])}."
        )
    return checked[0], checked[1]
