"""One table for all tracks: anybody's own data set, as CSV or JSON Lines.

Columns: `path` (relative to the table, or absolute), the label as the kind of task
wants it, and if you like `split` (train, valid, test), `group` (artist or song: what
must stay on one side of a split) and `recording`. Other columns are left alone. A
table without `split` is divided once, by rule, and the division is kept beside it
(`marble_eval.data.layouts.division`).
"""

from __future__ import annotations

import csv
import io
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from marble_eval.data.layouts import Reading
from marble_eval.data.layouts.division import divided
from marble_eval.data.layouts.rows import json_row, normal_value, refuse, text_of
from marble_eval.data.text_files import found_file, is_there, nfc, path_hint
from marble_eval.data.tracks import label_names
from marble_eval.errors import ValidationError, near_misses
from marble_eval.files.fingerprint import file_digest
from marble_eval.spec import SPLITS, Layout, TaskSpec, Track

#: The columns of a table that has the whole of it, apart from its labels.
OPTIONAL = ("split", "group", "recording")

_MOST_COLUMNS = 10_000  # a table of a hundred thousand is none of tracks
_SAMPLE = 4096  # bytes from the middle of two files of one size, before they are read whole


class Row(NamedTuple):
    """A row that is right by itself."""

    line: int
    track: Track


class Fault(NamedTuple):
    """What is wrong, and in which line."""

    line: int
    sentence: str


def read(reading: Reading, layout: Layout) -> list[Track]:
    """Read the table at the layout's ``path``, ``.csv`` or ``.jsonl``; none if it is not there.

    All rows that break a rule are named in one error.
    """
    path = reading.root / layout.folder / layout.path
    if not path.exists():
        return []
    is_json = path.suffix == ".jsonl"
    rows: list[Row] = []
    faults: list[Fault] = []
    has_split = True
    for line, given in _json_rows(path) if is_json else _csv_rows(path, reading, layout):
        if isinstance(given, str):
            faults.append(Fault(line, given))
            continue
        has_split = "split" in given
        try:
            rows.append(Row(line, _track(given, path.parent, reading, layout)))
        except ValueError as error:
            faults.append(Fault(line, str(error)))
    if not rows and not faults:
        raise ValidationError(f"{path}: must have a row for each track. Got none.")
    faults += _conflicts(rows, reading.spec)
    if faults:
        faults += _audio_faults(rows)
    refuse([f"line {each.line}: {each.sentence}" for each in sorted(faults)], path)
    tracks = [each.track for each in rows]
    return tracks if has_split else divided(tracks, path)


def _csv_rows(
    path: Path, reading: Reading, layout: Layout
) -> Iterator[tuple[int, dict[str, Any] | str]]:
    """Yield each row with its line; in place of a row, what is wrong with it."""
    reader = csv.reader(io.StringIO(text_of(path), newline=""), strict=True)
    try:
        header = next((cells for cells in reader if any(each.strip() for each in cells)), [])
        columns = [nfc(each.strip()) for each in header]
        _check_header(columns, ("path", *(reading.columns or (layout.label,))), path)
        for cells in reader:
            values = [each.strip() for each in cells]
            if not any(values):
                continue  # spreadsheets leave lines of commas behind
            if any(values[len(columns) :]):
                yield (
                    reader.line_num,
                    f"must have {len(columns)} cells like the first line. Got {len(values)}. "
                    f"Quote a cell that holds a comma.",
                )
            else:
                # A cell that a short row lacks is None, not a label without text.
                row = dict(zip_longest(columns, values[: len(columns)]))
                yield reader.line_num, _normal(row)
    except csv.Error as error:
        raise ValidationError(
            f"{path}: must be comma-separated values. Got {error} after line {reader.line_num}."
        ) from None


def _normal(row: dict[str, Any]) -> dict[str, Any] | str:
    try:
        found: dict[str, Any] = normal_value(row)
    except ValueError as error:
        return str(error)
    return found


def _check_header(columns: Sequence[str], needed: Sequence[str], path: Path) -> None:
    if len(columns) > _MOST_COLUMNS:
        raise ValidationError(
            f"{path}: must have at most {_MOST_COLUMNS:,} columns. Got {len(columns):,}."
        )
    twice = sorted(each for each, count in Counter(columns).items() if count > 1 and each)
    if twice:
        raise ValidationError(f"{path}: a column must be there once. Got {twice[0]!r} twice.")
    absent = [each for each in needed if each not in columns]
    if not absent:
        return
    other = next(
        (each for each in (";", "\t", "|") if len(columns) == 1 and each in columns[0]), ""
    )
    hint = f" It is separated by {other!r}: save it with commas." if other else ""
    raise ValidationError(
        f"{path}: must have the columns {', '.join(needed)}, separated by commas, and may have "
        f"{', '.join(OPTIONAL)}. Got {', '.join(columns) or 'none'}. Missing: {', '.join(absent)}."
        f"{hint}"
    )


def _json_rows(path: Path) -> Iterator[tuple[int, dict[str, Any] | str]]:
    """Yield each row with its line; in place of a row, what is wrong with it."""
    rows: list[tuple[int, dict[str, Any] | str]] = []
    for number, line in enumerate(text_of(path).split("\n"), start=1):
        if line.strip():
            try:
                rows.append((number, json_row(line, ("path",))))
            except ValueError as error:
                rows.append((number, str(error)))
    with_split = sum(isinstance(row, dict) and "split" in row for _, row in rows)
    for number, row in rows:
        if isinstance(row, dict) and with_split and "split" not in row:
            yield number, "'split' must be given in every row or in none."
        else:
            yield number, row


def _track(row: dict[str, Any], folder: Path, reading: Reading, layout: Layout) -> Track:
    audio = PurePosixPath(_text(row, "path"))
    if not audio.name:
        raise ValueError(f"'path' must name a file. Got {str(audio)!r}.")
    path = found_file(folder / audio)  # an absolute path stays as it is
    if (hint := path_hint(str(audio))) and not is_there(path):
        raise ValueError(f"the audio is missing: {audio}.{hint}")
    label = reading.label_of(row, layout.label, reading.spec)
    split = _text(row, "split") if "split" in row else ""
    if "split" in row and split not in SPLITS:
        raise ValueError(f"'split' must be one of {', '.join(SPLITS)}. Got {split!r}.")
    name = str(audio.with_suffix(""))
    return Track(
        id=name,
        path=path,
        split=split,
        label=label,
        group=_optional(row, "group") or name,
        recording=_optional(row, "recording"),
    )


def _text(row: dict[str, Any], name: str) -> str:
    if row[name] in (None, ""):
        raise ValueError(f"{name!r} must not be empty.")
    return str(row[name])


def _optional(row: dict[str, Any], name: str) -> str:
    value = row.get(name)
    return "" if value is None else str(value)  # 0 is a name


def _conflicts(rows: Sequence[Row], spec: TaskSpec) -> list[Fault]:
    """Hold rows against the card and against each other."""
    return [*_unknown_labels(rows, spec), *_twice(rows), *_astride(rows)]


def _audio_faults(rows: Sequence[Row]) -> list[Fault]:
    """Look for missing files, and for the same audio in two splits.

    Only a table that is refused anyway is looked at, so that all there is to mend is named at
    once; otherwise every file is surveyed before a run.
    """
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
