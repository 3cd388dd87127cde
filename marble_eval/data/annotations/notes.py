"""Notes: onset, end and MIDI number of each."""

from __future__ import annotations

import json
from typing import NamedTuple

import numpy as np

from marble_eval.spec import Annotation


class Notes(NamedTuple):
    """The notes of a track.

    Attributes
    ----------
    intervals : np.ndarray [shape=(note, 2)]
        Onset and end in seconds, by onset; notes of different pitch may overlap.
    pitches : np.ndarray [shape=(note,), int64]
        MIDI numbers, 0 to 127.
    """

    intervals: np.ndarray
    pitches: np.ndarray


def notes_text(notes: Notes) -> Annotation:
    """Write notes as one line of JSON.

    Parameters
    ----------
    notes : Notes
        Times in seconds.

    Returns
    -------
    Annotation
        The same for the same notes, which `notes_of` reads back exactly.

    Examples
    --------
    >>> notes_text(Notes(np.array([[0.0, 2.5]]), np.array([60])))
    '[[0.0,2.5,60]]'
    """
    pitches = notes.pitches.tolist()
    rows = [[*each, pitch] for each, pitch in zip(notes.intervals.tolist(), pitches, strict=True)]
    return Annotation(json.dumps(rows, separators=(",", ":")))


def notes_of(text: str) -> Notes:
    """Read what `notes_text` wrote.

    Parameters
    ----------
    text : str
        JSON.

    Returns
    -------
    `Notes`
        Times in seconds.
    """
    rows = json.loads(text)
    intervals = np.array([row[:2] for row in rows], dtype=np.float64).reshape(-1, 2)
    return Notes(intervals, np.array([row[2] for row in rows], dtype=np.int64))
