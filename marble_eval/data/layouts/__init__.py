"""How the data of a task lies on disk: a reader for each form that a card can name.

A card lists the layouts in which its data is published (`marble_eval.spec.Layout`);
the first that is there is read. A reader is a module of this package with one
function, ``read(reading, layout)``, which returns no track if the layout is not
there. Audio is not opened here: an absent file is still a track, and is reported
with all others that cannot be used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from marble_eval.errors import MissingError
from marble_eval.spec import Label, Layout, TaskSpec, Track

#: Returns the content of a published list of the card, by its name there.
Lists = Callable[[str], bytes]

#: From a row and the name of its label field to the label; a ValueError says what is wrong.
LabelOf = Callable[[Mapping[str, Any], str, TaskSpec], Label]


@dataclass(frozen=True, slots=True)
class Reading:
    """What a reader is given."""

    root: Path  # the user's copy of the data
    spec: TaskSpec  # the card
    # Content of the card's published lists; called only for a layout that needs one, since it may
    # have to be fetched.
    lists: Lists
    label_of: LabelOf  # the kind's way from a row to a label
    # The fields that hold a label in a table; empty for the layout's own.
    columns: tuple[str, ...] = ()


def read_layouts(reading: Reading) -> list[Track]:
    """Read tracks from the first layout that is there, absent audio files included."""
    root, spec = reading.root, reading.spec
    check_root(root, spec)
    for layout in spec.data:
        tracks: list[Track] = import_module(f"{__name__}.{layout.form}").read(reading, layout)
        if tracks:
            return tracks
    looked = "; ".join(_describe(each) for each in spec.data)
    raise MissingError(
        f"{root}: must hold {spec.name} in a known layout. Looked for {looked}; found none of "
        f"them. Set task.root to the right folder{where_to_get(spec)}."
    )


def check_root(root: Path, spec: TaskSpec) -> None:
    """Refuse a data folder that does not exist."""
    if not root.is_dir():
        raise MissingError(
            f"{root}: must be the folder that holds {spec.name}. Got "
            f"{'a file' if root.exists() else 'nothing there'}. Set task.root to your copy"
            f"{where_to_get(spec)}."
        )


def where_to_get(spec: TaskSpec) -> str:
    """Name the command that says where a task's data is published; empty for one's own."""
    if not (spec.sources or spec.downloads or spec.instructions):
        return ""
    return f". Where to get it: marble-eval data download task={spec.name} --dry-run"


def _describe(layout: Layout) -> str:
    if layout.form == "pairs":
        audio = ", ".join(f".{each}" for each in layout.extensions)
        return f"audio ({audio}) in {layout.folder} with a file {layout.path} for each"
    if layout.files:
        return f"{layout.folder}/{next(iter((layout.files or {}).values()), '')} and its siblings"
    return f"{layout.folder}/{layout.path}" if layout.path else f"{layout.form} in {layout.folder}"
