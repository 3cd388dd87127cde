"""Notes: onset, end and MIDI number of each."""

from __future__ import annotations

import json
from typing import NamedTuple

import numpy as np

from marble_eval.spec import Annotation


class Notes(NamedTuple):
    """The notes of a track: onset and end (note, 2) in seconds, and MIDI numbers (note,) int64.

    By onset; notes of different pitch may overlap.
    """

    intervals: np.ndarray
    pitches: np.ndarray


def notes_text(notes: Notes) -> Annotation:
    """Write notes as one line of JSON, which `notes_of` reads back exactly."""
    pitches = notes.pitches.tolist()
    rows = [[*each, pitch] for each, pitch in zip(notes.intervals.tolist(), pitches, strict=True)]
    return Annotation(json.dumps(rows, separators=(",", ":")))


def notes_of(text: str) -> Notes:
    """Read what `notes_text` wrote."""
    rows = json.loads(text)
    intervals = np.array([row[:2] for row in rows], dtype=np.float64).reshape(-1, 2)
    return Notes(intervals, np.array([row[2] for row in rows], dtype=np.int64))
