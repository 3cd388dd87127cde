"""Digests of published files, and receipts: records that a file was verified.

Receipts are JSON files in ``.downloads`` below the task's root. A receipt is valid while it matches
the disk: a file by size and modification time, unpacked files by name. Without receipts everything
is verified again.
"""

from __future__ import annotations

import hashlib
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
_ALGORITHMS = {"sha256": hashlib.sha256, "md5": hashlib.md5, "git": hashlib.sha1}


def write_receipt(root: Path, name: str, content: dict[str, Any]) -> None:
    """Write a receipt atomically."""
    path = _path(root, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, json.dumps({"name": name, **content}, indent=1).encode("utf-8"))


def read_receipt(root: Path, name: str) -> dict[str, Any]:
    """Read a receipt; empty if there is none, or a damaged one."""
    try:
        found = json.loads(_path(root, name).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) and found.get("name") == name else {}


def file_receipt(download: Download, path: Path) -> dict[str, Any]:
    """Make the receipt of a verified file; it differs once the file or the card changes."""
    found = path.stat()
    state = [found.st_size, found.st_mtime_ns]
    return {"name": download.file, "digest": download.digest, "state": state}


def unpacked_name(download: Download) -> str:
    """Name the receipt of an unpacked archive, given the archive or the first of its parts."""
    return f"{download.file} unpacked"


def repository_name(download: Download) -> str:
    """Name the receipt of a repository; another task's files of it have their own."""
    return f"{download.address} {digest_of(download.patterns)[:8]}"


def are_there(folder: Path, names: Iterable[str]) -> bool:
    """Check that all files exist, reading each folder once; False if there are no names."""
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


def digest_like(path: Path, wanted: str) -> str:
    """Digest a file by the algorithm of another digest: sha256, md5, or git (SHA-1 of a blob)."""
    name = wanted.partition(":")[0]
    if name not in _ALGORITHMS:
        raise ValueError(f"a digest must begin with {', '.join(_ALGORITHMS)}. Got {wanted!r}.")
    # It finds damage and changes; it is no defence against whoever makes collisions.
    running = _ALGORITHMS[name](usedforsecurity=False)
    with path.open("rb") as stream:
        if name == "git":
            running.update(f"blob {path.stat().st_size}\0".encode())
        return f"{name}:{hashlib.file_digest(stream, lambda: running).hexdigest()}"
