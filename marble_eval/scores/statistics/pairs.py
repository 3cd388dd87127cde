"""Two estimates on the same items: their difference on the same resamples.

Pairing takes away what is common to both: a resample of easy items lifts both scores and
leaves the difference. Overlap of two separate intervals is a far weaker test.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from marble_eval.scores.statistics.resampling import percentile_interval

_ROUNDING = 1e-12  # of a score: the same mean in another order is no difference


def bootstrap_p(differences: npt.ArrayLike) -> float:
    """Give the chance of a difference as large if there is none, from resamples.

    Twice the smaller tail beyond 0 (Efron and Tibshirani 1993, section 15.4), a difference of 0
    being in both; the one added to both sides of the fraction as Davison and Hinkley (1997,
    section 4.2).

    Shapes: differences (resamples,).
    """
    values = np.asarray(differences, dtype=np.float64)
    values = values[~np.isnan(values)]
    if not len(values):
        raise ValueError("differences must hold at least one number. Got none.")
    tail = min(int((values <= _ROUNDING).sum()), int((values >= -_ROUNDING).sum()))
    return float(min(1.0, 2 * (1 + tail) / (1 + len(values))))


def paired_tie(first: npt.ArrayLike, second: npt.ArrayLike, level: float = 0.95) -> bool:
    """Say whether two estimates on the same items cannot be told apart.

    Shapes: first, second (resamples,).
    """
    ours, theirs = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if ours.shape != theirs.shape:
        raise ValueError(
            f"first and second must come from the same resamples. "
            f"Got {ours.shape} and {theirs.shape}."
        )
    interval = percentile_interval(ours - theirs, level)
    return interval.low <= _ROUNDING and interval.high >= -_ROUNDING
