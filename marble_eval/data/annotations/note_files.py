"""Files of notes: MIDI, and text with onset, end and MIDI number in each line.

Of MIDI (``.mid``, ``.midi``) all instruments are read that are not drums, with
pretty_midi: a note without an end, or of no length, is left out. A note that ends while
the sustain pedal is down sounds on until the pedal is released or its key is struck
again. So MARBLE v1 made its targets of MAESTRO (``EXTEND_PEDAL`` in its preprocess.py,
after Kong et al. 2021), as Onsets and Frames (ISMIR 2018) did before; onsets are the
same either way. Text (``.csv``, ``.tsv``, ``.txt``) may have more columns, such as the
velocity; they are not read.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from marble_eval.data.annotations.lines import content_of, parsed, refuse, rows_of, seconds_of
from marble_eval.data.annotations.notes import Notes

if TYPE_CHECKING:
    import pretty_midi

#: What a file of notes may be called.
SUFFIXES = (".mid", ".midi", ".csv", ".tsv", ".txt")

_TITLES = {
    "onset": ("onset", "start", "time", "begin"),
    "end": ("end", "offset", "stop"),
    "pitch": ("pitch", "note", "midi"),
}
_SUSTAIN = 64  # control change of the sustain pedal
_DOWN = 64  # from this value on the pedal is down (MIDI 1.0)
_PITCH_RULE = "a pitch must be a MIDI number, 0 to 127."


class _Line(NamedTuple):
    onset: float
    end: float
    pitch: float


def checked_notes(
    intervals: Sequence[Sequence[float]] | np.ndarray, pitches: Sequence[float] | np.ndarray
) -> Notes:
    """Check the notes of a track, and put them in order.

    Parameters
    ----------
    intervals : array_like [shape=(note, 2)]
        Onset and end in seconds, in any order of notes.
    pitches : array_like [shape=(note,)]
        MIDI numbers, 0 to 127.

    Returns
    -------
    `Notes`
        By onset, then pitch.

    Raises
    ------
    ValueError
        If a time is no finite number or is negative, a note does not end after its
        onset, or a pitch is no MIDI number.

    Examples
    --------
    >>> checked_notes([[0.5, 1], [0, 2], [0, 1]], [60, 64, 62]).pitches
    array([62, 64, 60])
    >>> checked_notes([[0, 1]], [440])
    Traceback (most recent call last):
    ...
    ValueError: note 1: a pitch must be a MIDI number, 0 to 127. Got 440.
    """
    try:
        times, numbers = (np.array(each, dtype=np.float64) for each in (intervals, pitches))
    except (TypeError, ValueError):
        times = numbers = np.array(np.nan)
    if times.size == 0:
        times = times.reshape(0, 2)
    if times.ndim != 2 or times.shape[1] != 2 or numbers.shape != times.shape[:1]:
        raise ValueError(
            f"notes must have an onset and an end in seconds and a pitch each. Got "
            f"{str(intervals)[:80]!r} and {str(pitches)[:80]!r}."
        )
    faults = _faults(times, numbers)
    if faults:
        raise ValueError(f"note {faults[0][0] + 1}: {faults[0][1]}")
    order = np.lexsort((numbers, times[:, 0]))
    return Notes(times[order], numbers[order].astype(np.int64))


def read_notes(path: Path, *, sustained: bool = True) -> Notes:
    """Read a file of notes.

    Parameters
    ----------
    path : Path
        ``.mid``, ``.midi``, ``.csv``, ``.tsv`` or ``.txt``.
    sustained : bool, optional
        Whether the sustain pedal of MIDI makes notes longer; else they end when their
        key is released.

    Returns
    -------
    `Notes`
        Times in seconds, by onset, then pitch.

    Raises
    ------
    ValueError
        If the file is not there, is not what its name says, has no note, or a line
        breaks a rule; with the file and all such lines.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise ValueError(
            f"{path}: a file of notes must be one of {', '.join(SUFFIXES)}. Got {path.suffix!r}."
        )
    if path.suffix.lower() in (".mid", ".midi"):
        return _from_midi(path, sustained)
    rows = rows_of(path, _TITLES)
    if not rows:
        raise ValueError(f"{path}: must have one note or more. Got none.")
    lines = parsed(rows, _line, path)
    times, pitches = (
        np.array([each[:2] for each in lines]),
        np.array([each.pitch for each in lines]),
    )
    refuse([(rows[index].line, told) for index, told in _faults(times, pitches)], path)
    return checked_notes(times, pitches)


def _line(cells: tuple[str, ...]) -> _Line:
    if len(cells) < 3:
        raise ValueError(
            f"a line must have onset, end and pitch of a note. Got {len(cells)} cells: "
            f"{' '.join(cells)[:80]!r}."
        )
    try:
        pitch = float(cells[2])
    except ValueError:
        raise ValueError(f"{_PITCH_RULE} Got {cells[2]!r}.") from None
    return _Line(seconds_of(cells[0]), seconds_of(cells[1]), pitch)


def _faults(times: np.ndarray, pitches: np.ndarray) -> list[tuple[int, str]]:
    """Say by index what is wrong with notes."""
    faults = []
    for index, ((onset, end), pitch) in enumerate(
        zip(times.tolist(), pitches.tolist(), strict=True)
    ):
        if not 0 <= onset < end < np.inf:
            faults.append(
                (index, f"a note must start at 0 s or later, and then end. Got {onset} to {end} s.")
            )
        if not (0 <= pitch <= 127 and pitch == int(pitch)):
            faults.append((index, f"{_PITCH_RULE} Got {pitch:g}."))
    return faults


def _from_midi(path: Path, sustained: bool) -> Notes:
    import pretty_midi  # noqa: PLC0415 - for MIDI alone

    content = content_of(path)
    try:
        midi = pretty_midi.PrettyMIDI(io.BytesIO(content))
    except Exception as error:  # of any class, since the file's bytes lead through its parser
        told = f"{type(error).__name__} {error}".strip()
        raise ValueError(f"{path}: must be a MIDI file. Got {told}.") from None
    played = [_played(each, sustained) for each in midi.instruments if not each.is_drum]
    if not any(len(pitches) for _, pitches in played):
        raise ValueError(f"{path}: must have one note or more that is not of drums. Got none.")
    try:
        return checked_notes(*(np.concatenate(each) for each in zip(*played, strict=True)))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _played(instrument: pretty_midi.Instrument, sustained: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return the intervals and pitches of an instrument's notes, by onset."""
    notes = sorted(instrument.notes, key=lambda each: each.start)
    times = np.array([[each.start, each.end] for each in notes], dtype=np.float64).reshape(-1, 2)
    pitches = np.array([each.pitch for each in notes], dtype=np.int64)
    spans = _pedal_spans(instrument)
    if sustained and len(spans):
        times[:, 1] = _sustained_ends(times, pitches, spans)
    return times, pitches


def _pedal_spans(instrument: pretty_midi.Instrument) -> np.ndarray:
    """Return from when to when the pedal is down, in order; at the latest to the last event."""
    spans, down = [], None
    for each in sorted(instrument.control_changes, key=lambda each: each.time):
        if each.number != _SUSTAIN:
            continue
        if each.value >= _DOWN:
            down = each.time if down is None else down
        elif down is not None:
            spans.append((down, each.time))
            down = None
    if down is not None:
        spans.append((down, instrument.get_end_time()))
    return np.array(spans, dtype=np.float64).reshape(-1, 2)


def _sustained_ends(times: np.ndarray, pitches: np.ndarray, spans: np.ndarray) -> np.ndarray:
    ends = times[:, 1]
    at = np.maximum(np.searchsorted(spans[:, 0], ends, side="right") - 1, 0)
    released = np.where((spans[at, 0] <= ends) & (ends < spans[at, 1]), spans[at, 1], ends)
    struck_again = np.full(len(ends), np.inf)
    for pitch in np.unique(pitches):
        same = np.flatnonzero(pitches == pitch)
        struck_again[same[:-1]] = times[same[1:], 0]
    sustained: np.ndarray = np.maximum(ends, np.minimum(released, struck_again))
    return sustained
