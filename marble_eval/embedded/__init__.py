"""Labelled music of the project's own, for a run without any data set at hand.

Short phrases are composed by code (`composer`) and played on sampled
instruments (`renderer`); `instrument_families` holds the recipe of the task
EmbeddedInstrument and writes it to disk in the form of any user's CSV data set.
It shows that an installation works and what the results look like; it is no
measure of an encoder and is never ranked with real data.
"""

from marble_eval.embedded.instrument_families import write_instrument_families

__all__ = ["write_instrument_families"]
