"""MAESTRO: piano performances with the MIDI that the piano recorded, by their release's table.

Version 3.0.0 is version 2.0.0 without six performances of chamber music, in which a string
quartet plays that no MIDI tells of. They are left out of version 2.0.0 too, so that both
are the same tracks. The split is the published one.
"""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

from marble_eval.data.layouts import check_root, where_to_get
from marble_eval.data.layouts.rows import refuse, text_of
from marble_eval.data.tracks import groups_astride
from marble_eval.errors import MissingError, ValidationError
from marble_eval.kinds.frames import KIND as frames
from marble_eval.spec import Track

if TYPE_CHECKING:
    from collections.abc import Sequence

    from marble_eval.data.layouts import Lists
    from marble_eval.spec import TaskSpec

_VERSIONS = ("maestro-v3.0.0", "maestro-v2.0.0")
_COLUMNS = ("canonical_composer", "canonical_title", "split", "midi_filename", "audio_filename")
_SPLITS = {"train": "train", "validation": "valid", "test": "test"}

#: Performances of 2.0.0 that 3.0.0 does not have.
WITH_QUARTET = (
    "2018/MIDI-Unprocessed_Chamber1_MID--AUDIO_07_R3_2018_wav--2",
    "2018/MIDI-Unprocessed_Chamber2_MID--AUDIO_09_R3_2018_wav--3",
    "2018/MIDI-Unprocessed_Chamber3_MID--AUDIO_10_R3_2018_wav--3",
    "2018/MIDI-Unprocessed_Chamber4_MID--AUDIO_11_R3_2018_wav--3",
    "2018/MIDI-Unprocessed_Chamber5_MID--AUDIO_18_R3_2018_wav--2",
    "2018/MIDI-Unprocessed_Chamber6_MID--AUDIO_20_R3_2018_wav--3",
)

_LISTED = 20  # files named in a message; the others are counted


class _Row(NamedTuple):
    """A row of the table; the paths are those of this copy."""

    line: int
    split: str
    work: str
    audio: Path
    midi: Path

    @property
    def id(self) -> str:
        return f"{self.audio.parent.name}/{self.audio.stem}"


def read_tracks(root: Path, spec: TaskSpec, lists: Lists) -> list[Track]:
    """Read the performances of the newest version that is there.

    Parameters
    ----------
    root : Path
        The user's copy of the data.
    spec : TaskSpec
        The card.
    lists : callable
        Not needed: the table has the split.

    Returns
    -------
    list of Track
        In the order of the table; absent audio included. A group is a work, by composer
        and title.

    Raises
    ------
    MissingError
        If there is no table, or MIDI files are missing; all of them named.
    ValidationError
        If a row or a MIDI file breaks a rule.
    """
    table = _table(root, spec)
    rows = [each for each in _rows(table) if each.id not in WITH_QUARTET]
    absent = [str(each.midi) for each in rows if not each.midi.is_file()]
    if absent:
        more = f", and {len(absent) - _LISTED} more" if len(absent) > _LISTED else ""
        raise MissingError(
            f"{table}: must lie beside the MIDI file of every row. Missing: {len(absent)} of "
            f"{len(rows)}: {', '.join(absent[:_LISTED])}{more}. Unpack them there"
            f"{where_to_get(spec)}."
        )
    tracks, faults = [], []
    for each in rows:
        try:
            tracks.append(_track(each, root, spec))
        except ValueError as error:
            faults.append(f"line {each.line}: {error}")
    refuse(faults, table)
    return _grouped(tracks)


def remarks(root: Path, spec: TaskSpec, lists: Lists) -> list[str]:
    """Count the performances that are left out, for the result.

    Parameters
    ----------
    root, spec, lists
        As for `read_tracks`.

    Returns
    -------
    list of str
        One sentence; none of a version that does not have them.
    """
    table = _table(root, spec)
    rows = _rows(table)
    count = sum(each.id in WITH_QUARTET for each in rows)
    if not count:
        return []
    return [
        f"{spec.name} uses {len(rows) - count} of {len(rows)} performances. Left out: {count} of "
        f"chamber music, which version 3.0.0 does not have."
    ]


def _table(root: Path, spec: TaskSpec) -> Path:
    check_root(root, spec)
    places = [root / place / f"{each}.csv" for each in _VERSIONS for place in (each, ".")]
    found = next((path for path in places if path.is_file()), None)
    if found is None:
        raise MissingError(
            f"{root}: must hold the table of a release. Looked for "
            f"{', '.join(path.relative_to(root).as_posix() for path in places)}; found none of "
            f"them. Set task.root to the right folder{where_to_get(spec)}."
        )
    return found


def _rows(table: Path) -> list[_Row]:
    reader = csv.DictReader(io.StringIO(text_of(table), newline=""), strict=True)
    rows, faults = [], []
    try:
        missing = [each for each in _COLUMNS if each not in (reader.fieldnames or ())]
        if missing:
            raise ValidationError(
                f"{table}: must have the columns {', '.join(_COLUMNS)}. Missing: "
                f"{', '.join(missing)}. Take the published file."
            )
        for row in reader:
            values = [row[each] or "" for each in _COLUMNS]
            if not all(values):
                empty = next(
                    name for name, value in zip(_COLUMNS, values, strict=True) if not value
                )
                faults.append(f"line {reader.line_num}: {empty!r} must not be empty.")
            elif row["split"] not in _SPLITS:
                faults.append(
                    f"line {reader.line_num}: 'split' must be one of {', '.join(_SPLITS)}. "
                    f"Got {row['split']!r}."
                )
            else:
                rows.append(_row(reader.line_num, values, table.parent))
    except csv.Error as error:
        raise ValidationError(
            f"{table}: must be comma-separated values. Got {error} after line {reader.line_num}."
        ) from None
    refuse(faults, table)
    if not rows:
        raise ValidationError(f"{table}: must have a row for each performance. Got none.")
    return rows


def _row(line: int, values: Sequence[str], folder: Path) -> _Row:
    composer, title, split, midi, audio = values
    return _Row(
        line,
        _SPLITS[split],
        f"{composer}: {title}",
        _either(folder, audio, ".flac"),  # the same sound in half the space
        _either(folder, midi, ".mid"),
    )


def _either(folder: Path, name: str, suffix: str) -> Path:
    """Find a published file, or the same with another extension."""
    published = folder / PurePosixPath(name)
    other = published.with_suffix(suffix)
    return other if other.is_file() and not published.is_file() else published


def _track(row: _Row, root: Path, spec: TaskSpec) -> Track:
    notes = {"notes": row.midi.relative_to(root).as_posix()}
    label = frames.label_of(notes, "notes", spec, root=root)
    return Track(id=row.id, path=row.audio, split=row.split, label=label, group=row.work)


def _grouped(tracks: Sequence[Track]) -> list[Track]:
    """Group performances by work; those of a title that is in two splits stand alone.

    Such a title is of a collection, whose pieces are divided: of four songs by Schubert in
    Liszt's setting two are for training and two for test.
    """
    collections = set(groups_astride(tracks))
    return [replace(each, group=each.id) if each.group in collections else each for each in tracks]
