"""GiantSteps key: every copy of the data is read by one published list.

MARBLE's copies hold clips of 30 s, the data sets' own releases previews of two minutes.
Which songs count, their splits, keys and artists stand in JukeMIR's list of clips alone
(Castellon et al., 2021), so a copy needs its audio only. MARBLE v2's rows, where they
are there, must agree with the list.
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
from marble_eval.kinds.key import KIND as key
from marble_eval.spec import Track

if TYPE_CHECKING:
    from collections.abc import Sequence

    from marble_eval.data.layouts import Lists
    from marble_eval.spec import TaskSpec

#: A clip, "0010089-3.wav"; a preview of either release, "10089.LOFI.mp3"; or one converted.
_AUDIO = re.compile(r"(\d{1,7})(-\d+)?(?:\.LOFI)?\.(?:mp3|wav|flac)")
_DEPTH = 3  # folders, as in GS/giantsteps-key-dataset/audio/10089.LOFI.mp3


class _Clip(NamedTuple):
    """A row of the published list; the list has no artists of the songs for testing."""

    id: str
    song: str
    split: str
    key: str
    artist: str


def read_tracks(root: Path, spec: TaskSpec, lists: Lists) -> list[Track]:
    """Read the tracks: clips where the copy holds clips, songs where it holds previews.

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
        In the order of the list. A clip is cut from the recording of its song; a
        preview is whole.

    Raises
    ------
    MissingError
        If the folder holds neither clips nor previews.
    ValidationError
        If MARBLE v2's rows differ from the published list.
    """
    check_root(root, spec)
    rows = [
        row
        for layout in spec.data
        for row in jsonl.read(Reading(root, spec, lists, key.label_of), layout)
    ]
    found = {_name(row): row.path for row in rows} or _audio(root)
    clips = _published(lists("metadata")) if found else []
    songs = {each.song: each for each in clips}
    if rows:
        _hold(rows, clips, root)
    there = [found[each.id] for each in clips if each.id in found]
    if there:
        return [
            _track(each, each.id, found.get(each.id, there[0].with_name(f"{each.id}.wav")))
            for each in clips
        ]
    if songs.keys() & found.keys():
        return [
            _track(each, song, found.get(song, root / f"{int(song)}.LOFI.mp3"))
            for song, each in songs.items()
        ]
    raise MissingError(
        f"{root}: must hold {spec.name} in a known layout. Looked for GS.train.jsonl and its "
        f"siblings, clips such as giantsteps_clips/wav/0010089-0.wav, and previews such as "
        f"audio/10089.LOFI.mp3, at most {_DEPTH} folders deep; found none of them. Set task.root "
        f"to the right folder{where_to_get(spec)}."
    )


def _track(clip: _Clip, name: str, path: Path) -> Track:
    recording = "" if name == clip.song else clip.song
    return Track(name, path, clip.split, clip.key, group=clip.artist, recording=recording)


def _name(row: Track) -> str:
    """Return the published id of a row of MARBLE v2's: the name of its file."""
    return PurePosixPath(row.id).name


def _published(content: bytes) -> list[_Clip]:
    """Read the published list: JSON, packed with gzip."""
    clips = []
    for name, row in json.loads(gzip.decompress(content)).items():
        song = row["clip"]["audio_uid"]
        artist = row["extra"].get("beatport_metadata", {}).get("ARTIST", song)
        clips.append(_Clip(name, song, row["split"], row["y"], artist))
    return clips


def _audio(root: Path) -> dict[str, Path]:
    """Find clips and previews by the numbers in their names; an mp3 before a copy of it."""
    found: dict[str, Path] = {}
    for depth in range(_DEPTH + 1):
        for path in sorted(root.glob("*/" * depth + "*")):
            name = _AUDIO.fullmatch(path.name)
            if name and path.is_file():
                found.setdefault(name[1].zfill(7) + (name[2] or ""), path)
    return found


def _hold(rows: Sequence[Track], clips: Sequence[_Clip], root: Path) -> None:
    """Refuse rows with other clips, splits, songs or keys than the published ones."""
    known = {each.id: each for each in clips}
    faults = listing_faults((_name(row) for row in rows), known)
    for row in rows:
        clip = known.get(_name(row))
        wanted = clip and (clip.split, clip.key, clip.song)
        got = (row.split, row.label, row.recording)
        if clip and got != wanted:
            faults.append(f"{clip.id}: split, key and song must be {wanted}. Got {got}.")
    refuse(sorted(faults), root)
