"""Conversions between seconds and samples, by name.

Times are float seconds at every public border; samples are integers inside a
module. Rounding is to the nearest, halves up, of the number as it is written: 0.35 s
at 22,050 Hz are 7717.5 samples, though the float is a little less. So no boundary
depends on the parity of its index or on the last bit of a float.
"""

from __future__ import annotations

import math
from fractions import Fraction


def seconds_to_samples(seconds: float, sample_rate: int) -> int:
    """Convert a duration to samples."""
    if not math.isfinite(seconds) or seconds < 0:
        raise ValueError(f"seconds must be finite and not negative. Got {seconds!r}.")
    if sample_rate <= 0:
        raise ValueError(f"sample_rate must be positive. Got {sample_rate!r}.")
    return math.floor(Fraction(str(seconds)) * sample_rate + Fraction(1, 2))


def samples_to_seconds(samples: int, sample_rate: int) -> float:
    """Convert samples to a duration."""
    if sample_rate <= 0:
        raise ValueError(f"sample_rate must be positive. Got {sample_rate!r}.")
    return samples / sample_rate
