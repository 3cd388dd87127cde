"""Lines of an annotation file: its cells, and every line that breaks a rule.

Files are UTF-8, with or without a byte order mark, and with the line ends of any
system. Cells stand between commas in ``.csv``, between tabs in ``.tsv``, and between
spaces or tabs in all others. Blank lines and lines that begin with # are left out, and
so is a first line of titles.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

Value = TypeVar("Value")

#: The first columns by name, and for each the words of which its title has one.
Titles = Mapping[str, tuple[str, ...]]

_SEPARATORS = {".csv": ",", ".tsv": "\t"}
_LISTED = 10  # further lines that a message names; the others are counted


class Row(NamedTuple):
    """The cells of a line, which is counted from 1."""

    line: int
    cells: tuple[str, ...]


def content_of(path: Path) -> bytes:
    """Read a file.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    bytes
        All of it.

    Raises
    ------
    ValueError
        If it is not there or cannot be read.
    """
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise ValueError(f"{path}: there is no such file.") from None
    except OSError as error:
        raise ValueError(f"{path}: cannot be read: {error.strerror or error}.") from None


def text_of(path: Path) -> str:
    """Read a text file.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    str
        Its content, without a byte order mark.

    Raises
    ------
    ValueError
        If it cannot be read, or is not UTF-8.
    """
    content = content_of(path)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise ValueError(
            f"{path}, line {line}: must be UTF-8 text. Got {error.reason}. Save it as such."
        ) from None


def rows_of(path: Path, titles: Titles) -> list[Row]:
    """Read the lines of a text file.

    Parameters
    ----------
    path : Path
        The file.
    titles : mapping of str to tuple of str
        The first columns, and for each the words of which its title has one. A first
        line without any digit is one of titles; columns further right may be anything.

    Returns
    -------
    list of Row
        In the order of the file.

    Raises
    ------
    ValueError
        If it cannot be read, is not UTF-8, or its titles are of other columns.
    """
    separator = _SEPARATORS.get(path.suffix.lower())
    lines = text_of(path).replace("\r\n", "\n").replace("\r", "\n").split("\n")
    rows = []
    for number, line in enumerate(lines, start=1):
        if line.lstrip().startswith("#"):
            continue
        try:
            cells = next(csv.reader([line], delimiter=separator), []) if separator else line.split()
        except csv.Error as error:
            raise ValueError(f"{path}, line {number}: must be a row. Got {error}.") from None
        if any(each.strip() for each in cells):
            rows.append(Row(number, tuple(each.strip() for each in cells)))
    if not rows or any(each.isdigit() for cell in rows[0].cells for each in cell):
        return rows
    for (_, words), cell in zip(titles.items(), rows[0].cells, strict=False):
        if not any(each in cell.lower() for each in words):
            raise ValueError(
                f"{path}, line {rows[0].line}: the first columns must be {', '.join(titles)}. Got "
                f"{', '.join(rows[0].cells)}."
            )
    return rows[1:]


def parsed(
    rows: Sequence[Row], parse: Callable[[tuple[str, ...]], Value], path: Path
) -> list[Value]:
    """Parse each line.

    Parameters
    ----------
    rows : sequence of Row
        The lines.
    parse : callable
        From cells to a value; a ValueError says what is wrong with them.
    path : Path
        For the message.

    Returns
    -------
    list
        A value a line.

    Raises
    ------
    ValueError
        With all lines that are wrong.
    """
    values = []
    faults = []
    for row in rows:
        try:
            values.append(parse(row.cells))
        except ValueError as error:
            faults.append((row.line, str(error)))
    refuse(faults, path)
    return values


def refuse(faults: Sequence[tuple[int, str]], path: Path) -> None:
    """Raise what is wrong with a file, if anything is.

    Parameters
    ----------
    faults : sequence of tuple
        Line and sentence of each fault.
    path : Path
        The file.

    Raises
    ------
    ValueError
        With the first fault, and the numbers of the other lines.

    Examples
    --------
    >>> refuse([(2, "a time must rise."), (5, "…"), (9, "…")], Path("a.beats"))
    Traceback (most recent call last):
    ...
    ValueError: a.beats, line 2: a time must rise. Lines 5 and 9 break a rule too.
    >>> refuse([], Path("a.beats"))
    """
    if not faults:
        return
    (first, sentence), *others = faults
    lines = [str(line) for line in dict.fromkeys(line for line, _ in others) if line != first]
    if len(lines) > _LISTED + 1:
        lines = [*lines[:_LISTED], f"{len(lines) - _LISTED} more"]
    listed = " and ".join([", ".join(lines[:-1]), lines[-1]]) if len(lines) > 1 else "".join(lines)
    one = "Line {} breaks a rule too." if len(lines) == 1 else "Lines {} break a rule too."
    raise ValueError(
        f"{path}, line {first}: {sentence}{' ' + one.format(listed) if listed else ''}"
    )


def seconds_of(cell: str) -> float:
    """Read a time.

    Parameters
    ----------
    cell : str
        A number of seconds.

    Returns
    -------
    float
        In seconds, 0 or more.

    Raises
    ------
    ValueError
        If it is no such number.

    Examples
    --------
    >>> seconds_of("0.5300000000")
    0.53
    """
    try:
        # Python reads 1_000 too, which no file means as a time.
        number = float("" if "_" in cell else cell)
    except ValueError:
        number = math.nan
    if not (math.isfinite(number) and number >= 0):
        raise ValueError(
            f"a time must be a number of seconds, 0 or more, with a decimal point. Got {cell!r}."
        )
    return number
