"""Annotations in time: beats, chords and notes, and the files they are published in.

In memory they are arrays of seconds; as the label of a track, and in the table of
predictions, they are one line of JSON each, so that tracks can be compared,
digested and stored like those of any other task. Times are kept as they were
annotated: nothing here rounds them to frames.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

#: How far an annotation may reach behind the end of its audio, in seconds.
SLACK_SECONDS = 1.0

_MOST = 20  # times the length of the audio: beyond, times are in another unit


def end_of(events: Iterable[Any]) -> float:
    """Return the last time of `Beats`, `Chords` or `Notes`, in seconds; 0 if there is none."""
    return float(_times(events).max(initial=0.0))


def misfit(events: Iterable[Any], seconds: float) -> str:
    """Say why an annotation cannot be of audio this long; empty if it can.

    Times in milliseconds, samples or 100 ns have nothing but a start at 0 inside the audio,
    or an end far behind it.
    """
    times, end = _times(events), end_of(events)
    if end <= seconds + SLACK_SECONDS:
        return ""
    if end <= _MOST * seconds and ((times > 0) & (times <= seconds)).any():
        return ""
    return (
        f"{seconds:.2f} s of audio, annotated from {times.min():g} to {end:g}: the times must be "
        f"in seconds, and of this audio"
    )


def _times(events: Iterable[Any]) -> np.ndarray:
    arrays = [each for each in events if isinstance(each, np.ndarray) and each.dtype.kind == "f"]
    return np.concatenate([np.empty(0), *(each.ravel() for each in arrays)])
