"""Rankings of items by score, many at a time: what ROC-AUC and average precision add up.

Both are sums over the groups of equal scores that hold a positive item, so a `Rule`
gives a group's part and this module finds the groups. Without weights all tags are
ranked together; under many rows of weights each tag is ranked once, and all rows are
added up along that order.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from marble_eval.metrics.item_weights import Reals

Flags = npt.NDArray[np.bool_]
Numbers = npt.NDArray[Any]

_BLOCK = 2**21  # numbers in an array at a time, whatever is scored
_ROWS = 32  # rows of weights at a time: so many of a tag stay in the cache


# A group's part of the score from: the weight of its positives, of its negatives, of all
# positives and of all negatives from the highest score down to it, and of all negatives.
Rule = Callable[[Numbers, Numbers, Numbers, Numbers, Numbers], Reals]


class Rankings(NamedTuple):
    """What the rankings add up to, for each row of weights and each tag.

    Attributes
    ----------
    parts : np.ndarray [shape=(..., tags)]
        Sum of the groups' parts.
    positives, negatives : np.ndarray [shape=(..., tags)]
        Weight of the items that have the tag and of those that have not.
    """

    parts: Reals
    positives: Reals
    negatives: Reals


def add_rankings(positive: Flags, scores: Numbers, rule: Rule) -> Rankings:
    """Add up the ranking of every tag, each item counting once.

    Parameters
    ----------
    positive : np.ndarray [shape=(n, tags), bool]
        Whether an item has the tag.
    scores : np.ndarray [shape=(n, tags), float]
        Finite; the highest come first.
    rule : Rule
        A group's part of the score.

    Returns
    -------
    Rankings [shape=(tags,)]
        The sums.

    Examples
    --------
    Count the positives:

    >>> flags, scores = np.array([[True], [False], [True]]), np.array([[0.1], [0.2], [0.3]])
    >>> add_rankings(flags, scores, lambda hits, *_: hits)
    Rankings(parts=array([2.]), positives=array([2.]), negatives=array([1.]))
    """
    step = max(1, _BLOCK // len(scores))
    blocks = [slice(at, at + step) for at in range(0, scores.shape[1], step)]
    parts = [_ranked(positive.T[at], scores.T[at], rule) for at in blocks]
    positives = positive.sum(axis=0).astype(np.float64)
    return Rankings(np.concatenate(parts), positives, len(scores) - positives)


def _ranked(positive: Flags, scores: Numbers, rule: Rule) -> Reals:
    """Add up tags (tag, item) together; every positive makes a part of its own."""
    tags, items = scores.shape
    order = np.argsort(-scores, axis=1)
    ranked = np.take_along_axis(scores, order, axis=1)
    is_positive = np.take_along_axis(positive, order, axis=1)
    new = np.ones((tags, items), dtype=np.bool_)
    new[:, 1:] = ranked[:, 1:] != ranked[:, :-1]
    # Tag after tag in one row: each group is a stretch from its edge to the next.
    edges = np.append(np.flatnonzero(new), new.size)
    at = np.flatnonzero(is_positive)
    tag, group = at // items, np.searchsorted(edges, at, side="right") - 1
    start, stop, first = edges[group], edges[group + 1], tag * items
    positives = np.bincount(tag, minlength=tags)
    before = np.searchsorted(at, start)  # positives, those of earlier tags too
    upto = np.searchsorted(at, stop)
    found = upto - (np.cumsum(positives) - positives)[tag]
    ties = (stop - start) - (upto - before)
    passed = stop - first - found
    parts = rule(np.ones(len(at)), ties, found, passed, (items - positives)[tag])
    return np.bincount(tag, weights=parts, minlength=tags).astype(np.float64)  # int where empty


def add_weighted_rankings(positive: Flags, scores: Numbers, counts: Reals, rule: Rule) -> Rankings:
    """Add up the ranking of every tag under every row of weights.

    Parameters
    ----------
    positive : np.ndarray [shape=(n, tags), bool]
        Whether an item has the tag.
    scores : np.ndarray [shape=(n, tags), float]
        Finite; the highest come first.
    counts : np.ndarray [shape=(rows, n)]
        How often each item counts, not negative.
    rule : Rule
        A group's part of the score.

    Returns
    -------
    Rankings [shape=(rows, tags)]
        The sums.

    Examples
    --------
    Count the positives:

    >>> flags, scores = np.array([[True], [False], [True]]), np.array([[0.1], [0.2], [0.3]])
    >>> rows = np.array([[1.0, 1, 1], [3, 0, 0]])
    >>> add_weighted_rankings(flags, scores, rows, lambda hits, *_: hits).parts
    array([[2.],
           [3.]])
    """
    whole = bool((counts == np.rint(counts)).all() and counts.sum(axis=1).max() < 2**24)
    # Sums of whole numbers below 2**24 are exact in float32, which is twice as fast.
    kind = np.float32 if whole else np.float64
    orders = [np.argsort(-column) for column in scores.T]
    sums = Rankings(*np.zeros((3, len(counts), len(orders))))
    step = max(1, min(_ROWS, _BLOCK // len(scores)))
    for at in range(0, len(counts), step):
        rows = slice(at, at + step)
        columns = np.ascontiguousarray(counts[rows].T, dtype=kind)
        for tag, order in enumerate(orders):
            drawn = columns.take(order, axis=0)
            found = _weighted(positive[order, tag], scores[order, tag], drawn, rule)
            for whole_sum, part in zip(sums, found, strict=True):
                whole_sum[rows, tag] = part
    return sums


def _weighted(is_positive: Flags, ranked: Numbers, weights: Numbers, rule: Rule) -> Rankings:
    """Add up one tag in falling order of score; weights (item, row) are used up."""
    at = np.flatnonzero(is_positive)
    if len(at) == 0:
        nothing = np.zeros(weights.shape[1])
        return Rankings(nothing, nothing, weights.sum(axis=0, dtype=np.float64))
    edges = np.flatnonzero(np.concatenate([[True], ranked[1:] != ranked[:-1], [True]]))
    group, first = np.unique(np.searchsorted(edges, at, side="right") - 1, return_index=True)
    start, stop = edges[group], edges[group + 1]
    hits = np.add.reduceat(weights[at], first, axis=0).astype(np.float64)
    weights[at] = 0  # negatives are left
    # Their sums are needed only between the groups that hold a positive, not at every item.
    borders = np.unique(np.concatenate([[0], start, stop]))
    sums = np.add.reduceat(weights, borders[borders < len(ranked)], axis=0)
    running = np.zeros((len(sums) + 1, sums.shape[1]))
    np.cumsum(sums, axis=0, dtype=np.float64, out=running[1:])
    passed = running[np.searchsorted(borders, stop)]
    ties = passed - running[np.searchsorted(borders, start)]
    found = np.cumsum(hits, axis=0)
    parts = rule(hits, ties, found, passed, running[-1])
    return Rankings(parts.sum(axis=0), found[-1], running[-1])
