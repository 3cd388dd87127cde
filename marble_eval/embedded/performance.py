"""From a score in beats to notes in seconds: tempo, articulation, loudness, inaccuracy.

A part is written in beats from the start of the piece (`Written`) and performed by a
player who is a little late and uneven now and then. Pitches are MIDI numbers.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from marble_eval.embedded.composer import Note

if TYPE_CHECKING:
    import numpy as np

_SHORTEST_NOTE_SECONDS = 0.05
_LATE_SECONDS = 0.012  # a player's inaccuracy: up to this long after the beat
_UNEVEN = 6  # and up to this much velocity more or less


class Written(NamedTuple):
    """A note as it stands in the score."""

    beat: float  # when it begins, in beats from the start of the piece
    beats: float  # how long it lasts
    pitch: int  # MIDI number
    stress: int = 0  # velocity added to the part's own


@dataclass(frozen=True, slots=True)
class Performance:
    """How what is written is played."""

    seconds: float  # length of the clip; notes end inside it
    tempo_bpm: float  # beats per minute
    start_seconds: float  # when beat 0 falls; what lies before the clip is left out
    held: float  # share of its length that a note sounds: 0.3 is staccato, 1 legato
    velocity: int  # how hard notes without stress are struck

    def of(self, part: Iterable[Written], rng: np.random.Generator) -> tuple[Note, ...]:
        """Play a part."""
        beat_seconds = 60.0 / self.tempo_bpm
        notes = []
        for beat, beats, pitch, stress in sorted(part):
            late = float(rng.uniform(0.0, _LATE_SECONDS))
            uneven = int(rng.integers(-_UNEVEN, _UNEVEN + 1))
            onset = round(self.start_seconds + beat * beat_seconds + late, 4)
            duration = round(min(beats * self.held * beat_seconds, self.seconds - onset), 4)
            if onset >= 0.0 and duration >= _SHORTEST_NOTE_SECONDS:
                velocity = min(127, max(1, self.velocity + stress + uneven))
                notes.append(Note(onset, duration, pitch, velocity))
        return tuple(sorted(notes, key=lambda note: (note.onset_seconds, note.pitch)))
