"""The sentences in which a record says how its run departed from the protocol, read back.

`marble_eval.runs.identity.deviations_of` writes them. Read back they give the rules as they
were run, from which everything that follows can be computed anew: the learning rates of
the grid, the windows of the features, the fingerprint of the run.
"""

from __future__ import annotations

import ast
import dataclasses
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from marble_eval.configuration import load_protocol
from marble_eval.errors import SpecError
from marble_eval.spec import ProtocolSpec, from_mapping

_CHANGED = re.compile(r"(?P<frames>frames\.)?(?P<name>\w+) is (?P<value>.*), \S+ has (?P<was>.*)")
_LOST = re.compile(r"(?P<count>\d+)(?: of \d+)? (?P<split>train|valid|test) tracks left out")
_LONGEST = 1000  # characters of a value; the longest of a preset has 50


class Departures(NamedTuple):
    """What the deviations of a record say.

    Attributes
    ----------
    protocol : ProtocolSpec
        The rules as they were run.
    of_frames : tuple of str
        The sentences on rules of frames.
    unknown : tuple of str
        Sentences that this version does not write.
    """

    protocol: ProtocolSpec
    of_frames: tuple[str, ...]
    unknown: tuple[str, ...]


def departures(name: str, deviations: Sequence[str]) -> Departures:
    """Read the deviations of a record.

    Parameters
    ----------
    name : str
        Of its protocol.
    deviations : sequence of str
        As the record has them.

    Returns
    -------
    Departures
        The preset with what was done otherwise.

    Raises
    ------
    SpecError
        If there is no such protocol, or a value is none that it can have.

    Examples
    --------
    >>> found = departures("marble-v1", ["batch_tracks is 8, marble-v1 has 64"])
    >>> found.protocol.batch_tracks
    8
    """
    preset = load_protocol(name)
    fields = {each.name for each in dataclasses.fields(preset)}
    changed: dict[str, Any] = {}
    of_frames, unknown = [], []
    for sentence in deviations:
        found = _CHANGED.fullmatch(sentence)
        if found is not None and found["frames"]:
            of_frames.append(sentence)
        elif found is not None and found["name"] in fields:
            changed[found["name"]] = _value(found["value"], getattr(preset, found["name"]))
        elif _LOST.fullmatch(sentence) is None:
            unknown.append(sentence)
    values = {each: getattr(preset, each) for each in fields} | changed
    as_run = from_mapping(ProtocolSpec, values, f"deviations from {name}")
    return Departures(as_run, tuple(of_frames), tuple(unknown))


def _value(text: str, preset: Any) -> Any:
    """Read a value as Python writes it; a word stays one. No code is run."""
    if isinstance(preset, str):
        return text
    if len(text) > _LONGEST:
        raise SpecError(f"a deviation must be shorter. Got {len(text)} characters.")
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        raise SpecError(f"a deviation must hold a number. Got {text!r}.") from None
    return list(value) if isinstance(value, tuple) else value


def lost_tracks(deviations: Sequence[str]) -> dict[str, int]:
    """Read how many tracks of each split were left out without an excuse.

    Parameters
    ----------
    deviations : sequence of str
        As a record has them.

    Returns
    -------
    dict of str to int
        By split; those without any are not there.

    Examples
    --------
    >>> lost_tracks(["2 of 443 train tracks left out", "batch_tracks is 8, marble-v1 has 64"])
    {'train': 2}
    """
    lost: dict[str, int] = {}
    for sentence in deviations:
        found = _LOST.fullmatch(sentence)
        if found is not None:
            lost[found["split"]] = lost.get(found["split"], 0) + int(found["count"][:9])
    return lost
