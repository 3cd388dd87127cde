"""The task EmbeddedKey: the key of a short piece, one of 24.

Every clip is a piece of its own, a phrase of functional harmony that ends in a
cadence on the tonic, so no piece is heard in two keys, and none in two splits. All
keys have equally many pieces in every split; register, texture, tempo, programs,
tuning, room and level are drawn without regard to the key. Splits are played on
different programs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from marble_eval.embedded.arrangement import (
    Sounding,
    bass_line,
    broken_chords,
    held_chords,
    melody,
    spread,
    struck_chords,
)
from marble_eval.embedded.collection import SAMPLE_RATE, Clip, Collection, seed_of
from marble_eval.embedded.harmony import chord, phrase_in
from marble_eval.embedded.performance import Performance, Written
from marble_eval.embedded.programs import DRUMS, ROLES, drawn
from marble_eval.embedded.recording import Surroundings, recorded
from marble_eval.embedded.renderer import Part, Renderer
from marble_eval.metrics.key import KEYS

VERSION = 1  # raised when any byte of the data can move
CLIP_SECONDS = 4.0
LEVELS_DBFS = (-32.0, -24.0)
PIECES = {"train": 7, "valid": 2, "test": 5}  # for each key
TEXTURES = ("chorale", "held chords", "broken chords", "after-beats", "two voices")

_PLAYED_ON = ROLES | {role: DRUMS[role] for role in ("mid", "high")}  # low drums have a pitch
_BEATS = (8, 10)
_LAST_BEATS = 3  # of the final tonic
_TUNING_SEMITONES = 0.2  # sharp or flat, at most
_DRUMMED = 0.25  # share of the pieces that have drums
_DRUMS_DB = -9.0  # beside the other parts
_SURROUNDINGS = Surroundings(decay_seconds=(0.4, 1.6), wet=(0.0, 0.45), snr_db=(20.0, 40.0))


@dataclass(frozen=True, slots=True)
class KeyPhrase:
    """How one clip is made."""

    key: str  # one of `KEYS`
    seed: int  # of the piece and its recording
    # General MIDI programs.
    chords: int
    bass: int
    lead: int
    # Drums, as MIDI numbers of General MIDI percussion, played in some pieces.
    mid: int
    high: int


def keys() -> Collection[KeyPhrase]:
    """List the clips of the data set: by split, then piece, then key."""
    clips = []
    for split, pieces in PIECES.items():
        for piece in range(pieces):
            for key in KEYS:
                seed = seed_of("EmbeddedKey", split, piece, key)
                name = f"{split}_{piece:02d}_{key.replace(' ', '_')}"
                rng = np.random.default_rng((seed, 1))
                recipe = KeyPhrase(key, seed, **drawn(_PLAYED_ON, split, rng))
                clips.append(Clip(f"audio/{name}.wav", (key,), split, name, recipe))
    return Collection(VERSION, ("label",), tuple(clips), _play)


def compose_in(recipe: KeyPhrase) -> tuple[tuple[Sounding, ...], tuple[Part, ...]]:
    """Compose the piece of a recipe."""
    rng = np.random.default_rng(recipe.seed)
    tonic, mode = KEYS.index(recipe.key) % 12, recipe.key.split()[1]
    numerals = phrase_in(rng, mode)
    beats = int(rng.choice(_BEATS))
    chords = [chord(tonic, mode, numeral) for numeral in numerals]
    harmony = spread(chords, rng, beats=beats, last_beats=_LAST_BEATS)
    start_seconds = round(float(rng.uniform(0.0, 0.15)), 3)
    performance = Performance(
        seconds=CLIP_SECONDS,
        tempo_bpm=round(60.0 * beats / (CLIP_SECONDS - start_seconds), 2),
        start_seconds=start_seconds,
        held=round(float(rng.uniform(0.5, 1.0)), 2),
        velocity=int(rng.integers(65, 100)),
    )
    texture = TEXTURES[rng.integers(len(TEXTURES))]
    tune = melody(harmony, rng, beats=beats, lowest=int(rng.integers(58, 67)))
    parts = [
        Part(recipe.chords, performance.of(_chords(texture, harmony, rng), rng)),
        Part(recipe.bass, performance.of(_bass(harmony, rng), rng)),
    ]
    if texture != "chorale":
        parts.append(Part(recipe.lead, performance.of(tune, rng), float(rng.uniform(-3.0, 6.0))))
    if rng.random() < _DRUMMED:
        beat = performance.of(_beat(recipe, beats), rng)
        parts.append(Part(0, beat, _DRUMS_DB, drums=True))
    return harmony, tuple(part for part in parts if part.notes)


def _chords(texture: str, harmony: tuple[Sounding, ...], rng: np.random.Generator) -> list[Written]:
    centre = float(rng.uniform(56.0, 63.0))
    if texture == "chorale":
        return struck_chords(harmony, centre=centre, every=1.0)
    if texture == "held chords":
        return held_chords(harmony, centre=centre)
    if texture == "broken chords":
        return broken_chords(harmony, centre=centre, every=0.5)
    if texture == "after-beats":
        return struck_chords(harmony, centre=centre, every=1.0, offset=0.5)
    return []


def _bass(harmony: tuple[Sounding, ...], rng: np.random.Generator) -> list[Written]:
    return bass_line(harmony, lowest=int(rng.integers(37, 42)), every=float(rng.choice([1.0, 2.0])))


def _beat(recipe: KeyPhrase, beats: int) -> list[Written]:
    running = [Written(at / 2, 0.25, recipe.high) for at in range(2 * beats)]
    return running + [Written(at, 0.25, recipe.mid) for at in range(1, beats, 2)]


def _play(renderer: Renderer, recipe: KeyPhrase) -> NDArray[np.float32]:
    _, parts = compose_in(recipe)
    rng = np.random.default_rng((recipe.seed, 2))
    tuning = round(float(rng.uniform(-_TUNING_SEMITONES, _TUNING_SEMITONES)), 3)
    audio = renderer.mix(parts, seconds=CLIP_SECONDS, tuning_semitones=tuning)
    level = round(float(rng.uniform(*LEVELS_DBFS)), 1)
    return recorded(audio, SAMPLE_RATE, rng, surroundings=_SURROUNDINGS, level_dbfs=level)
