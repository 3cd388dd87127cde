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

    Parameters
    ----------
    differences : array_like [shape=(resamples,)]
        Of two metrics on the same resamples; nan where one has no value.

    Returns
    -------
    float
        Two-sided, in (0, 1]: the level at which a percentile interval just touches 0.
        The observed sample counts as one resample, so it is never 0.

    Raises
    ------
    ValueError
        If there is no number.

    Notes
    -----
    Twice the smaller tail beyond 0 (Efron and Tibshirani 1993, section 15.4), a difference
    of 0 being in both; the one added to both sides of the fraction as Davison and Hinkley
    (1997, section 4.2).

    Examples
    --------
    >>> bootstrap_p([0.1, 0.2, 0.3, -0.1])
    0.8
    """
    values = np.asarray(differences, dtype=np.float64)
    values = values[~np.isnan(values)]
    if not len(values):
        raise ValueError("differences must hold at least one number. Got none.")
    tail = min(int((values <= _ROUNDING).sum()), int((values >= -_ROUNDING).sum()))
    return float(min(1.0, 2 * (1 + tail) / (1 + len(values))))


def paired_tie(first: npt.ArrayLike, second: npt.ArrayLike, level: float = 0.95) -> bool:
    """Say whether two estimates on the same items cannot be told apart.

    Parameters
    ----------
    first, second : array_like [shape=(resamples,)]
        The metric of each, on the same resamples in the same order; nan where
        it has no value.
    level : float
        Share inside the interval of the difference, in (0, 1).

    Returns
    -------
    bool
        True if the interval of the difference holds 0.

    Raises
    ------
    ValueError
        If the two differ in length, or as `percentile_interval`.

    Examples
    --------
    >>> paired_tie([0.70, 0.74, 0.78], [0.69, 0.75, 0.77])
    True
    >>> paired_tie([0.70, 0.74, 0.78], [0.67, 0.70, 0.76])
    False
    """
    ours, theirs = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if ours.shape != theirs.shape:
        raise ValueError(
            f"first and second must come from the same resamples. "
            f"Got {ours.shape} and {theirs.shape}."
        )
    interval = percentile_interval(ours - theirs, level)
    return interval.low <= _ROUNDING and interval.high >= -_ROUNDING
