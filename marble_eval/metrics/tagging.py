"""ROC-AUC and average precision of tags, any number of which an item may have.

Only the order of the scores of one tag matters, so logits do as well as
probabilities. Average precision is scikit-learn's step-wise sum over the distinct
scores; in ROC-AUC a tie counts half. A tag without a positive item (for ROC-AUC also
one without a negative item) has no score and is left out of the macro mean:
torchmetrics would count it as 0.
"""

from __future__ import annotations

from typing import overload

import numpy as np
import numpy.typing as npt

from marble_eval.metrics.item_weights import Reals, as_given, item_weights
from marble_eval.metrics.ranking import (
    Flags,
    Numbers,
    Rankings,
    Rule,
    add_rankings,
    add_weighted_rankings,
)

Tags = npt.NDArray[np.integer | np.bool_]
Scores = npt.NDArray[np.floating]


@overload
def roc_auc(reference: Tags, scores: Scores, *, weights: None = None) -> float: ...
@overload
def roc_auc(reference: Tags, scores: Scores, *, weights: npt.ArrayLike) -> Reals: ...
def roc_auc(
    reference: Tags, scores: Scores, *, weights: npt.ArrayLike | None = None
) -> float | Reals:
    """Give the mean over tags of the area under the ROC curve.

    Parameters
    ----------
    reference : np.ndarray [shape=(n, tags), int or bool]
        1 where an item has the tag, else 0.
    scores : np.ndarray [shape=(n, tags), float]
        Higher for what is more likely, on any scale.
    weights : array_like [shape=(..., n)] or None
        How often each item counts, not negative; None for once.

    Returns
    -------
    float or np.ndarray [shape=(...)]
        Area in [0, 1], one for each row of weights; 0.5 is chance, higher is better.
        nan for a row of weights in which no tag has a score.

    Raises
    ------
    ValueError
        If there is no item, the arrays do not fit together, or, without weights, no
        tag has both a positive and a negative item.

    Examples
    --------
    The first tag is ordered right in three of four pairs, the second has no positive:

    >>> reference = np.array([[1, 0], [1, 0], [0, 0], [0, 0]])
    >>> roc_auc(reference, np.array([[0.9, 0.1], [0.4, 0.2], [0.5, 0.3], [0.2, 0.1]]))
    0.75
    """
    each = per_tag_roc_auc(reference, scores, weights=weights)
    return as_given(_macro(each, weights, "both a positive and a negative item"), weights)


@overload
def average_precision(reference: Tags, scores: Scores, *, weights: None = None) -> float: ...
@overload
def average_precision(reference: Tags, scores: Scores, *, weights: npt.ArrayLike) -> Reals: ...
def average_precision(
    reference: Tags, scores: Scores, *, weights: npt.ArrayLike | None = None
) -> float | Reals:
    """Give the mean over tags of the average precision.

    Parameters
    ----------
    reference : np.ndarray [shape=(n, tags), int or bool]
        1 where an item has the tag, else 0.
    scores : np.ndarray [shape=(n, tags), float]
        Higher for what is more likely, on any scale.
    weights : array_like [shape=(..., n)] or None
        How often each item counts, not negative; None for once.

    Returns
    -------
    float or np.ndarray [shape=(...)]
        Precision in [0, 1], one for each row of weights; chance is the share of
        positives, higher is better. nan for a row in which no tag has a score.

    Raises
    ------
    ValueError
        If there is no item, the arrays do not fit together, or, without weights, no
        tag has a positive item.

    Examples
    --------
    Positives are first and third in the order of the scores, 1/2 x 1/1 + 1/2 x 2/3:

    >>> scores = np.array([[0.9], [0.5], [0.4], [0.2]])
    >>> round(average_precision(np.array([[1], [0], [1], [0]]), scores), 4)
    0.8333
    """
    each = per_tag_average_precision(reference, scores, weights=weights)
    return as_given(_macro(each, weights, "a positive item"), weights)


def per_tag_roc_auc(
    reference: Tags, scores: Scores, *, weights: npt.ArrayLike | None = None
) -> Reals:
    """Give the area under the ROC curve of every tag.

    Parameters
    ----------
    reference : np.ndarray [shape=(n, tags), int or bool]
        1 where an item has the tag, else 0.
    scores : np.ndarray [shape=(n, tags), float]
        Higher for what is more likely, on any scale.
    weights : array_like [shape=(..., n)] or None
        How often each item counts, not negative; None for once.

    Returns
    -------
    np.ndarray [shape=(..., tags)]
        Area in [0, 1], 0.5 is chance, higher is better; nan where no item of
        positive weight has the tag, or all have it.

    Raises
    ------
    ValueError
        If there is no item, or the arrays do not fit together.

    Examples
    --------
    >>> reference, scores = np.array([[1, 1], [0, 1]]), np.array([[0.7, 0.2], [0.1, 0.4]])
    >>> per_tag_roc_auc(reference, scores)
    array([ 1., nan])
    """
    sums = _ranked(reference, scores, weights, _beaten)
    return _ratio(sums.parts, sums.positives * sums.negatives)


def per_tag_average_precision(
    reference: Tags, scores: Scores, *, weights: npt.ArrayLike | None = None
) -> Reals:
    """Give the average precision of every tag.

    Parameters
    ----------
    reference : np.ndarray [shape=(n, tags), int or bool]
        1 where an item has the tag, else 0.
    scores : np.ndarray [shape=(n, tags), float]
        Higher for what is more likely, on any scale.
    weights : array_like [shape=(..., n)] or None
        How often each item counts, not negative; None for once.

    Returns
    -------
    np.ndarray [shape=(..., tags)]
        Precision in [0, 1], higher is better; nan where no item of positive weight
        has the tag.

    Raises
    ------
    ValueError
        If there is no item, or the arrays do not fit together.

    Examples
    --------
    >>> reference, scores = np.array([[1, 0], [0, 0]]), np.array([[0.2, 0.2], [0.7, 0.4]])
    >>> per_tag_average_precision(reference, scores)
    array([0.5, nan])
    """
    sums = _ranked(reference, scores, weights, _precision)
    return _ratio(sums.parts, sums.positives)


def _beaten(
    hits: Numbers, ties: Numbers, found: Numbers, passed: Numbers, negatives: Numbers
) -> Reals:
    """Count the pairs in which a positive beats a negative, a tie as half of one."""
    return np.asarray(hits * (negatives - passed + 0.5 * ties))


def _precision(
    hits: Numbers, ties: Numbers, found: Numbers, passed: Numbers, negatives: Numbers
) -> Reals:
    """Give each positive the precision down to its score; 0 where no item counts."""
    taken = found + passed
    precision = np.divide(found, taken, out=np.zeros(hits.shape), where=taken > 0)
    return np.asarray(hits * precision)


def _ratio(total: Reals, count: Numbers) -> Reals:
    """Divide, giving nan where there is nothing to divide by."""
    return np.asarray(np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0))


def _macro(each: Reals, weights: npt.ArrayLike | None, needed: str) -> Reals:
    scored = ~np.isnan(each)
    count = scored.sum(axis=-1)
    if weights is None and not count:
        raise ValueError(f"at least one tag must have {needed}. Got none of {each.shape[-1]}.")
    total = np.where(scored, each, 0.0).sum(axis=-1)
    return _ratio(total, count)


def _ranked(reference: Tags, scores: Scores, weights: npt.ArrayLike | None, rule: Rule) -> Rankings:
    positive, scores = _checked(reference, scores)
    if weights is None:
        return add_rankings(positive, scores, rule)
    counts = item_weights(weights, len(scores))
    sums = add_weighted_rankings(positive, scores, counts.reshape(-1, len(scores)), rule)
    return Rankings(*(each.reshape(*counts.shape[:-1], -1) for each in sums))


def _checked(reference: npt.ArrayLike, scores: npt.ArrayLike) -> tuple[Flags, Scores]:
    tags, values = np.asarray(reference), np.asarray(scores)
    if tags.ndim != 2 or tags.shape != values.shape:
        raise ValueError(
            f"reference and scores must have one shape (n, tags). "
            f"Got {tags.shape} and {values.shape}."
        )
    if tags.size == 0:
        raise ValueError(f"reference must hold at least one item and tag. Got {tags.shape}.")
    if tags.dtype != np.bool_ and not (
        np.issubdtype(tags.dtype, np.integer) and ((tags == 0) | (tags == 1)).all()
    ):
        raise ValueError(f"reference must be integers 0 and 1, or bool. Got {tags.dtype}.")
    if not np.issubdtype(values.dtype, np.floating) or not np.isfinite(values).all():
        raise ValueError(f"scores must be finite floats. Got {values.dtype}.")
    return tags.astype(np.bool_), values
