"""A partial file: the bytes of a download that have arrived, and the version they belong to.

It lies beside its target as ``<name>.part``; ``<name>.part.json`` records the source, the expected
digest and the server's validator (RFC 9110, 8.8), so that versions are never mixed. It is locked
while it is written; the kernel releases the lock when a process dies, and the next one continues.
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
    """The published version that a partial file belongs to."""

    address: str
    digest: str
    mark: str = ""  # the server's strong ETag or else its Last-Modified; empty if it sends none
    total: int | None = None  # bytes of the whole; None if the server does not say


class PartialFile:
    """A partial file that this process holds locked."""

    def __init__(self, target: Path, stream: FileIO) -> None:
        self.target, self.path = target, _path(target)
        self.version = _version(target)
        self._stream = stream

    @property
    def size(self) -> int:
        """Return the number of bytes that have arrived."""
        return os.fstat(self._stream.fileno()).st_size

    def begin(self, version: Version) -> None:
        """Empty the file and record the version to come."""
        self.clear()
        written = _about(self.target).with_suffix(".tmp")
        written.write_text(json.dumps(version._asdict(), indent=1), encoding="utf-8")
        written.replace(_about(self.target))
        self.version = version

    def append(self, block: bytes) -> None:
        """Append received bytes; OSError if they cannot be written."""
        rest = memoryview(block)
        while rest:
            rest = rest[self._stream.write(rest) :]

    def clear(self) -> None:
        """Empty the file."""
        os.ftruncate(self._stream.fileno(), 0)
        _about(self.target).unlink(missing_ok=True)
        self.version = None

    def finish(self) -> None:
        """Move the complete file to its target, atomically."""
        os.fsync(self._stream.fileno())
        self.path.replace(self.target)
        _about(self.target).unlink(missing_ok=True)

    def discard(self) -> None:
        """Remove it."""
        self.path.unlink(missing_ok=True)
        _about(self.target).unlink(missing_ok=True)


@contextmanager
def held_file(target: Path, progress: Progress) -> Iterator[PartialFile]:
    """Hold the partial file of a target, waiting while another process holds it."""
    stream = _locked(_path(target), progress)
    try:
        part = PartialFile(target, stream)
        try:
            yield part
        finally:
            if part.size == 0 and _is_at(stream, part.path):
                part.discard()
    finally:
        stream.close()


def bytes_here(target: Path, download: Download) -> int:
    """Count the bytes of a download that can be continued; 0 without a matching partial file."""
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
    """Read the version; None if it is absent or malformed."""
    try:
        found = Version(**json.loads(_about(target).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
    texts = (found.address, found.digest, found.mark)
    right = all(isinstance(each, str) for each in texts) and isinstance(found.total, int | None)
    return found if right else None


def _locked(path: Path, progress: Progress) -> FileIO:
    """Open and lock the file, again if another process renamed it meanwhile."""
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
