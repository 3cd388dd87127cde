"""Where files are kept: the cache of features, fetched lists, embedded data.

``MARBLE_EVAL_HOME`` names the folder; without it, ``marble_eval`` below
``XDG_CACHE_HOME`` or ``~/.cache``. A relative ``XDG_CACHE_HOME`` counts as none (XDG
Base Directory Specification). ``HF_HUB_OFFLINE`` holds for every download.
"""

from __future__ import annotations

import os
from pathlib import Path


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
