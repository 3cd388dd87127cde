"""What differs between two results besides their scores: data, encoder, rules, versions."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from marble_eval.results import Result

# What a run was, in the order of the record; the rest of it is what the run found.
_PARTS = (
    "task",
    "encoder",
    "features",
    "protocol",
    "probe",
    "choices",
    "tool_version",
    "environment",
)


class SettingChange(NamedTuple):
    """A setting that differs; None where one of the two has no such setting."""

    setting: str
    first: str | None
    second: str | None


def configuration_changes(first: Result, second: Result) -> list[SettingChange]:
    """List every setting in which two results differ.

    Parameters
    ----------
    first, second : Result
        Two records.

    Returns
    -------
    list of SettingChange
        In the order of the record, such as ``encoder.revision``; empty if they were run
        alike. Times and scores are no settings.
    """
    sides = [dict(_settings(each)) for each in (first, second)]
    names = dict.fromkeys([*sides[0], *sides[1]])
    return [
        SettingChange(name, sides[0].get(name), sides[1].get(name))
        for name in names
        if sides[0].get(name) != sides[1].get(name)
    ]


def cautions(first: Result, second: Result) -> list[str]:
    """Say in what two results differ that makes their scores compare badly."""
    found = {
        "data": first.task.data_digest != second.task.data_digest,
        "split": first.task.split_digest != second.task.split_digest,
        "protocol": (first.protocol.name, first.protocol.version)
        != (second.protocol.name, second.protocol.version),
        "track": first.protocol.track != second.protocol.track,
        "deviations": first.protocol.deviations != second.protocol.deviations,
    }
    return [what for what, differs in found.items() if differs]


def _settings(result: Result) -> Iterator[tuple[str, str]]:
    values = dataclasses.asdict(result)
    for part in _PARTS:
        yield from _flat(part, values[part])


def _flat(name: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key, each in value.items():
            yield from _flat(f"{name}.{key}", each)
    elif isinstance(value, list | tuple):
        yield name, ", ".join(str(each) for each in value) or "none"
    else:
        yield name, "none" if value is None else str(value)
