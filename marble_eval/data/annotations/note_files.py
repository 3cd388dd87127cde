"""Files of notes: MIDI, and text with onset, end and MIDI number in each line.

Of MIDI (``.mid``, ``.midi``) all channels are read but that of drums. A note that ends while
the sustain pedal is down sounds on until the pedal is released or its key is struck
again. So MARBLE v1 made its targets of MAESTRO (``EXTEND_PEDAL`` in its preprocess.py,
after Kong et al. 2021), as Onsets and Frames (ISMIR 2018) did before; onsets are the
same either way. Text (``.csv``, ``.tsv``, ``.txt``) may have more columns, such as the
velocity; they are not read.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from marble_eval.data.annotations.lines import (
    intervals_in,
    lines_of,
    numbers_in,
    parsed,
    refuse,
    seconds_of,
    suffix_of,
)
from marble_eval.data.annotations.midi import Channel, channels_of
from marble_eval.data.text_files import content_of, number_of
from marble_eval.spec import Annotation

#: What a file of notes may be called.
SUFFIXES = (".mid", ".midi", ".csv", ".tsv", ".txt")

_TITLES = {
    "onset": ("onset", "start", "time", "begin"),
    "end": ("end", "offset", "stop"),
    "pitch": ("pitch", "note", "midi"),
}
_DOWN = 64  # from this value on the pedal is down (MIDI 1.0)
_PITCH_RULE = "a pitch must be a MIDI number, 0 to 127."


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


def checked_notes(
    intervals: Sequence[Sequence[float]] | np.ndarray, pitches: Sequence[float] | np.ndarray
) -> Notes:
    """Check intervals (note, 2) in seconds and MIDI numbers; order them by onset, then pitch."""
    times, numbers = intervals_in(intervals), numbers_in(pitches)
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
    """Read a file of notes; a ValueError names the file and all lines that break a rule.

    Unless ``sustained``, notes of MIDI end when their key is released, whatever the pedal.
    """
    if suffix_of(path, SUFFIXES, "notes") in (".mid", ".midi"):
        return _from_midi(path, sustained)
    lines = lines_of(path, _TITLES, "note")
    found = np.array(parsed(lines, _note, path))
    times, pitches = found[:, :2], found[:, 2]
    refuse([(lines[index].number, fault) for index, fault in _faults(times, pitches)], path)
    return checked_notes(times, pitches)


def _note(cells: tuple[str, ...]) -> tuple[float, float, float]:
    if len(cells) < 3:
        raise ValueError(
            f"a line must have onset, end and pitch of a note. Got {len(cells)} cells: "
            f"{' '.join(cells)[:80]!r}."
        )
    pitch = number_of(cells[2])
    if np.isnan(pitch):
        raise ValueError(f"{_PITCH_RULE} Got {cells[2]!r}.")
    return seconds_of(cells[0]), seconds_of(cells[1]), pitch


def _faults(times: np.ndarray, pitches: np.ndarray) -> list[tuple[int, str]]:
    """List by index what is wrong with notes."""
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
    content = content_of(path)
    try:
        played = [_played(each, sustained) for each in channels_of(content)]
    except ValueError as error:
        raise ValueError(f"{path}: must be a MIDI file. Got a fault: {error}.") from None
    if not any(len(pitches) for _, pitches in played):
        raise ValueError(f"{path}: must have one note or more that is not of drums. Got none.")
    return checked_notes(*(np.concatenate(each) for each in zip(*played, strict=True)))


def _played(channel: Channel, sustained: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return the intervals and pitches of a channel's notes, by onset."""
    notes = channel.notes[np.argsort(channel.notes[:, 0], kind="stable")]
    times, pitches = notes[:, :2].copy(), notes[:, 2]
    spans = _pedal_spans(channel)
    if sustained and len(spans):
        times[:, 1] = _sustained_ends(times, pitches, spans)
    return times, pitches


def _pedal_spans(channel: Channel) -> np.ndarray:
    """Return from when to when the pedal is down, in order; at the latest to the last event."""
    spans, down = [], None
    for time, value in channel.pedal.tolist():
        if value >= _DOWN:
            down = time if down is None else down
        elif down is not None:
            spans.append((down, time))
            down = None
    if down is not None:
        spans.append((down, channel.end))
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
