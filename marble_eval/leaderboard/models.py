"""Models: the rows of a wide table, and which result may claim each of their cells.

A model is an encoder and revision with its number types, probe and protocol; where runs deviated or
tried fewer layers or seeds, those distinguish models too. A cell belongs to one result; two that
claim it are an error that names both files.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from marble_eval.errors import ValidationError
from marble_eval.leaderboard.score_rows import choices_of

if TYPE_CHECKING:
    from marble_eval.leaderboard.score_rows import ScoreRow
    from marble_eval.results import Found, Result


class Model(NamedTuple):
    """What distinguishes the rows of a wide table; empty where it does not apply."""

    encoder: str
    revision: str = ""
    precision: str = ""
    features: str = ""
    protocol: str = ""
    protocol_version: str = ""
    track: str = ""
    probe: str = ""
    deviations: str = ""
    choices: str = ""
    source: str = "run"


def model_of(result: Result, *, with_choices: bool = False) -> Model:
    """Return the model of a run; `with_choices` adds the layers and seeds tried."""
    encoder, protocol = result.encoder, result.protocol
    return Model(
        encoder=encoder.name,
        revision=encoder.revision,
        precision=encoder.precision,
        features=_features(result),
        protocol=protocol.name,
        protocol_version=str(protocol.version),
        track=protocol.track,
        probe=probe_name(result),
        deviations="; ".join(protocol.deviation_sentences),
        choices=choices_of(result) if with_choices else "",
    )


def reported_model(row: ScoreRow) -> Model:
    """Return the model of a published score."""
    return Model(encoder=row.encoder, protocol=row.protocol, track=row.track, source="reported")


def _features(result: Result) -> str:
    """Name the number type, and the frame rate where it is not the encoder's own."""
    rate = result.features.frame_rate
    own = rate is None or math.isclose(rate, result.encoder.frame_rate, rel_tol=1e-6)
    return result.features.dtype + ("" if own else f", {rate:g} frames a second")


def probe_name(result: Result) -> str:
    """Name the probe, with its shape where the protocol does not fix it."""
    probe = result.probe
    single = {k: v for k, v in probe.options.items() if v and not isinstance(v, tuple)}
    if result.protocol.track == "constrained":
        return probe.name
    return ", ".join([probe.name, *(f"{name} {value}" for name, value in single.items())])


def narrower(found: Sequence[Found]) -> list[int]:
    """Find results that tried a part of what another one of their cell tried, by index."""
    cells = _by_cell(found)
    return [
        at
        for rivals in cells.values()
        for at in rivals
        if any(_tried(found[at]) < _tried(found[other]) for other in rivals)
    ]


def _tried(found: Found) -> set[str | int]:
    return {*found.result.choices.layers, *found.result.choices.seeds}


def _by_cell(found: Sequence[Found], *, with_choices: bool = False) -> dict[Hashable, list[int]]:
    cells: dict[Hashable, list[int]] = {}
    for at, (_, result) in enumerate(found):
        owner = (model_of(result, with_choices=with_choices), result.task.name)
        cells.setdefault(owner, []).append(at)
    return cells


def refuse_rivals(found: Sequence[Found], *, with_choices: bool) -> None:
    """Raise ValidationError if two results of a section claim one cell."""
    for rivals in _by_cell(found, with_choices=with_choices).values():
        if len(rivals) > 1:
            raise ValidationError(
                f"{found[rivals[1]].path}: must be the only result of its cell of the "
                f"leaderboard. Got {found[rivals[0]].path} as well. Keep one of them in this tree."
            )


def refuse_two(
    found: Iterable[Found],
    owner: Callable[[Result], Hashable],
    thing: Callable[[Result], str],
    rule: str,
) -> None:
    """Raise ValidationError if one owner has two things, such as one column two tasks."""
    first: dict[Hashable, Found] = {}
    for each in found:
        other = first.setdefault(owner(each.result), each)
        one, two = thing(other.result), thing(each.result)
        if one != two:
            raise ValidationError(
                f"{each.path}: {rule}. Got {two!r}, and {one!r} in {other.path}. "
                f"Keep one of them in this tree."
            )
