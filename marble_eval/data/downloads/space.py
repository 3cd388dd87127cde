"""Room on the disk: how much there is, whether it is enough, and what to say if not."""

from __future__ import annotations

import shutil
from pathlib import Path

from marble_eval.errors import MarbleError


def spelled(count: int) -> str:
    """Write a number of bytes for a reader.

    Parameters
    ----------
    count : int
        Bytes, not negative.

    Returns
    -------
    str
        In bytes, kB, MB, GB or TB, decimal, with one digit after the point.

    Examples
    --------
    >>> spelled(2_077_243_579)
    '2.1 GB'
    >>> spelled(950)
    '950 bytes'
    """
    if count < 1000:
        return f"{count} bytes"
    size = float(count)
    for unit in ("kB", "MB", "GB"):
        size /= 1000
        if size < 999.95:  # what would be rounded up to 1000.0 belongs to the next unit
            return f"{size:.1f} {unit}"
    return f"{size / 1000:.1f} TB"


def free_bytes(folder: Path) -> int:
    """Return how much can be written to a folder that need not exist yet.

    Parameters
    ----------
    folder : Path
        The folder; the nearest one above it that exists is asked.

    Returns
    -------
    int
        Bytes that a user without privileges can write.
    """
    there = folder.absolute()
    while not there.exists():
        there = there.parent
    return shutil.disk_usage(there).free


def require_space(folder: Path, needed: int, what: str) -> None:
    """Refuse to begin what cannot end well.

    Parameters
    ----------
    folder : Path
        Where it will be written.
    needed : int
        Bytes that will be written.
    what : str
        Who needs them, for the message.

    Raises
    ------
    MarbleError
        If the disk has less.
    """
    free = free_bytes(folder)
    if needed > free:
        raise MarbleError(
            f"{folder}: must have {spelled(needed)} free for {what}. "
            f"Got {spelled(free)}. Make room, or name a folder on another disk."
        )


def unwritable(error: OSError, folder: Path, kept: str = "") -> MarbleError:
    """Say that the disk is full, or whatever else keeps a folder from being written.

    Parameters
    ----------
    error : OSError
        What the operating system said.
    folder : Path
        Where it was to be written.
    kept : str, optional
        A sentence on what happened to the work done so far.

    Returns
    -------
    MarbleError
        To be raised.
    """
    where = error.filename or folder
    told = f"{where}: cannot be written: {error.strerror or error}. {kept}".rstrip()
    return MarbleError(f"{told} Make room, or name a folder that can be written.")
