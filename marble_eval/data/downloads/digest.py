"""Digests as publishers give them: SHA-256, MD5, and git's for small files of the hub."""

from __future__ import annotations

import hashlib
from pathlib import Path

_ALGORITHMS = {"sha256": hashlib.sha256, "md5": hashlib.md5, "git": hashlib.sha1}


def digest_like(path: Path, wanted: str) -> str:
    """Digest a file in the way that another digest was made.

    Parameters
    ----------
    path : Path
        A file that can be read.
    wanted : str
        ``sha256:``, ``md5:`` or ``git:``, whatever follows. A git digest is that of
        a blob: SHA-1 over a header with the size, and the content.

    Returns
    -------
    str
        The file's digest in the same form; it is equal if the file is the same.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If the digest is of another kind.
    """
    name = wanted.partition(":")[0]
    if name not in _ALGORITHMS:
        raise ValueError(f"a digest must begin with {', '.join(_ALGORITHMS)}. Got {wanted!r}.")
    # It finds damage and changes; it is no defence against whoever makes collisions.
    running = _ALGORITHMS[name](usedforsecurity=False)
    with path.open("rb") as stream:
        if name == "git":
            running.update(f"blob {path.stat().st_size}\0".encode())
        return f"{name}:{hashlib.file_digest(stream, lambda: running).hexdigest()}"
