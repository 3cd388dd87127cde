"""Ranks of several systems, and how sure they are: where each would stand on other items.

Systems are scored on the same resamples of the same items, and ranked on each. A rank range
holds the central share of a system's ranks, and always the rank it has on the items
themselves. Equal scores share the better rank, and the chance of being first.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt


class RankRange(NamedTuple):
    """Where a system stands.

    Attributes
    ----------
    rank : int
        On the items themselves; 1 is best.
    best, worst : int
        Ends of the range of ranks on resamples; ``rank`` lies in it.
    first : float
        Share of the resamples on which it is first, in [0, 1]; systems that are first
        together share one, so that all systems' chances add up to 1.
    """

    rank: int
    best: int
    worst: int
    first: float

    def __str__(self) -> str:
        """Write the range as tables have it: "2-4", or "1" alone."""
        return str(self.best) if self.best == self.worst else f"{self.best}-{self.worst}"


def rank_ranges(
    values: npt.ArrayLike,
    resampled: npt.ArrayLike,
    *,
    higher_is_better: bool = True,
    level: float = 0.95,
) -> list[RankRange]:
    """Rank systems, with the range of each rank.

    Parameters
    ----------
    values : array_like [shape=(system,)]
        Score of each system.
    resampled : array_like [shape=(system, resample)]
        Scores on the same resamples; a resample on which one of them has no value (nan) is
        left out for all.
    higher_is_better : bool
        Direction of the score.
    level : float
        Share of the ranks inside a range, in (0, 1).

    Returns
    -------
    list of RankRange
        In the order of the systems.

    Raises
    ------
    ValueError
        If the arrays do not fit together, a score is nan, or no resample is left.

    Examples
    --------
    >>> resampled = [[0.7, 0.8, 0.9], [0.6, 0.9, 0.8], [0.1, 0.2, 0.3]]
    >>> [str(each) for each in rank_ranges([0.8, 0.75, 0.2], resampled)]
    ['1-2', '1-2', '3']
    """
    from scipy.stats import rankdata  # noqa: PLC0415 (it loads slowly, and only ranks need it)

    if not 0 < level < 1:
        raise ValueError(f"level must lie between 0 and 1. Got {level!r}.")
    scores, draws = np.asarray(values, dtype=float), np.asarray(resampled, dtype=float)
    if scores.ndim != 1 or draws.ndim != 2 or len(scores) != len(draws) or not len(scores):
        raise ValueError(
            f"values and resampled must have shapes (system,) and (system, resample). "
            f"Got {scores.shape} and {draws.shape}."
        )
    if np.isnan(scores).any():
        raise ValueError("values must be numbers. Got nan.")
    draws = draws[:, ~np.isnan(draws).any(axis=0)]
    if not draws.shape[1]:
        raise ValueError("resampled must have a resample on which every system has a score.")
    sign = -1.0 if higher_is_better else 1.0
    points = rankdata(sign * scores, method="min").astype(int)
    ranks = rankdata(sign * draws, method="min", axis=0)
    is_first = ranks == 1
    first = (is_first / is_first.sum(axis=0)).mean(axis=1)
    tail = 50 * (1 - level)
    ends = np.percentile(ranks, [tail, 100 - tail], axis=1, method="closest_observation")
    return [
        RankRange(int(point), int(min(low, point)), int(max(high, point)), float(chance))
        for point, low, high, chance in zip(points, *ends, first, strict=True)
    ]
