"""What a store says of itself, in a file that a person can read, and what a check of it found."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from marble_eval.errors import MarbleError
from marble_eval.files.atomic_file import write_atomically

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_FILE = "about.json"
_TYPES = ("float16", "float32")


@dataclass(frozen=True, slots=True)
class StoreCheck:
    """What checking a store found.

    Attributes
    ----------
    records : int
        Records that the store names: clips, or tracks of frames.
    damaged : int
        Records, and lines of an index, that fail their checksum.
    bytes : int
        Size of the data.
    """

    records: int
    damaged: int
    bytes: int


def read_description(folder: Path) -> dict[str, Any]:
    """Read what a store says of itself.

    Parameters
    ----------
    folder : Path
        The store.

    Returns
    -------
    dict
        ``layers``, ``width``, ``dtype``, and what else its maker wrote.

    Raises
    ------
    MarbleError
        If it is not there or cannot be understood.
    """
    try:
        return _read(folder / _FILE)
    except (OSError, ValueError) as error:
        raise MarbleError(
            f"{folder}: must be a feature store with a readable {_FILE}. Got {error}. "
            f"Delete the folder; its features are computed again when they are needed."
        ) from None


def write_description(folder: Path, about: Mapping[str, Any]) -> None:
    """Write it, unless it is there already and whole.

    Parameters
    ----------
    folder : Path
        The store; it must exist.
    about : mapping of str to object
        Plain values.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    path = folder / _FILE
    try:
        _read(path)
    except (FileNotFoundError, ValueError):  # not there yet, or damaged
        write_atomically(path, json.dumps(about, indent=1).encode())


def _read(path: Path) -> dict[str, Any]:
    about = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(about, dict) or about.get("dtype") not in _TYPES:
        raise ValueError("no number type in it")
    for name in ("layers", "width"):
        if not isinstance(about.get(name), int) or about[name] < 1:
            raise ValueError(f"no number for {name!r} in it")
    return about
