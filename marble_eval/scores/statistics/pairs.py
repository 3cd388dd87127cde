"""Two estimates on the same items: their difference on the same resamples.

Pairing takes away what is common to both: a resample of easy items lifts both scores and
leaves the difference. Overlap of two separate intervals is a far weaker test.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.stats import norm
from scipy.stats import t as student

_ROUNDING = 1e-12  # of a score: the same mean in another order is no difference


def bootstrap_p(differences: npt.ArrayLike, *, groups: int | None = None) -> float:
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
    share = float(min(1.0, 2 * (1 + tail) / (1 + len(values))))
    return share if groups is None else 2 * _as_t_tail(share / 2, groups)


def tied_with_best(
    values: npt.ArrayLike,
    resampled: npt.ArrayLike,
    *,
    groups: int,
    level: float = 0.95,
) -> npt.NDArray[np.bool_]:
    """Find the estimates that may be the best, higher being better: -> (estimate,).

    `values` (estimate,) are scores on the items, `resampled` (estimate, resample) on the same
    resamples, nan where one has no value. All estimates that are truly best are among those
    found with probability `level`: the model confidence set of Hansen, Lunde and Nason
    (Econometrica 79, 2011). As long as the largest studentised difference within the set is
    larger than resamples of equal estimates give, the worst one leaves it. The best on the
    items always stays.
    """
    scores, draws = np.asarray(values, dtype=float), np.asarray(resampled, dtype=float)
    if draws.ndim != 2 or scores.shape != draws.shape[:1]:
        raise ValueError(
            f"values and resampled must have shapes (estimate,) and (estimate, resample). "
            f"Got {scores.shape} and {draws.shape}."
        )
    draws = draws[:, ~np.isnan(draws).any(axis=0)]
    if not draws.shape[1]:
        raise ValueError("resampled must have a resample on which every estimate has a score.")
    draws = draws - draws.mean(axis=1, keepdims=True)
    covariance = (
        np.atleast_2d(np.cov(draws)) if draws.shape[1] > 1 else np.zeros((len(scores),) * 2)
    )
    variances = np.diag(covariance)
    spread = np.sqrt(np.maximum(variances[:, None] + variances - 2 * covariance, 0.0))
    spread = np.where(spread > _ROUNDING, spread, np.inf)  # equal on every resample: no difference
    apart = (scores - scores[:, None]) / spread  # [i, j]: how far j is ahead of i
    inside: npt.NDArray[np.bool_] = np.ones(len(scores), dtype=bool)
    while inside.sum() > 1:
        at = np.flatnonzero(inside)
        pairs = draws[at, None] - draws[at]
        largest = np.abs(pairs / spread[np.ix_(at, at)][..., None]).max(axis=(0, 1))
        behind = apart[np.ix_(at, at)].max(axis=1)
        if behind.max() <= _as_t(float(np.quantile(largest, level)), groups):
            break
        inside[at[behind.argmax()]] = False
    return inside


def _as_t(quantile: float, groups: int) -> float:
    """Widen a quantile of resampled differences by what estimating their spread adds."""
    return float(np.sqrt(groups / (groups - 1)) * student.isf(norm.sf(quantile), groups - 1))


def _as_t_tail(tail: float, groups: int) -> float:
    """Give the tail beyond a quantile of resampled differences, its spread being estimated."""
    return float(student.sf(np.sqrt((groups - 1) / groups) * norm.isf(tail), groups - 1))
