"""Rows of text as a table with aligned columns."""

from __future__ import annotations

import re
from collections.abc import Sequence

_WIDEST = 28  # characters of a brief text


def table(rows: Sequence[Sequence[str]]) -> str:
    """Align the columns of rows.

    Parameters
    ----------
    rows : sequence of sequence of str
        The first is the header; all of one length.

    Returns
    -------
    str
        One line a row, two spaces between columns.

    Examples
    --------
    >>> print(table([("task", "kind"), ("GTZAN", "classification")]))
    task   kind
    GTZAN  classification
    """
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def brief(text: str) -> str:
    """Take the first words of a text, for a cell.

    Parameters
    ----------
    text : str
        A licence, for instance: a name, then its terms.

    Returns
    -------
    str
        What stands before the first ";", "," or "(", at most 28 characters.

    Examples
    --------
    >>> brief("CC BY 4.0 (audio); metadata CC0")
    'CC BY 4.0'
    """
    name = re.split(r"[;,(]", text, maxsplit=1)[0].strip()
    return name if len(name) <= _WIDEST else f"{name[: _WIDEST - 1]}…"
