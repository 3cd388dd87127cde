"""Where files are kept: the cache of features, fetched lists, embedded data.

``MARBLE_EVAL_HOME`` names the folder; without it, ``marble_eval`` below
``XDG_CACHE_HOME`` or ``~/.cache``. A relative ``XDG_CACHE_HOME`` counts as none (XDG
Base Directory Specification). ``HF_HUB_OFFLINE`` holds for every download.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from marble_eval.errors import MarbleError


def home_folder() -> Path:
    """Return the folder for everything that can be made again; it need not exist yet."""
    named = os.environ.get("MARBLE_EVAL_HOME")
    if named:
        return Path(named).expanduser()
    cache = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (cache if cache.is_absolute() else Path.home() / ".cache") / "marble_eval"


def is_offline() -> bool:
    """Return whether ``HF_HUB_OFFLINE`` is 1, ON, YES or TRUE, as Hugging Face reads it."""
    return os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "ON", "YES", "TRUE"}


def check_writable(folder: Path, who: str, remedy: str) -> Path:
    """Refuse a folder that could not be made or written in; return the part of it that exists."""
    folder = folder.expanduser().absolute()
    existing = next(each for each in (folder, *folder.parents) if os.path.lexists(each))
    if not existing.is_dir():
        raise MarbleError(f"{folder}: {who} must be a folder. Got {existing}, a file. {remedy}")
    if not os.access(existing, os.W_OK | os.X_OK):
        raise MarbleError(
            f"{folder}: {who} must be a folder that can be written. {existing} cannot. {remedy}"
        )
    return existing


def keep_compiled_code() -> None:
    """Let numba keep what it compiles below the home, where it has no other place to write.

    In a container a user may have no home, and librosa's installed folder belongs to another.
    """
    if os.environ.get("NUMBA_CACHE_DIR") or "numba" in sys.modules:
        return
    cache = Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"))  # noqa: PTH111
    existing = next(each for each in (cache, *cache.absolute().parents) if each.exists())
    if not os.access(existing, os.W_OK | os.X_OK):
        os.environ["NUMBA_CACHE_DIR"] = str(home_folder().absolute() / "numba")
