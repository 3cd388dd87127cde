"""Rows of text as a table with aligned columns that fits the terminal."""

from __future__ import annotations

import re
import shutil
import textwrap
from collections.abc import Sequence

from marble_eval.names import one_line

_WIDEST = 28  # characters of a brief text
_GAP, _INDENT = "  ", "    "


def table(rows: Sequence[Sequence[str]]) -> str:
    """Align the columns of rows; those that do not fit the terminal go below, wrapped."""
    width = shutil.get_terminal_size((80, 24)).columns
    rows = [[one_line(cell) for cell in row] for row in rows]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    fitting = max(
        (n for n in range(1, len(widths) + 1) if sum(widths[:n]) + len(_GAP) * (n - 1) <= width),
        default=1,
    )
    lines = []
    for row in rows:
        cells = zip(row[:fitting], widths[:fitting], strict=True)
        lines.append(_GAP.join(cell.ljust(each) for cell, each in cells).rstrip())
        rest = " | ".join(row[fitting:])
        lines += textwrap.wrap(
            rest, width, initial_indent=_INDENT, subsequent_indent=_INDENT, break_on_hyphens=False
        )
    return "\n".join(lines)


def brief(text: str) -> str:
    """Take the first words of a text, for a cell."""
    name = re.split(r"[;,(]", text, maxsplit=1)[0].strip()
    return name if len(name) <= _WIDEST else f"{name[: _WIDEST - 1]}…"
