"""Files of chords, as data sets and people write them.

Text (``.lab``, ``.txt``, ``.csv``, ``.tsv``) has one chord a line: start and end in
seconds, and the name in Harte's notation (ISMIR 2005), as Isophonics, RWC and Billboard
have it. JAMS has the namespaces ``chord`` and ``chord_harte``. A name is right if
`mir_eval.chord` can read it; "N" is no chord, "X" one without a name. Ends that pass
the next start by less than a millisecond are rounding, of which Billboard's files and
the durations of JAMS are full, and are cut there.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from marble_eval.data.annotations.jams import only, read_annotations
from marble_eval.data.annotations.lines import (
    intervals_in,
    lines_of,
    parsed,
    refuse,
    seconds_of,
    suffix_of,
)
from marble_eval.spec import Annotation

#: What a file of chords may be called.
SUFFIXES = (".lab", ".txt", ".csv", ".tsv", ".jams")

_TITLES = {
    "start": ("start", "onset", "time", "begin"),
    "end": ("end", "offset", "stop"),
    "name": ("chord", "name", "label", "value"),
}
_NAMESPACES = ("chord", "chord_harte")
_ROUNDING = 1e-3  # seconds


class Chords(NamedTuple):
    """The chords of a track: start and end (chord, 2) in seconds, and names.

    In order of time, without overlaps; there may be gaps. Names are Harte's (ISMIR 2005), as
    `mir_eval.chord` reads them: "N" where no chord sounds, "X" where it has no name.
    """

    intervals: np.ndarray
    names: tuple[str, ...]


def chords_text(chords: Chords) -> Annotation:
    """Write chords as one line of JSON, which `chords_of` reads back exactly."""
    rows = [
        [*each, name] for each, name in zip(chords.intervals.tolist(), chords.names, strict=True)
    ]
    return Annotation(json.dumps(rows, separators=(",", ":")))


def chords_of(text: str) -> Chords:
    """Read what `chords_text` wrote."""
    rows = json.loads(text)
    intervals = np.array([row[:2] for row in rows], dtype=np.float64).reshape(-1, 2)
    return Chords(intervals, tuple(row[2] for row in rows))


def checked_chords(
    intervals: Sequence[Sequence[float]] | np.ndarray, names: Sequence[str]
) -> Chords:
    """Check the intervals (chord, 2) in seconds and the names of a track's chords.

    They must be in order of time; where two overlap by less than a millisecond, the first is cut.
    """
    times = intervals_in(intervals)
    if times.ndim != 2 or times.shape[1] != 2 or len(times) != len(names):
        raise ValueError(
            f"chords must have a start and an end in seconds and a name each. Got "
            f"{str(intervals)[:80]!r} and {len(names)} names."
        )
    bad = np.flatnonzero(~(np.isfinite(times) & (times >= 0)).all(axis=1))
    if bad.size:
        raise ValueError(
            f"chord {bad[0] + 1}: a time must be a number of seconds, 0 or more. Got "
            f"{times[bad[0]].tolist()}."
        )
    strange = [index for index, each in enumerate(names) if not isinstance(each, str)]
    if strange:
        raise ValueError(
            f"chord {strange[0] + 1}: a name must be text. Got {str(names[strange[0]])[:80]!r}."
        )
    faults = _faults(times, names)
    if faults:
        raise ValueError(f"chord {faults[0][0] + 1}: {faults[0][1]}")
    times[:-1, 1] = np.minimum(times[:-1, 1], times[1:, 0])
    return Chords(times, tuple(names))


def read_chords(path: Path) -> Chords:
    """Read a file of chords; a ValueError names the file and all lines that break a rule."""
    if suffix_of(path, SUFFIXES, "chords") == ".jams":
        return _from_jams(path)
    lines = lines_of(path, _TITLES, "chord")
    found = parsed(lines, _chord, path)
    times = np.array([each[:2] for each in found])
    names = [each[2] for each in found]
    refuse([(lines[index].number, fault) for index, fault in _faults(times, names)], path)
    return checked_chords(times, names)


def _chord(cells: tuple[str, ...]) -> tuple[float, float, str]:
    if len(cells) != 3:
        raise ValueError(
            f"a line must have start, end and name of a chord. Got {len(cells)} cells: "
            f"{' '.join(cells)[:80]!r}. Quote a name that holds a comma."
        )
    return seconds_of(cells[0]), seconds_of(cells[1]), cells[2]


def _from_jams(path: Path) -> Chords:
    observations = only(read_annotations(path, _NAMESPACES), path).observations
    times = [[each.time, each.time + each.duration] for each in observations]
    try:
        return checked_chords(times, [each.value for each in observations])
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _faults(times: np.ndarray, names: Sequence[str]) -> list[tuple[int, str]]:
    """List by index what is wrong with the order of chords, and with their names."""
    unreadable = {name for name in set(names) if not _is_readable(name)}
    faults = []
    for index, ((start, end), name) in enumerate(zip(times.tolist(), names, strict=True)):
        before, until = times[index - 1].tolist() if index else (-1.0, 0.0)
        if not end > start:
            faults.append((index, f"a chord must end after it starts. Got {start} to {end} s."))
        elif start <= before or until - start >= _ROUNDING:
            faults.append(
                (
                    index,
                    f"a chord must start when the one before it has ended. Got {start} s after "
                    f"{before} to {until} s.",
                )
            )
        if name in unreadable:
            faults.append(
                (index, f"a chord must be named as in A:min7/b3, C, N or X. Got {name!r}.")
            )
    return faults


def _is_readable(name: str) -> bool:
    from mir_eval import chord  # noqa: PLC0415 - it takes half a second

    try:
        chord.encode(name)
    except Exception:  # of any class: some names lead past mir_eval's own checks
        return False
    return True
