"""MARBLE v2's layout: a JSON Lines file for each split, with the path of each audio file.

The paths were written relative to the folder that held MARBLE's `data`, so they
are looked for below the user's root with their leading folders taken away.
"""

from __future__ import annotations

import json
from pathlib import Path, PurePosixPath
from typing import Any

from marble_eval.data.layouts import Reading
from marble_eval.data.layouts.rows import refuse, text_of
from marble_eval.errors import MissingError
from marble_eval.spec import Layout, Track


def read(reading: Reading, layout: Layout) -> list[Track]:
    """Read the tracks of all splits.

    Parameters
    ----------
    reading : Reading
        Where, by which card.
    layout : Layout
        ``files`` by split, and the fields of label, group and recording.

    Returns
    -------
    list of Track
        In the order of the files; none if none of them is there.

    Raises
    ------
    MissingError
        If only some of the files are there.
    ValidationError
        If a row is no JSON object with a path and a label.
    """
    files = {
        split: reading.root / layout.folder / name for split, name in (layout.files or {}).items()
    }
    if not any(path.exists() for path in files.values()):
        return []
    absent = [str(path) for path in files.values() if not path.exists()]
    if absent:
        raise MissingError(f"{absent[0]}: must lie beside the other splits' files. Add it.")
    tracks = []
    for split, path in files.items():
        faults = []
        for number, line in enumerate(text_of(path).split("\n"), start=1):
            if not line.strip():
                continue
            try:
                tracks.append(_track(line, split, reading, layout))
            except ValueError as error:
                faults.append(f"line {number}: {error}")
        refuse(faults, path)
    return tracks


def _track(line: str, split: str, reading: Reading, layout: Layout) -> Track:
    row = json_row(line, ("audio_path",))
    audio = PurePosixPath(row["audio_path"]) if isinstance(row["audio_path"], str) else None
    if audio is None or not audio.name:
        raise ValueError(f"'audio_path' must name a file. Got {row['audio_path']!r}.")
    # The same id as in other layouts, so that predictions can be compared.
    name = str(PurePosixPath(*audio.parts[-2:]).with_suffix(""))
    return Track(
        id=name,
        path=below(reading.root, audio),
        split=split,
        label=reading.label_of(row, layout.label, reading.spec),
        group=_field(row, layout.group) or name,
        recording=_field(row, layout.recording),
    )


def _field(row: dict[str, Any], name: str) -> str:
    if not name:
        return ""
    if row.get(name) in (None, ""):
        raise ValueError(f"{name!r} must be given.")
    return str(row[name])


def json_row(line: str, fields: tuple[str, ...]) -> dict[str, Any]:
    """Read one row.

    Parameters
    ----------
    line : str
        A JSON object.
    fields : tuple of str
        What it must have.

    Returns
    -------
    dict
        The row.

    Raises
    ------
    ValueError
        If it is not a JSON object, or lacks a field.

    Examples
    --------
    >>> json_row('{"path": "a.wav"}', ("path",))
    {'path': 'a.wav'}
    """
    rule = f"must be a JSON object with {', '.join(repr(each) for each in fields)}."
    try:
        row = json.loads(line)
    except ValueError as error:
        raise ValueError(f"{rule} Got {line[:80]!r} ({error}).") from None
    if not isinstance(row, dict) or any(each not in row for each in fields):
        raise ValueError(f"{rule} Got {line[:80]!r}.")
    return row


def below(root: Path, audio: PurePosixPath) -> Path:
    """Find a path that was written relative to some folder above the root, or absolute.

    Parameters
    ----------
    root : Path
        The user's copy of the data.
    audio : PurePosixPath
        As published.

    Returns
    -------
    Path
        The file if it is there; else where it should be. An absolute path whose
        ends are not below the root stays as it is.
    """
    parts = audio.parts
    for start in range(len(parts)):
        candidate = root.joinpath(*parts[start:])
        if parts[start] not in ("/", "..", ".") and candidate.exists():
            return candidate
    return root / audio
