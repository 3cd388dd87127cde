"""Several tests at once: p values adjusted for how many there are."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Reals = npt.NDArray[np.float64]


def holm(values: npt.ArrayLike) -> Reals:
    """Adjust p values by Holm's step-down rule.

    Holm, Scandinavian Journal of Statistics 6 (1979): the smallest is multiplied by the number of
    tests, the next by one less, and none may be smaller than one before it.

    Shapes: values (tests,) -> (tests,).
    """
    given = np.asarray(values, dtype=np.float64)
    if given.ndim != 1 or not ((given >= 0) & (given <= 1)).all():
        raise ValueError(f"values must be numbers in [0, 1], of shape (tests,). Got {values!r}.")
    order = np.argsort(given, kind="stable")
    steps = given[order] * np.arange(len(given), 0, -1)
    adjusted = np.empty_like(given)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(steps))
    return adjusted
