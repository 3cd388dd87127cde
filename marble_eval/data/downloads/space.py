"""Disk space: sizes in words, free space, and the errors of a full or read-only disk."""

from __future__ import annotations

import shutil
from pathlib import Path

from marble_eval.errors import MarbleError


def spelled(count: int) -> str:
    """Write a number of bytes in decimal units, with one decimal."""
    if count < 1000:
        return f"{count} bytes"
    size = float(count)
    for unit in ("kB", "MB", "GB"):
        size /= 1000
        if size < 999.95:  # what would be rounded up to 1000.0 belongs to the next unit
            return f"{size:.1f} {unit}"
    return f"{size / 1000:.1f} TB"


def free_bytes(folder: Path) -> int:
    """Return the bytes that can be written to a folder, which need not exist."""
    there = folder.absolute()
    while not there.exists():
        there = there.parent
    return shutil.disk_usage(there).free


def require_space(folder: Path, needed: int, what: str) -> None:
    """Raise if a folder's disk lacks the bytes that something needs."""
    free = free_bytes(folder)
    if needed > free:
        raise MarbleError(
            f"{folder}: must have {spelled(needed)} free for {what}. "
            f"Got {spelled(free)}. Make room, or name a folder on another disk."
        )


def unwritable(error: OSError, folder: Path, kept: str = "") -> MarbleError:
    """Make the error for a folder that cannot be written; `kept` says what is kept."""
    where = error.filename or folder
    told = f"{where}: cannot be written: {error.strerror or error}. {kept}".rstrip()
    return MarbleError(f"{told} Make room, or name a folder that can be written.")
