"""The task EmbeddedPitch: the pitch of a single note.

One note a clip, from E2 to E flat 6, on programs that are heard in one split only.
All pitches have equally many clips in every split; each program plays pitches from
all over the range. Loudness, length, onset, tuning (less than a third of a
semitone), room and noise are drawn without regard to the pitch.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from marble_eval.embedded.collection import SAMPLE_RATE, Clip, Collection, seed_of
from marble_eval.embedded.composer import Note
from marble_eval.embedded.programs import PITCHED
from marble_eval.embedded.recording import Surroundings, recorded
from marble_eval.embedded.renderer import Part, Renderer

VERSION = 1  # raised when any byte of the data can move
CLIP_SECONDS = 1.5
LEVELS_DBFS = (-36.0, -26.0)
PITCHES = tuple(range(40, 88))
TAKES = {"train": 4, "valid": 1, "test": 2}  # for each pitch

_ONSET_SECONDS = (0.0, 0.3)
_DURATION_SECONDS = (0.3, 1.0)
_VELOCITY = (50, 120)
_TUNING_SEMITONES = 0.3  # sharp or flat, at most
_SURROUNDINGS = Surroundings(decay_seconds=(0.3, 1.2), wet=(0.0, 0.5), snr_db=(10.0, 30.0))


@dataclass(frozen=True, slots=True)
class PitchNote:
    """How one clip is made."""

    pitch: int  # MIDI number
    program: int  # General MIDI program
    seed: int  # of loudness, length, tuning and room


def pitches() -> Collection[PitchNote]:
    """List the clips of the data set: by split, then take, then pitch."""
    clips = []
    for split, takes in TAKES.items():
        programs = PITCHED[split]
        names: list[str] = []
        for take in range(takes):
            for pitch in PITCHES:
                if not names:  # all have played: deal them out again
                    rng = np.random.default_rng(seed_of("EmbeddedPitch", split, take, pitch))
                    names = list(rng.permutation(list(programs)))
                name = str(names.pop())
                seed = seed_of("EmbeddedPitch", split, take, pitch, "played")
                path = f"audio/{split}_{take}_{pitch}.wav"
                recipe = PitchNote(pitch, programs[name], seed)
                clips.append(Clip(path, (str(pitch),), split, name, recipe))
    return Collection(VERSION, ("label",), tuple(clips), _play)


def note_of(recipe: PitchNote) -> tuple[Note, float]:
    """Write out the note of a recipe."""
    rng = np.random.default_rng(recipe.seed)
    note = Note(
        onset_seconds=round(float(rng.uniform(*_ONSET_SECONDS)), 3),
        duration_seconds=round(float(rng.uniform(*_DURATION_SECONDS)), 3),
        pitch=recipe.pitch,
        velocity=int(rng.integers(*_VELOCITY)),
    )
    return note, round(float(rng.uniform(-_TUNING_SEMITONES, _TUNING_SEMITONES)), 3)


def _play(renderer: Renderer, recipe: PitchNote) -> NDArray[np.float32]:
    note, tuning = note_of(recipe)
    part = Part(recipe.program, (note,))
    audio = renderer.mix([part], seconds=CLIP_SECONDS, tuning_semitones=tuning)
    rng = np.random.default_rng((recipe.seed, 2))
    level = round(float(rng.uniform(*LEVELS_DBFS)), 1)
    return recorded(audio, SAMPLE_RATE, rng, surroundings=_SURROUNDINGS, level_dbfs=level)
