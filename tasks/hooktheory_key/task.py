"""HookTheoryKey: hooks in a major or minor key, each song on one side of the split.

The published rows name nine modes; the task has two. A few songs were published in more
than one split: their hooks stay in the last of train, valid and test, so that validation
and test have all of theirs and nothing that is tested is trained on.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from marble_eval.data.layouts import Reading, read_layouts
from marble_eval.data.tracks import on_one_side
from marble_eval.kinds.key import KIND as key

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from marble_eval.data.layouts import Lists
    from marble_eval.spec import TaskSpec, Track

_OTHER = re.compile(
    r"[A-G][b#]? "
    r"(dorian|phrygian|lydian|mixolydian|locrian|harmonicMinor|phrygianDominant)"
)


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
    rows = read_layouts(Reading(root, spec, lists, key_of))
    return on_one_side([each for each in rows if each.label])


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
    rows = read_layouts(Reading(root, spec, lists, key_of))
    in_two_modes = [each for each in rows if each.label]
    tracks = on_one_side(in_two_modes)
    if len(tracks) == len(rows):
        return []
    return [
        f"{spec.name} uses {len(tracks)} of {len(rows)} hooks. Left out: "
        f"{len(rows) - len(in_two_modes)} in another mode than major and minor, "
        f"{len(in_two_modes) - len(tracks)} of songs that a later split has too."
    ]


def key_of(row: Mapping[str, Any], field: str, spec: TaskSpec) -> str:
    """Read a key; empty for one in another mode.

    Parameters
    ----------
    row : mapping of str to object
        A published row.
    field : str
        Where its key stands, such as "D major" or "A harmonicMinor".
    spec : TaskSpec
        The card.

    Returns
    -------
    str
        One of the card's labels, or nothing.

    Raises
    ------
    ValueError
        If it is no key.

    Examples
    --------
    >>> from marble_eval.spec import TaskSpec
    >>> spec = TaskSpec(name="Mine", kind="key")
    >>> key_of({"label": "D major"}, "label", spec), key_of({"label": "A dorian"}, "label", spec)
    ('D major', '')
    """
    if _OTHER.fullmatch(str(row.get(field))):
        return ""
    return key.label_of(row, field, spec)
