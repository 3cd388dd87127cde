"""Labelled music of the project's own, for a run without any data set at hand.

Short pieces are composed by code and played on sampled instruments: one task of every
kind, each in the form of a user's own CSV data set. It shows that an installation
works and what results look like; it is no measure of an encoder and is never ranked
with real data.

`composer`, `harmony`, `arrangement`, `accompaniment`, `metre`, `grooves` and
`performance` make notes, `programs` assigns instruments to splits, `renderer` and
`recording` make sound of them, `collection` writes it to disk. Each other module holds
the recipes of one task.
"""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from marble_eval.embedded.beats import write_beats
from marble_eval.embedded.collection import Collection, write_collection
from marble_eval.embedded.instrument_families import instrument_families
from marble_eval.embedded.keys import keys
from marble_eval.embedded.pitches import pitches
from marble_eval.embedded.recipe_parameters import recipe_parameters
from marble_eval.embedded.styles import styles
from marble_eval.embedded.tags import tags

__all__ = ["EMBEDDED"]


def _write(collection: Callable[[], Collection[Any]], root: Path) -> Path:
    return write_collection(root, collection())


#: Name of each task on embedded music -> what writes its data to a folder and returns it.
EMBEDDED: Mapping[str, Callable[[Path], Path]] = {
    "EmbeddedBeat": write_beats,
    "EmbeddedGenre": partial(_write, styles),
    "EmbeddedInstrument": partial(_write, instrument_families),
    "EmbeddedKey": partial(_write, keys),
    "EmbeddedPitch": partial(_write, pitches),
    "EmbeddedRecipe": partial(_write, recipe_parameters),
    "EmbeddedTagging": partial(_write, tags),
}
