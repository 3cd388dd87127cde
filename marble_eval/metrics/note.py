"""Notes of a track: how many frames sound right, and how many onsets were found.

Times are seconds, pitches MIDI numbers. A frame score samples the true notes and the
estimated ones at i / rate; nothing is rounded to frames first. A note score pairs each
reference note with at most one estimated note of its pitch whose onset lies within the
tolerance; where notes end does not matter. The pairs are counted as `mir_eval.transcription`
counts them (Raffel et al., ISMIR 2014), which compares every note with every other: its
tables of a piece of 20,000 notes need several times 3 GB. Notes of different MIDI
numbers are never paired, so here each pitch is matched alone, with the same count.

Where the reference has no notes a track counts for nothing, its false alarms included.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from marble_eval.data.annotations.note_files import Notes

#: How the twelve pitch classes are spelled, from C.
PITCH_CLASSES = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")

#: Names of the scores.
METRICS = ("frame_f1", "frame_precision", "frame_recall", "note_f1", "note_f1_pooled")

_DECIMALS = 1e4  # distances are rounded to 0.1 ms, as in mir_eval.transcription


def note_name(pitch: int) -> str:
    """Name a MIDI number by pitch class and octave; middle C, 60, is C4."""
    return f"{PITCH_CLASSES[pitch % 12]}{pitch // 12 - 1}"


def note_counts(
    reference: Notes,
    estimate: Notes,
    metrics: Sequence[str],
    *,
    rate: float,
    tolerance_s: float,
) -> np.ndarray:
    """Count what the scores of one track are made of.

    Parameters
    ----------
    reference, estimate : Notes
        Seconds and MIDI numbers.
    metrics : sequence of str
        Any of `METRICS`.
    rate : float
        Frames per second of the frame scores.
    tolerance_s : float
        How far the onsets of a pair of notes may lie from each other, in seconds.

    Returns
    -------
    np.ndarray [shape=(metric, 2), float64]
        A numerator and a denominator for each, of which a score in [0, 1] is the ratio of
        sums over tracks; higher is better. ``note_f1`` has a track's F-measure and 1, so
        that it is a mean over tracks; the others have counts. (0, 0) of all where the
        reference has no notes.

    Examples
    --------
    >>> from marble_eval.data.annotations.note_files import Notes
    >>> reference = Notes(np.array([[0.0, 1.0], [2.0, 3.0]]), np.array([60, 64]))
    >>> estimate = Notes(np.array([[0.0, 0.5]]), np.array([60]))
    >>> names = ("frame_f1", "note_f1", "note_f1_pooled")
    >>> note_counts(reference, estimate, names, rate=10.0, tolerance_s=0.05).round(3).tolist()
    [[10.0, 25.0], [0.667, 1.0], [2.0, 3.0]]
    """
    if not len(reference.pitches):
        return np.zeros((len(metrics), 2))
    hits, false_alarms, misses = frame_counts(reference, estimate, rate)
    found = 2 * matched_notes(reference, estimate, tolerance_s)
    notes = len(reference.pitches) + len(estimate.pitches)
    counts = {
        "frame_f1": (2 * hits, 2 * hits + false_alarms + misses),
        "frame_precision": (hits, hits + false_alarms),
        "frame_recall": (hits, hits + misses),
        "note_f1": (found / notes, 1),
        "note_f1_pooled": (found, notes),
    }
    return np.array([counts[name] for name in metrics], dtype=np.float64)


def frame_counts(reference: Notes, estimate: Notes, rate: float) -> np.ndarray:
    """Count hits, false alarms and misses of frames, over all pitches: (3,).

    A note sounds from its onset up to, not including, its end; frame i is the time i / rate.

    Examples
    --------
    Of the reference's ten frames six are found, and two of another pitch are wrong:

    >>> from marble_eval.data.annotations.note_files import Notes
    >>> reference = Notes(np.array([[0.0, 1.0]]), np.array([60]))
    >>> estimate = Notes(np.array([[0.4, 1.0], [0.0, 0.2]]), np.array([60, 72]))
    >>> frame_counts(reference, estimate, 10.0)
    array([6, 2, 4])
    """
    end = max(
        (each.intervals.max() for each in (reference, estimate) if len(each.pitches)), default=0
    )
    times = np.arange(int(np.ceil(end * rate)) + 1) / rate
    counts = np.zeros(3, dtype=np.int64)
    for pitch in np.union1d(reference.pitches, estimate.pitches):
        heard = _sounding(reference, pitch, times)
        found = _sounding(estimate, pitch, times)
        both = np.count_nonzero(heard & found)
        counts += (both, np.count_nonzero(found) - both, np.count_nonzero(heard) - both)
    return counts


def _sounding(notes: Notes, pitch: int, times: np.ndarray) -> np.ndarray:
    """Say at which times a pitch sounds."""
    sounding = np.zeros(len(times), dtype=bool)
    # Compared as numbers, not multiplied by the rate: a time that is on a frame stays on it.
    for start, stop in np.searchsorted(times, notes.intervals[notes.pitches == pitch]).tolist():
        sounding[start:stop] = True
    return sounding


def matched_notes(reference: Notes, estimate: Notes, tolerance_s: float) -> int:
    """Count the pairs of a reference note and an estimated one, as many as there can be.

    Equal to the length of ``mir_eval.transcription.match_notes(…, offset_ratio=None)``: its 50
    cents never join two semitones, and along one pitch, with one tolerance for all notes, taking
    the earliest pair that is left gives the largest matching.
    """
    pairs = 0
    for pitch in np.intersect1d(reference.pitches, estimate.pitches):
        pairs += _pairs(_onsets(reference, pitch), _onsets(estimate, pitch), tolerance_s)
    return pairs


def _onsets(notes: Notes, pitch: int) -> list[float]:
    onsets: list[float] = np.sort(notes.intervals[notes.pitches == pitch, 0]).tolist()
    return onsets


def _pairs(reference: list[float], estimate: list[float], tolerance_s: float) -> int:
    """Pair rising onsets, the earliest first."""
    pairs = first = second = 0
    while first < len(reference) and second < len(estimate):
        later = estimate[second] - reference[first]
        if round(abs(later) * _DECIMALS) / _DECIMALS <= tolerance_s:
            pairs, first, second = pairs + 1, first + 1, second + 1
        elif later > 0:
            first += 1
        else:
            second += 1
    return pairs
