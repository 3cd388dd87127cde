"""How long work tells where it is, without knowing who listens.

The library counts steps and says sentences; the command line turns them into
bars or plain lines on stderr, and a training loop that calls the library hears
nothing.
"""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Who is told how far the work has got."""

    def begin(self, title: str, total: int) -> None:
        """Start a stage of ``total`` steps; the one before has ended."""

    def advance(self, steps: int = 1) -> None:
        """Report steps done."""

    def say(self, sentence: str) -> None:
        """Report a fact."""

    def end(self) -> None:
        """End the stage."""


class Silence:
    """Tell nobody."""

    def begin(self, title: str, total: int) -> None:
        """Take no notice."""

    def advance(self, steps: int = 1) -> None:
        """Take no notice."""

    def say(self, sentence: str) -> None:
        """Take no notice."""

    def end(self) -> None:
        """Take no notice."""
