"""The task EmbeddedGenre: the style that a piece is accompanied in, one of eight.

An ensemble (bass, chords, a lead, three drums) with its piece (key, chords, tempo,
register, room, level) plays all eight styles, so that instruments, tempo, harmony and
loudness have exactly the same distribution in every style; what differs is who plays
when. Splits have other ensembles: other programs, and other drums in the same roles.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from marble_eval.embedded.accompaniment import (
    DRUM_ROLES,
    STYLES,
    accompany_bass,
    accompany_chords,
    accompany_drums,
)
from marble_eval.embedded.arrangement import Sounding, melody
from marble_eval.embedded.collection import SAMPLE_RATE, Clip, Collection, seed_of
from marble_eval.embedded.harmony import chord, phrase_in
from marble_eval.embedded.performance import Performance
from marble_eval.embedded.programs import DRUMS, ROLES, drawn
from marble_eval.embedded.recording import Surroundings, recorded
from marble_eval.embedded.renderer import Part, Renderer

VERSION = 1  # raised when any byte of the data can move
CLIP_SECONDS = 4.0
LEVELS_DBFS = (-34.0, -26.0)
ENSEMBLES = {"train": 20, "valid": 6, "test": 16}

_TEMPO_BPM = (92.0, 140.0)
_LONGEST_BAR_BEATS = 8  # a clip begins anywhere in the first
_WITH_DRUMS, _WITH_LEAD = 0.7, 0.5  # shares of the ensembles
_SURROUNDINGS = Surroundings(decay_seconds=(0.3, 1.2), wet=(0.0, 0.4), snr_db=(20.0, 40.0))


@dataclass(frozen=True, slots=True)
class StylePiece:
    """How one clip is made."""

    style: str  # one of `STYLES`
    seed: int  # of the piece and its recording
    # General MIDI programs.
    chords: int
    bass: int
    lead: int
    # Drums, as MIDI numbers of General MIDI percussion.
    low: int
    mid: int
    high: int


def styles() -> Collection[StylePiece]:
    """List the clips of the data set: by split, then ensemble, then style."""
    clips = []
    for split, ensembles in ENSEMBLES.items():
        for ensemble in range(ensembles):
            group = f"{split}_{ensemble:02d}"
            seed = seed_of("EmbeddedGenre", group)
            rng = np.random.default_rng((seed, 1))
            played_on = drawn(ROLES | DRUMS, split, rng)
            for style in STYLES:
                path = f"audio/{group}_{style.replace(' ', '_')}.wav"
                recipe = StylePiece(style, seed, **played_on)
                clips.append(Clip(path, (style,), split, group, recipe))
    return Collection(VERSION, ("label",), tuple(clips), _play)


def arrange(recipe: StylePiece) -> tuple[Part, ...]:
    """Write out the piece of a recipe."""
    style = STYLES[recipe.style]
    # What is drawn does not depend on the style: one seed gives one piece in eight styles.
    rng = np.random.default_rng(recipe.seed)
    mode = ("major", "minor")[rng.integers(2)]
    tonic = int(rng.integers(12))
    chords = tuple(chord(tonic, mode, numeral) for numeral in phrase_in(rng, mode)[-4:])
    tempo_bpm = round(float(rng.uniform(*_TEMPO_BPM)), 1)
    skipped = float(rng.uniform(0.0, 1.0)) * style.beats
    performance = Performance(
        seconds=CLIP_SECONDS,
        tempo_bpm=tempo_bpm,
        start_seconds=-skipped * 60.0 / tempo_bpm,
        held=round(float(rng.uniform(0.7, 1.0)), 2),
        velocity=int(rng.integers(65, 95)),
    )
    lowest, centre = int(rng.integers(34, 42)), float(rng.uniform(56.0, 66.0))
    tune_lowest, levels = int(rng.integers(60, 70)), rng.uniform(-3.0, 3.0, size=4)
    drummed, led = rng.random() < _WITH_DRUMS, rng.random() < _WITH_LEAD
    beats = _LONGEST_BAR_BEATS + CLIP_SECONDS * tempo_bpm / 60.0
    written = [
        (recipe.bass, accompany_bass(style, chords, beats=beats, lowest=lowest), False),
        (recipe.chords, accompany_chords(style, chords, beats=beats, centre=centre), False),
    ]
    if led:
        harmony = [
            Sounding(bar * style.beats, style.beats, chords[bar % len(chords)])
            for bar in range(1 + int(beats) // style.beats)
        ]
        written.append((recipe.lead, melody(harmony, rng, beats=beats, lowest=tune_lowest), False))
    if drummed:
        voices = {role: getattr(recipe, role) for role in DRUM_ROLES}
        written.append((0, accompany_drums(style, voices, beats=beats), True))
    return tuple(
        Part(program, performance.of(part, rng), float(level), drums)
        for (program, part, drums), level in zip(written, levels, strict=False)
    )


def _play(renderer: Renderer, recipe: StylePiece) -> NDArray[np.float32]:
    rng = np.random.default_rng((recipe.seed, 2))
    audio = renderer.mix(arrange(recipe), seconds=CLIP_SECONDS)
    level = round(float(rng.uniform(*LEVELS_DBFS)), 1)
    return recorded(audio, SAMPLE_RATE, rng, surroundings=_SURROUNDINGS, level_dbfs=level)
