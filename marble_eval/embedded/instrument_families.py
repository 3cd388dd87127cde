"""The task EmbeddedInstrument: which instrument family plays a short phrase.

Every phrase of a split is played once by each of the eight families, at one
level, so that neither notes, register, tempo nor loudness tell the family.
Splits have different phrases and different General MIDI programs, and no two
splits hear the same recording of the soundfont in the register of the phrases.
The piano is left out: the soundfont's acoustic pianos are one recording.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from marble_eval.embedded.collection import Clip, Collection, seed_of
from marble_eval.embedded.composer import compose
from marble_eval.embedded.programs import FAMILIES
from marble_eval.embedded.recording import at_level

if TYPE_CHECKING:
    from marble_eval.embedded.renderer import Renderer

VERSION = 1  # raised when any byte of the data can move
CLIP_SECONDS = 3.0
LEVELS_DBFS = (-32.0, -24.0)  # the sharpest clip then peaks 2 dB below full scale
PHRASES = {"train": 40, "valid": 20, "test": 30}


@dataclass(frozen=True, slots=True)
class FamilyClip:
    """How one clip is made."""

    program: int  # General MIDI program, 0 to 127
    seed: int  # of the phrase
    level_dbfs: float  # RMS of the clip, in dBFS


def instrument_families() -> Collection[FamilyClip]:
    """List the clips of the data set: by split, then phrase, then family."""
    clips = []
    for split, phrases in PHRASES.items():
        for phrase in range(phrases):
            seed = seed_of("EmbeddedInstrument", split, phrase)
            level = round(float(np.random.default_rng((seed, 1)).uniform(*LEVELS_DBFS)), 1)
            for family, programs in FAMILIES.items():
                groups = list(programs[split])
                group = groups[phrase % len(groups)]
                path = f"audio/{split}_{phrase:02d}_{family.replace(' ', '_')}.wav"
                recipe = FamilyClip(programs[split][group], seed, level)
                clips.append(Clip(path, (family,), split, group, recipe))
    return Collection(VERSION, ("label",), tuple(clips), _play)


def _play(renderer: Renderer, recipe: FamilyClip) -> NDArray[np.float32]:
    phrase = compose(recipe.seed, seconds=CLIP_SECONDS)
    audio = renderer.render(phrase.notes, recipe.program, seconds=CLIP_SECONDS)
    return at_level(audio, recipe.level_dbfs)
