"""JAMS: annotations of one recording in a JSON file (Humphrey et al., ISMIR 2014).

Read are files with a list of ``annotations``, each with its ``namespace``, as jams
writes them since version 0.1: observations as a list of objects, or as an object of
lists. They are put in order of time, as jams does; no package is needed. What data
sets put beside the standard into the ``sandbox`` is read where a kind needs it: in
GTZAN-Rhythm all of beats, downbeats and 8th notes have the namespace ``beat``.
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from marble_eval.data.text_files import text_of


class Observation(NamedTuple):
    """Time and duration in seconds (nan if none is given), and a value as the namespace has it."""

    time: float
    duration: float
    value: Any


class Annotation(NamedTuple):
    """One annotation: its namespace, ``annotation_type`` of its sandbox, and what was observed."""

    namespace: str
    purpose: str
    observations: tuple[Observation, ...]


def read_annotations(path: Path, namespaces: Collection[str]) -> list[Annotation]:
    """Read the annotations of some namespaces, without those that have no observation."""
    text = text_of(path)
    try:
        whole = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"{path}, line {error.lineno}: must be JSON. Got {error.msg}.") from None
    except (ValueError, RecursionError) as error:  # a number or a nesting without end
        raise ValueError(f"{path}: must be JSON. Got {error}.") from None
    listed = whole.get("annotations") if isinstance(whole, Mapping) else None
    if not isinstance(listed, list) or not all(isinstance(each, Mapping) for each in listed):
        raise ValueError(
            f"{path}: must be a JAMS file, an object with a list of 'annotations'. Files of "
            f"before version 0.1 have none: let the package jams write it anew."
        )
    found = [
        Annotation(each["namespace"], _purpose(each), _observations(each, path))
        for each in listed
        if each.get("namespace") in namespaces
    ]
    found = [each for each in found if each.observations]
    if not found:
        got = ", ".join(dict.fromkeys(str(each.get("namespace")) for each in listed))
        raise ValueError(
            f"{path}: must have an annotation of the namespace {' or '.join(namespaces)}, with "
            f"one observation or more. Got {got or 'none'}."
        )
    return found


def only(annotations: list[Annotation], path: Path) -> Annotation:
    """Return the one annotation; of more, nothing here can say which is meant."""
    if len(annotations) > 1:
        raise ValueError(
            f"{path}: must have one annotation of {annotations[0].namespace}. Got "
            f"{len(annotations)}. Take out those that are not meant."
        )
    return annotations[0]


def _purpose(annotation: Mapping[str, Any]) -> str:
    sandbox = annotation.get("sandbox")
    purpose = sandbox.get("annotation_type") if isinstance(sandbox, Mapping) else None
    return str(purpose or "").strip().lower()


def _observations(annotation: Mapping[str, Any], path: Path) -> tuple[Observation, ...]:
    data = annotation.get("data")
    if isinstance(data, Mapping):
        data = _transposed(data, path)
    if not isinstance(data, list) or not all(isinstance(each, Mapping) for each in data):
        raise ValueError(
            f"{path}: 'data' of {annotation['namespace']} must be a list of objects, or an object "
            f"of lists. Got {str(data)[:80]!r}."
        )
    found = []
    for number, each in enumerate(data, start=1):
        time, duration = (_number(each.get(name)) for name in ("time", "duration"))
        if not (math.isfinite(time) and time >= 0):
            raise ValueError(
                f"{path}: 'time' of observation {number} of {annotation['namespace']} must be a "
                f"number of seconds, 0 or more. Got {str(each.get('time'))[:80]}."
            )
        found.append(Observation(time, duration, each.get("value")))
    return tuple(sorted(found, key=lambda each: each.time))


def _transposed(data: Mapping[str, Any], path: Path) -> list[dict[str, Any]]:
    lengths = {len(each) if isinstance(each, list) else -1 for each in data.values()}
    if len(lengths) > 1 or -1 in lengths:
        raise ValueError(f"{path}: 'data' must have lists of one length. Got {str(data)[:80]!r}.")
    return [dict(zip(data, values, strict=True)) for values in zip(*data.values(), strict=True)]


def _number(value: Any) -> float:
    try:
        return float(value) if type(value) in (int, float) else math.nan
    except OverflowError:
        return math.nan
