"""Arguments of the plain verbs: argparse and key=value, with usage errors like all others."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import NoReturn

from marble_eval.errors import SpecError, near_misses


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
