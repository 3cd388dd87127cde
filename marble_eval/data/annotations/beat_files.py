"""Files of beats, as data sets and people write them.

Text (``.beats``, ``.txt``, ``.csv``, ``.tsv``) has one beat a line: its time in seconds
and, if it was annotated, its position in the bar: 1 is the downbeat. So madmom, Ballroom
(Krebs et al., ISMIR 2013) and Harmonix have it; what follows the position, such as
Harmonix's number of the bar, is not read. Ballroom first had bar and beat in one number,
9.3 for the third beat of the ninth bar, which is read too; so are label tracks (Audacity:
the time twice, then a label). JAMS as in GTZAN-Rhythm has an annotation for beats and one
for downbeats, or a position for each beat. Where no positions are given, or all are alike,
downbeats are not annotated: GTZAN-Rhythm has the value 1 at every beat.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from marble_eval import spec
from marble_eval.data.annotations.jams import Annotation, only, read_annotations
from marble_eval.data.annotations.lines import (
    Line,
    lines_of,
    numbers_in,
    parsed,
    refuse,
    seconds_of,
    suffix_of,
)
from marble_eval.data.text_files import number_of

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


class Beats(NamedTuple):
    """The beats of a track: times in seconds, rising, downbeats included; and the downbeats.

    Downbeats, the first beats of bars, are empty where they are not annotated.
    """

    beats: np.ndarray
    downbeats: np.ndarray


def beats_text(beats: Beats) -> spec.Annotation:
    """Write beats as one line of JSON, which `beats_of` reads back exactly."""
    values = {name: times.tolist() for name, times in beats._asdict().items()}
    return spec.Annotation(json.dumps(values, separators=(",", ":")))


def beats_of(text: str) -> Beats:
    """Read what `beats_text` wrote."""
    values = json.loads(text)
    return Beats(*(np.array(values[name], dtype=np.float64) for name in Beats._fields))


class _Beat(NamedTuple):
    time: float
    bar: int | None  # where bar and beat are one number
    position: int | None


def checked_beats(
    beats: Sequence[float] | np.ndarray, downbeats: Sequence[float] | np.ndarray
) -> Beats:
    """Check the times of beats and downbeats: finite, not negative, rising."""
    return Beats(_checked(beats, "beat"), _checked(downbeats, "downbeat"))


def read_beats(path: Path) -> Beats:
    """Read a file of beats; a ValueError names the file and all lines that break a rule."""
    suffix = suffix_of(path, SUFFIXES, "beats")
    if suffix == ".jams":
        return _from_jams(path)
    lines = lines_of(path, _TITLES, "beat")
    if _is_label_track(lines):
        lines = [line._replace(cells=(line.cells[0], *line.cells[2:3])) for line in lines]
        # Names such as "b" say nothing of the bar.
        if not all(_is_whole("".join(line.cells[1:])) for line in lines):
            lines = [line._replace(cells=line.cells[:1]) for line in lines]
    _refuse_regions(lines, path)
    beats = parsed(lines, _beat, path)
    times = np.array([each.time for each in beats])
    point = " Decimals need a point." if suffix == ".csv" else ""
    faults = [(lines[index].number, fault + point) for index, fault in _not_rising(times)]
    refuse(sorted([*faults, *_position_faults(beats, lines)]), path)
    return checked_beats(times, _downbeats(times, [each.position for each in beats]))


def _is_label_track(lines: Sequence[Line]) -> bool:
    """Say whether every line has its time twice, with a point; "1 1" may be time and position."""
    return all(
        len(each.cells) > 1
        and all("." in cell for cell in each.cells[:2])
        and number_of(each.cells[0]) == number_of(each.cells[1])
        for each in lines
    )


def _is_whole(cell: str) -> bool:
    return cell.isascii() and cell.isdecimal() and 1 <= int(cell[:9]) <= _LONGEST


def _refuse_regions(lines: Sequence[Line], path: Path) -> None:
    """Refuse a second column of times: ends of regions, taken for bar and beat, or times alone."""
    if len(lines) < 3:
        return
    starts = [number_of(each.cells[0]) for each in lines]
    seconds = ["".join(each.cells[1:2]) for each in lines]
    ends = [number_of(each) for each in seconds]
    between = all(a <= end <= b for a, end, b in zip(starts, ends, starts[1:], strict=False))
    if between and ends[-1] >= starts[-1] and any("." in each.rstrip("0.") for each in seconds):
        raise ValueError(
            f"{path}, line {lines[0].number}: the second column must be positions in the bar. Got "
            f"times, each between that of its line and the next. Take the column out."
        )


def _beat(cells: tuple[str, ...]) -> _Beat:
    time, cell = seconds_of(cells[0]), "".join(cells[1:2])
    if not cell:
        return _Beat(time, None, None)
    # numpy.savetxt writes 1 as 1.000000000000000000e+00, and 9.3 with the digits behind it.
    match = _POSITION.fullmatch(f"{float(cell):.6f}" if _SCIENTIFIC.fullmatch(cell) else cell)
    # 1.000 is the number 1; there is no beat 0.
    bar, beat = (int(match[1]), (match[2] or "").rstrip("0")) if match else (0, "")
    if len(beat) == 1:
        return _Beat(time, bar, int(beat))
    if beat or not 1 <= bar <= _LONGEST:
        raise ValueError(
            f"a position in the bar must be a whole number, 1 for the downbeat, or bar and beat "
            f"as in 9.3, after a time with a decimal point. Got {cell!r}."
        )
    return _Beat(time, None, bar)


def _position_faults(beats: Sequence[_Beat], lines: Sequence[Line]) -> Iterator[tuple[int, str]]:
    """Yield where positions are missing, mixed, or go back to an earlier bar."""
    first = beats[0]
    for before, this, line in zip(beats, beats[1:], lines[1:], strict=False):
        if (this.position is None) != (first.position is None):
            yield line.number, "a position in the bar must be given for every beat or for none."
        elif (this.bar is None) != (first.bar is None):
            yield line.number, "positions must all be whole numbers, or all bar and beat as in 9.3."
        elif this.bar is not None and before.bar is not None and this[1:] <= before[1:]:
            yield (
                line.number,
                f"bar and beat must rise. Got {this.bar}.{this.position} after "
                f"{before.bar}.{before.position}.",
            )


def _downbeats(times: np.ndarray, positions: Sequence[int | None]) -> np.ndarray:
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
        times = _times(only(beats, path))
        firsts = _times(only(downbeats, path)) if downbeats else np.empty(0)
    else:
        annotation = only(found, path)
        times = _times(annotation)
        firsts = _downbeats(times, _positions(annotation, path))
    try:
        return checked_beats(times, firsts)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _times(annotation: Annotation) -> np.ndarray:
    return np.array([each.time for each in annotation.observations], dtype=np.float64)


def _positions(annotation: Annotation, path: Path) -> list[int | None]:
    """Read the position of each observation, a number or one written as text."""
    values = [
        each.value.get("position") if isinstance(each.value, Mapping) else each.value
        for each in annotation.observations
    ]
    if len({str(each) for each in values}) < 2:
        return [None] * len(values)  # one word for all says nothing of the bar
    positions = [None if each in (None, "") else _position(each) for each in values]
    wrong = next((each for each, at in zip(values, positions, strict=True) if at == 0), None)
    if wrong is not None:
        raise ValueError(
            f"{path}: a value of {annotation.namespace} must be a position in the bar, a whole "
            f"number, 1 for the downbeat. Got {str(wrong)[:80]!r}."
        )
    return positions


def _position(value: Any) -> int:
    """Return a position in the bar; 0 for what is none."""
    number = number_of(value) if isinstance(value, str) else value
    good = type(number) in (int, float) and 1 <= number <= _LONGEST and number == int(number)
    return int(number) if good else 0


def _checked(values: Sequence[float] | np.ndarray, name: str) -> np.ndarray:
    times = numbers_in(values)
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
