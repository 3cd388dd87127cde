"""MARBLE v2's layout: a JSON Lines file for each split, with the path of each audio file.

The paths were written relative to the folder that held MARBLE's `data`, so they
are looked for below the user's root with their leading folders taken away.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

from marble_eval.data.layouts import Reading
from marble_eval.data.layouts.rows import below, json_row, refuse, text_of
from marble_eval.data.text_files import is_there, path_hint
from marble_eval.errors import MissingError
from marble_eval.spec import Layout, Track


def read(reading: Reading, layout: Layout) -> list[Track]:
    """Read the ``files`` of the splits, with the layout's fields; none if none is there."""
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
    path = below(reading.root, audio)
    if not is_there(path) and (hint := path_hint(str(audio))):
        raise ValueError(f"the audio is missing: {audio}.{hint}")
    # The same id as in other layouts, so that predictions can be compared.
    name = str(PurePosixPath(*audio.parts[-2:]).with_suffix(""))
    return Track(
        id=name,
        path=path,
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
