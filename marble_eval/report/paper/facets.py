"""One sentence for what results share, one for each part of them where they differ.

A part is named by as little as tells it from the rest: its tasks, its encoders, its
protocols, or those together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from marble_eval.results import Result

_TRAITS: tuple[Callable[[Result], str], ...] = (
    lambda result: result.task.name,
    lambda result: result.encoder.name,
    lambda result: result.protocol.name,
    lambda result: f"revision {result.encoder.revision}",
    lambda result: f"probe {result.probe.name}",
    lambda result: f"version {result.task.version} of the task",
    lambda result: f"run {result.unit}",
)
# Which traits name a part, in the order they are tried; the last names each run.
_NAMINGS = (
    (0,),
    (1,),
    (2,),
    (0, 1),
    (0, 2),
    (1, 2),
    (1, 3),
    (4,),
    (0, 1, 2),
    (0, 1, 2, 3, 4, 5, 6),
)


def sentences(results: Sequence[Result], say: Callable[[Result], str]) -> list[str]:
    """Say something of results, in as many sentences as there are things to say."""
    parts: dict[str, list[Result]] = {}
    for result in results:
        parts.setdefault(say(result), []).append(result)
    told = []
    for said, part in parts.items():
        if said and len(part) == len(results):
            told.append(f"{said[0].upper()}{said[1:]}.")
        elif said:
            told.append(f"For {named(part, results)}, {said}.")
    return told


def named(part: Sequence[Result], whole: Sequence[Result]) -> str:
    """Name some of the results by what tells them from the others."""
    members = {id(each) for each in part}
    others = [each for each in whole if id(each) not in members]
    for naming in _NAMINGS:
        names = {_name(each, naming) for each in part}
        if names.isdisjoint(_name(each, naming) for each in others):
            break
    return listed(sorted(names, key=str.casefold))


def _name(result: Result, naming: Sequence[int]) -> str:
    first, *others = (_TRAITS[trait](result) for trait in naming)
    return f"{first} ({', '.join(others)})" if others else first


def listed(names: Iterable[str]) -> str:
    """Join names as a sentence does."""
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last
