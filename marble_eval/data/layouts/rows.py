"""Rows of a text file: read as UTF-8, and every bad one named before anything is said.

A row's faults are gathered, not raised one by one: a user mends a table once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from marble_eval.errors import ValidationError

_LISTED = 20  # faults named in a message; the others are counted


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
    ValidationError
        If it is not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValidationError(
            f"{path}: must be UTF-8 text. Got {error}. Save it as such."
        ) from None


def refuse(faults: Sequence[str], path: Path) -> None:
    """Raise all faults of a file at once, if there are any.

    Parameters
    ----------
    faults : sequence of str
        One a row, with its line.
    path : Path
        The file.

    Raises
    ------
    ValidationError
        With the first twenty, and the number of the others.

    Examples
    --------
    >>> refuse(["line 2: 'path' must not be empty."], Path("tracks.csv"))
    Traceback (most recent call last):
    ...
    marble_eval.errors.ValidationError: tracks.csv, line 2: 'path' must not be empty.
    >>> refuse([], Path("tracks.csv"))
    """
    if len(faults) == 1:
        raise ValidationError(f"{path}, {faults[0]}")
    if faults:
        more = f"\n  and {len(faults) - _LISTED} more" if len(faults) > _LISTED else ""
        listed = "\n  ".join(faults[:_LISTED])
        raise ValidationError(f"{path}: {len(faults)} rows break a rule:\n  {listed}{more}")


def listing_faults(names: Iterable[str], published: Collection[str]) -> list[str]:
    """Say which rows are not on a published list, there twice, or missing.

    Parameters
    ----------
    names : iterable of str
        What each row is of.
    published : collection of str
        What the list has.

    Returns
    -------
    list of str
        One sentence a fault.

    Examples
    --------
    >>> listing_faults(["0001"], ["0001", "0002"])
    ['0002: must have a row, like all of the published list.']
    """
    times = Counter(names)
    return [
        *(
            f"{name}: must be on the published list, and in one row. Got {count} rows."
            for name, count in times.items()
            if count > 1 or name not in published
        ),
        *(
            f"{name}: must have a row, like all of the published list."
            for name in published
            if name not in times
        ),
    ]
