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
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from pathlib import Path, PurePosixPath
from typing import Any

from marble_eval.data.layouts import Reading
from marble_eval.data.layouts.conflicts import Fault, Row, audio_faults, conflicts
from marble_eval.data.layouts.division import divided
from marble_eval.data.layouts.rows import json_row, normal_value, refuse, text_of
from marble_eval.data.text_files import found_file, is_there, nfc, path_hint
from marble_eval.errors import ValidationError
from marble_eval.spec import SPLITS, Layout, Track

#: The columns of a table that has the whole of it, apart from its labels.
OPTIONAL = ("split", "group", "recording")

_MOST_COLUMNS = 10_000  # a table of a hundred thousand is none of tracks


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
    faults += conflicts(rows, reading.spec)
    if faults:
        faults += audio_faults(rows)
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
