"""Names of figure files: from task and encoder, safe on every file system, never two alike."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Sequence

_LONGEST = 120  # characters; file systems take 255 bytes


def file_names(keys: Sequence[tuple[str, ...]]) -> list[str]:
    """Name the files of figures."""
    plain = [".".join(map(_safe, key[:3]))[:_LONGEST] for key in keys]
    often = Counter(name.casefold() for name in plain)
    names: list[str] = []
    for name, key in zip(plain, keys, strict=True):
        chosen = name
        if often[name.casefold()] > 1:
            chosen = f"{name}.{hashlib.sha256(repr(key).encode()).hexdigest()[:8]}"
        number, wanted = 2, chosen
        while chosen.casefold() in {each.casefold() for each in names}:
            chosen, number = f"{wanted}.{number}", number + 1
        names.append(chosen)
    return names


def _safe(part: str) -> str:
    return re.sub(r"[^A-Za-z0-9@_=+-]+", "-", part).strip("-") or "none"
