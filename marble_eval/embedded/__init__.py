"""Labelled music of the project's own, for a run without any data set at hand.

Short pieces are composed by code and played on sampled instruments: one task of every
kind, each in the form of a user's own CSV data set. It shows that an installation
works, what results look like, and whether an encoder hears this or that at all; it is
no measure of an encoder and is never ranked with real data.

`composer`, `harmony`, `arrangement`, `accompaniment`, `metre`, `grooves` and
`performance` make notes,
`programs` shares out the instruments, `renderer` and `recording` make sound of them,
`collection` writes it to disk. A module each holds the recipes of a task; `EMBEDDED`
finds its writer.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

from marble_eval.embedded.beats import write_beats
from marble_eval.embedded.instrument_families import write_instrument_families
from marble_eval.embedded.keys import write_keys
from marble_eval.embedded.pitches import write_pitches
from marble_eval.embedded.recipe_parameters import write_recipe_parameters
from marble_eval.embedded.styles import write_styles
from marble_eval.embedded.tags import write_tags

__all__ = [
    "EMBEDDED",
    "write_beats",
    "write_instrument_families",
    "write_keys",
    "write_pitches",
    "write_recipe_parameters",
    "write_styles",
    "write_tags",
]

#: Name of each task on embedded music -> what writes its data to a folder and returns it.
EMBEDDED: Mapping[str, Callable[[Path], Path]] = {
    "EmbeddedBeat": write_beats,
    "EmbeddedGenre": write_styles,
    "EmbeddedInstrument": write_instrument_families,
    "EmbeddedKey": write_keys,
    "EmbeddedPitch": write_pitches,
    "EmbeddedRecipe": write_recipe_parameters,
    "EmbeddedTagging": write_tags,
}
