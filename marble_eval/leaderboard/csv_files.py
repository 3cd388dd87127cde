"""CSV files of a leaderboard, safe to open in a spreadsheet.

UTF-8, "." for decimals, an empty cell for what does not apply, one line a row. Text that
a spreadsheet would run as a formula gets an apostrophe in front (OWASP, CSV injection).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from marble_eval.files.atomic_file import write_atomically

if TYPE_CHECKING:
    from marble_eval.leaderboard.tables import Board

# The signs of OWASP's list, and their wide forms, which some spreadsheets take as well.
_FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠")
_BREAKS = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]+")


def write_board(tables: Board, path: Path) -> tuple[Path, Path]:
    """Write the long table of a leaderboard and the first section's wide one as CSV.

    Parameters
    ----------
    tables : Board
        The leaderboard.
    path : Path
        File of the long table, such as `leaderboard.csv`; its folder must exist.

    Returns
    -------
    tuple of Path
        The long table and, beside it, the wide one (`leaderboard.wide.csv`).
    """
    beside = wide_path(path)
    write_atomically(path, csv_bytes(tables.long))
    write_atomically(beside, csv_bytes(tables.wide))
    return path, beside


def wide_path(path: Path) -> Path:
    """Say where the wide table lies beside the long one."""
    return path.with_name(f"{path.stem}.wide.csv")


def csv_bytes(table: pd.DataFrame) -> bytes:
    r"""Write a table as CSV.

    Parameters
    ----------
    table : pandas.DataFrame
        Numbers, and text of any origin; its index is not kept.

    Returns
    -------
    bytes
        UTF-8; text and headers guarded by `spreadsheet_text`.

    Examples
    --------
    >>> csv_bytes(pd.DataFrame({"name": ["=1+1"], "score": [-0.5]}))
    b"name,score\n'=1+1,-0.5\n"
    """
    guarded = table.copy()
    for name in table.columns:
        if not pd.api.types.is_numeric_dtype(table[name]):
            guarded[name] = table[name].map(_cell)
    guarded.columns = pd.Index([spreadsheet_text(str(name)) for name in table.columns])
    text: str = guarded.to_csv(index=False, lineterminator="\n")
    return text.encode("utf-8")


def spreadsheet_text(text: str) -> str:
    """Make a text safe for a cell: on one line, and never a formula.

    Parameters
    ----------
    text : str
        Any text.

    Returns
    -------
    str
        Line breaks and other control characters become a space.

    Examples
    --------
    >>> spreadsheet_text("=cmd|' /C calc'!A0")
    "'=cmd|' /C calc'!A0"
    >>> spreadsheet_text("one" + chr(10) + "line")
    'one line'
    """
    line = one_line(text)
    return f"'{line}" if line.lstrip().startswith(_FORMULA) else line


def one_line(text: str) -> str:
    """Put a text on one line: control characters and line breaks become a space."""
    return _BREAKS.sub(" ", text)


def _cell(value: object) -> object:
    return spreadsheet_text(value) if isinstance(value, str) else value
