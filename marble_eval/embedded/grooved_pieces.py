"""Pieces of music with a groove of its own for each part, played by a wandering tempo.

A piece has a bass, chords, perhaps a lead and perhaps drums, each as syncopated as it
happens to be; a beat may be empty, and what is off the beat is as loud as what is on
it. Chords change with the bar, most of the time. Bars, grooves and chords go on for as
long as a clip lasts; the clip begins anywhere in the first bar.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from marble_eval.embedded.arrangement import Sounding, held_chords
from marble_eval.embedded.grooves import (
    Stroke,
    bass_on,
    chords_on,
    groove,
    over_bars,
    running,
    tune_on,
)
from marble_eval.embedded.harmony import chord, phrase_in
from marble_eval.embedded.metre import Timing, wandering_beats
from marble_eval.embedded.performance import Performance, Written
from marble_eval.embedded.programs import DRUMS
from marble_eval.embedded.renderer import Part

#: About which the tempo of a piece wanders: with the drift, beats are at 60 to 180 a minute.
TEMPO_BPM = (65.0, 166.0)

_DRIFT = (0.02, 0.08)
_SWUNG, _SWING = 0.3, (0.56, 0.67)  # share of the pieces, and where the second half begins
_QUARTERED, _QUARTERED_BELOW_BPM = 0.6, 100.0  # share of the slow pieces with quarter beats
_SYNCOPATION, _DENSITY = (0.0, 0.8), (0.7, 1.05)
_SYNCOPATED = {"bass": 0.5, "low": 0.2, "mid": 0.2}  # times as much as the other parts
_PUSHED = 0.1  # share of the chords that come half a beat early
_CHORDS = ("struck", "struck", "broken", "held")
_WITH_LEAD, _RUNNING = 0.7, 0.4  # shares of all pieces, and of those with drums
_LATE_SECONDS = (-0.012, 0.012)  # how late a player is throughout
_LEVEL_DB, _DRUMS_DB = (-3.0, 3.0), -3.0


@dataclass(frozen=True, slots=True)
class GroovedPiece:
    """How one clip is made."""

    metre: int  # beats of a bar, 3 or 4
    drummed: bool  # whether there are drums
    tempo_bpm: float  # about which the tempo wanders, in beats per minute
    seed: int  # of the piece, its timing and its recording
    # General MIDI programs.
    chords: int
    bass: int
    lead: int
    # Drums, as MIDI numbers of General MIDI percussion.
    low: int
    mid: int
    high: int


class Voice(NamedTuple):
    """A part in the score, in beats, and the program or drum kit that it is for."""

    program: int
    part: list[Written]
    drums: bool = False


def timing_of(recipe: GroovedPiece, *, seconds: float) -> Timing:
    """Say when the beats of a piece fall."""
    rng = np.random.default_rng((recipe.seed, 3))
    drift = round(float(rng.uniform(*_DRIFT)), 3)
    skipped_beats = float(rng.uniform(0.0, 1.0)) * recipe.metre
    times = wandering_beats(
        rng,
        tempo_bpm=recipe.tempo_bpm,
        drift=drift,
        start_seconds=round(-skipped_beats * 60.0 / recipe.tempo_bpm, 4),
        seconds=seconds,
    )
    swung = rng.random() < _SWUNG
    return Timing(times, round(float(rng.uniform(*_SWING)), 2) if swung else 0.5)


def score_of(recipe: GroovedPiece, *, seconds: float) -> tuple[Voice, ...]:
    """Write out the piece of a recipe."""
    rng = np.random.default_rng(recipe.seed)
    bars = -(-len(timing_of(recipe, seconds=seconds).beats) // recipe.metre)
    quartered = recipe.tempo_bpm < _QUARTERED_BELOW_BPM and rng.random() < _QUARTERED
    steps = 4 if quartered else 2
    harmony = _harmony(recipe, rng, bars)
    lowest, centre = int(rng.integers(34, 42)), float(rng.uniform(56.0, 66.0))
    bass = _repeated([_groove(recipe, rng, steps, "bass")], recipe, rng, bars)
    manner = _CHORDS[rng.integers(len(_CHORDS))]
    voices = [
        Voice(recipe.bass, bass_on(bass, harmony, rng, lowest=lowest)),
        Voice(recipe.chords, _chords(manner, recipe, rng, steps, harmony, centre)),
    ]
    if rng.random() < _WITH_LEAD or manner == "held":  # held chords have no groove
        motifs = [_groove(recipe, rng, steps, "lead") for _ in range(2)]
        tune = tune_on(
            _repeated(motifs, recipe, rng, bars), harmony, rng, lowest=int(rng.integers(60, 70))
        )
        voices.append(Voice(recipe.lead, tune))
    for role in DRUMS if recipe.drummed else ():
        pattern = _groove(recipe, rng, steps, role)
        if role == "high" and rng.random() < _RUNNING:
            pattern = running(rng, beats=recipe.metre, steps=steps)
        strokes = _repeated([pattern], recipe, rng, bars)
        drum = getattr(recipe, role)
        part = [Written(each.beat, 0.2, drum, each.accent) for each in strokes]
        voices.append(Voice(0, part, drums=True))
    return tuple(voices)


def _groove(
    recipe: GroovedPiece, rng: np.random.Generator, steps: int, role: str
) -> tuple[Stroke, ...]:
    syncopation = _SYNCOPATED.get(role, 1.0) * rng.uniform(*_SYNCOPATION)
    density = rng.uniform(*_DENSITY)
    return groove(rng, beats=recipe.metre, steps=steps, syncopation=syncopation, density=density)


def _repeated(
    grooves: list[tuple[Stroke, ...]], recipe: GroovedPiece, rng: np.random.Generator, bars: int
) -> list[Stroke]:
    return over_bars(grooves, rng, beats=recipe.metre, bars=bars)


def _harmony(recipe: GroovedPiece, rng: np.random.Generator, bars: int) -> list[Sounding]:
    """Change the chord with every bar, or now and then half a beat before it."""
    mode = ("major", "minor")[rng.integers(2)]
    tonic = int(rng.integers(12))
    chords = [chord(tonic, mode, numeral) for numeral in phrase_in(rng, mode)[-4:]]
    early = [0.0, *(0.5 * (rng.random(bars - 1) < _PUSHED))]
    return [
        Sounding(bar * recipe.metre - float(early[bar]), recipe.metre, chords[bar % len(chords)])
        for bar in range(bars)
    ]


def _chords(
    manner: str,
    recipe: GroovedPiece,
    rng: np.random.Generator,
    steps: int,
    harmony: list[Sounding],
    centre: float,
) -> list[Written]:
    if manner == "held":
        return held_chords(harmony, centre=centre)
    broken = manner == "broken"
    pattern = (
        running(rng, beats=recipe.metre, steps=2)
        if broken
        else _groove(recipe, rng, steps, "chords")
    )
    strokes = _repeated([pattern], recipe, rng, len(harmony))
    return chords_on(strokes, harmony, centre=centre, broken=broken)


def arrange(recipe: GroovedPiece, *, seconds: float) -> tuple[Part, ...]:
    """Play the score of a recipe by its beats: each part a little early or late, and uneven."""
    rng = np.random.default_rng((recipe.seed, 4))
    timing = timing_of(recipe, seconds=seconds)
    parts = []
    for program, part, drums in score_of(recipe, seconds=seconds):
        performance = Performance(
            seconds=seconds,
            tempo_bpm=60.0,  # a beat of what is timed is a second
            start_seconds=round(float(rng.uniform(*_LATE_SECONDS)), 4),
            held=round(float(rng.uniform(0.7, 1.0)), 2),
            velocity=int(rng.integers(65, 95)),
        )
        level_db = float(rng.uniform(*_LEVEL_DB)) + (_DRUMS_DB if drums else 0.0)
        notes = performance.of(timing.timed(part), rng)
        parts.append(Part(program, notes, round(level_db, 2), drums))
    return tuple(parts)
