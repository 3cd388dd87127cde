"""Chords1217: songs with their chords, in MARBLE v2's rows or in the source's own folders.

The rows have a split and the chords. The folders of Jiang et al. (ISMIR 2019) have
neither: there the split is their first fold, with the validation part that their
``train_eval_test_split.py`` draws, and each song's chords are in a file of its id.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import numpy as np

from marble_eval.data.layouts import Reading, read_layouts, where_to_get
from marble_eval.data.layouts.folders import ids_of
from marble_eval.data.layouts.rows import refuse
from marble_eval.errors import MissingError
from marble_eval.kinds.chord import KIND as chord

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from marble_eval.data.layouts import Lists
    from marble_eval.spec import TaskSpec, Track

_SEED = 20190326  # the source's, for the order of the training list
_HELD_OUT = 4  # one in so many songs of it is for validation: a fifth of all
_PLACES = ("chordlab", "*/chordlab", "audio", "*/audio", ".")
_LISTED = 20  # songs named in a message; the others are counted


def read_tracks(root: Path, spec: TaskSpec, lists: Lists) -> list[Track]:
    """Read the tracks of the first layout that is there.

    Parameters
    ----------
    root : Path
        The user's copy of the data.
    spec : TaskSpec
        The card.
    lists : callable
        Gives the source's lists, ``train00`` and ``test00``; not asked for rows.

    Returns
    -------
    list of Track
        In the order of the rows, or of the lists; absent audio included.

    Raises
    ------
    MissingError
        If there is no audio in a known layout, or songs have no chords; all of them
        named.
    ValidationError
        If a row or a file of chords breaks a rule.
    """
    reading = Reading(root, spec, partial(_split_of, lists), partial(_label_of, root=root))
    tracks = read_layouts(reading)
    return tracks if all(each.label for each in tracks) else _annotated(tracks, root, spec)


def remarks(root: Path, spec: TaskSpec, lists: Lists) -> list[str]:
    """Say whose split it is, for the result.

    Parameters
    ----------
    root, spec, lists
        As for `read_tracks`.

    Returns
    -------
    list of str
        One sentence.
    """
    rows = [name for layout in spec.data for name in (layout.files or {}).values()]
    if any((root / name).exists() for name in rows):
        return [
            f"the split of {spec.name} is that of MARBLE v2's rows; from which fold is not told"
        ]
    return [
        f"the split of {spec.name} is the source's first fold, with its validation part; MARBLE "
        f"v2's rows may be split otherwise"
    ]


def _split_of(lists: Lists, split: str) -> bytes:
    """Give the songs of a split as they lie in the folder of audio, one a line."""
    if split == "test":
        chosen = list(ids_of(lists("test00")))
    else:
        listed = ids_of(lists("train00"))
        order = np.random.RandomState(_SEED).permutation(len(listed))
        kept = len(listed) - len(listed) // _HELD_OUT
        places = order[:kept] if split == "train" else order[kept:]
        chosen = [listed[place] for place in sorted(places)]
    return "".join(f"audio/{each}\n" for each in chosen).encode()


def _label_of(row: Mapping[str, Any], field: str, spec: TaskSpec, *, root: Path) -> str:
    """Read the chords of a row; nothing of a file in a folder, which has none."""
    return chord.label_of(row, field, spec, root=root) if "audio_path" in row else ""


def _annotated(tracks: Sequence[Track], root: Path, spec: TaskSpec) -> list[Track]:
    files = _chord_files(root)
    names = {each.id: f"{PurePosixPath(each.id).name}.lab" for each in tracks}
    absent = [name for name in names.values() if name not in files]
    if absent:
        more = f", and {len(absent) - _LISTED} more" if len(absent) > _LISTED else ""
        raise MissingError(
            f"{root}: must hold the chords of every song, in {_PLACES[0]}. Missing: {len(absent)} "
            f"of {len(tracks)}: {', '.join(absent[:_LISTED])}{more}. Put them there"
            f"{where_to_get(spec)}."
        )
    labels, faults = {}, []
    for each in tracks:
        file = files[names[each.id]].relative_to(root).as_posix()
        try:
            labels[each.id] = chord.label_of({"chords": file}, "chords", spec, root=root)
        except ValueError as error:
            faults.append(f"{each.id}: {error}")
    refuse(faults, root)
    return [replace(each, label=labels[each.id]) for each in tracks]


def _chord_files(root: Path) -> dict[str, Path]:
    """Find the files of chords by name, in the first of the places that has any."""
    for place in _PLACES:
        folders = [root] if place == "." else sorted(root.glob(place))
        found = {path.name: path for folder in folders for path in folder.glob("*.lab")}
        if found:
            return found
    return {}
