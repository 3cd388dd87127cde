"""Runs of frames and stretches of time: chords of equal classes, notes of what is on or off.

Frame i stands for the time i / rate. Where a class was sampled at each frame, its change
lies somewhere between two frames, and is put halfway: a chord holds from half a frame
before its first frame to half a frame behind its last. Where onsets and ends were rounded
to frames, they are on frames, and are given back as such.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Segments(NamedTuple):
    """Intervals (segment, 2) in seconds, and the class or number of an output that each holds."""

    intervals: np.ndarray
    values: np.ndarray


def equal_runs(values: np.ndarray, rate: float, end: float) -> Segments:
    """Join neighbouring frames (frame,) of one value, without gaps, from 0 to ``end`` (s)."""
    if not len(values):
        return Segments(np.zeros((0, 2)), np.zeros(0, dtype=np.int64))
    firsts = np.flatnonzero(np.diff(values)) + 1
    edges = np.array([0.0, *(firsts - 0.5) / rate, end])
    if not edges[-2] < end:
        raise ValueError(f"end must lie behind the last change, at {edges[-2]:g} s. Got {end!r}.")
    found = np.asarray(values)[[0, *firsts]].astype(np.int64)
    return Segments(np.stack([edges[:-1], edges[1:]], axis=1), found)


def active_runs(active: np.ndarray, rate: float) -> Segments:
    """Join neighbouring frames (frame, output) in which an output is on.

    From the first frame of a run to the one behind its last, by start and then by output.
    """
    frames, outputs = active.shape
    # An output a row, with silence before and behind, so that every run starts and ends.
    padded = np.zeros((outputs, frames + 2), dtype=bool)
    padded[:, 1:-1] = active.T
    output, edge = np.nonzero(padded[:, 1:] != padded[:, :-1])
    starts, stops, values = edge[::2], edge[1::2], output[::2]
    order = np.lexsort((values, starts))
    intervals = np.stack([starts[order], stops[order]], axis=1) / rate
    return Segments(intervals, values[order].astype(np.int64))


def active_frames(segments: Segments, frames: int, outputs: int, rate: float) -> np.ndarray:
    """Return in which frames (frame, output) each output is on.

    From the frame nearest to a start up to, not including, that of the end, and in at least one;
    what lies behind the last frame is left out.
    """
    active = np.zeros((frames, outputs), dtype=bool)
    starts, ends = np.floor(segments.intervals * rate + 0.5).astype(np.int64).T  # halves go up
    ends = np.maximum(ends, starts + 1)
    for start, end, output in zip(starts, ends, segments.values, strict=True):
        active[start:end, output] = True
    return active
