"""NSynth's own release: single notes, described by one JSON file for each split.

``nsynth-train/examples.json`` has an object for each note, by its name; the audio lies
in ``nsynth-train/audio/<name>.wav``, and ``valid`` and ``test`` are alike. By the data
set's documentation no instrument of train occurs elsewhere, while valid and test share
theirs; so a group is an instrument within its split, and the first half of that promise
is checked here. Source: Engel et al., arXiv 1704.01279, 2017.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from marble_eval.data.layouts import Reading
from marble_eval.data.layouts.rows import refuse, text_of
from marble_eval.errors import MissingError, ValidationError
from marble_eval.spec import SPLITS, Layout, Track

_INSTRUMENT = "instrument_str"
_NAMED = 5  # instruments named in a message; the others are counted


def read(reading: Reading, layout: Layout) -> list[Track]:
    """Read the notes below ``folder``, some 300,000, without looking for their audio."""
    folder = reading.root / layout.folder
    files = {split: folder / f"nsynth-{split}" / "examples.json" for split in SPLITS}
    absent = [path for path in files.values() if not path.is_file()]
    if len(absent) == len(files):
        return []
    if absent:
        raise MissingError(
            f"{absent[0]}: must lie beside the other splits' files. Unpack that split too."
        )
    tracks = [each for split in SPLITS for each in _notes(files[split], split, reading, layout)]
    _check_instruments(tracks, folder)
    return tracks


def _notes(path: Path, split: str, reading: Reading, layout: Layout) -> list[Track]:
    audio, spec, label_of = path.parent / "audio", reading.spec, reading.label_of
    tracks, faults = [], []
    for name, note in _objects(path, (layout.label, _INSTRUMENT)).items():
        try:
            if not isinstance(note, dict) or not note.get(_INSTRUMENT):
                raise ValueError(f"must be an object with {_INSTRUMENT!r}. Got {str(note)[:80]}.")
            tracks.append(
                Track(
                    id=name,
                    path=audio / f"{name}.wav",
                    split=split,
                    label=label_of(note, layout.label, spec),
                    group=f"{split}/{note[_INSTRUMENT]}",
                )
            )
        except ValueError as error:
            faults.append(f"note {name!r}: {error}")
    refuse(faults, path)
    return tracks


def _objects(path: Path, fields: tuple[str, ...]) -> dict[str, Any]:
    """Read the notes by name, each with what is needed of it: all of it would be 1.4 GB."""

    def needed(found: dict[str, Any]) -> dict[str, Any]:
        return {field: found[field] for field in fields if field in found} or found

    try:
        notes = json.loads(text_of(path), object_hook=needed)
    except ValueError as error:
        raise ValidationError(
            f"{path}: must be JSON. Got {error}. Unpack the archive again."
        ) from None
    if not isinstance(notes, dict):
        raise ValidationError(
            f"{path}: must be a JSON object with a note for each name. Got {type(notes).__name__}."
        )
    return notes


def _check_instruments(tracks: Sequence[Track], folder: Path) -> None:
    """Refuse an instrument of train that is heard in validation or test."""
    instruments: dict[str, set[str]] = {split: set() for split in SPLITS}
    for each in tracks:
        instruments[each.split].add(each.group.partition("/")[2])
    astride = sorted(instruments["train"] & (instruments["valid"] | instruments["test"]))
    if astride:
        more = f" and {len(astride) - _NAMED} more" if len(astride) > _NAMED else ""
        raise ValidationError(
            f"{folder}: an instrument of train must not occur in valid or test. "
            f"Got {', '.join(astride[:_NAMED])}{more}. Use the release as it was published."
        )
