"""Write the folder: card, README, table, audio, and annotations beside it."""

from __future__ import annotations

import csv
import io
import re
import shlex
import unicodedata
from pathlib import Path

import soundfile

from marble_eval.errors import MarbleError, SpecError
from marble_eval.scaffold.card import card_text
from marble_eval.scaffold.guide import guide_text
from marble_eval.scaffold.performances import performances
from marble_eval.scaffold.tones import SAMPLE_RATE

_AUDIO = "audio"


def task_name(folder: Path) -> str:
    """Make a task's name out of a folder's.

    Parameters
    ----------
    folder : Path
        Need not exist.

    Returns
    -------
    str
        Its last part; accents are dropped, and other signs than letters, digits,
        _ and - become -.

    Raises
    ------
    SpecError
        If no letter or digit is left.

    Examples
    --------
    >>> task_name(Path("data/My Café songs!"))
    'My-Cafe-songs'
    """
    written = folder.absolute().resolve().name
    plain = unicodedata.normalize("NFKD", written).encode("ascii", "ignore").decode()
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", plain).strip("-")
    if not re.search("[A-Za-z0-9]", name):
        raise SpecError(
            f"{folder}: a task's folder must have a name with letters from A to Z or digits, since "
            f"the task is called like it. Got {written!r}. Choose another name."
        )
    return name


def write_task_folder(folder: Path, kind: str, name: str) -> list[Path]:
    """Write a task folder that runs as it is.

    Parameters
    ----------
    folder : Path
        Where; may exist if it is empty.
    kind : str
        One of `marble_eval.kinds.KINDS`.
    name : str
        Name of the task.

    Returns
    -------
    list of Path
        Card, README, table, audio, and the files of its annotations.

    Raises
    ------
    SpecError
        If there is something at that place already.
    MarbleError
        If it cannot be written.
    """
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


def _write(folder: Path, kind: str, texts: dict[str, str]) -> list[Path]:
    (folder / _AUDIO).mkdir(parents=True)
    played = performances(kind)
    columns = ("path", *played[0].labels, "split", "group")
    stream = io.StringIO(newline="")
    table = csv.writer(stream, lineterminator="\n")
    table.writerow(columns)
    audio, contents = [], dict(texts)
    for each in played:
        path = folder / _AUDIO / f"{each.name}.wav"
        soundfile.write(path, each.sound, SAMPLE_RATE, subtype="PCM_16")
        audio.append(path)
        labels = list(each.labels.values())
        if each.annotation:
            labels = [f"{_AUDIO}/{name}" for name in labels]
            contents |= dict.fromkeys(labels, each.annotation)
        table.writerow((f"{_AUDIO}/{path.name}", *labels, each.split, each.group))
    contents["tracks.csv"] = stream.getvalue()
    for name, text in contents.items():
        (folder / name).write_text(text, encoding="utf-8", newline="")
    return [*(folder / name for name in contents), *audio]
