"""The paired permutation test: if two systems are alike, their estimates can change places.

Fisher's randomisation for paired scores (Noreen 1989; for systems on the same test items Dror,
Baumer, Shlomov and Reichart, ACL 2018). Items of one group are swapped together, since they
err together. The metric of the swapped systems is the caller's: an item stands there twice, once
with each estimate, and a swap moves its weight from the one to the other.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Reals = npt.NDArray[np.float64]

_ROUNDING = 1e-12  # of a score: sums in another order are no smaller difference


def swaps(groups: npt.ArrayLike, *, permutations: int, seed: int) -> Reals:
    """Draw which items change places.

    Shapes: groups (n,) -> (rows, n).
    """
    names = np.asarray(groups)
    if names.ndim != 1 or not len(names):
        raise ValueError(f"groups must have shape (n,) with n > 0. Got {names.shape}.")
    if permutations < 1:
        raise ValueError(f"permutations must be at least 1. Got {permutations!r}.")
    distinct, group_of_item = np.unique(names, return_inverse=True)
    count = len(distinct)
    if count < 64 and 2**count <= permutations:
        drawn = (np.arange(2**count)[:, None] >> np.arange(count)) & 1
    else:
        drawn = np.random.default_rng(seed).integers(2, size=(permutations, count))
    return np.asarray(drawn.astype(np.float64)[:, group_of_item])


def permutation_p(observed: float, swapped: npt.ArrayLike, *, exact: bool = False) -> float:
    """Give the chance of a difference as large as the observed one if there is none.

    Shapes: swapped (rows,).
    """
    if not np.isfinite(observed):
        raise ValueError(f"observed must be a finite number. Got {observed!r}.")
    values = np.asarray(swapped, dtype=np.float64)
    values = values[~np.isnan(values)]
    if not len(values):
        raise ValueError("swapped must hold at least one number. Got none.")
    extreme = int((np.abs(values) >= abs(observed) - _ROUNDING).sum())
    return extreme / len(values) if exact else (1 + extreme) / (1 + len(values))
