"""EmoMusic: every copy of the data is read by one published list.

The split, the artists and the labels stand in JukeMIR's list (Castellon et al., 2021),
so a copy needs its audio only. Labels are mean ratings on the data set's own scale, 1 to
9. MARBLE has them standardised: its rows, where they are there, are turned back and
must then agree with the list.
"""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

from marble_eval.data.layouts import Reading, check_root, jsonl, where_to_get
from marble_eval.data.layouts.rows import listing_faults, refuse
from marble_eval.errors import MissingError
from marble_eval.kinds.regression import KIND as regression
from marble_eval.spec import Track

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from marble_eval.data.layouts import Lists
    from marble_eval.spec import TaskSpec

# Of the mean ratings of the 619 songs for development: arousal, valence.
MEANS = (4.756063, 4.973865)
DEVIATIONS = (1.386010, 1.254618)
_TOLERANCE = 1e-3  # of a point; a mean of ten ratings moves in steps of 0.1

#: Where clips lie: in MARBLE's copies, in the data set's archive, and the folder itself.
_FOLDERS = ("emomusic/wav", "wav", "clips_45sec*/clips_45sec*", "*/clips_45sec*", "clips_45sec*")
_CLIP = re.compile(r"(\d{1,4})\.(?:mp3|wav|flac)")


class _Song(NamedTuple):
    """A row of the published list."""

    id: str
    split: str
    label: tuple[float, ...]
    artist: str


def read_tracks(root: Path, spec: TaskSpec, lists: Lists) -> list[Track]:
    """Read the tracks.

    Parameters
    ----------
    root : Path
        The user's copy of the data.
    spec : TaskSpec
        The card.
    lists : callable
        Gives the published list, ``metadata``.

    Returns
    -------
    list of Track
        In the order of the list, with labels from 1 to 9.

    Raises
    ------
    MissingError
        If the folder holds no clips.
    ValidationError
        If MARBLE v2's rows differ from the published list.
    """
    check_root(root, spec)
    rows = [
        row
        for layout in spec.data
        for row in jsonl.read(Reading(root, spec, lists, rating_of), layout)
    ]
    found = {_name(row): row.path for row in rows} or _clips(root)
    songs = _published(lists("metadata")) if found else []
    if rows:
        _hold(rows, songs, root)
    there = [found[each.id] for each in songs if each.id in found]
    if not there:
        raise MissingError(
            f"{root}: must hold {spec.name} in a known layout. Looked for EMO.train.jsonl and its "
            f"siblings, and for clips such as 5.mp3 or 0005.wav in {', '.join(_FOLDERS)} and the "
            f"folder itself; found none of them. Set task.root to the right folder"
            f"{where_to_get(spec)}."
        )
    return [
        Track(
            id=each.id,
            path=found.get(each.id, there[0].with_name(f"{int(each.id)}.mp3")),
            split=each.split,
            label=each.label,
            group=each.artist,
        )
        for each in songs
    ]


def rating_of(row: Mapping[str, Any], field: str, spec: TaskSpec) -> tuple[float, ...]:
    """Read standardised labels, and turn them back to the scale of the ratings.

    Parameters
    ----------
    row : mapping of str to object
        A row of MARBLE's.
    field : str
        Where its list of arousal and valence stands.
    spec : TaskSpec
        The card.

    Returns
    -------
    tuple of float
        Arousal and valence, 1 to 9.

    Raises
    ------
    ValueError
        If there are not two finite numbers.

    Examples
    --------
    >>> from marble_eval.spec import TaskSpec
    >>> spec = TaskSpec(name="Mine", kind="regression", labels=("arousal", "valence"))
    >>> [round(each, 3) for each in rating_of({"label": [0, -1]}, "label", spec)]
    [4.756, 3.719]
    """
    standard = regression.label_of(row, field, spec)
    return tuple(
        mean + deviation * each
        for mean, deviation, each in zip(MEANS, DEVIATIONS, standard, strict=True)
    )


def _name(row: Track) -> str:
    """Return the published id of a row of MARBLE v2's: the name of its file."""
    return PurePosixPath(row.id).name


def _published(content: bytes) -> list[_Song]:
    """Read the published list: JSON, packed with gzip.

    The official sets share artists, so an artist is a group within each of them.
    """
    songs = []
    for name, row in json.loads(gzip.decompress(content)).items():
        about, rated = row["extra"]["songs_info"], row["extra"]["static_annotations"]
        label = (float(rated["mean_arousal"]), float(rated["mean_valence"]))
        artist = f"{about['Artist']} ({about['Mediaeval 2013 set']})"
        songs.append(_Song(name, row["split"], label, artist))
    return songs


def _clips(root: Path) -> dict[str, Path]:
    """Find clips by their numbers, in the first place that has any.

    The archive may hold whole songs elsewhere, under the same numbers.
    """
    for folders in (*(sorted(root.glob(each)) for each in _FOLDERS), [root]):
        found: dict[str, Path] = {}
        for path in (path for folder in folders for path in sorted(folder.glob("*"))):
            name = _CLIP.fullmatch(path.name)
            if name and path.is_file():
                found.setdefault(name[1].zfill(4), path)
        if found:
            return found
    return {}


def _hold(rows: Sequence[Track], songs: Sequence[_Song], root: Path) -> None:
    """Refuse rows with other songs, splits or labels than the published ones."""
    known = {each.id: each for each in songs}
    faults = listing_faults((_name(row) for row in rows), known)
    for row in rows:
        song, rating = known.get(_name(row)), tuple(float(each) for each in row.label)
        if song and (row.split != song.split or _far(rating, song.label)):
            faults.append(
                f"{song.id}: split, arousal and valence must be {song.split}, {_told(song.label)}. "
                f"Got {row.split}, {_told(rating)}."
            )
    refuse(sorted(faults), root)


def _far(label: tuple[float, ...], wanted: tuple[float, ...]) -> bool:
    return any(abs(a - b) > _TOLERANCE for a, b in zip(label, wanted, strict=True))


def _told(label: tuple[float, ...]) -> str:
    return ", ".join(f"{each:.2f}" for each in label)
