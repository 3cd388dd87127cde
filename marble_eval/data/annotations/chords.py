"""Chords: intervals of a track, each with a name in Harte's notation ("A:min7", "N", "X")."""

from __future__ import annotations

import json
from typing import NamedTuple

import numpy as np

from marble_eval.spec import Annotation


class Chords(NamedTuple):
    """The chords of a track.

    Attributes
    ----------
    intervals : np.ndarray [shape=(chord, 2)]
        Start and end in seconds, in order of time, without overlaps; there may be gaps.
    names : tuple of str
        Harte's notation (ISMIR 2005), as `mir_eval.chord` reads it; "N" where no
        chord sounds, "X" where it has no name.
    """

    intervals: np.ndarray
    names: tuple[str, ...]


def chords_text(chords: Chords) -> Annotation:
    """Write chords as one line of JSON.

    Parameters
    ----------
    chords : Chords
        Times in seconds.

    Returns
    -------
    Annotation
        The same for the same chords, which `chords_of` reads back exactly.

    Examples
    --------
    >>> chords_text(Chords(np.array([[0.0, 2.5]]), ("C:maj",)))
    '[[0.0,2.5,"C:maj"]]'
    """
    rows = [
        [*each, name] for each, name in zip(chords.intervals.tolist(), chords.names, strict=True)
    ]
    return Annotation(json.dumps(rows, separators=(",", ":")))


def chords_of(text: str) -> Chords:
    """Read what `chords_text` wrote.

    Parameters
    ----------
    text : str
        JSON.

    Returns
    -------
    Chords
        Times in seconds.
    """
    rows = json.loads(text)
    intervals = np.array([row[:2] for row in rows], dtype=np.float64).reshape(-1, 2)
    return Chords(intervals, tuple(row[2] for row in rows))
