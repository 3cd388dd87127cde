"""Grooves: what parts play in a bar that comes again and again, more or less syncopated.

A groove is drawn stroke by stroke. Strong positions of the bar are struck more often
than weak ones; the more syncopated a groove, the less so (Longuet-Higgins and Lee, "The
rhythmic interpretation of monophonic music", Music Perception 1(4), 1984, order the
positions in this way). Accents fall anywhere in the bar. Chords, bass and tunes are put
on the strokes. Beats count from the start of the piece, pitches are MIDI numbers; all
randomness comes from the generator handed in.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from marble_eval.embedded.arrangement import Sounding, chord_at
from marble_eval.embedded.harmony import Chord, close_position, lowest_at
from marble_eval.embedded.performance import Written

# Chance of a stroke on the first beat, on other beats, on half and on quarter beats: in a
# groove without any syncopation, and in the most syncopated one.
_PLAIN = (1.0, 0.8, 0.35, 0.1)
_SYNCOPATED = (0.65, 0.45, 0.6, 0.25)
_FEWEST_STROKES = 2
_ACCENT = 12  # velocity more or less
_LONGEST_BEATS = 2.0  # that a stroke is held
_OMITTED = 0.06  # share of the strokes that are left out, here and there
_LONG_BEATS = 1.0  # a note of a tune from this length on is a tone of the chord
_TUNE_SPAN = 14  # semitones from a tune's lowest to its highest pitch


class Stroke(NamedTuple):
    """A note without its pitch."""

    # When it begins and how long it is held.
    beat: float
    beats: float
    accent: int  # velocity added to the part's own


def groove(
    rng: np.random.Generator, *, beats: int, steps: int, syncopation: float, density: float
) -> tuple[Stroke, ...]:
    """Draw a bar of strokes."""
    plain, syncopated = np.array(_PLAIN), np.array(_SYNCOPATED)
    chances = density * ((1.0 - syncopation) * plain + syncopation * syncopated)
    levels = [_level(at, steps) for at in range(beats * steps)]
    struck = np.zeros(0, dtype=np.int64)
    while len(struck) < _FEWEST_STROKES:
        struck = np.flatnonzero(rng.random(len(levels)) < chances[levels])
    starts = struck / steps
    gaps = np.diff(np.append(starts, beats + starts[0]))
    return tuple(
        Stroke(float(start), min(float(gap), _LONGEST_BEATS), _accent(rng))
        for start, gap in zip(starts, gaps, strict=True)
    )


def _level(position: int, steps: int) -> int:
    """Say whether a position is the first beat (0), a beat, half a beat or a quarter (3)."""
    if position % steps == 0:
        return 0 if position == 0 else 1
    return 2 if 2 * position % steps == 0 else 3


def _accent(rng: np.random.Generator) -> int:
    return int(rng.integers(-_ACCENT, _ACCENT + 1))


def running(rng: np.random.Generator, *, beats: int, steps: int) -> tuple[Stroke, ...]:
    """Strike every position of a bar."""
    return tuple(Stroke(at / steps, 1.0 / steps, _accent(rng)) for at in range(beats * steps))


def over_bars(
    grooves: Sequence[tuple[Stroke, ...]], rng: np.random.Generator, *, beats: int, bars: int
) -> list[Stroke]:
    """Play grooves for a number of bars, and leave out a stroke now and then."""
    return [
        stroke._replace(beat=bar * beats + stroke.beat)
        for bar in range(bars)
        for stroke in grooves[int(rng.integers(len(grooves)))]
        if rng.random() >= _OMITTED
    ]


def bass_on(
    strokes: Sequence[Stroke],
    harmony: Sequence[Sounding],
    rng: np.random.Generator,
    *,
    lowest: int,
) -> list[Written]:
    """Play the root of each new chord, then any of its tones."""
    part: list[Written] = []
    chord: Chord | None = None
    for beat, beats, accent in strokes:
        before, chord = chord, chord_at(harmony, beat)
        tone = 0 if chord is not before else int(rng.integers(3))
        part.append(Written(beat, beats, lowest_at(chord.tones[tone], lowest), accent))
    return part


def chords_on(
    strokes: Sequence[Stroke], harmony: Sequence[Sounding], *, centre: float, broken: bool
) -> list[Written]:
    """Play chords on the strokes, or their tones one after the other, up and down."""
    part: list[Written] = []
    chord, at = None, 0
    for beat, beats, accent in strokes:
        before, chord = chord, chord_at(harmony, beat)
        pitches = close_position(chord.tones, centre)
        if broken:
            at = at + 1 if chord is before else 0
            turn = (*pitches, *pitches[-2:0:-1])
            pitches = (turn[at % len(turn)],)
        part += [Written(beat, beats, pitch, accent) for pitch in pitches]
    return part


def tune_on(
    strokes: Sequence[Stroke],
    harmony: Sequence[Sounding],
    rng: np.random.Generator,
    *,
    lowest: int,
) -> list[Written]:
    """Walk along the scale; long notes, wherever they fall, are tones of the chord."""
    pitch = lowest + _TUNE_SPAN // 2
    part = []
    for beat, beats, accent in strokes:
        chord = chord_at(harmony, beat)
        classes = chord.tones if beats >= _LONG_BEATS else chord.scale
        scale = [each for each in range(lowest, lowest + _TUNE_SPAN + 1) if each % 12 in classes]
        place = min(range(len(scale)), key=lambda at: (abs(scale[at] - pitch), at))
        pitch = scale[min(max(place + int(rng.integers(-2, 3)), 0), len(scale) - 1)]
        part.append(Written(beat, beats, pitch, accent))
    return part
