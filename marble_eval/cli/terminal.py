"""The edge to the terminal: all that a verb writes passes here, and no name in it can steer one."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TextIO, cast

from marble_eval.names import visible


class Terminal:
    """A stream that writes escapes for signs that cannot be seen; `bare` is what it writes to."""

    def __init__(self, bare: TextIO) -> None:
        self.bare = bare

    def write(self, text: str) -> int:
        """Write a text."""
        self.bare.write(visible(text))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write several texts."""
        self.write("".join(lines))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.bare, name)


def shield() -> None:
    """Let stdout and stderr pass the edge from now on."""
    sys.stdout = cast("TextIO", _shielded(sys.stdout))
    sys.stderr = cast("TextIO", _shielded(sys.stderr))


@contextmanager
def shielded() -> Iterator[None]:
    """Let stdout and stderr pass the edge, and give them back."""
    before = sys.stdout, sys.stderr
    shield()
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


def bare(stream: TextIO | Terminal) -> TextIO:
    """Return the stream behind the edge, for who draws bars; names in it are shielded there."""
    return stream.bare if isinstance(stream, Terminal) else stream


def _shielded(stream: object) -> object:
    return stream if isinstance(stream, Terminal | None) else Terminal(cast("TextIO", stream))
