"""What was read from annotation files that are slow to read: a piano's MIDI takes 0.1 s and more.

An entry is found by the file's bytes and by what read them, never by a name, so that a
changed file and a changed reader are read anew. It holds the canonical text of the
annotation, compressed, behind a digest by which damage is known. The memory is there to
save time alone: where it cannot be read or written, files are read as if there were none.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path

from marble_eval.data.text_files import content_of
from marble_eval.files.atomic_file import write_atomically
from marble_eval.files.home import home_folder

_DIGEST_BYTES = 16


def remembered(
    path: Path, read: Callable[[Path], str], *, reader: str, packages: Sequence[str] = ()
) -> str:
    """Return ``read(path)``, or what it returned for the same bytes before.

    ``reader`` is the name and number of ``read``; the number is raised when the same bytes give
    another text. Another version of one of the ``packages`` it uses is another reader too. What
    it raises goes on to the caller. An entry takes about 50 kB for 6,000 notes. Several
    processes may read and write at once.
    """
    entry = _entry(path, reader, packages)
    if entry is None:
        return read(path)
    known = _recalled(entry)
    if known is not None:
        return known
    text = read(path)
    # The file may have been written anew meanwhile: its text is not that of the first bytes.
    if _entry(path, reader, packages) == entry:
        _remember(entry, text)
    return text


def _entry(path: Path, reader: str, packages: Sequence[str]) -> Path | None:
    """Return where the text of a file's bytes is kept; None if there is no such place."""
    names = [reader, *(f"{each} {version(each)}" for each in packages)]
    digest = hashlib.blake2b("\n".join([*names, ""]).encode(), digest_size=_DIGEST_BYTES)
    try:
        digest.update(content_of(path))
        folder = home_folder() / "annotations"
    except (OSError, RuntimeError, ValueError):
        return None  # whoever reads the file says why; RuntimeError: a user without a home
    name = digest.hexdigest()
    return folder / name[:2] / name[2:]


def _recalled(entry: Path) -> str | None:
    """Return the text of an entry; None if it is not there, or is not whole."""
    try:
        content = entry.read_bytes()
        text = zlib.decompress(content[_DIGEST_BYTES:])
    except (OSError, zlib.error):
        return None
    return text.decode() if _digest(text) == content[:_DIGEST_BYTES] else None


def _remember(entry: Path, text: str) -> None:
    content = text.encode()
    try:
        entry.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(entry, _digest(content) + zlib.compress(content))
    except OSError:
        # A full or read-only disk: nothing is lost but time when the file is next read, and
        # whatever must be written there (features, results) will say so by itself.
        return


def _digest(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=_DIGEST_BYTES).digest()
