"""Arguments of the plain verbs: argparse and key=value, with usage errors like all others."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from marble_eval.errors import SpecError, near_misses

# Files of a result, which no table or report may take the place of.
_TAKEN = frozenset({"result.json", "predictions.parquet"})


class Arguments(argparse.ArgumentParser):
    """A parser that raises instead of leaving the program.

    Parameters
    ----------
    verb : str
        For the messages.
    """

    def __init__(self, verb: str) -> None:
        super().__init__(prog=f"marble-eval {verb}", add_help=False, allow_abbrev=False)

    def error(self, message: str) -> NoReturn:
        """Complain of the usage."""
        raise SpecError(f"{self.prog}: {message}. See {self.prog} --help.")


def assignments(words: Sequence[str], known: Sequence[str], verb: str) -> dict[str, str]:
    """Read key=value words, as `marble-eval run` takes them.

    Parameters
    ----------
    words : sequence of str
        What stands on the command line.
    known : sequence of str
        Keys that are understood.
    verb : str
        For the messages.

    Returns
    -------
    dict of str to str
        Values by key.

    Raises
    ------
    SpecError
        If a word has no "=" or no value, or its key is unknown or given twice.

    Examples
    --------
    >>> assignments(["task=GTZAN"], ("task", "task.root"), "marble-eval data")
    {'task': 'GTZAN'}
    """
    given: dict[str, str] = {}
    for word in words:
        key, sign, value = word.partition("=")
        if not sign or not value:
            raise SpecError(f"{verb}: must be given key=value. Got {word!r}. See {verb} --help.")
        if key not in known:
            raise SpecError(f"{verb}: unknown key {key!r}. {near_misses(key, known)}")
        if key in given:
            raise SpecError(f"{verb}: {key} must be given once. Got {given[key]!r} and {value!r}.")
        given[key] = value
    return given


def output_file(verb: str, option: str, name: str | Path) -> Path:
    """Check the file that an option names: a folder after it was meant as one of results.

    Parameters
    ----------
    verb : str
        Such as "leaderboard", for the messages.
    option : str
        Such as "--csv".
    name : str or Path
        What stands behind it.

    Returns
    -------
    Path
        The file; it may be there already.

    Raises
    ------
    SpecError
        If it is a folder, a file of a result, or in a folder that does not exist.

    Examples
    --------
    >>> output_file("leaderboard", "--csv", "scores.csv").name
    'scores.csv'
    """
    path, who = Path(name), f"marble-eval {verb}"
    if path.is_dir() or str(name).endswith(("/", "\\")):
        raise SpecError(
            f"{who}: {option} must be followed by a file, or by nothing. Got the folder "
            f"{str(name)!r}. Write the folders of results first: {who} {name} {option}."
        )
    if path.name in _TAKEN:
        raise SpecError(
            f"{who}: {option} must not replace a file of a result. Got {str(name)!r}. "
            f"Name another file."
        )
    if not path.parent.is_dir():
        raise SpecError(
            f"{who}: {option} must name a file in a folder that exists. Got {str(name)!r}. "
            f"Make the folder {path.parent} first."
        )
    return path
