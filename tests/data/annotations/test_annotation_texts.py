"""One line of JSON for the annotation of a track, which gives it back exactly."""

from __future__ import annotations

import json

import numpy as np

from marble_eval.data.annotations.beat_files import Beats, beats_of, beats_text
from marble_eval.data.annotations.chord_files import Chords, chords_of, chords_text
from marble_eval.data.annotations.note_files import Notes, notes_of, notes_text


def times(count: int, seed: int = 0) -> np.ndarray:
    return np.sort(np.random.default_rng(seed).uniform(0, 600, count))


def test_beats_come_back_bit_for_bit() -> None:
    for given in (Beats(times(50), times(9)), Beats(times(1), times(0)), Beats(times(0), times(0))):
        text = beats_text(given)
        assert "\n" not in text
        assert json.loads(text) == {"beats": list(given.beats), "downbeats": list(given.downbeats)}
        found = beats_of(text)
        for one, other in zip(given, found, strict=True):
            assert one.tobytes() == other.tobytes()
            assert other.dtype == np.float64
        assert beats_text(found) == text


def test_chords_come_back_bit_for_bit() -> None:
    for count in (0, 1, 40):
        intervals = times(2 * count).reshape(-1, 2)
        names = tuple(f"C:maj({at},ä)" for at in range(count))
        text = chords_text(Chords(intervals, names))
        assert "\n" not in text
        found = chords_of(text)
        assert found.names == names
        assert found.intervals.shape == (count, 2)
        assert found.intervals.tobytes() == intervals.tobytes()


def test_notes_come_back_bit_for_bit() -> None:
    for count in (0, 1, 40):
        intervals = times(2 * count).reshape(-1, 2)
        pitches = np.arange(count, dtype=np.int64)
        text = notes_text(Notes(intervals, pitches))
        assert "\n" not in text
        found = notes_of(text)
        assert found.intervals.shape == (count, 2)
        assert found.intervals.tobytes() == intervals.tobytes()
        assert found.pitches.dtype == np.int64
        assert found.pitches.tolist() == list(range(count))
