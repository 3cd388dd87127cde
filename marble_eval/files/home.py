"""Where files are kept: the cache of features, fetched lists, embedded data.

``MARBLE_EVAL_HOME`` names the folder; without it, ``marble_eval`` below
``XDG_CACHE_HOME`` or ``~/.cache``. A relative ``XDG_CACHE_HOME`` counts as none (XDG
Base Directory Specification). ``HF_HUB_OFFLINE`` holds for every download.
"""

from __future__ import annotations

import os
from pathlib import Path


def home_folder() -> Path:
    """Return the folder for everything that can be made again.

    Returns
    -------
    Path
        It need not exist yet.
    """
    named = os.environ.get("MARBLE_EVAL_HOME")
    if named:
        return Path(named).expanduser()
    cache = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (cache if cache.is_absolute() else Path.home() / ".cache") / "marble_eval"


def is_offline() -> bool:
    """Say whether the environment forbids opening a socket.

    Returns
    -------
    bool
        True if ``HF_HUB_OFFLINE`` is set to 1, ON, YES or TRUE, the values that
        Hugging Face's own libraries take.
    """
    return os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "ON", "YES", "TRUE"}
