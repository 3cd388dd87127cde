"""What a task folder's ``task.py`` puts in the place of its kind's functions."""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from marble_eval.kinds import Kind

#: What a ``task.py`` may define.
REPLACEABLE = ("read_tracks", "remarks", "encode", "decode", "score")

AnyKind = TypeVar("AnyKind", bound="Kind")


def overridden(kind: AnyKind, functions: Mapping[str, Callable[..., object]]) -> AnyKind:
    """Return the kind with other functions in the place of its own."""
    if not functions:
        return kind
    other = copy(kind)
    vars(other).update(functions)
    return other


def own_functions(names: Mapping[str, object], path: Path) -> Mapping[str, Callable[..., object]]:
    """Pick what a ``task.py`` replaces from the names it defines."""
    return {name: each for name in REPLACEABLE if callable(each := names.get(name))}
