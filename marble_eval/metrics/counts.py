"""Scores that are a sum of numerators over a sum of denominators, one pair a track.

A mean over tracks has a value and 1, pooled counts have the counts, and a track in whose
reference there is nothing to be found has 0 and 0.
"""

from __future__ import annotations

import numpy as np


def ratio(counts: np.ndarray) -> np.ndarray:
    """Divide summed numerators by summed denominators (..., 2); 0 where there is nothing to count.

    Examples
    --------
    >>> ratio(np.array([[1.0, 4.0], [0.0, 0.0]])).tolist()
    [0.25, 0.0]
    """
    top, bottom = counts[..., 0], counts[..., 1]
    return np.asarray(np.divide(top, bottom, out=np.zeros(np.shape(top)), where=bottom > 0))
