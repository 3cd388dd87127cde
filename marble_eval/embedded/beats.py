"""The task EmbeddedBeat: beats and downbeats of pieces whose tempo wanders.

Every clip is cut out of a piece of its own, in which each part has a groove of its own.
Half of the pieces have no drums and half are in three; tempo, metre and drums are
crossed in every split, so that none tells of another. What is off the beat is as loud
as what is on it, a beat may be empty, and a clip begins anywhere in a bar. The beats
are those that the score was played by, not what was heard of them: they are exact.
Splits are played on different programs and drums.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from marble_eval.data.annotations.beat_files import Beats
from marble_eval.embedded.collection import (
    SAMPLE_RATE,
    Clip,
    Collection,
    seed_of,
    write_collection,
)
from marble_eval.embedded.grooved_pieces import TEMPO_BPM, GroovedPiece, arrange, timing_of
from marble_eval.embedded.programs import DRUMS, ROLES, drawn
from marble_eval.embedded.recording import Surroundings, recorded
from marble_eval.errors import SpecError
from marble_eval.files.atomic_file import write_atomically

if TYPE_CHECKING:
    from marble_eval.embedded.renderer import Renderer

VERSION = 1  # raised when any byte of the data can move
CLIP_SECONDS = 12.0
LEVELS_DBFS = (-34.0, -26.0)
PIECES = {"train": 120, "valid": 40, "test": 60}
#: Metre and whether there are drums: equally many pieces of each, at all tempi.
CELLS = ((3, False), (4, False), (3, True), (4, True))
MUSIC, TABLE = "music", "tracks.jsonl"

_DRAW = 3  # the first, from 1, where pieces share no groove and begin evenly over the bar
_SURROUNDINGS = Surroundings(decay_seconds=(0.3, 1.2), wet=(0.0, 0.4), snr_db=(20.0, 40.0))


def beats() -> Collection[GroovedPiece]:
    """List the clips of the data set: by split, then piece."""
    clips = []
    for split, pieces in PIECES.items():
        tempi = {cell: _tempi(split, cell, pieces // len(CELLS)) for cell in CELLS}
        for piece in range(pieces):
            name = f"{split}_{piece:03d}"
            metre, drummed = cell = CELLS[piece % len(CELLS)]
            tempo_bpm = tempi[cell][piece // len(CELLS)]
            seed = seed_of("EmbeddedBeat", _DRAW, name)
            played_on = drawn(ROLES | DRUMS, split, np.random.default_rng((seed, 1)))
            recipe = GroovedPiece(metre, drummed, tempo_bpm, seed, **played_on)
            facts = (f"{metre}", "yes" if drummed else "no", f"{tempo_bpm:.1f}")
            clips.append(Clip(f"audio/{name}.wav", facts, split, name, recipe))
    return Collection(VERSION, ("metre", "drums", "tempo_bpm"), tuple(clips), _play)


def _tempi(split: str, cell: tuple[int, bool], pieces: int) -> list[float]:
    """Spread tempi evenly over a logarithmic scale, in any order."""
    rng = np.random.default_rng(seed_of("EmbeddedBeat", "tempi", split, *cell))
    shares = (rng.permutation(pieces) + rng.random(pieces)) / pieces
    slowest, fastest = TEMPO_BPM
    return [round(slowest * (fastest / slowest) ** float(each), 1) for each in shares]


def annotation_of(recipe: GroovedPiece) -> Beats:
    """Return the beats and downbeats of a clip, in seconds."""
    timing = timing_of(recipe, seconds=CLIP_SECONDS)
    return Beats(*timing.annotated(metre=recipe.metre, seconds=CLIP_SECONDS))


def _play(renderer: Renderer, recipe: GroovedPiece) -> NDArray[np.float32]:
    rng = np.random.default_rng((recipe.seed, 2))
    audio = renderer.mix(arrange(recipe, seconds=CLIP_SECONDS), seconds=CLIP_SECONDS)
    level = round(float(rng.uniform(*LEVELS_DBFS)), 1)
    return recorded(audio, SAMPLE_RATE, rng, surroundings=_SURROUNDINGS, level_dbfs=level)


def table_of(collection: Collection[GroovedPiece]) -> bytes:
    """Write the table of tracks: a line of JSON for each, with its beats and downbeats."""
    lines = []
    for clip in collection.clips:
        times = annotation_of(clip.recipe)._asdict()
        row = {
            "path": f"{MUSIC}/{clip.path}",
            "split": clip.split,
            "group": clip.group,
            "beats": {name: each.tolist() for name, each in times.items()},
        }
        lines.append(f"{json.dumps(row)}\n")
    return "".join(lines).encode()


def write_beats(root: Path) -> Path:
    """Write the data set, unless it is there complete and unaltered."""
    root = root.absolute()
    collection = beats()
    table, content = root / TABLE, table_of(collection)
    if root.is_file() or (table.exists() and not (root / MUSIC).is_dir()):
        raise SpecError(
            f"{root}: must be a folder without tracks of other music, or not exist. Got "
            f"{'a file' if root.is_file() else f'a {TABLE} without {MUSIC}'}. Name another."
        )
    write_collection(root / MUSIC, collection)
    if not table.is_file() or table.read_bytes() != content:
        write_atomically(table, content)
    return root
