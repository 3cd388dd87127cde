"""A file on its way: what has come so far, and of which published version it is a part.

It lies beside its target as ``<name>.part``; ``<name>.part.json`` says where it comes
from, what the whole must be, and the server's mark of the version (RFC 9110, 8.8), so
that it is never continued with another. The part itself is locked while it is written;
the kernel gives the lock up when a process dies, and the next one goes on.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from marble_eval.progress import Progress
    from marble_eval.spec import Download


class Version(NamedTuple):
    """What a part is a part of.

    Attributes
    ----------
    address, digest : str
        As the task card gives them.
    mark : str
        The server's strong ETag or else its Last-Modified; empty if it sends none.
    total : int or None
        Bytes of the whole; None if the server does not say.
    """

    address: str
    digest: str
    mark: str = ""
    total: int | None = None


class Part:
    """A part that this process alone may write."""

    def __init__(self, target: Path, stream: FileIO) -> None:
        self.target, self.path = target, _path(target)
        self.version = _version(target)
        self._stream = stream

    @property
    def size(self) -> int:
        """Return how many bytes have come."""
        return os.fstat(self._stream.fileno()).st_size

    def begin(self, version: Version) -> None:
        """Forget what has come, and note what is coming."""
        self.clear()
        written = _about(self.target).with_suffix(".tmp")
        written.write_text(json.dumps(version._asdict(), indent=1), encoding="utf-8")
        written.replace(_about(self.target))
        self.version = version

    def append(self, block: bytes) -> None:
        """Add what has come; OSError if the disk does not take it."""
        rest = memoryview(block)
        while rest:
            rest = rest[self._stream.write(rest) :]

    def clear(self) -> None:
        """Forget what has come."""
        os.ftruncate(self._stream.fileno(), 0)
        _about(self.target).unlink(missing_ok=True)
        self.version = None

    def finish(self) -> None:
        """Give the whole its name; nobody ever sees a file of that name that is not whole."""
        os.fsync(self._stream.fileno())
        self.path.replace(self.target)
        _about(self.target).unlink(missing_ok=True)

    def discard(self) -> None:
        """Remove it."""
        self.path.unlink(missing_ok=True)
        _about(self.target).unlink(missing_ok=True)


@contextmanager
def held_part(target: Path, progress: Progress) -> Iterator[Part]:
    """Hold the part of a file, found or new; wait while another process holds it.

    Parameters
    ----------
    target : Path
        The file it will be. It may be there by now, if another process was waited for.
    progress : Progress
        Told of the wait.

    Yields
    ------
    Part
        Left on the disk if anything has come.

    Raises
    ------
    OSError
        If the folder cannot be written.
    """
    stream = _locked(_path(target), progress)
    try:
        part = Part(target, stream)
        try:
            yield part
        finally:
            if part.size == 0 and _is_at(stream, part.path):
                part.discard()
    finally:
        stream.close()


def bytes_here(target: Path, download: Download) -> int:
    """Return how much of a download has come before and can be continued.

    Parameters
    ----------
    target : Path
        The file it will be.
    download : Download
        What is to be fetched.

    Returns
    -------
    int
        Bytes; 0 if there is no part, or one of something else.
    """
    version = _version(target)
    if version is None or version[:2] != (download.address, download.digest):
        return 0
    try:
        return _path(target).stat().st_size
    except OSError:
        return 0


def _path(target: Path) -> Path:
    return target.with_name(f"{target.name}.part")


def _about(target: Path) -> Path:
    return target.with_name(f"{target.name}.part.json")


def _version(target: Path) -> Version | None:
    """Read what a part is a part of; None if nothing says so, or nothing sensible."""
    try:
        found = Version(**json.loads(_about(target).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
    texts = (found.address, found.digest, found.mark)
    right = all(isinstance(each, str) for each in texts) and isinstance(found.total, int | None)
    return found if right else None


def _locked(path: Path, progress: Progress) -> FileIO:
    """Open and lock the file of that name, even if another process just renamed it."""
    while True:
        stream = FileIO(path, "a")
        try:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                progress.say(f"{path}: another process is fetching it. Waiting for that.")
                fcntl.flock(stream, fcntl.LOCK_EX)
            if _is_at(stream, path):
                return stream
        except BaseException:
            stream.close()
            raise
        stream.close()


def _is_at(stream: FileIO, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(stream.fileno()), path.stat())
    except FileNotFoundError:
        return False
