"""The task EmbeddedTagging: the instruments and rhythms in a mix.

A piece has one to three instrument families, perhaps a bass, and perhaps rhythms;
what is there is drawn tag by tag, so that one tag says nothing of another. Every clip
is a piece of its own. All splits are played on the same programs and drums: here it is
the mix that is new in the test, in EmbeddedInstrument the instruments.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from marble_eval.embedded.arrangement import (
    Sounding,
    bass_line,
    broken_chords,
    melody,
    struck_chords,
)
from marble_eval.embedded.collection import SAMPLE_RATE, Clip, Collection, seed_of
from marble_eval.embedded.harmony import chord, close_position, phrase_in
from marble_eval.embedded.performance import Performance, Written
from marble_eval.embedded.programs import DRUMS, FAMILIES, drawn
from marble_eval.embedded.recording import Surroundings, recorded
from marble_eval.embedded.renderer import Part, Renderer

VERSION = 1  # raised when any byte of the data can move
CLIP_SECONDS = 3.0
LEVELS_DBFS = (-34.0, -26.0)
PIECES = {"train": 192, "valid": 48, "test": 96}
RHYTHMS = ("backbeat", "four on the floor", "off-beats")
ARPEGGIO = "arpeggio"
#: In the card's order.
TAGS = tuple(sorted((*FAMILIES, *RHYTHMS, ARPEGGIO)))

_TEMPO_BPM = (92.0, 140.0)
_CHORD_BEATS = 2
_SHARE = 0.35  # of the pieces that have each rhythm
_BASS, _ARPEGGIO = 0.4, 0.4
_SURROUNDINGS = Surroundings(decay_seconds=(0.3, 1.2), wet=(0.0, 0.4), snr_db=(20.0, 40.0))


@dataclass(frozen=True, slots=True)
class TaggedPiece:
    """How one clip is made."""

    tags: tuple[str, ...]  # what is in the mix, some of `TAGS`
    # General MIDI program of each family but the bass: the first plays the chords, the second the
    # melody, the third long notes.
    programs: tuple[int, ...]
    bass: int  # General MIDI program, played where there is a bass
    # Drums, as MIDI numbers of General MIDI percussion, played where there are rhythms.
    low: int
    mid: int
    high: int
    seed: int  # of the piece and its recording


def tags() -> Collection[TaggedPiece]:
    """List the clips of the data set: by split, then piece."""
    clips = []
    for split, pieces in PIECES.items():
        for piece in range(pieces):
            name = f"{split}_{piece:03d}"
            recipe = _drawn(seed_of("EmbeddedTagging", name))
            clips.append(Clip(f"audio/{name}.wav", (";".join(recipe.tags),), split, name, recipe))
    return Collection(VERSION, ("label",), tuple(clips), _play)


def _drawn(seed: int) -> TaggedPiece:
    rng = np.random.default_rng((seed, 1))
    others = [family for family in FAMILIES if family != "bass"]
    families = [str(each) for each in rng.permutation(others)[: rng.integers(1, 4)]]
    programs = drawn(FAMILIES, None, rng)
    present = [*families, *(each for each in RHYTHMS if rng.random() < _SHARE)]
    present += ["bass"] * bool(rng.random() < _BASS) + [ARPEGGIO] * bool(rng.random() < _ARPEGGIO)
    return TaggedPiece(
        tags=tuple(sorted(present)),
        programs=tuple(programs[each] for each in families),
        bass=programs["bass"],
        **drawn(DRUMS, None, rng),
        seed=seed,
    )


def arrange(recipe: TaggedPiece) -> tuple[Part, ...]:
    """Write out the piece of a recipe."""
    rng = np.random.default_rng(recipe.seed)
    mode = ("major", "minor")[rng.integers(2)]
    tonic = int(rng.integers(12))
    tempo_bpm = round(float(rng.uniform(*_TEMPO_BPM)), 1)
    beats = int(CLIP_SECONDS * tempo_bpm / 60.0) + 1
    chords = [chord(tonic, mode, numeral) for numeral in phrase_in(rng, mode)]
    harmony = [
        Sounding(at * _CHORD_BEATS, _CHORD_BEATS, chords[at % len(chords)])
        for at in range(beats // _CHORD_BEATS + 1)
    ]
    performance = Performance(
        seconds=CLIP_SECONDS,
        tempo_bpm=tempo_bpm,
        start_seconds=round(float(rng.uniform(0.0, 0.3)), 3),
        held=round(float(rng.uniform(0.6, 1.0)), 2),
        velocity=int(rng.integers(65, 95)),
    )
    parts = []
    for role, program in enumerate(recipe.programs):
        part = _part(role, ARPEGGIO in recipe.tags, harmony, rng, beats)
        parts.append(Part(program, performance.of(part, rng), float(rng.uniform(-4.0, 4.0))))
    if "bass" in recipe.tags:
        line = bass_line(harmony, lowest=int(rng.integers(34, 42)), every=1.0)
        parts.append(Part(recipe.bass, performance.of(line, rng), float(rng.uniform(-2.0, 4.0))))
    for rhythm in RHYTHMS:
        if rhythm in recipe.tags:
            notes = performance.of(_rhythm(rhythm, recipe, beats), rng)
            parts.append(Part(0, notes, float(rng.uniform(-5.0, 1.0)), drums=True))
    return tuple(part for part in parts if part.notes)


def _part(
    role: int, arpeggio: bool, harmony: list[Sounding], rng: np.random.Generator, beats: int
) -> list[Written]:
    """Return what the first, second or third family plays."""
    if role == 1:
        return melody(harmony, rng, beats=beats, lowest=int(rng.integers(58, 68)))
    centre = float(rng.uniform(56.0, 66.0))
    if role == 2:
        return [
            Written(beat, beats, close_position(chord.tones, centre)[-1])
            for beat, beats, chord in harmony
        ]
    if arpeggio:
        return broken_chords(harmony, centre=centre, every=float(rng.choice([0.25, 0.5])))
    return struck_chords(harmony, centre=centre, every=float(rng.choice([1.0, 2.0])))


def _rhythm(rhythm: str, recipe: TaggedPiece, beats: int) -> list[Written]:
    if rhythm == "four on the floor":
        return [Written(at, 0.2, recipe.low) for at in range(beats)]
    if rhythm == "backbeat":
        return [Written(at, 0.2, recipe.mid) for at in range(1, beats, 2)]
    return [Written(at + 0.5, 0.2, recipe.high) for at in range(beats)]


def _play(renderer: Renderer, recipe: TaggedPiece) -> NDArray[np.float32]:
    rng = np.random.default_rng((recipe.seed, 2))
    audio = renderer.mix(arrange(recipe), seconds=CLIP_SECONDS)
    level = round(float(rng.uniform(*LEVELS_DBFS)), 1)
    return recorded(audio, SAMPLE_RATE, rng, surroundings=_SURROUNDINGS, level_dbfs=level)
