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

    Parameters
    ----------
    groups : array_like [shape=(n,)]
        Group of each item; where all differ, items are swapped one by one.
    permutations : int
        How many rows are drawn, at least 1. Where the groups have no more ways to be
        swapped than that, each way stands there once.
    seed : int
        Seed of the draw. The same groups in another order get the same draws.

    Returns
    -------
    np.ndarray [shape=(rows, n), float64]
        1 where the two estimates of an item change places, else 0.

    Raises
    ------
    ValueError
        If there is no item, or ``permutations`` is less than 1.

    Examples
    --------
    >>> swaps(["a", "b", "b"], permutations=10, seed=0)
    array([[0., 0., 0.],
           [1., 0., 0.],
           [0., 1., 1.],
           [1., 1., 1.]])
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

    Parameters
    ----------
    observed : float
        Difference of the two scores, a number.
    swapped : array_like [shape=(rows,)]
        The same difference after each row of `swaps`; nan where it has no value.
    exact : bool
        Whether the rows are all ways to swap, the unswapped one included.

    Returns
    -------
    float
        Two-sided, in (0, 1]. Drawn rows count the observed one besides, so it is never 0
        (Phipson and Smyth 2010).

    Raises
    ------
    ValueError
        If the observed difference is no number, or no swapped one is.

    Examples
    --------
    >>> permutation_p(0.3, [0.1, -0.3, 0.2])
    0.5
    >>> permutation_p(0.3, [0.3, -0.3, 0.1, -0.1], exact=True)
    0.5
    """
    if not np.isfinite(observed):
        raise ValueError(f"observed must be a finite number. Got {observed!r}.")
    values = np.asarray(swapped, dtype=np.float64)
    values = values[~np.isnan(values)]
    if not len(values):
        raise ValueError("swapped must hold at least one number. Got none.")
    extreme = int((np.abs(values) >= abs(observed) - _ROUNDING).sum())
    return extreme / len(values) if exact else (1 + extreme) / (1 + len(values))
