"""Functional harmony: chords by Roman numeral, scales, and phrases that end in a cadence.

Pitch classes count semitones above C, 0 to 11. A numeral says a chord's degree and
quality in major or minor (capital: major third, ``o``: diminished, ``7``: with a
minor seventh, ``/``: of another degree); minor has the chords of the natural and of
the harmonic scale. A phrase goes from an opening over a predominant to a cadence, as
in any textbook of tonal harmony. All randomness comes from the generator handed in.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

_MAJOR, _MINOR, _DIMINISHED = (0, 4, 7), (0, 3, 7), (0, 3, 6)
_DOMINANT, _MINOR_SEVENTH = (0, 4, 7, 10), (0, 3, 7, 10)

SCALES = {"major": (0, 2, 4, 5, 7, 9, 11), "minor": (0, 2, 3, 5, 7, 8, 10)}
#: Mode -> numeral -> root above the tonic, and tones above the root.
NUMERALS: dict[str, dict[str, tuple[int, tuple[int, ...]]]] = {
    "major": {
        "I": (0, _MAJOR),
        "V7/IV": (0, _DOMINANT),
        "ii": (2, _MINOR),
        "ii7": (2, _MINOR_SEVENTH),
        "V7/V": (2, _DOMINANT),
        "iii": (4, _MINOR),
        "IV": (5, _MAJOR),
        "V": (7, _MAJOR),
        "V7": (7, _DOMINANT),
        "vi": (9, _MINOR),
    },
    "minor": {
        "i": (0, _MINOR),
        "iio": (2, _DIMINISHED),
        "III": (3, _MAJOR),
        "iv": (5, _MINOR),
        "v": (7, _MINOR),
        "V": (7, _MAJOR),
        "V7": (7, _DOMINANT),
        "VI": (8, _MAJOR),
        "VII": (10, _MAJOR),
        "viio": (11, _DIMINISHED),
    },
}
# Degrees that a chord alters, as semitones above the tonic: old -> new.
_ALTERED = {
    ("major", "V7/IV"): (11, 10),
    ("major", "V7/V"): (5, 6),
    ("minor", "V"): (10, 11),
    ("minor", "V7"): (10, 11),
    ("minor", "viio"): (10, 11),
}
_Stage = tuple[tuple[str, ...], ...]
_OPENINGS: dict[str, _Stage] = {
    "major": (
        *(("I",), ("I", "vi"), ("vi",), ("iii", "vi"), ("I", "V7/IV"), ("I", "iii")),
        *(("IV", "I"), ("iii",)),
    ),
    "minor": (
        *(("i",), ("i", "VI"), ("VI",), ("III", "VI"), ("i", "v"), ("i", "VII")),
        *(("iv", "i"), ("III",)),
    ),
}
_PREDOMINANTS: dict[str, _Stage] = {
    "major": (("IV",), ("ii",), ("ii7",), ("IV", "ii"), ("V7/V",)),
    "minor": (("iv",), ("iio",), ("iv", "iio"), ("VI", "iv")),
}
_CADENCES: dict[str, _Stage] = {
    "major": (("V", "I"), ("V7", "I")),
    "minor": (("V", "i"), ("V7", "i"), ("viio", "i"), ("VII", "i")),
}


@dataclass(frozen=True, slots=True)
class Chord:
    """A chord and the scale it is heard in."""

    tones: tuple[int, ...]  # pitch classes, the root first
    scale: tuple[int, ...]  # pitch classes that a melody may use over it


def chord(tonic: int, mode: str, numeral: str) -> Chord:
    """Spell a chord."""
    if numeral not in NUMERALS.get(mode, {}):
        raise ValueError(f"numeral must be a chord of major or minor. Got {numeral!r} in {mode!r}.")
    root, intervals = NUMERALS[mode][numeral]
    old, new = _ALTERED.get((mode, numeral), (-1, -1))
    scale = (new if step == old else step for step in SCALES[mode])
    return Chord(
        tuple((tonic + root + each) % 12 for each in intervals),
        tuple((tonic + each) % 12 for each in scale),
    )


def phrase_in(rng: np.random.Generator, mode: str) -> tuple[str, ...]:
    """Choose the chords of a phrase that ends in a cadence on the tonic."""
    chosen: list[str] = []
    for stage in (_OPENINGS, _PREDOMINANTS, _CADENCES):
        chosen += stage[mode][rng.integers(len(stage[mode]))]
    return tuple(
        numeral for at, numeral in enumerate(chosen) if at == 0 or numeral != chosen[at - 1]
    )


def close_position(tones: tuple[int, ...], centre: float) -> tuple[int, ...]:
    """Put a chord's tones into one octave around a pitch."""
    voicings = []
    for lowest in range(round(centre) - 12, round(centre) + 1):
        if lowest % 12 in tones:
            voicings.append(tuple(sorted(lowest + (tone - lowest) % 12 for tone in tones)))
    return min(voicings, key=lambda each: (abs(sum(each) / len(each) - centre), each))


def lowest_at(pitch_class: int, lowest: int) -> int:
    """Return the lowest pitch of a class that is not below a bound."""
    return lowest + (pitch_class - lowest) % 12
