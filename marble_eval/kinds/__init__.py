"""Kinds of task: what classification, tagging, key, … and beats, chords and notes each are.

`Kind` says what one must have. Every module that `KINDS` names holds an instance, ``KIND``,
and is loaded when a task asks for it.
"""

from __future__ import annotations

from importlib import import_module

from marble_eval.kinds.kind import Estimate, FrameKind, Kind, TrackKind

#: The modules of this package that a card's ``kind`` can name.
KINDS = (
    "beat",
    "chord",
    "classification",
    "frames",
    "key",
    "pitch",
    "regression",
    "tagging",
)

__all__ = ["KINDS", "Estimate", "FrameKind", "Kind", "TrackKind", "load_kind"]


def load_kind(name: str) -> Kind:
    """Load one of `KINDS`.

    Examples
    --------
    >>> load_kind("pitch").estimate
    'track'
    """
    kind: Kind = import_module(f"marble_eval.kinds.{name}").KIND
    return kind
