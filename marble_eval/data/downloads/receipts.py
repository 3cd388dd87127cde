"""Notes on what was fetched and checked, so that it need not be checked again.

They lie in ``.downloads`` below the task's root, one JSON file each. A note counts only
as long as it fits what is on the disk: a file by its size and time of change, unpacked
files by their names. Without notes everything is checked anew, and nothing is lost.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable
from itertools import groupby
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from marble_eval.files.atomic_file import write_atomically
from marble_eval.files.fingerprint import digest_of

if TYPE_CHECKING:
    from marble_eval.spec import Download

FOLDER = ".downloads"


def write_receipt(root: Path, name: str, content: dict[str, Any]) -> None:
    """Write a note so that another process sees it whole or not at all.

    Parameters
    ----------
    root : Path
        The task's root.
    name : str
        What the note is on.
    content : dict
        What JSON can hold.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    path = _path(root, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, json.dumps({"name": name, **content}, indent=1).encode("utf-8"))


def read_receipt(root: Path, name: str) -> dict[str, Any]:
    """Read a note.

    Parameters
    ----------
    root : Path
        The task's root.
    name : str
        What the note is on.

    Returns
    -------
    dict
        Empty if there is none, or a damaged one.
    """
    try:
        found = json.loads(_path(root, name).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) and found.get("name") == name else {}


def file_note(download: Download, path: Path) -> dict[str, Any]:
    """Make the note that a file was found to be right.

    Parameters
    ----------
    download : Download
        From the task card.
    path : Path
        The file; that it is there.

    Returns
    -------
    dict
        As `read_receipt` gives it back. It differs if the file changes, or the card.

    Raises
    ------
    OSError
        If the file cannot be looked at.
    """
    found = path.stat()
    state = [found.st_size, found.st_mtime_ns]
    return {"name": download.file, "digest": download.digest, "state": state}


def unpacked_name(download: Download) -> str:
    """Return what the note is on that an archive was unpacked.

    Parameters
    ----------
    download : Download
        The archive, or the first of its parts.

    Returns
    -------
    str
        A name for `write_receipt`.
    """
    return f"{download.file} unpacked"


def repository_name(download: Download) -> str:
    """Return what the note is on that a repository was fetched.

    Parameters
    ----------
    download : Download
        The repository. Other files of it, for another task in the same root, have a
        note of their own.

    Returns
    -------
    str
        A name for `write_receipt`.
    """
    return f"{download.address} {digest_of(download.patterns)[:8]}"


def are_there(folder: Path, names: Iterable[str]) -> bool:
    """Say whether files exist, by reading each folder once.

    Parameters
    ----------
    folder : Path
        Where the names start.
    names : iterable of str
        Paths below it; those of one folder side by side are found fastest.

    Returns
    -------
    bool
        False also if there are no names.
    """
    listed: dict[str, set[str]] = {}
    count = 0
    for place, group in groupby(map(PurePosixPath, names), key=lambda each: str(each.parent)):
        if place not in listed:
            try:
                listed[place] = set(os.listdir(folder / place))  # noqa: PTH208 - 300,000 names
            except OSError:
                return False
        for each in group:
            count += 1
            if each.name not in listed[place]:
                return False
    return count > 0


def _path(root: Path, name: str) -> Path:
    return root / FOLDER / f"{re.sub(r'[^A-Za-z0-9.-]+', '_', name)}.json"
