"""The rules of a submitted run: the preset of its name with the deviations that it records."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from marble_eval.configuration import load_protocol
from marble_eval.results import Deviation, RuleChanged, TracksLeftOut
from marble_eval.spec import ProtocolSpec, from_mapping


class AsRun(NamedTuple):
    """The protocol as it was run, and the deviations that this version does not write."""

    protocol: ProtocolSpec
    unknown: tuple[Deviation, ...]


def as_run(name: str, deviations: Sequence[Deviation]) -> AsRun:
    """Put the recorded deviations into a preset; one it cannot have raises `SpecError`."""
    preset = load_protocol(name)
    values = {each.name: getattr(preset, each.name) for each in dataclasses.fields(preset)}
    unknown = []
    for each in deviations:
        if isinstance(each, RuleChanged) and each.rule in values and each.rule != "name":
            values[each.rule] = each.got
        elif not (isinstance(each, TracksLeftOut) or is_of_frames(each)):
            unknown.append(each)
    return AsRun(from_mapping(ProtocolSpec, values, f"deviations from {name}"), tuple(unknown))


def is_of_frames(deviation: Deviation) -> bool:
    """Tell whether a deviation is of the card's rules of frames."""
    return isinstance(deviation, RuleChanged) and deviation.rule.startswith("frames.")


def tracks_left_out(deviations: Iterable[Deviation]) -> Counter[str]:
    """Count the tracks of each split that were left out without an excuse."""
    counts: Counter[str] = Counter()
    for each in deviations:
        if isinstance(each, TracksLeftOut):
            counts[each.split] += each.count
    return counts
