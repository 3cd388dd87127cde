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


def end_of(events: Iterable[Any]) -> float:
    """Return the last time of an annotation.

    Parameters
    ----------
    events : Beats, Chords or Notes
        Their arrays of floats are times in seconds.

    Returns
    -------
    float
        In seconds; 0 if there are no events.

    Examples
    --------
    >>> end_of((np.array([0.5, 1.0]), np.array([], dtype=float)))
    1.0
    """
    times = [each for each in events if isinstance(each, np.ndarray) and each.dtype.kind == "f"]
    return float(max((each.max(initial=0.0) for each in times), default=0.0))
