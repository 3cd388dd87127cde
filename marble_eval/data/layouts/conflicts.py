"""Faults of a table that no row shows by itself: against the card, other rows and the disk.

Each comes with the line it is mended in. Files are looked at only when a table is
refused anyway, so that all there is to mend is told at once; otherwise missing and
doubled audio is found when every file is surveyed before a run.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from marble_eval.data.tracks import label_names
from marble_eval.errors import near_misses
from marble_eval.files.fingerprint import file_digest
from marble_eval.spec import TaskSpec, Track

_SAMPLE = 4096  # bytes from the middle of two files of one size, before they are read whole


class Row(NamedTuple):
    """A row that is right by itself."""

    line: int
    track: Track


class Fault(NamedTuple):
    """What is wrong, and in which line."""

    line: int
    sentence: str


def conflicts(rows: Sequence[Row], spec: TaskSpec) -> list[Fault]:
    """Hold rows against the card and against each other."""
    return [*_unknown_labels(rows, spec), *_twice(rows), *_astride(rows)]


def audio_faults(rows: Sequence[Row]) -> list[Fault]:
    """Look for missing files, and for the same audio in two splits."""
    faults: list[Fault] = []
    alike: dict[tuple[int, bytes], list[Row]] = {}
    for each in rows:
        try:
            alike.setdefault(_glance(each.track.path), []).append(each)
        except FileNotFoundError:
            faults.append(Fault(each.line, f"the audio is missing: {each.track.path}"))
        except OSError as error:
            why = f"cannot be read: {each.track.path}: {error.strerror or error}"
            faults.append(Fault(each.line, f"the audio {why}"))
    for some in alike.values():
        if len({each.track.split for each in some}) > 1:
            faults += _same_audio(some)
    return faults


def _unknown_labels(rows: Sequence[Row], spec: TaskSpec) -> Iterator[Fault]:
    lines: dict[str, list[int]] = {}
    for each in rows if spec.labels else ():
        for label in label_names(each.track):
            if label not in spec.labels:
                lines.setdefault(label, []).append(each.line)
    for label, at in lines.items():
        more = len(at) - 1
        others = f", and in {more} other row{'s' if more > 1 else ''}" if more else ""
        yield Fault(
            at[0],
            f"unknown label {label!r}, not among the card's{others}. "
            f"{near_misses(label, spec.labels)}",
        )


def _twice(rows: Sequence[Row]) -> Iterator[Fault]:
    first: dict[str, Row] = {}
    for each in rows:
        # a.wav, ./a.wav and x/../a.wav are one file; a.wav and a.mp3 would have one id.
        for name in {each.track.id, os.path.normpath(each.track.path)}:
            other = first.setdefault(name, each)
            if other is not each:
                yield Fault(
                    each.line,
                    f"a track must have one row, and an id (its path without extension) of its "
                    f"own. Got {each.track.id!r}, which is in line {other.line}.",
                )
                break


def _astride(rows: Sequence[Row]) -> Iterator[Fault]:
    first: dict[str, Row] = {}
    told = set()
    for each in rows:
        group, split = each.track.group, each.track.split
        other = first.setdefault(group, each)
        if other.track.split != split and group not in told and other.track.id != each.track.id:
            told.add(group)
            yield Fault(
                each.line,
                f"a group must stay in one split. Got {group!r} in {split}, and in "
                f"{other.track.split} in line {other.line}.",
            )


def _same_audio(rows: Sequence[Row]) -> Iterator[Fault]:
    first: dict[str, Row] = {}
    for each in rows:
        other = first.setdefault(file_digest(each.track.path), each)
        # A file named twice has been told of already.
        if other.track.split != each.track.split and other.track.path != each.track.path:
            yield Fault(
                each.line,
                f"the same audio must not be in two splits. Got {each.track.id!r} in "
                f"{each.track.split}, which is {other.track.id!r} of {other.track.split} in line "
                f"{other.line}.",
            )


def _glance(path: Path) -> tuple[int, bytes]:
    """Return what tells most files apart: the size, and some bytes of the middle."""
    size = path.stat().st_size
    with path.open("rb") as stream:
        stream.seek(max(0, (size - _SAMPLE) // 2))
        return size, stream.read(_SAMPLE)
