"""Accompaniment styles: what bass, chords and drums play in a bar of each.

Beats count from 0 at the start of a bar; a third of a beat is a triplet. Drums are
three roles, low, mid and high, so that one style can be played on any drums, and
one set of drums in any style. The patterns are what textbooks of arranging give as
the plain form of each style; real music has many more.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from marble_eval.embedded.harmony import Chord, close_position, lowest_at
from marble_eval.embedded.performance import Written

DRUM_ROLES = ("low", "mid", "high")
_STRESS = 10  # velocity added on the first beat of a bar
_OCTAVE = 3  # as a tone of the chord: the root again, an octave higher


@dataclass(frozen=True, slots=True)
class Style:
    """A bar of accompaniment."""

    beats: int  # length of the bar
    # Beat, length in beats, and tone: 0 the root, 1 the third, 2 the fifth, 3 the octave.
    bass: tuple[tuple[float, float, int], ...]
    chords: tuple[tuple[float, float], ...]  # beat and length
    drums: Mapping[str, tuple[float, ...]]  # beats that each of `DRUM_ROLES` is struck on


_EIGHTHS = tuple(at / 2 for at in range(8))
_LATE = 2 / 3  # where an off-beat falls in a shuffle

STYLES: dict[str, Style] = {
    "bossa nova": Style(
        beats=8,
        bass=(
            *((0, 1.5, 0), (1.5, 0.5, 2), (2, 1.5, 2), (3.5, 0.5, 0)),
            *((4, 1.5, 0), (5.5, 0.5, 2), (6, 1.5, 2), (7.5, 0.5, 0)),
        ),
        chords=((0, 0.8), (1.5, 0.5), (3, 0.8), (5, 0.8), (6.5, 1.0)),
        drums={
            "low": (0, 1.5, 2, 3.5, 4, 5.5, 6, 7.5),
            "mid": (0, 1.5, 3, 5, 6.5),  # the clave
            "high": tuple(at / 2 for at in range(16)),
        },
    ),
    "disco": Style(
        beats=4,
        bass=tuple((at / 2, 0.4, 0 if at % 2 == 0 else _OCTAVE) for at in range(8)),
        chords=((0.5, 0.25), (1.5, 0.25), (2.5, 0.25), (3.25, 0.25), (3.5, 0.25)),
        drums={"low": (0, 1, 2, 3), "mid": (1, 3), "high": (0.5, 1.5, 2.5, 3.5)},
    ),
    "march": Style(
        beats=4,
        bass=((0, 0.6, 0), (2, 0.6, 2)),
        chords=((1, 0.4), (3, 0.4)),
        drums={
            "low": (0, 2),
            "mid": (0, 1, 1.5, 2, 3, 3.25, 3.5, 3.75),  # the side drum's roll
            "high": (0, 2),
        },
    ),
    "reggae": Style(
        beats=4,
        bass=((1, 0.5, 0), (1.5, 0.5, 1), (2, 0.8, 2), (3.5, 0.5, 0)),
        chords=((1, 0.3), (3, 0.3)),
        drums={"low": (2,), "mid": (2,), "high": _EIGHTHS},  # the one drop
    ),
    "rock": Style(
        beats=4,
        bass=tuple((at, 0.5, 0) for at in _EIGHTHS),
        chords=((0, 2.0), (2, 0.5), (2.5, 1.5)),
        drums={"low": (0, 2, 2.5), "mid": (1, 3), "high": _EIGHTHS},
    ),
    "shuffle": Style(
        beats=4,
        bass=((0, 1.0, 0), (1, 1.0, 1), (2, 1.0, 2), (3, 1.0, 1)),
        chords=tuple((at + late, 0.3) for at in range(4) for late in (0, _LATE)),
        drums={
            "low": (0, 2),
            "mid": (1, 3),
            "high": tuple(at + late for at in range(4) for late in (0, _LATE)),
        },
    ),
    "tango": Style(
        beats=4,
        bass=((0, 1.0, 0), (1.5, 0.4, 2), (2, 0.8, 0), (3, 0.8, 2)),
        chords=((0, 0.25), (1, 0.25), (2, 0.25), (3, 0.25), (3.5, 0.25)),
        drums={"low": (0, 2), "mid": (0, 1.5, 2, 3), "high": (3.5, 3.75)},
    ),
    "waltz": Style(
        beats=3,
        bass=((0, 1.0, 0),),
        chords=((1, 0.6), (2, 0.6)),
        drums={"low": (0,), "mid": (1, 2), "high": (0, 1, 2)},
    ),
}


def _bars(style: Style, beats: float) -> range:
    """Return the numbers of the bars that a length in beats begins."""
    return range(math.ceil(beats / style.beats))


def accompany_bass(
    style: Style, chords: tuple[Chord, ...], *, beats: float, lowest: int
) -> list[Written]:
    """Play a style's bass, one chord a bar."""
    part = []
    for bar in _bars(style, beats):
        tones = chords[bar % len(chords)].tones
        root = lowest_at(tones[0], lowest)
        for beat, length, tone in style.bass:
            step = 12 if tone == _OCTAVE else (tones[tone] - tones[0]) % 12
            stress = _STRESS if beat == 0 else 0
            part.append(Written(bar * style.beats + beat, length, root + step, stress))
    return part


def accompany_chords(
    style: Style, chords: tuple[Chord, ...], *, beats: float, centre: float
) -> list[Written]:
    """Play a style's chords, one a bar."""
    return [
        Written(bar * style.beats + beat, length, pitch)
        for bar in _bars(style, beats)
        for beat, length in style.chords
        for pitch in close_position(chords[bar % len(chords)].tones, centre)
    ]


def accompany_drums(style: Style, voices: Mapping[str, int], *, beats: float) -> list[Written]:
    """Play a style's drums on drums of one's choice."""
    return [
        Written(bar * style.beats + beat, 0.2, voices[role], _STRESS if beat == 0 else 0)
        for bar in _bars(style, beats)
        for role in DRUM_ROLES
        for beat in style.drums[role]
    ]
