"""Whole numbers packed as text, for the data inside a page; `packing.js` unpacks them.

A block is a JSON header and columns of whole numbers. Numbers are made non-negative (0 for no
value, then 1 for 0, 2 for -1, 3 for 1, ...) and laid out byte by byte, all lowest bytes first, so
that gzip compresses them well; base64 makes text of it. Scores are kept as whole numbers of
1/10,000, and those that are printed elsewhere too of 1/1,000,000.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marble_eval.errors import ValidationError

SCALE = 10_000  # four decimals
FINE = 1_000_000  # of a share: four decimals in percent
NO_VALUE = np.iinfo(np.int64).min
_WIDEST = 2**52  # JavaScript's numbers are exact up to 2**53

PackedColumn = NDArray[np.int64]


def scaled(values: Iterable[float | None], scale: int = SCALE) -> PackedColumn:
    """Round scores to whole numbers of 1 / scale; `NO_VALUE` for None and nan."""
    reals = np.array([np.nan if each is None else each for each in values], dtype=np.float64)
    absent = np.isnan(reals)
    whole = np.rint(np.where(absent, 0.0, reals) * scale).astype(np.int64)
    return np.where(absent, NO_VALUE, whole)


def whole(values: Iterable[int | None]) -> PackedColumn:
    """Make a column of whole numbers or flags; `NO_VALUE` for None."""
    return np.array([NO_VALUE if each is None else each for each in values], dtype=np.int64)


def pack(header: Mapping[str, Any], columns: Mapping[str, PackedColumn]) -> str:
    """Make the text of a block; equal content gives equal text.

    It is base64 of gzip of: length of the header (4 bytes, little-endian), header (UTF-8), columns.
    Numbers must be below 2**52 in size.
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
    text = json.dumps(
        {**header, "columns": shapes}, ensure_ascii=False, separators=(",", ":"), allow_nan=False
    ).encode("utf-8", errors="surrogatepass")
    content = b"".join([len(text).to_bytes(4, "little"), text, *laid_out])
    return base64.b64encode(gzip.compress(content, 9, mtime=0)).decode("ascii")


def _codes(name: str, values: PackedColumn) -> NDArray[np.uint64]:
    absent = values == NO_VALUE
    known = np.where(absent, 0, values)
    if known.size and int(np.abs(known).max()) >= _WIDEST:
        raise ValidationError(
            f"the page's column {name!r} must hold numbers below 2**52. Got a larger one from a "
            f"result file. Find it by 'marble-eval leaderboard --csv', and leave that file out."
        )
    zigzag = np.where(known >= 0, 2 * known, -2 * known - 1)
    return np.where(absent, 0, zigzag + 1).astype(np.uint64)


def _bytes_needed(codes: NDArray[np.uint64]) -> int:
    return max(1, (int(codes.max(initial=0)).bit_length() + 7) // 8)


class Coded:
    """Numbers for repeated things, each kept once in `things`, in order of appearance."""

    def __init__(self) -> None:
        self.things: list[Any] = []
        self._known: dict[str, int] = {}

    def code(self, thing: Any) -> int:
        """Return the number of a thing, a new one for a new thing."""
        text = json.dumps(thing, sort_keys=True)
        if text not in self._known:
            self._known[text] = len(self.things)
            self.things.append(thing)
        return self._known[text]
