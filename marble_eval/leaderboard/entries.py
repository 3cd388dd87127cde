"""The results of a board: read from their files, each counted once.

A tree of submissions may hold one result several times. Files of one unit, encoder and
revision with the same scores are one result, and the first of their paths stands for it.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from marble_eval.results import Result, read_result


class Entry(NamedTuple):
    """A result and the file it was read from."""

    path: Path
    result: Result


def read_entries(paths: Iterable[Path]) -> list[Entry]:
    """Read result files.

    Parameters
    ----------
    paths : iterable of Path
        The `result.json` files, in any order.

    Returns
    -------
    list of Entry
        By path.

    Raises
    ------
    MissingError
        If a file does not exist.
    ValidationError
        If a file is invalid.
    """
    return [Entry(path, read_result(path)) for path in sorted(set(paths))]


def without_copies(entries: Iterable[Entry]) -> list[Entry]:
    """Keep one of each result that occurs several times.

    Parameters
    ----------
    entries : iterable of Entry
        Results, by path.

    Returns
    -------
    list of Entry
        In the given order; of copies, the first.

    Notes
    -----
    A unit says all that can move a score, but not what an encoder is called: the same
    weights under two names are two rows.
    """
    kept: dict[object, Entry] = {}
    for entry in entries:
        result = entry.result
        encoder = result.encoder
        scores = tuple(result.metrics.items())
        kept.setdefault((result.unit, encoder.name, encoder.revision, scores), entry)
    return list(kept.values())
