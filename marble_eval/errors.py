"""The errors a user can meet, and the sentence that helps with a misspelt name.

Every message says who, which rule, what was got and the next step. The class
decides the exit code of the command line: 1 failed, 2 usage, 3 data or weights
missing, 4 validation failed. Plain ``ValueError`` is for pure functions.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class MarbleError(Exception):
    """Something went wrong that the message explains; exit code 1."""

    exit_code = 1


class SpecError(MarbleError, ValueError):
    """A task card, config or command does not follow its rules; exit code 2."""

    exit_code = 2


class MissingError(MarbleError):
    """Audio, annotations or weights are absent or unusable; exit code 3."""

    exit_code = 3


class ValidationError(MarbleError):
    """A file that was to be checked is not what it claims to be; exit code 4."""

    exit_code = 4


def close_names(name: str, known: Iterable[str]) -> list[str]:
    """Return the known names that a misspelt one may have meant: those it begins, and near ones."""
    by_folded = {each.casefold(): each for each in known}
    folded = name.casefold()
    begun = [each for each in sorted(by_folded) if len(folded) > 2 and each.startswith(folded)]
    near = difflib.get_close_matches(folded, by_folded, n=3, cutoff=0.6)
    return [by_folded[each] for each in dict.fromkeys([*near, *begun[:6]])]


def near_misses(name: str, known: Iterable[str]) -> str:
    """Say which known names a misspelt one may have meant, then list them all.

    Parameters
    ----------
    name : str
        The name that was not found.
    known : iterable of str
        The names that exist.

    Returns
    -------
    str
        A sentence or two for the end of an error message.

    Examples
    --------
    >>> near_misses("GTZN", ["GTZAN", "EMO"])
    "Did you mean 'GTZAN'? Known: EMO, GTZAN."
    """
    names = sorted(known)
    close = close_names(name, names)
    hint = f"Did you mean {' or '.join(map(repr, close))}? " if close else ""
    return f"{hint}Known: {', '.join(names) if names else 'none'}."
