"""Whole numbers in little space, for the data that a page carries inside itself.

A block is a JSON header and columns of whole numbers. A column's numbers are made
non-negative (0 for no value, then 1 for 0, 2 for -1, 3 for 1, ...) and laid out byte
by byte: all lowest bytes, then all second ones. Bytes of one kind lie together that
way, and gzip packs them close to what they hold; base64 makes text of it. Scores
are kept to four decimals, as whole numbers of 1/10,000. `data.js` reads all this.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

SCALE = 10_000  # four decimals
NO_VALUE = np.iinfo(np.int64).min
_WIDEST = 2**52  # JavaScript's numbers are exact up to 2**53

Column = NDArray[np.int64]


def scaled(values: Iterable[float | None]) -> Column:
    """Round scores to whole numbers of 1/10,000.

    Parameters
    ----------
    values : iterable of float or None
        Scores; None or nan where there is no value.

    Returns
    -------
    ndarray of int64
        ``NO_VALUE`` where there is none.

    Examples
    --------
    >>> scaled([0.748276, -0.25, 0.0]).tolist()
    [7483, -2500, 0]
    """
    reals = np.array([np.nan if each is None else each for each in values], dtype=np.float64)
    absent = np.isnan(reals)
    whole = np.rint(np.where(absent, 0.0, reals) * SCALE).astype(np.int64)
    return np.where(absent, NO_VALUE, whole)


def whole(values: Iterable[int | None]) -> Column:
    """Make a column of whole numbers.

    Parameters
    ----------
    values : iterable of int, bool or None
        Numbers, a truth as 1 or 0; None where there is no value.

    Returns
    -------
    ndarray of int64
        ``NO_VALUE`` where there is none.
    """
    return np.array([NO_VALUE if each is None else each for each in values], dtype=np.int64)


def pack(header: Mapping[str, Any], columns: Mapping[str, Column]) -> str:
    """Make the text of a block.

    Parameters
    ----------
    header : mapping
        What JSON can hold; ``columns`` is added to it.
    columns : mapping of str to ndarray of int64
        Numbers below 2**52 in size.

    Returns
    -------
    str
        Base64 of gzip of: length of the header (4 bytes, little-endian), header
        (UTF-8), columns in its order. The same text for the same content.

    Raises
    ------
    ValueError
        If a number is too large for JavaScript.
    """
    laid_out = []
    shapes = []
    for name, values in columns.items():
        codes = _codes(name, values)
        width = _bytes_needed(codes)
        shapes.append([name, width, len(codes)])
        laid_out += [
            ((codes >> np.uint64(8 * place)) & np.uint64(255)).astype(np.uint8).tobytes()
            for place in range(width)
        ]
    told = json.dumps(
        {**header, "columns": shapes}, ensure_ascii=False, separators=(",", ":"), allow_nan=False
    ).encode("utf-8", errors="surrogatepass")
    content = b"".join([len(told).to_bytes(4, "little"), told, *laid_out])
    return base64.b64encode(gzip.compress(content, 9, mtime=0)).decode("ascii")


def _codes(name: str, values: Column) -> NDArray[np.uint64]:
    absent = values == NO_VALUE
    known = np.where(absent, 0, values)
    if known.size and int(np.abs(known).max()) >= _WIDEST:
        raise ValueError(f"column {name!r} must hold numbers below 2**52.")
    zigzag = np.where(known >= 0, 2 * known, -2 * known - 1)
    return np.where(absent, 0, zigzag + 1).astype(np.uint64)


def _bytes_needed(codes: NDArray[np.uint64]) -> int:
    return max(1, (int(codes.max(initial=0)).bit_length() + 7) // 8)


class Coded:
    """Numbers for things that come again: each different thing is kept once.

    Attributes
    ----------
    things : list
        The different things, in the order in which they came; what JSON can hold.

    Examples
    --------
    >>> licences = Coded()
    >>> [licences.code(each) for each in ("mit", "cc-by-4.0", "mit")], licences.things
    ([0, 1, 0], ['mit', 'cc-by-4.0'])
    """

    def __init__(self) -> None:
        self.things: list[Any] = []
        self._known: dict[str, int] = {}

    def code(self, thing: Any) -> int:
        """Return the number of a thing, which gets one if it is new."""
        text = json.dumps(thing, sort_keys=True)
        if text not in self._known:
            self._known[text] = len(self.things)
            self.things.append(thing)
        return self._known[text]
