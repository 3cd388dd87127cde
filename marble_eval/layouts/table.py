"""One table for all tracks: anybody's own data set, as CSV or JSON Lines.

Columns: `path` (relative to the table, or absolute), the label as the kind of task
wants it, and if you like `split` (train, valid, test), `group` (artist or song: what
must stay on one side of a split) and `recording`. Other columns are left alone. A
table without `split` is divided once, by rule, and the division is kept beside it
(`marble_eval.layouts.division`).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from marble_eval.errors import ValidationError
from marble_eval.layouts import Reading
from marble_eval.layouts.division import divided
from marble_eval.layouts.jsonl import json_row
from marble_eval.layouts.rows import refuse, text_of
from marble_eval.spec import SPLITS, Layout, Track

#: The columns of a table that has the whole of it, apart from its labels.
OPTIONAL = ("split", "group", "recording")


def read(reading: Reading, layout: Layout) -> list[Track]:
    """Read the tracks of a table.

    Parameters
    ----------
    reading : Reading
        Where, by which card.
    layout : Layout
        ``path`` of the table, ``.csv`` or ``.jsonl``, and its label column.

    Returns
    -------
    list of Track
        In the order of the table; none if it is not there.

    Raises
    ------
    ValidationError
        If it is no table, a column is missing, or a row breaks a rule; all such
        rows in one list.
    MarbleError
        If a division must be kept and cannot be written.
    """
    path = reading.root / layout.folder / layout.path
    if not path.exists():
        return []
    columns = ("path", *(reading.columns or (layout.label,)))
    rows = _json_rows if path.suffix == ".jsonl" else _csv_rows
    tracks, faults = [], []
    has_split = True
    for line, row in rows(path, columns):
        has_split = "split" in row
        try:
            tracks.append(_track(row, path.parent, reading, layout))
        except ValueError as error:
            faults.append(f"line {line}: {error}")
    refuse(faults, path)
    return tracks if has_split else divided(tracks, path)


def _csv_rows(path: Path, needed: tuple[str, ...]) -> Iterator[tuple[int, dict[str, Any]]]:
    reader = csv.DictReader(io.StringIO(text_of(path), newline=""), strict=True)
    try:
        columns = reader.fieldnames or ()
        absent = [each for each in needed if each not in columns]
        if absent:
            raise ValidationError(
                f"{path}: must have the columns {', '.join(needed)}, separated by commas, and "
                f"may have {', '.join(OPTIONAL)}. Got {', '.join(columns) or 'none'}. "
                f"Missing: {', '.join(absent)}."
            )
        for row in reader:
            # A cell beyond the header's last column has no name; a short row has no value.
            yield reader.line_num, {name: (row[name] or "").strip() for name in columns}
    except csv.Error as error:
        raise ValidationError(
            f"{path}: must be comma-separated values. Got {error} after line {reader.line_num}."
        ) from None


def _json_rows(path: Path, needed: tuple[str, ...]) -> Iterator[tuple[int, dict[str, Any]]]:
    faults, rows = [], []
    for number, line in enumerate(text_of(path).split("\n"), start=1):
        if line.strip():
            try:
                rows.append((number, json_row(line, needed)))
            except ValueError as error:
                faults.append(f"line {number}: {error}")
    refuse(faults, path)
    with_split = sum("split" in row for _, row in rows)
    if 0 < with_split < len(rows):
        raise ValidationError(
            f"{path}: 'split' must be given in every row or in none. "
            f"Got it in {with_split} of {len(rows)}."
        )
    yield from rows


def _track(row: dict[str, Any], folder: Path, reading: Reading, layout: Layout) -> Track:
    audio = PurePosixPath(_text(row, "path"))
    if not audio.name:
        raise ValueError(f"'path' must name a file. Got {str(audio)!r}.")
    label = reading.label_of(row, layout.label, reading.spec)
    split = _text(row, "split") if "split" in row else ""
    if "split" in row and split not in SPLITS:
        raise ValueError(f"'split' must be one of {', '.join(SPLITS)}. Got {split!r}.")
    name = str(audio.with_suffix(""))
    return Track(
        id=name,
        path=folder / audio,  # an absolute path stays as it is
        split=split,
        label=label,
        group=str(row.get("group") or name),
        recording=str(row.get("recording") or ""),
    )


def _text(row: dict[str, Any], name: str) -> str:
    if row[name] in (None, ""):
        raise ValueError(f"{name!r} must not be empty.")
    return str(row[name])
