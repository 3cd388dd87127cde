"""Ballroom: clips of dances with their beats, albums on one side of the split.

No split is published. Clips of an album have one orchestra and one studio, so an album
is a group, and dances are spread evenly. Thirteen clips are there twice, most of them
under two names on one album (Sturm 2014, as the annotators list them); the second of
each pair is left out, as is customary.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from marble_eval.data.layouts.division import divided
from marble_eval.errors import MarbleError
from marble_eval.kinds.beat import KIND as beat
from marble_eval.spec import Track

if TYPE_CHECKING:
    from marble_eval.data.layouts import Lists
    from marble_eval.spec import TaskSpec

#: Clips that are there twice: what is used, and what is left out.
REPLICAS = (
    ("Albums-AnaBelen_Veneo-11", "Albums-Chrisanne2-12"),
    ("Albums-Fire-08", "Albums-Fire-09"),
    ("Albums-Latin_Jam2-05", "Albums-Latin_Jam2-13"),
    ("Albums-Secret_Garden-01", "Media-104705"),
    ("Albums-AnaBelen_Veneo-03", "Albums-AnaBelen_Veneo-15"),
    ("Albums-Ballroom_Magic-03", "Albums-Ballroom_Magic-18"),
    ("Albums-Latin_Jam-04", "Albums-Latin_Jam-13"),
    ("Albums-Latin_Jam-08", "Albums-Latin_Jam-14"),
    ("Albums-Latin_Jam-06", "Albums-Latin_Jam-15"),
    ("Albums-Latin_Jam2-02", "Albums-Latin_Jam2-14"),
    ("Albums-Latin_Jam2-07", "Albums-Latin_Jam2-15"),
    ("Albums-Latin_Jam3-02", "Media-103414"),
    ("Media-103402", "Media-103415"),
)

_LEFT_OUT = {second for _, second in REPLICAS}


def read_tracks(root: Path, spec: TaskSpec, lists: Lists) -> list[Track]:
    """Read the clips, and divide them where they are not divided yet.

    Parameters
    ----------
    root : Path
        The user's copy of the data.
    spec : TaskSpec
        The card.
    lists : callable
        Not needed: there are none.

    Returns
    -------
    list of Track
        By id, dance and file. A group is an album.

    Raises
    ------
    MissingError
        If there are no clips with beats.
    ValidationError
        If clips and files of beats are not one to one, or a file breaks a rule.
    MarbleError
        If the division cannot be kept.
    """
    clips, kept = _clips(root, spec), root / f"{spec.name}.split.csv"
    is_new = bool(clips) and not kept.exists()
    if is_new:
        divided(clips, root / spec.name)  # by albums, before the layout divides by clips
    try:
        tracks = beat.read_tracks(root, spec, lists)
    except MarbleError:
        if is_new:
            kept.unlink()  # with the clips that are mended, others would change sides
        raise
    return [
        replace(each, group=_album(each.id)) for each in tracks if _stem(each.id) not in _LEFT_OUT
    ]


def remarks(root: Path, spec: TaskSpec, lists: Lists) -> list[str]:
    """Count the clips that are left out, for the result.

    Parameters
    ----------
    root, spec, lists
        As for `read_tracks`.

    Returns
    -------
    list of str
        What is particular about the split, and which clips are left out.
    """
    clips = _clips(root, spec)
    twice = sum(_stem(each.id) in _LEFT_OUT for each in clips)
    return [
        f"the split of {spec.name} is made by rule, albums apart; published values are of others",
        f"{spec.name} uses {len(clips) - twice} of {len(clips)} clips. Left out: {twice} that are "
        f"there twice.",
    ]


def _clips(root: Path, spec: TaskSpec) -> list[Track]:
    """List the clips without their beats; the dance in place of a label, to be spread evenly."""
    folder = root / spec.data[0].folder
    names = {
        path.relative_to(folder).with_suffix("").as_posix(): path
        for path in sorted(folder.glob("*/*.wav"))
        if not path.name.startswith(".")
    }
    return [
        Track(id=name, path=path, split="", label=PurePosixPath(name).parts[0], group=_album(name))
        for name, path in names.items()
    ]


def _stem(name: str) -> str:
    return PurePosixPath(name).name


def _album(name: str) -> str:
    """Name the album: "Albums-Fire" of "Samba/Albums-Fire-09", "Media-1034" of "…/Media-103414"."""
    stem = _stem(name)
    return stem[:-2] if stem.startswith("Media-") else stem.rpartition("-")[0] or stem
