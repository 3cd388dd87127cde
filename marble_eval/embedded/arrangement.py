"""Write the parts of a piece over its chords: melody, bass, chords held, struck or broken.

Parts are in beats from the start of the piece, pitches are MIDI numbers. All
randomness comes from the generator handed in; equal generators give equal parts.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from marble_eval.embedded.harmony import Chord, close_position, lowest_at
from marble_eval.embedded.performance import Written

# Note lengths of a melody in beats; each row fills two beats.
_RHYTHMS = (
    *((1.0, 1.0), (1.5, 0.5), (0.5, 0.5, 1.0), (1.0, 0.5, 0.5), (0.5, 1.0, 0.5), (2.0,)),
    *((0.5, 0.5, 0.5, 0.5), (0.75, 0.25, 1.0)),
)
_MELODY_SPAN = 14  # semitones from a melody's lowest to its highest pitch


class Sounding(NamedTuple):
    """A chord and when it sounds, in beats."""

    beat: float
    beats: float
    chord: Chord


def spread(
    chords: Sequence[Chord], rng: np.random.Generator, *, beats: int, last_beats: int
) -> tuple[Sounding, ...]:
    """Give chords their lengths: whole beats, cut at random, the last of a set length."""
    room = beats - last_beats
    if len(chords) < 2 or room < len(chords) - 1:
        raise ValueError(f"beats must leave one for each of two chords or more. Got {beats!r}.")
    cuts = 1 + np.sort(rng.choice(room - 1, len(chords) - 2, replace=False))
    edges = [0, *map(int, cuts), room, beats]
    return tuple(
        Sounding(start, end - start, chord)
        for (start, end), chord in zip(pairwise(edges), chords, strict=True)
    )


def chord_at(harmony: Sequence[Sounding], beat: float) -> Chord:
    """Find the chord that sounds at a beat."""
    return [each for each in harmony if each.beat <= max(beat, 0.0)][-1].chord


def melody(
    harmony: Sequence[Sounding], rng: np.random.Generator, *, beats: float, lowest: int
) -> list[Written]:
    """Walk along the scale, meeting a tone of the chord on every whole beat."""
    span = range(lowest, lowest + _MELODY_SPAN + 1)
    pitch = lowest + _MELODY_SPAN // 2
    part, beat = [], 0.0
    while beat < beats:
        for length in _RHYTHMS[rng.integers(len(_RHYTHMS))]:
            chord = chord_at(harmony, beat)
            scale = [each for each in span if each % 12 in chord.scale]
            place = min(range(len(scale)), key=lambda at: (abs(scale[at] - pitch), at))
            place = min(max(place + int(rng.integers(-2, 3)), 0), len(scale) - 1)
            pitch = scale[place]
            if beat % 1.0 == 0.0:
                tones = [each for each in span if each % 12 in chord.tones]
                pitch = min(tones, key=lambda each: (abs(each - scale[place]), each))
            part.append(Written(beat, length, pitch, 8 if beat % 2.0 == 0.0 else 0))
            beat += length
    return part


def held_chords(harmony: Sequence[Sounding], *, centre: float) -> list[Written]:
    """Hold every chord as long as it sounds."""
    return [
        Written(beat, beats, pitch)
        for beat, beats, chord in harmony
        for pitch in close_position(chord.tones, centre)
    ]


def struck_chords(
    harmony: Sequence[Sounding], *, centre: float, every: float, offset: float = 0.0
) -> list[Written]:
    """Strike the chords again and again."""
    end = harmony[-1].beat + harmony[-1].beats
    beats = [offset + at * every for at in range(math.ceil((end - offset) / every))]
    return [
        Written(beat, every, pitch)
        for beat in beats
        for pitch in close_position(chord_at(harmony, beat).tones, centre)
    ]


def broken_chords(harmony: Sequence[Sounding], *, centre: float, every: float) -> list[Written]:
    """Play the tones of the chords one after the other, up and down again."""
    part = []
    end = harmony[-1].beat + harmony[-1].beats
    for at in range(math.ceil(end / every)):
        pitches = close_position(chord_at(harmony, at * every).tones, centre)
        turn = (*pitches, *pitches[-2:0:-1])
        part.append(Written(at * every, every, turn[at % len(turn)]))
    return part


def bass_line(harmony: Sequence[Sounding], *, lowest: int, every: float) -> list[Written]:
    """Play each chord's root, and its fifth in turn where the chord lasts longer."""
    part = []
    for beat, beats, chord in harmony:
        for at in range(math.ceil(beats / every)):
            tone = chord.tones[0] if at % 2 == 0 else chord.tones[2]
            length = min(every, beats - at * every)
            part.append(Written(beat + at * every, length, lowest_at(tone, lowest), 6))
    return part
