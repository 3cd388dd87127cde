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
    """Where a system stands."""

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

    Shapes: values (system,), resampled (system, resample).
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
