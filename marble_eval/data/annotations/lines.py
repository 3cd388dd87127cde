"""Lines of an annotation file: its cells, and every line that breaks a rule.

Line ends may be those of any system. Cells are separated by commas in ``.csv``, by tabs in
``.tsv``, and by spaces or tabs in all others. Blank lines, lines that begin with # and a
first line of titles are left out.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np

from marble_eval.data.text_files import number_of, text_of

Value = TypeVar("Value")

#: The first columns by name, and for each the words of which its title has one.
Titles = Mapping[str, tuple[str, ...]]

_SEPARATORS = {".csv": ",", ".tsv": "\t"}
_LISTED = 10  # further lines that a message names; the others are counted


class Line(NamedTuple):
    """The cells of a line, and its number in the file, from 1."""

    number: int
    cells: tuple[str, ...]


def suffix_of(path: Path, suffixes: Sequence[str], what: str) -> str:
    """Return the suffix of a file of ``what``, in lower case; it must be one of ``suffixes``."""
    suffix = path.suffix.lower()
    if suffix not in suffixes:
        raise ValueError(
            f"{path}: a file of {what} must be one of {', '.join(suffixes)}. Got {path.suffix!r}."
        )
    return suffix


def lines_of(path: Path, titles: Titles, what: str) -> list[Line]:
    """Read the lines of a text file of ``what``, one or more.

    A first line without any digit is one of titles, of which the first columns are checked.
    """
    separator = _SEPARATORS.get(path.suffix.lower())
    texts = text_of(path).replace("\r\n", "\n").replace("\r", "\n").split("\n")
    lines = []
    for number, text in enumerate(texts, start=1):
        if text.lstrip().startswith("#"):
            continue
        try:
            cells = next(csv.reader([text], delimiter=separator), []) if separator else text.split()
        except csv.Error as error:
            raise ValueError(f"{path}, line {number}: must be a row. Got {error}.") from None
        if any(each.strip() for each in cells):
            lines.append(Line(number, tuple(each.strip() for each in cells)))
    if lines and not any(each.isdigit() for cell in lines[0].cells for each in cell):
        first, *lines = lines
        for (_, words), cell in zip(titles.items(), first.cells, strict=False):
            if not any(each in cell.lower() for each in words):
                raise ValueError(
                    f"{path}, line {first.number}: the first columns must be {', '.join(titles)}. "
                    f"Got {', '.join(first.cells)}."
                )
    if not lines:
        raise ValueError(f"{path}: must have one {what} or more. Got none.")
    return lines


def parsed(
    lines: Sequence[Line], parse: Callable[[tuple[str, ...]], Value], path: Path
) -> list[Value]:
    """Parse the cells of each line; a ValueError names all lines of which ``parse`` raised one."""
    values = []
    faults = []
    for line in lines:
        try:
            values.append(parse(line.cells))
        except ValueError as error:
            faults.append((line.number, str(error)))
    refuse(faults, path)
    return values


def refuse(faults: Sequence[tuple[int, str]], path: Path) -> None:
    """Raise the first of a file's faults (line, sentence), if any, and name the other lines."""
    if not faults:
        return
    (first, sentence), *others = faults
    lines = [str(line) for line in dict.fromkeys(line for line, _ in others) if line != first]
    if len(lines) > _LISTED + 1:
        lines = [*lines[:_LISTED], f"{len(lines) - _LISTED} more"]
    listed = " and ".join([", ".join(lines[:-1]), lines[-1]]) if len(lines) > 1 else "".join(lines)
    one = " Line {} breaks a rule too." if len(lines) == 1 else " Lines {} break a rule too."
    raise ValueError(f"{path}, line {first}: {sentence}{one.format(listed) if listed else ''}")


def seconds_of(cell: str) -> float:
    """Read a time in seconds, 0 or more."""
    number = number_of(cell)
    if not (math.isfinite(number) and number >= 0):
        raise ValueError(
            f"a time must be a number of seconds, 0 or more, with a decimal point. Got {cell!r}."
        )
    return number


def numbers_in(values: Any) -> np.ndarray:
    """Return values as an array of float64, a single nan where they are no array of numbers."""
    try:
        return np.array(values, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        return np.array(np.nan)


def intervals_in(values: Any) -> np.ndarray:
    """Return starts and ends, normally (interval, 2), also where there is none."""
    times = numbers_in(values)
    return times if times.size else times.reshape(0, 2)
