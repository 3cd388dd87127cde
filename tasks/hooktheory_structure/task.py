"""HookTheoryStructure: seven kinds of section, each song on one side of the split.

The published rows have lists of section names, merged here as MARBLE does. A few songs
were published in more than one split: their hooks stay in the last of train, valid and
test, so that validation and test have all of theirs and nothing tested is trained on.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from marble_eval.data.layouts import Reading, read_layouts
from marble_eval.data.tracks import on_one_side
from marble_eval.errors import near_misses

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from marble_eval.data.layouts import Lists
    from marble_eval.spec import TaskSpec, Track

#: Names that are merged, by what they become; a hook over two sections has both names.
MERGED = {
    "instrumental": "inst",
    "solo": "inst",
    "intro_verse": "verse",
    "verse_pre-chorus": "verse",
    "pre-chorus_chorus": "chorus",
    "intro_chorus": "chorus",
}
_UNMERGED = ("intro", "verse", "pre-chorus", "chorus", "bridge", "outro")


def read_tracks(root: Path, spec: TaskSpec, lists: Lists) -> list[Track]:
    """Read the tracks; `remarks` says which rows are left out.

    Parameters
    ----------
    root : Path
        The user's copy of the data.
    spec : TaskSpec
        The card.
    lists : callable
        Not needed: the rows have their splits.

    Returns
    -------
    list of Track
        In the order of the rows.

    Raises
    ------
    MissingError
        If the folder does not hold the rows.
    ValidationError
        If a row breaks a rule.
    """
    return on_one_side(read_layouts(Reading(root, spec, lists, section_of)))


def remarks(root: Path, spec: TaskSpec, lists: Lists) -> list[str]:
    """Count the rows that are left out, for the result.

    Parameters
    ----------
    root, spec, lists
        As for `read_tracks`.

    Returns
    -------
    list of str
        One sentence; none if every row is a track.
    """
    rows = read_layouts(Reading(root, spec, lists, section_of))
    tracks = on_one_side(rows)
    if len(tracks) == len(rows):
        return []
    return [
        f"{spec.name} uses {len(tracks)} of {len(rows)} hooks. Left out: "
        f"{len(rows) - len(tracks)} of songs that a later split has too."
    ]


def section_of(row: Mapping[str, Any], field: str, spec: TaskSpec) -> str:
    """Read the kind of section.

    Parameters
    ----------
    row : mapping of str to object
        A published row.
    field : str
        Where the name stands, or the list of names.
    spec : TaskSpec
        The card.

    Returns
    -------
    str
        One of the card's labels.

    Raises
    ------
    ValueError
        If it is no known section.

    Examples
    --------
    >>> from marble_eval.spec import TaskSpec
    >>> spec = TaskSpec(name="Mine", kind="classification")
    >>> section_of({"label": ["verse", "pre-chorus"]}, "label", spec)
    'verse'
    """
    given = row.get(field)
    name = "_".join(str(each) for each in given) if isinstance(given, list) else str(given)
    if name not in (*_UNMERGED, *MERGED):
        known = near_misses(name, (*_UNMERGED, *MERGED))
        raise ValueError(f"{field!r} must be the name of a section. Got {given!r}. {known}")
    return MERGED.get(name, name)
