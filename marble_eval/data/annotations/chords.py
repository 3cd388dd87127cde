"""Chords: intervals of a track, each with a name in Harte's notation ("A:min7", "N", "X")."""

from __future__ import annotations

import json
from typing import NamedTuple

import numpy as np

from marble_eval.spec import Annotation


class Chords(NamedTuple):
    """The chords of a track: start and end (chord, 2) in seconds, and names.

    In order of time, without overlaps; there may be gaps. Names are Harte's (ISMIR 2005), as
    `mir_eval.chord` reads them: "N" where no chord sounds, "X" where it has no name.
    """

    intervals: np.ndarray
    names: tuple[str, ...]


def chords_text(chords: Chords) -> Annotation:
    """Write chords as one line of JSON, which `chords_of` reads back exactly."""
    rows = [
        [*each, name] for each, name in zip(chords.intervals.tolist(), chords.names, strict=True)
    ]
    return Annotation(json.dumps(rows, separators=(",", ":")))


def chords_of(text: str) -> Chords:
    """Read what `chords_text` wrote."""
    rows = json.loads(text)
    intervals = np.array([row[:2] for row in rows], dtype=np.float64).reshape(-1, 2)
    return Chords(intervals, tuple(row[2] for row in rows))
