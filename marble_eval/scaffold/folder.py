"""Write the folder: card, README, table, audio, and annotations beside it."""

from __future__ import annotations

import csv
import io
import re
import shlex
import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import soundfile

from marble_eval.errors import MarbleError, SpecError
from marble_eval.kinds.example import SAMPLE_RATE, Player
from marble_eval.scaffold.texts import card_text, guide_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from marble_eval.kinds import Kind
    from marble_eval.kinds.example import Piece

_AUDIO = "audio"
_SPLITS = ("train",) * 16 + ("valid",) * 6 + ("test",) * 6  # of the players
_PIECES = 3
_ETUDE_SPLITS = ("train",) * 12 + ("valid",) * 4 + ("test",) * 4
_LOUDEST = 0.5  # of full scale


def task_name(folder: Path) -> str:
    """Make a task's name out of a folder's, which need not exist, in ASCII."""
    if not str(folder).isprintable():
        raise SpecError(
            f"{str(folder)!r}: a task's folder must have a name of printable signs. "
            f"Choose another name."
        )
    written = folder.absolute().resolve().name
    plain = unicodedata.normalize("NFKD", written).encode("ascii", "ignore").decode()
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", plain).strip("-")
    if not re.search("[A-Za-z0-9]", name):
        raise SpecError(
            f"{folder}: a task's folder must have a name with letters from A to Z or digits, since "
            f"the task is called like it. Got {written!r}. Choose another name."
        )
    return name


def write_task_folder(folder: Path, kind: Kind, name: str) -> list[Path]:
    """Write a task folder that runs as it is: card, README, table, audio and annotations."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise SpecError(
            f"{folder}: must be a new folder or an empty one, since nothing is overwritten. Got "
            f"{'a folder with files' if folder.is_dir() else 'a file'}. Choose another name."
        )
    place = f"./{folder.absolute().resolve().name}"
    texts = {
        "task.yaml": card_text(name, kind),
        "README.md": guide_text(name, kind, shlex.quote(place)),
    }
    try:
        return _write(folder, kind, texts)
    except OSError as error:
        raise MarbleError(
            f"{error.filename or folder}: cannot be written: {error.strerror or error}. Choose a "
            f"folder that can."
        ) from error


def _write(folder: Path, kind: Kind, texts: dict[str, str]) -> list[Path]:
    (folder / _AUDIO).mkdir(parents=True)
    columns = ("path", *kind.example.columns, "split", "group")
    stream = io.StringIO(newline="")
    table = csv.writer(stream, lineterminator="\n")
    table.writerow(columns)
    audio, contents = [], dict(texts)
    for name, split, player, piece in _performances(kind):
        path = folder / _AUDIO / f"{name}.wav"
        soundfile.write(path, piece.sound, SAMPLE_RATE, subtype="PCM_16")
        audio.append(path)
        cells = piece.cells
        if piece.annotation:
            cells = (f"{_AUDIO}/{name}{kind.example.suffix}",)
            contents[cells[0]] = piece.annotation
        table.writerow((f"{_AUDIO}/{path.name}", *cells, split, player))
    contents["tracks.csv"] = stream.getvalue()
    for name, text in contents.items():
        (folder / name).write_text(text, encoding="utf-8", newline="")
    return [*(folder / name for name in contents), *audio]


def _performances(kind: Kind) -> Iterator[tuple[str, str, str, Piece]]:
    """Play the pieces of a data set, the same whenever asked: name, split, player and piece.

    A player is a group: tuning and loudness of an own, and all pieces in one split.
    """
    rng = np.random.default_rng(1234)
    of_frames = kind.estimate == "frame"
    for number, split in enumerate(_ETUDE_SPLITS if of_frames else _SPLITS):
        player = Player(rng.uniform(-0.2, 0.2), rng.uniform(0, 0.2), rng.uniform(0.7, 1))
        who, pieces = f"player-{number + 1:02d}", 1 if of_frames else _PIECES
        for at in range(pieces):
            piece = kind.example.play(number * pieces + at, player, rng)
            sound = piece.sound + 0.005 * rng.standard_normal(len(piece.sound))  # the room's noise
            sound = sound * (player.loudness * _LOUDEST / float(np.abs(sound).max()))
            name = who if of_frames else f"{who}_{at + 1}"
            yield name, split, who, piece._replace(sound=sound)
