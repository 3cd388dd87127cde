"""From an encoder's frame rate to the rate at which a task decodes.

Frame i stands for the time i / rate. Outputs of every encoder are brought to one rate
before they are decoded, so that 25 and 75 frames a second have the same footing.
"""

from __future__ import annotations

import math

import numpy as np


def interpolated(values: np.ndarray, rate: float, to_rate: float) -> np.ndarray:
    """Interpolate the outputs of a track (frame, output) linearly to another frame rate, in Hz.

    The rows reach to the end of the last frame, at frames / rate; after its beginning the last
    value is held. At the same rate these are the given values themselves.

    Examples
    --------
    >>> interpolated(np.array([[0.0], [1.0]], np.float32), 25, 100).ravel().tolist()
    [0.0, 0.25, 0.5, 0.75, 1.0, 1.0, 1.0, 1.0]
    """
    _check(values, rate, to_rate)
    if rate == to_rate:
        return values
    frames = len(values)
    # A rounding error must not add a row: 3000.0000000000005 frames are 3000.
    rows = math.ceil(round(frames * to_rate / rate, 6))
    # In frames of the values; multiplied first, since only so whole numbers stay whole.
    places = np.minimum(np.arange(rows) * rate / to_rate, frames - 1)
    before = places.astype(np.intp)
    after = np.minimum(before + 1, frames - 1)
    share = (places - before).astype(values.dtype)[:, np.newaxis]
    between: np.ndarray = values[after]
    between -= values[before]
    between *= share
    between += values[before]
    return between


def _check(values: np.ndarray, rate: float, to_rate: float) -> None:
    if values.ndim != 2 or not np.issubdtype(values.dtype, np.floating):
        raise ValueError(
            f"values must be floats of shape (frame, output). Got {values.dtype} {values.shape}."
        )
    if not np.isfinite(values).all():
        raise ValueError("values must be finite. Got nan or infinity.")
    for name, each in (("rate", rate), ("to_rate", to_rate)):
        if not (each > 0 and math.isfinite(each)):
            raise ValueError(f"{name} must be positive and finite. Got {each!r}.")
