"""Files of beats, as data sets and people write them.

Text (``.beats``, ``.txt``, ``.csv``, ``.tsv``) has one beat a line: its time in seconds
and, if it was annotated, its position in the bar: 1 is the downbeat. So madmom, Ballroom
(Krebs et al., ISMIR 2013) and Harmonix have it; what stands behind the position, such as
Harmonix's number of the bar, is not read. Ballroom first had bar and beat in one number,
9.3 for the third beat of the ninth bar, which is read too. JAMS as in GTZAN-Rhythm has
an annotation for beats and one for downbeats, or a position for each beat. Where no
positions are given, or all are alike, downbeats are not annotated: GTZAN-Rhythm has the
value 1 at every beat.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from marble_eval.data.annotations.beats import Beats
from marble_eval.data.annotations.jams import Observation, only, read_annotations
from marble_eval.data.annotations.lines import Row, parsed, refuse, rows_of, seconds_of

#: What a file of beats may be called.
SUFFIXES = (".beats", ".txt", ".csv", ".tsv", ".jams")

_TITLES = {
    "time": ("time", "beat", "onset", "start", "sec"),
    "position": ("pos", "beat", "number", "count", "label", "value"),
}
_NAMESPACES = ("beat", "beat_position")
_POSITION = re.compile(r"(0|[1-9]\d*)(?:\.(\d+))?", re.ASCII)
_SCIENTIFIC = re.compile(r"\d\.\d+e[+]\d\d", re.ASCII)
_LONGEST = 128  # beats of a bar; a larger position is the rest of a time with a decimal comma


class _Line(NamedTuple):
    time: float
    bar: int | None  # where bar and beat are one number
    position: int | None


def checked_beats(
    beats: Sequence[float] | np.ndarray, downbeats: Sequence[float] | np.ndarray
) -> Beats:
    """Check the times of beats.

    Parameters
    ----------
    beats : array_like [shape=(beat,)]
        Times in seconds, downbeats included.
    downbeats : array_like [shape=(downbeat,)]
        Times in seconds; empty where they are not annotated.

    Returns
    -------
    Beats
        As float64.

    Raises
    ------
    ValueError
        If a time is no finite number, is negative, or does not come after the one before it.

    Examples
    --------
    >>> checked_beats([0.5, 1], [0.5])
    Beats(beats=array([0.5, 1. ]), downbeats=array([0.5]))
    >>> checked_beats([0.5, 0.5], [])
    Traceback (most recent call last):
    ...
    ValueError: beat 2: a beat must come after the one before it. Got 0.5 s after 0.5 s.
    """
    return Beats(_checked(beats, "beat"), _checked(downbeats, "downbeat"))


def read_beats(path: Path) -> Beats:
    """Read a file of beats.

    Parameters
    ----------
    path : Path
        ``.beats``, ``.txt``, ``.csv``, ``.tsv`` or ``.jams``.

    Returns
    -------
    Beats
        Times in seconds.

    Raises
    ------
    ValueError
        If the file is not there, is not what its name says, has no beat, or a line
        breaks a rule; with the file and all such lines.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise ValueError(
            f"{path}: a file of beats must be one of {', '.join(SUFFIXES)}. Got {path.suffix!r}."
        )
    if path.suffix.lower() == ".jams":
        return _from_jams(path)
    rows = rows_of(path, _TITLES)
    if not rows:
        raise ValueError(f"{path}: must have one beat or more. Got none.")
    lines = parsed(rows, _line, path)
    times = np.array([each.time for each in lines])
    point = " Decimals need a point." if path.suffix.lower() == ".csv" else ""
    faults = [(rows[index].line, told + point) for index, told in _not_rising(times)]
    refuse(sorted([*faults, *_position_faults(lines, rows)]), path)
    return checked_beats(times, _downbeats(times, [each.position for each in lines]))


def _line(cells: tuple[str, ...]) -> _Line:
    time, cell = seconds_of(cells[0]), "".join(cells[1:2])
    if not cell:
        return _Line(time, None, None)
    # numpy.savetxt writes 1 as 1.000000000000000000e+00, and 9.3 with the digits behind it.
    match = _POSITION.fullmatch(f"{float(cell):.6f}" if _SCIENTIFIC.fullmatch(cell) else cell)
    # 1.000 is the number 1; there is no beat 0.
    bar, beat = (int(match[1]), (match[2] or "").rstrip("0")) if match else (0, "")
    if len(beat) == 1:
        return _Line(time, bar, int(beat))
    if beat or not 1 <= bar <= _LONGEST:
        raise ValueError(
            f"a position in the bar must be a whole number, 1 for the downbeat, or bar and beat "
            f"as in 9.3, after a time with a decimal point. Got {cell!r}."
        )
    return _Line(time, None, bar)


def _position_faults(lines: Sequence[_Line], rows: Sequence[Row]) -> Iterator[tuple[int, str]]:
    """Say where positions are missing, mixed, or go back to an earlier bar."""
    first = lines[0]
    for before, this, row in zip(lines, lines[1:], rows[1:], strict=False):
        if (this.position is None) != (first.position is None):
            yield row.line, "a position in the bar must be given for every beat or for none."
        elif (this.bar is None) != (first.bar is None):
            yield row.line, "positions must all be whole numbers, or all bar and beat as in 9.3."
        elif this.bar is not None and before.bar is not None and this[1:] <= before[1:]:
            yield (
                row.line,
                f"bar and beat must rise. Got {this.bar}.{this.position} after "
                f"{before.bar}.{before.position}.",
            )


def _downbeats(times: np.ndarray, positions: Sequence[Any]) -> np.ndarray:
    if len({each for each in positions if each is not None}) < 2:
        return np.empty(0)
    return times[[each == 1 for each in positions]]


def _from_jams(path: Path) -> Beats:
    found = read_annotations(path, _NAMESPACES)
    if any(each.purpose for each in found):
        beats, downbeats = (
            [each for each in found if each.purpose == purpose] for purpose in ("beat", "downbeat")
        )
        if not beats:
            purposes = ", ".join(each.purpose or "none" for each in found)
            raise ValueError(
                f"{path}: 'annotation_type' of an annotation must be 'beat'. Got {purposes}."
            )
        times = _times(only(beats, path).observations)
        firsts = _times(only(downbeats, path).observations) if downbeats else np.empty(0)
    else:
        observations = only(found, path).observations
        times = _times(observations)
        firsts = _downbeats(times, [_position(each) for each in observations])
    try:
        return checked_beats(times, firsts)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _times(observations: Sequence[Observation]) -> np.ndarray:
    return np.array([each.time for each in observations], dtype=np.float64)


def _position(observation: Observation) -> float | None:
    value = observation.value
    value = value.get("position") if isinstance(value, Mapping) else value
    return float(value) if isinstance(value, int | float) else None


def _checked(values: Sequence[float] | np.ndarray, name: str) -> np.ndarray:
    try:
        times = np.array(values, dtype=np.float64)
    except (TypeError, ValueError):
        times = np.array(np.nan)
    if times.ndim != 1:
        raise ValueError(f"{name}s must be a list of times in seconds. Got {str(values)[:80]!r}.")
    bad = np.flatnonzero(~(np.isfinite(times) & (times >= 0)))
    if bad.size:
        raise ValueError(
            f"{name} {bad[0] + 1}: a time must be a number of seconds, 0 or more. "
            f"Got {times[bad[0]]}."
        )
    falls = _not_rising(times)
    if falls:
        raise ValueError(f"{name} {falls[0][0] + 1}: {falls[0][1]}")
    return times


def _not_rising(times: np.ndarray) -> list[tuple[int, str]]:
    rule = "a beat must come after the one before it."
    return [
        (index + 1, f"{rule} Got {times[index + 1]} s after {times[index]} s.")
        for index in np.flatnonzero(np.diff(times) <= 0).tolist()
    ]
