"""Rows of text as a table with aligned columns."""

from __future__ import annotations

import re
from collections.abc import Sequence

from marble_eval.names import one_line

_WIDEST = 28  # characters of a brief text


def table(rows: Sequence[Sequence[str]]) -> str:
    """Align the columns of rows."""
    rows = [[one_line(cell) for cell in row] for row in rows]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def brief(text: str) -> str:
    """Take the first words of a text, for a cell."""
    name = re.split(r"[;,(]", text, maxsplit=1)[0].strip()
    return name if len(name) <= _WIDEST else f"{name[: _WIDEST - 1]}…"
