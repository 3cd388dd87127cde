"""Progress on stderr: bars on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from marble_eval.cli.terminal import bare, shield
from marble_eval.names import visible

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

    from marble_eval.progress import Progress

_SECONDS = 10.0  # between two plain lines


def shown() -> Progress:
    """Return bars if stderr is a terminal, plain lines otherwise."""
    return Bars() if sys.stderr.isatty() else Lines()


class Lines:
    """Plain lines: the start of a stage, every ten seconds, and its end."""

    def __init__(self) -> None:
        self._title, self._total, self._done = "", 0, 0
        self._began = self._last = 0.0

    def begin(self, title: str, total: int) -> None:
        """Name the stage."""
        self._title, self._total, self._done = title, total, 0
        self._began = self._last = time.monotonic()

    def advance(self, steps: int = 1) -> None:
        """Say now and then how far it is."""
        self._done += steps
        if time.monotonic() - self._last > _SECONDS:
            self._last = time.monotonic()
            self.say(f"{self._title}: {self._done} of {self._total}")

    def say(self, sentence: str) -> None:
        """Write a line."""
        sys.stderr.write(f"{sentence}\n")
        sys.stderr.flush()

    def end(self) -> None:
        """Say what was done, and how long it took."""
        seconds = time.monotonic() - self._began
        self.say(f"{self._title}: {self._done} of {self._total}, {seconds:.1f} s")


class Bars:
    """A bar for the running stage."""

    def __init__(self) -> None:
        self._bars: RichProgress | None = None
        self._bar: TaskID | None = None

    def begin(self, title: str, total: int) -> None:
        """Draw a bar."""
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        self._bars = Progress(
            TextColumn("{task.description:<6}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=Console(file=bare(sys.stderr)),
        )
        self._bars.start()
        shield()  # rich put streams of its own there, which keep what is written off the bar
        self._bar = self._bars.add_task(visible(title), total=total)

    def advance(self, steps: int = 1) -> None:
        """Move the bar."""
        if self._bars is not None and self._bar is not None:
            self._bars.advance(self._bar, steps)

    def say(self, sentence: str) -> None:
        """Write a line above the bar."""
        if self._bars is not None:
            self._bars.console.print(visible(sentence), highlight=False, markup=False)
        else:
            sys.stderr.write(f"{sentence}\n")

    def end(self) -> None:
        """Leave the bar where it is."""
        if self._bars is not None:
            self._bars.stop()
            self._bars = self._bar = None
