"""Rankings of items by score, many at a time: what ROC-AUC and average precision add up.

Both are sums over the groups of equal scores that hold a positive item, so a `Rule`
gives a group's part and this module finds the groups. Without weights all tags are
ranked together; under many rows of weights each tag is ranked once, and a sparse matrix of
ones, made from its order, adds up all rows.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from marble_eval.metrics.item_weights import Reals

Flags = npt.NDArray[np.bool_]
Numbers = npt.NDArray[Any]

_BLOCK = 2**21  # numbers in an array at a time, whatever is scored
_ROWS = 64  # rows of weights at a time: so many of a tag stay in the cache


# A group's part of the score from: the weight of its positives, of its negatives, of all
# positives and of all negatives from the highest score down to it, and of all negatives.
Rule = Callable[[Numbers, Numbers, Numbers, Numbers, Numbers], Reals]


class Rankings(NamedTuple):
    """What the rankings add up to, for each row of weights and each tag: arrays (..., tags).

    The sum of the groups' parts, and the weight of items that have the tag and of those that have
    not.
    """

    parts: Reals
    positives: Reals
    negatives: Reals


def add_rankings(positive: Flags, scores: Numbers, rule: Rule) -> Rankings:
    """Add up the ranking of every tag of flags and scores (n, tags), each item counting once.

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
    """Add up the ranking of every tag under every row of weights, ``counts`` (rows, n)."""
    whole = bool((counts == np.rint(counts)).all() and counts.sum(axis=1).max() < 2**24)
    # Sums of whole numbers below 2**24 are exact in float32, which is twice as fast.
    ones = np.ones(2 * len(scores), dtype=np.float32 if whole else np.float64)
    tags = [_weighted_sums(*each, ones) for each in zip(positive.T, scores.T, strict=True)]
    sums = Rankings(*np.zeros((3, len(counts), len(tags))))
    step = max(1, min(_ROWS, _BLOCK // len(scores)))
    for at in range(0, len(counts), step):
        rows = slice(at, at + step)
        columns = np.ascontiguousarray(counts[rows].T, dtype=ones.dtype)
        for tag, each in enumerate(tags):
            for whole_sum, part in zip(sums, _added(each, columns, rule), strict=True):
                whole_sum[rows, tag] = part
    return sums


class _WeightedSums(NamedTuple):
    """What to add up of one tag, for its groups of equal scores that hold a positive.

    A row of ``items`` has ones at the items that count together. Two rows for each group: its
    positives, and the negatives from the end of the group before to its own end; two more
    for what is below the last, which are negatives alone; then one for each group in ``tied``
    with its negatives, which are there again.
    """

    items: Any
    groups: int
    tied: Numbers


def _weighted_sums(is_positive: Flags, scores: Numbers, ones: Numbers) -> _WeightedSums:
    """Order the items of one tag by falling score."""
    order = np.argsort(-scores)
    is_positive, ranked = is_positive[order], scores[order]
    group = np.concatenate([[0], np.cumsum(ranked[1:] != ranked[:-1])])
    has_positive = np.bincount(group, weights=is_positive) > 0
    groups = int(has_positive.sum())
    # Of each item: how many groups with a positive lie wholly above it.
    above: Numbers = (np.cumsum(has_positive) - has_positive)[group]
    row = 2 * above + ~is_positive
    is_tied = has_positive[group] & ~is_positive
    tied: Numbers
    tied, ties = np.unique(above[is_tied], return_counts=True)
    stops = np.cumsum(np.concatenate([[0], np.bincount(row, minlength=2 * groups + 2), ties]))
    columns = np.concatenate([order[np.argsort(row, kind="stable")], order[is_tied]])
    parts = (ones[: len(columns)], columns.astype(np.int32), stops.astype(np.int32))
    return _WeightedSums(csr_array(parts, shape=(len(stops) - 1, len(order))), groups, tied)


def _added(each: _WeightedSums, weights: Numbers, rule: Rule) -> Rankings:
    """Add up one tag; weights (item, row)."""
    sums, groups, rows = each.items @ weights, each.groups, weights.shape[1]
    steps = sums[: 2 * groups + 2].reshape(groups + 1, 2 * rows)  # positives beside negatives
    running = _running(steps)
    (found, passed), (positives, negatives) = (
        (part[..., :rows], part[..., rows:]) for part in (running[:groups], running[groups])
    )
    hits = steps[:groups, :rows].astype(np.float64)
    ties = np.zeros((groups, 1))
    if len(each.tied):
        ties = np.zeros(hits.shape)
        ties[each.tied] = sums[2 * groups + 2 :]
    return Rankings(rule(hits, ties, found, passed, negatives).sum(axis=0), positives, negatives)


def _running(steps: Numbers) -> Reals:
    """Add up along the first axis: in stretches, side by side, for `np.cumsum` is slow there."""
    length, rows = steps.shape
    stretch = max(1, math.isqrt(length))
    stretches = -(-length // stretch)
    sums = np.zeros((stretches, stretch, rows), dtype=steps.dtype)
    flat = sums.reshape(-1, rows)
    flat[:length] = steps
    for at in range(1, stretch):
        sums[:, at] += sums[:, at - 1]
    for at in range(1, stretches):
        sums[at] += sums[at - 1, -1]
    return flat[:length].astype(np.float64)
