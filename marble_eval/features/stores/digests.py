"""Digests of audio files, remembered from run to run.

A file is known by its path, size, inode and times of change: if none of these moved,
neither did its bytes, and a data set of a hundred gigabytes need not be read anew to
find its features. A file changed within the last two seconds is not remembered,
since a clock may be too coarse to show the next change. What is remembered is a
list that may be deleted at any time.
"""

from __future__ import annotations

import json
import os
import threading
import time
import zlib
from pathlib import Path

from marble_eval.files.fingerprint import file_digest

_SETTLED_NS = 2_000_000_000
_VALUES = 6  # in a line, before its checksum


class DigestMemory:
    """The digests of files seen before, in a JSON Lines file that need not exist.

    A line that cannot be read or fails its checksum only costs the digesting of a file; lines
    of earlier versions have no checksum.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: dict[tuple[str, ...], str] = {}
        self._new: list[tuple[tuple[str, ...], str]] = []
        self._lock = threading.Lock()
        try:
            lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            lines = []
        for line in lines:
            try:
                *key, digest = _unsealed(json.loads(line))
            except (ValueError, TypeError):
                continue
            self._known[tuple(map(str, key))] = str(digest)

    def digest(self, path: Path) -> str:
        """Return the digest of a file, read or remembered."""
        # Before its bytes are read: a change meanwhile then shows next time.
        state = path.stat()
        key = (
            str(path.absolute()),
            str(state.st_size),
            str(state.st_ino),
            str(state.st_mtime_ns),
            str(state.st_ctime_ns),
        )
        found = self._known.get(key)
        if found is not None and os.access(path, os.R_OK):
            return found
        found = file_digest(path)
        changed = max(state.st_mtime_ns, state.st_ctime_ns)
        if time.time_ns() - changed > _SETTLED_NS:
            with self._lock:
                self._known[key] = found
                self._new.append((key, found))
        return found

    def keep(self) -> None:
        """Add what is new to the file; without a place to write it, forget it."""
        with self._lock:
            new, self._new = self._new, []
        if not new:
            return
        lines = [[*key, digest] for key, digest in new]
        text = "".join(f"{json.dumps([*line, _checksum(line)])}\n" for line in lines)
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("ab") as stream:  # one write, so that lines of two runs stay whole
                stream.write(text.encode())
        except OSError:
            return


def _checksum(line: list[str]) -> int:
    return zlib.crc32(json.dumps(line).encode())


def _unsealed(line: list[str | int]) -> list[str]:
    """Return path, size, inode, times and digest; ValueError if their checksum is another."""
    values = [str(each) for each in line[:_VALUES]]
    if len(line) > _VALUES and line[_VALUES] != _checksum(values):
        raise ValueError("altered")
    return values
