"""GTZANBeat: GTZAN's audio with the beats of GTZAN-Rhythm (Marchand et al., 2015).

MARBLE v2's rows hold the beats. Genre folders hold audio alone; there each track's
beats are read from the archive of annotations, one JAMS file a track, which lies
unpacked in the same folder.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from marble_eval.data.layouts import Reading, read_layouts, where_to_get
from marble_eval.data.layouts.rows import refuse
from marble_eval.errors import MissingError
from marble_eval.kinds.beat import KIND as beat

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from marble_eval.data.layouts import Lists
    from marble_eval.spec import TaskSpec, Track

# The archive GTZAN-Rhythm_v2_ismir2015_lbd has them in jams; MARBLE v1 has them one folder higher.
_PLACES = ("GTZAN-Rhythm*/jams", "GTZAN-Rhythm*", "*/GTZAN-Rhythm*/jams", "jams", ".")
_LISTED = 20  # tracks named in a message; the others are counted


def read_tracks(root: Path, spec: TaskSpec, lists: Lists) -> list[Track]:
    """Read the tracks of the first layout that is there.

    Parameters
    ----------
    root : Path
        The user's copy of the data.
    spec : TaskSpec
        The card.
    lists : callable
        Gives the published lists, one a split.

    Returns
    -------
    list of Track
        In the order of the lists; absent audio included.

    Raises
    ------
    MissingError
        If there is no audio in a known layout, or tracks have no annotation; all of
        them named.
    ValidationError
        If a row or an annotation breaks a rule.
    """
    reading = Reading(root, spec, lists, partial(_label_of, root=root))
    tracks = read_layouts(reading)
    return tracks if all(each.label for each in tracks) else _annotated(tracks, root, spec)


def _label_of(row: Mapping[str, Any], field: str, spec: TaskSpec, *, root: Path) -> str:
    """Read the beats of a row; nothing of a genre folder, whose files have none."""
    return beat.label_of(row, field, spec, root=root) if "audio_path" in row else ""


def _annotated(tracks: Sequence[Track], root: Path, spec: TaskSpec) -> list[Track]:
    files = _annotations(root)
    names = {each.id: f"{PurePosixPath(each.id).name}.wav.jams" for each in tracks}
    absent = [name for name in names.values() if name not in files]
    if absent:
        more = f", and {len(absent) - _LISTED} more" if len(absent) > _LISTED else ""
        raise MissingError(
            f"{root}: must hold the beats of every track, in {_PLACES[0]}. Missing: {len(absent)} "
            f"of {len(tracks)}: {', '.join(absent[:_LISTED])}{more}. Unpack GTZAN-Rhythm there"
            f"{where_to_get(spec)}."
        )
    labels, faults = {}, []
    for each in tracks:
        file = files[names[each.id]].relative_to(root).as_posix()
        try:
            labels[each.id] = beat.label_of({"beats": file}, "beats", spec, root=root)
        except ValueError as error:
            faults.append(f"{each.id}: {error}")
    refuse(faults, root)
    return [replace(each, label=labels[each.id]) for each in tracks]


def _annotations(root: Path) -> dict[str, Path]:
    """Find the JAMS files by name, in the first of the places that has any."""
    for place in _PLACES:
        folders = [root] if place == "." else sorted(root.glob(place))
        found = {path.name: path for folder in folders for path in folder.glob("*.wav.jams")}
        if found:
            return found
    return {}
