"""The task EmbeddedRecipe: two parameters that a piece was made with.

*Drive* moves tempo, articulation, note density and loudness together, *brightness*
moves mode and register. Both are numbers of the recipe, drawn evenly from -1 to 1;
they are no emotions and nobody was asked. Each of the things they move also has a
share of chance in it, so no listener could tell the parameters exactly. Every clip is
a piece of its own; all splits are played on the same programs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from marble_eval.embedded.arrangement import Sounding, bass_line, melody, struck_chords
from marble_eval.embedded.collection import SAMPLE_RATE, Clip, Collection, seed_of
from marble_eval.embedded.harmony import chord, phrase_in
from marble_eval.embedded.performance import Performance
from marble_eval.embedded.programs import ROLES, drawn
from marble_eval.embedded.recording import Surroundings, recorded
from marble_eval.embedded.renderer import Part, Renderer

VERSION = 1  # raised when any byte of the data can move
CLIP_SECONDS = 3.0
PIECES = {"train": 192, "valid": 48, "test": 96}
DIMENSIONS = ("drive", "brightness")

_CHANCE = 0.25  # deviation of the chance in each thing that a parameter moves
_TONICS = (0, 2, 5, 7, 9)  # C, D, F, G, A
_TEMPO_BPM = 105.0  # at a drive of 0; 0.5 octaves more or less at 1 or -1
_HELD = 0.65
_LEVEL_DBFS = -30.0
_VELOCITY = 80
_CENTRE = 61.0  # of the chords at a brightness of 0
_BASS_LOWEST = 38.0
_SURROUNDINGS = Surroundings(decay_seconds=(0.3, 1.2), wet=(0.0, 0.4), snr_db=(20.0, 40.0))


@dataclass(frozen=True, slots=True)
class ParameterPiece:
    """How one clip is made."""

    # The parameters, -1 to 1.
    drive: float
    brightness: float
    seed: int  # of the piece, of all chance in it and of its recording
    # General MIDI programs.
    chords: int
    bass: int
    lead: int


class Character(NamedTuple):
    """What the parameters move, each thing with its own chance."""

    # Moved by drive: tempo, share of its length that a note sounds, velocity, RMS of the clip, and
    # beats between two strokes of the chords.
    tempo_bpm: float
    held: float
    velocity: int
    level_dbfs: float
    every: float
    # Moved by brightness: "major" or "minor", and how far all parts lie above their middle.
    mode: str
    higher_semitones: float


def character(drive: float, brightness: float, rng: np.random.Generator) -> Character:
    """Say what two parameters come to in one piece."""
    tempo, held, velocity, level, every = (
        float(np.clip(drive + each, -1.5, 1.5)) for each in rng.normal(0.0, _CHANCE, size=5)
    )
    mode, register = (
        float(np.clip(brightness + each, -1.5, 1.5)) for each in rng.normal(0.0, _CHANCE, size=2)
    )
    return Character(
        tempo_bpm=round(_TEMPO_BPM * 2.0 ** (0.5 * tempo), 1),
        held=round(_HELD - 0.25 * held, 2),
        velocity=round(_VELOCITY + 25 * velocity),
        level_dbfs=round(_LEVEL_DBFS + 4.0 * level, 1),
        every=2.0 ** -round(1.2 * every),  # from four beats to a quarter of one
        mode="major" if mode > 0.0 else "minor",
        higher_semitones=round(12.0 * register, 1),
    )


def recipe_parameters() -> Collection[ParameterPiece]:
    """List the clips of the data set: by split, then piece."""
    clips = []
    for split, pieces in PIECES.items():
        for piece in range(pieces):
            name = f"{split}_{piece:03d}"
            seed = seed_of("EmbeddedRecipe", name)
            rng = np.random.default_rng((seed, 1))
            drive, brightness = (round(float(each), 3) for each in rng.uniform(-1.0, 1.0, size=2))
            recipe = ParameterPiece(drive, brightness, seed, **drawn(ROLES, None, rng))
            labels = (f"{drive:.3f}", f"{brightness:.3f}")
            clips.append(Clip(f"audio/{name}.wav", labels, split, name, recipe))
    return Collection(VERSION, DIMENSIONS, tuple(clips), _play)


def arrange(recipe: ParameterPiece) -> tuple[tuple[Part, ...], Character]:
    """Write out the piece of a recipe."""
    rng = np.random.default_rng(recipe.seed)
    made = character(recipe.drive, recipe.brightness, rng)
    tonic = int(rng.choice(_TONICS))
    beats = int(CLIP_SECONDS * made.tempo_bpm / 60.0) + 1
    chords = [chord(tonic, made.mode, each) for each in phrase_in(rng, made.mode)]
    harmony = [Sounding(at, 2, chords[at // 2 % len(chords)]) for at in range(0, beats, 2)]
    performance = Performance(
        seconds=CLIP_SECONDS,
        tempo_bpm=made.tempo_bpm,
        start_seconds=round(float(rng.uniform(0.0, 0.2)), 3),
        held=made.held,
        velocity=made.velocity,
    )
    centre = _CENTRE + made.higher_semitones
    tune = melody(harmony, rng, beats=beats, lowest=round(centre))
    strokes = struck_chords(harmony, centre=centre, every=made.every)
    # A bass keeps to its register: it moves half as far.
    lowest = round(_BASS_LOWEST + made.higher_semitones / 2.0)
    bass = bass_line(harmony, lowest=lowest, every=2 * made.every)
    parts = [
        Part(program, performance.of(part, rng), float(rng.uniform(-3.0, 3.0)))
        for program, part in ((recipe.chords, strokes), (recipe.bass, bass), (recipe.lead, tune))
    ]
    return tuple(part for part in parts if part.notes), made


def _play(renderer: Renderer, recipe: ParameterPiece) -> NDArray[np.float32]:
    parts, made = arrange(recipe)
    rng = np.random.default_rng((recipe.seed, 2))
    audio = renderer.mix(parts, seconds=CLIP_SECONDS)
    return recorded(audio, SAMPLE_RATE, rng, surroundings=_SURROUNDINGS, level_dbfs=made.level_dbfs)
