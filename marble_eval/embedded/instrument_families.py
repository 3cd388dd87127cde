"""The task EmbeddedInstrument: which instrument family plays a short phrase.

Every phrase of a split is played once by each of the eight families, at one
level, so that neither notes, register, tempo nor loudness tell the family.
Splits have different phrases and different General MIDI programs, and no two
splits hear the same recording of the soundfont in the register of the phrases.
The piano is left out: the soundfont's acoustic pianos are one recording. On
disk it is what any user's own CSV data set is: ``tracks.csv`` and wav files.
"""

from __future__ import annotations

import csv
import fcntl
import hashlib
import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from marble_eval.embedded.composer import compose
from marble_eval.embedded.renderer import Renderer, at_level, soundfont_path, write_wav
from marble_eval.errors import SpecError
from marble_eval.fingerprint import digest_of, file_digest

RECIPE_VERSION = 1  # raised when any byte of the data can move
SAMPLE_RATE = 24000  # Hz
CLIP_SECONDS = 3.0
LEVELS_DBFS = (-32.0, -24.0)  # the sharpest clip then peaks 2 dB below full scale
PHRASES = {"train": 40, "valid": 20, "test": 30}
TRACKS, MANIFEST = "tracks.csv", "manifest.json"

# Family -> split -> General MIDI programs, counted from 0. The formatter would make it a long list.
# fmt: off
FAMILIES = {
    "bass": {
        "train": {"finger bass": 33, "fretless bass": 35, "slap bass 1": 36, "synth bass 1": 38,
                  "synth bass 2": 39},
        "valid": {"pick bass": 34},
        "test": {"acoustic bass": 32, "slap bass 2": 37},
    },
    "brass": {
        "train": {"trumpet": 56, "tuba": 58, "muted trumpet": 59, "synth brass 1": 62,
                  "synth brass 2": 63},
        "valid": {"trombone": 57},
        "test": {"french horn": 60, "brass section": 61},
    },
    "guitar": {
        "train": {"nylon guitar": 24, "clean guitar": 27, "muted guitar": 28,
                  "overdriven guitar": 29, "distortion guitar": 30},
        "valid": {"steel guitar": 25},
        "test": {"jazz guitar": 26, "guitar harmonics": 31},
    },
    "organ": {
        "train": {"percussive organ": 17, "rock organ": 18, "reed organ": 20, "accordion": 21,
                  "harmonica": 22, "tango accordion": 23},
        "valid": {"church organ": 19},
        "test": {"drawbar organ": 16},
    },
    "pipe": {
        "train": {"flute": 73, "pan flute": 75, "blown bottle": 76, "shakuhachi": 77,
                  "whistle": 78},
        "valid": {"recorder": 74},
        "test": {"piccolo": 72, "ocarina": 79},
    },
    "reed": {
        "train": {"soprano sax": 64, "tenor sax": 66, "oboe": 68, "bassoon": 70, "shanai": 111},
        "valid": {"baritone sax": 67, "english horn": 69},
        "test": {"alto sax": 65, "clarinet": 71},
    },
    "strings": {
        "train": {"violin": 40, "viola": 41, "cello": 42, "synth strings 1": 50,
                  "synth strings 2": 51, "fiddle": 110},
        "valid": {"contrabass": 43},
        "test": {"tremolo strings": 44, "string ensemble 1": 48, "string ensemble 2": 49},
    },
    "tuned percussion": {
        "train": {"celesta": 8, "glockenspiel": 9, "music box": 10, "marimba": 12,
                  "tubular bells": 14, "kalimba": 108},
        "valid": {"tinkle bell": 112},
        "test": {"vibraphone": 11, "steel drums": 114},
    },
}
# fmt: on


@dataclass(frozen=True, slots=True)
class Recipe:
    """How one clip is made.

    Attributes
    ----------
    path : str
        File, below the data set's root.
    label : str
        Family, one of `FAMILIES`.
    split : str
        "train", "valid" or "test".
    group : str
        Name of the program; no group is in two splits.
    program : int
        General MIDI program, 0 to 127.
    seed : int
        Of the phrase.
    level_dbfs : float
        RMS of the clip, in dBFS.
    """

    path: str
    label: str
    split: str
    group: str
    program: int
    seed: int
    level_dbfs: float


def recipes() -> tuple[Recipe, ...]:
    """List the clips of the data set: by split, then phrase, then family.

    Returns
    -------
    tuple of Recipe
        320 for train, 160 for valid and 240 for test.

    Examples
    --------
    >>> len(recipes())
    720
    >>> recipes()[0].path, recipes()[0].group
    ('audio/train_00_bass.wav', 'finger bass')
    """
    listed = []
    for split, phrases in PHRASES.items():
        for phrase in range(phrases):
            name = f"EmbeddedInstrument/{split}/{phrase}"
            seed = int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "big")
            level = round(float(np.random.default_rng((seed, 1)).uniform(*LEVELS_DBFS)), 1)
            for family, programs in FAMILIES.items():
                groups = list(programs[split])
                group = groups[phrase % len(groups)]
                path = f"audio/{split}_{phrase:02d}_{family.replace(' ', '_')}.wav"
                program = programs[split][group]
                listed.append(Recipe(path, family, split, group, program, seed, level))
    return tuple(listed)


def write_instrument_families(root: Path) -> Path:
    """Write the data set, unless it is there complete and unaltered.

    The clips are made in a folder beside `root` which takes its name when all is
    there, so what is at `root` is never half a data set. Several processes may
    do it at once. An older or damaged copy is replaced; a folder with anything
    else in it is left alone.

    Parameters
    ----------
    root : Path
        Folder of the data set; need not exist.

    Returns
    -------
    Path
        `root`, made absolute, with ``audio/*.wav`` (mono, 16 bit, 24 kHz, 3 s),
        ``tracks.csv`` (``path,label,split,group``) and a manifest of digests.

    Raises
    ------
    MissingError
        If tinysoundfont or pretty_midi's soundfont is absent.
    SpecError
        If `root` is a file, or a folder that holds files of someone else.

    Notes
    -----
    The bytes are the same in every run. They rest on the soundfont and on
    tinysoundfont's arithmetic, whose digest and version the manifest records.
    """
    root = root.absolute()
    clips = recipes()
    recipe = digest_of({"version": RECIPE_VERSION, "clips": clips})
    if _is_complete(root, recipe, clips):
        return root
    root.parent.mkdir(parents=True, exist_ok=True)
    with _alone(root):
        if _is_complete(root, recipe, clips):  # another process was faster
            return root
        _refuse_foreign(root)
        partial, replaced = _sibling(root, "partial"), _sibling(root, "replaced")
        for left_by_a_killed_run in (partial, replaced):
            shutil.rmtree(left_by_a_killed_run, ignore_errors=True)
        try:
            _render(partial, clips)
            _write_tracks(partial / TRACKS, clips)
            _write_manifest(partial, recipe)
            if root.exists():
                root.rename(replaced)
            partial.rename(root)
        finally:
            for each in (partial, replaced):
                shutil.rmtree(each, ignore_errors=True)
    return root


def _sibling(root: Path, what: str) -> Path:
    return root.parent / f".{root.name}.{what}"


@contextmanager
def _alone(root: Path) -> Iterator[None]:
    """Hold a lock that the kernel releases when the process dies."""
    with _sibling(root, "lock").open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def _is_complete(root: Path, recipe: str, clips: Sequence[Recipe]) -> bool:
    manifest = _manifest(root)
    names = (TRACKS, *(clip.path for clip in clips))
    try:
        return manifest.get("recipe") == recipe and all(
            manifest["files"].get(name) == file_digest(root / name) for name in names
        )
    except OSError:  # a file is missing, or another process is replacing the folder
        return False


def _manifest(root: Path) -> dict[str, Any]:
    """Read the manifest; empty if there is none, or one of something else."""
    try:
        found = json.loads((root / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    ours = isinstance(found, dict) and isinstance(found.get("files"), dict)
    return found if ours else {}


def _refuse_foreign(root: Path) -> None:
    """Leave a folder alone that holds anything but an earlier copy of the data set."""
    if root.is_file():
        raise SpecError(f"{root}: must be a folder, or not exist. Got a file. Name another.")
    known = {MANIFEST, *_manifest(root).get("files", ())}
    here = (each.relative_to(root).as_posix() for each in root.rglob("*") if not each.is_dir())
    foreign = sorted(each for each in here if each not in known)
    if foreign:
        raise SpecError(
            f"{root}: must be empty, or an earlier copy of the embedded music. "
            f"Got {len(foreign)} other files, the first {foreign[0]!r}. Name another folder."
        )


def _render(folder: Path, clips: Sequence[Recipe]) -> None:
    renderer = Renderer(SAMPLE_RATE)
    (folder / "audio").mkdir(parents=True)
    for clip in clips:
        phrase = compose(clip.seed, seconds=CLIP_SECONDS)
        audio = renderer.render(phrase.notes, clip.program, seconds=CLIP_SECONDS)
        write_wav(folder / clip.path, at_level(audio, clip.level_dbfs), SAMPLE_RATE)


def _write_tracks(path: Path, clips: Sequence[Recipe]) -> None:
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(("path", "label", "split", "group"))
        writer.writerows((clip.path, clip.label, clip.split, clip.group) for clip in clips)


def _write_manifest(folder: Path, recipe: str) -> None:
    files = {
        path.relative_to(folder).as_posix(): file_digest(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    manifest = {
        "recipe": recipe,
        "soundfont": file_digest(soundfont_path()),
        "tinysoundfont": version("tinysoundfont"),
        "files": files,
    }
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
