"""Arguments of the plain verbs: argparse, with usage errors like all others."""

from __future__ import annotations

import argparse
from typing import NoReturn

from marble_eval.errors import SpecError


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
