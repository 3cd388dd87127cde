"""Compose short phrases of tonal music from a seed, as lists of notes.

A phrase has a key, a tempo, a chord progression and one of four textures:
a melody, a melody over a bass, block chords under a melody, or broken chords
under one. Conventions: pitches are MIDI numbers (60 is middle C), a tonic is in
semitones above C (0 to 11), scale degrees count from 0 (the tonic) and go on
into other octaves, times are seconds from the start of the clip. Equal seeds
give equal notes; no global random state is read or written.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

MODES = {
    "major": (0, 2, 4, 5, 7, 9, 11),
    "minor": (0, 2, 3, 5, 7, 8, 10),
    "dorian": (0, 2, 3, 5, 7, 9, 10),
    "mixolydian": (0, 2, 4, 5, 7, 9, 10),
}
TEXTURES = ("melody", "melody and bass", "melody and chords", "melody and broken chords")

# Roots of the chords, as scale degrees; the diminished chords of the major and
# the minor mode (degrees 6 and 1) are left out.
_PROGRESSIONS = (
    (0, 3, 4, 0),
    (0, 5, 3, 4),
    (0, 4, 5, 3),
    (5, 3, 0, 4),
    (0, 2, 3, 4),
    (0, 3, 0, 4),
)
# Note lengths in beats; each row fills a bar of four beats.
_RHYTHMS = (
    (1.0, 1.0, 1.0, 1.0),
    (1.0, 0.5, 0.5, 1.0, 1.0),
    (1.5, 0.5, 1.0, 1.0),
    (0.5, 0.5, 1.0, 0.5, 0.5, 1.0),
    (0.5, 0.5, 0.5, 0.5, 1.0, 1.0),
    (1.5, 0.5, 1.5, 0.5),
    (0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5),
    (2.0, 1.0, 0.5, 0.5),
)
_CHORD_BEATS = 2.0
_TEMPO_BPM = (84.0, 144.0)
_LONGEST_REST_SECONDS = 0.12  # before the first note, so that onsets do not line up
_SHORTEST_NOTE_SECONDS = 0.06
_HELD = (0.6, 1.0)  # share of its length that a note sounds, staccato to legato
_VELOCITY = (70, 105)
_ACCENT = 12  # velocity added where the chord changes
_MELODY_SPAN = 14  # semitones from a melody's lowest to its highest pitch
_MELODY_LOWEST = (53, 66)  # F3 to F4
_ACCOMPANIMENT_LOWEST = 41  # F2


@dataclass(frozen=True, slots=True)
class Note:
    """One note."""

    onset_seconds: float  # when it begins
    duration_seconds: float  # how long it is held, positive
    pitch: int  # MIDI number, 0 to 127
    velocity: int  # how hard it is struck or blown, 1 to 127

    def __post_init__(self) -> None:
        in_time = self.onset_seconds >= 0.0 and self.duration_seconds > 0.0
        if not (in_time and 0 <= self.pitch <= 127 and 1 <= self.velocity <= 127):
            raise ValueError(f"note must keep to the ranges of its fields. Got {self!r}.")


@dataclass(frozen=True, slots=True)
class Phrase:
    """A composed phrase and what is known of it."""

    tonic: int  # semitones above C, 0 to 11
    mode: str  # one of `MODES`
    tempo_bpm: float  # beats per minute
    texture: str  # one of `TEXTURES`
    roots: tuple[int, ...]  # scale degrees of the chords, two beats each, from the first onset on
    notes: tuple[Note, ...]  # in the order of their onsets


def scale_pitch(tonic: int, mode: str, degree: int) -> int:
    """Return the pitch of a scale degree."""
    if mode not in MODES:
        raise ValueError(f"mode must be one of {', '.join(MODES)}. Got {mode!r}.")
    octave, step = divmod(degree, 7)
    return tonic + 12 * octave + MODES[mode][step]


def triad(tonic: int, mode: str, root: int) -> tuple[int, int, int]:
    """Return the three pitches of the chord on a scale degree, in root position."""
    first, third, fifth = (scale_pitch(tonic, mode, root + step) for step in (0, 2, 4))
    return first, third, fifth


def compose(seed: int, *, seconds: float) -> Phrase:
    """Compose the phrase that belongs to a seed."""
    if not seconds >= 1.0:
        raise ValueError(f"seconds must be at least 1, room for a phrase. Got {seconds!r}.")
    rng = np.random.default_rng(seed)
    tonic = int(rng.integers(12))
    mode = tuple(MODES)[rng.integers(len(MODES))]
    tempo_bpm = round(float(rng.uniform(*_TEMPO_BPM)), 1)
    texture = TEXTURES[rng.integers(len(TEXTURES))]
    roots = _PROGRESSIONS[rng.integers(len(_PROGRESSIONS))]
    start_seconds = round(float(rng.uniform(0.0, _LONGEST_REST_SECONDS)), 3)
    beats = (seconds - start_seconds) * tempo_bpm / 60.0

    written = _melody(rng, tonic, mode, roots, beats)
    if texture in _ACCOMPANIMENTS:
        written += _ACCOMPANIMENTS[texture](tonic, mode, roots, beats)
    held = round(float(rng.uniform(*_HELD)), 3)
    loudness = int(rng.integers(*_VELOCITY))
    notes = []
    for beat, length, pitch in sorted(written):
        onset = start_seconds + beat * 60.0 / tempo_bpm
        duration = min(length * held * 60.0 / tempo_bpm, seconds - onset)
        accent = _ACCENT if beat % _CHORD_BEATS == 0 else 0
        velocity = loudness + accent + int(rng.integers(-6, 7))
        if duration >= _SHORTEST_NOTE_SECONDS:
            notes.append(Note(onset, duration, pitch, velocity))
    return Phrase(tonic, mode, tempo_bpm, texture, roots, tuple(notes))


_Written = list[tuple[float, float, int]]  # beat, length in beats, pitch


def _chord_at(tonic: int, mode: str, roots: tuple[int, ...], beat: float) -> tuple[int, int, int]:
    return triad(tonic, mode, roots[int(beat // _CHORD_BEATS) % len(roots)])


def _nearest_chord_tone(scale: list[int], place: int, chord: tuple[int, int, int]) -> int:
    """Return the place in the scale of the chord tone that is the fewest steps away."""
    classes = {pitch % 12 for pitch in chord}
    places = [index for index, pitch in enumerate(scale) if pitch % 12 in classes]
    return min(places, key=lambda index: (abs(index - place), index))


def _melody(
    rng: np.random.Generator, tonic: int, mode: str, roots: tuple[int, ...], beats: float
) -> _Written:
    """Walk along the scale, meeting a tone of the chord on every whole beat."""
    lowest = int(rng.integers(*_MELODY_LOWEST))
    span = range(lowest, lowest + _MELODY_SPAN + 1)
    scale = [pitch for pitch in span if (pitch - tonic) % 12 in MODES[mode]]
    place = len(scale) // 2
    written: _Written = []
    beat = 0.0
    while beat < beats:
        for length in _RHYTHMS[rng.integers(len(_RHYTHMS))]:
            place = min(max(place + int(rng.integers(-2, 3)), 0), len(scale) - 1)
            if beat % 1.0 == 0.0:
                place = _nearest_chord_tone(scale, place, _chord_at(tonic, mode, roots, beat))
            written.append((beat, length, scale[place]))
            beat += length
    return written


def _low_chord(tonic: int, mode: str, roots: tuple[int, ...], beat: float) -> tuple[int, int, int]:
    """Put the root of a beat's chord into the lowest octave of an accompaniment."""
    first, third, fifth = _chord_at(tonic, mode, roots, beat)
    shift = _ACCOMPANIMENT_LOWEST + (first - _ACCOMPANIMENT_LOWEST) % 12 - first
    return first + shift, third + shift, fifth + shift


def _bass(tonic: int, mode: str, roots: tuple[int, ...], beats: float) -> _Written:
    """Play root and fifth of each chord, a beat each."""
    written: _Written = []
    for beat in range(math.ceil(beats)):
        first, _, fifth = _low_chord(tonic, mode, roots, beat)
        written.append((float(beat), 1.0, first if beat % 2 == 0 else fifth))
    return written


def _chords(tonic: int, mode: str, roots: tuple[int, ...], beats: float) -> _Written:
    """Play the notes of each chord at once."""
    return [
        (index * _CHORD_BEATS, _CHORD_BEATS, pitch)
        for index in range(math.ceil(beats / _CHORD_BEATS))
        for pitch in _low_chord(tonic, mode, roots, index * _CHORD_BEATS)
    ]


def _broken_chords(tonic: int, mode: str, roots: tuple[int, ...], beats: float) -> _Written:
    """Play each chord's notes one after the other: root, fifth, third, fifth."""
    written: _Written = []
    for index in range(math.ceil(beats / 0.5)):
        first, third, fifth = _low_chord(tonic, mode, roots, index * 0.5)
        written.append((index * 0.5, 0.5, (first, fifth, third, fifth)[index % 4]))
    return written


_ACCOMPANIMENTS = dict(zip(TEXTURES[1:], (_bass, _chords, _broken_chords), strict=True))
