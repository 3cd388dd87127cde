"""Write a set of clips as a folder: complete and unaltered, or not at all.

On disk a collection is what any user's own CSV data set is: wav files (mono,
16 bit, 24 kHz), and ``tracks.csv`` with the columns path, the labels, split and
group. A manifest beside them has the digests of all files, of the recipes and of
the soundfont, so that a damaged or outdated copy is known and made again.
"""

from __future__ import annotations

import csv
import fcntl
import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from marble_eval.embedded.recording import write_wav
from marble_eval.embedded.renderer import Renderer, soundfont_path
from marble_eval.errors import SpecError
from marble_eval.files.fingerprint import digest_of, file_digest

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SAMPLE_RATE = 24000  # Hz
TRACKS, MANIFEST = "tracks.csv", "manifest.json"

Recipe = TypeVar("Recipe")


@dataclass(frozen=True, slots=True)
class Clip(Generic[Recipe]):
    """One clip: where it goes, its labels, and what it is made from."""

    path: str  # file, below the collection's root
    labels: tuple[str, ...]  # what stands in each label column
    split: str  # "train", "valid" or "test"
    group: str  # what must stay on one side of a split: a piece, a program, an ensemble
    recipe: Recipe  # all that the clip is made from, in plain values


@dataclass(frozen=True, slots=True)
class Collection(Generic[Recipe]):
    """A data set before it is written."""

    version: int  # raised when any byte of the data can move
    columns: tuple[str, ...]  # names of the label columns
    clips: tuple[Clip[Recipe], ...]  # in the order of the CSV's rows
    # Takes a renderer of `SAMPLE_RATE` and a clip's recipe; returns the audio as it is written,
    # float32 in (-1, 1).
    play: Callable[[Renderer, Recipe], NDArray[np.float32]]

    def digest(self) -> str:
        """Return what identifies the recipes: 32 hexadecimal digits."""
        return digest_of({"version": self.version, "columns": self.columns, "clips": self.clips})


def seed_of(*words: object) -> int:
    """Make a seed out of words, the same on every machine."""
    text = "/".join(map(str, words))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")


def write_collection(root: Path, collection: Collection[Any]) -> Path:
    """Write a collection, unless it is there complete and unaltered.

    The clips are made in a folder beside `root` which takes its name when all is
    there, so what is at `root` is never half a data set. Several processes may
    do it at once. An older or damaged copy is replaced; a folder with anything
    else in it is left alone.

    The bytes are the same in every run. They rest on the soundfont and on
    tinysoundfont's arithmetic, whose digest and version the manifest records.
    """
    root = root.absolute()
    if _is_complete(root, collection):
        return root
    root.parent.mkdir(parents=True, exist_ok=True)
    with _alone(root):
        if _is_complete(root, collection):  # another process was faster
            return root
        _refuse_foreign(root)
        partial, replaced = _sibling(root, "partial"), _sibling(root, "replaced")
        for left_by_a_killed_run in (partial, replaced):
            shutil.rmtree(left_by_a_killed_run, ignore_errors=True)
        try:
            _write(partial, collection)
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


def _is_complete(root: Path, collection: Collection[Any]) -> bool:
    manifest = _manifest(root)
    names = (TRACKS, *(clip.path for clip in collection.clips))
    try:
        return manifest.get("recipe") == collection.digest() and all(
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
    """Leave a folder alone that holds anything but an earlier copy of a collection."""
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


def _write(folder: Path, collection: Collection[Any]) -> None:
    renderer = Renderer(SAMPLE_RATE)
    for clip in collection.clips:
        path = folder / clip.path
        path.parent.mkdir(parents=True, exist_ok=True)
        write_wav(path, collection.play(renderer, clip.recipe), SAMPLE_RATE)
    with (folder / TRACKS).open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(("path", *collection.columns, "split", "group"))
        for clip in collection.clips:
            writer.writerow((clip.path, *clip.labels, clip.split, clip.group))
    files = {
        path.relative_to(folder).as_posix(): file_digest(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    manifest = {
        "recipe": collection.digest(),
        "soundfont": file_digest(soundfont_path()),
        "tinysoundfont": version("tinysoundfont"),
        "files": files,
    }
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
