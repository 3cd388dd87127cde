"""Arguments of the plain verbs: argparse and key=value, with usage errors like all others."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from marble_eval.errors import SpecError, near_misses

# Files of a result, which no table or report may take the place of.
_TAKEN = frozenset({"result.json", "predictions.parquet"})


def _expanded(word: str) -> str:
    option, sign, value = word.partition("=")
    if sign and value.startswith("~"):
        return f"{option}={Path(value).expanduser()}"
    return str(Path(word).expanduser()) if word.startswith("~") else word


class Arguments(argparse.ArgumentParser):
    """A parser that raises instead of leaving the program."""

    def __init__(self, verb: str) -> None:
        super().__init__(prog=f"marble-eval {verb}", add_help=False, allow_abbrev=False)

    def parse_known_args(  # type: ignore[override]  # which parse_args calls
        self, args: Sequence[str] | None = None, namespace: Any = None
    ) -> Any:
        """Parse words, `~` in paths and in options such as ``--html=~/page.html`` expanded."""
        return super().parse_known_args([_expanded(each) for each in args or ()], namespace)

    def error(self, message: str) -> NoReturn:
        """Complain of the usage."""
        raise SpecError(f"{self.prog}: {message}. See {self.prog} --help.")


def assignments(words: Sequence[str], known: Sequence[str], verb: str) -> dict[str, str]:
    """Read key=value words, as `marble-eval run` takes them."""
    given: dict[str, str] = {}
    for word in map(_expanded, words):
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
    """Check the file that an option names: a folder after it was meant as one of results."""
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
