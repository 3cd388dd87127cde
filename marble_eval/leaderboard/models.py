"""Models: the rows of a wide table, and who may claim their cells.

A model is one encoder and revision with its number types, probe and protocol; where runs
departed from their protocol or chose among fewer layers or seeds, those tell models apart
as well. A cell of a model belongs to one result. What cannot be decided is an error that
names both files.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from marble_eval.errors import ValidationError
from marble_eval.leaderboard.rows import choices_of

if TYPE_CHECKING:
    from marble_eval.leaderboard.entries import Entry
    from marble_eval.leaderboard.rows import Row
    from marble_eval.results import Result


class Model(NamedTuple):
    """What tells a row of a wide table from the others; empty where it does not apply."""

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
    """Say which row of the wide table a result belongs to.

    Parameters
    ----------
    result : Result
        What a run found.
    with_choices : bool
        Whether layers and seeds tried tell models apart.

    Returns
    -------
    Model
        Of a run.
    """
    encoder, protocol = result.encoder, result.protocol
    return Model(
        encoder=encoder.name,
        revision=encoder.revision,
        precision=encoder.precision,
        features=_features(result),
        protocol=protocol.name,
        protocol_version=str(protocol.version),
        track=protocol.track,
        probe=_probe(result),
        deviations="; ".join(protocol.deviations),
        choices=choices_of(result) if with_choices else "",
    )


def reported_model(row: Row) -> Model:
    """Say which row of the wide table a published score belongs to."""
    return Model(encoder=row.encoder, protocol=row.protocol, track=row.track, source="reported")


def _features(result: Result) -> str:
    """Name the number type, and the frame rate where it is not the encoder's own."""
    rate = result.features.frame_rate
    own = rate is None or math.isclose(rate, result.encoder.frame_rate, rel_tol=1e-6)
    return result.features.dtype + ("" if own else f", {rate:g} frames a second")


def _probe(result: Result) -> str:
    """Name the probe, with its shape where the protocol does not say it."""
    probe = result.probe
    if result.protocol.track == "constrained" or not probe.hidden:
        return probe.name
    return f"{probe.name}, {probe.hidden} units, dropout {probe.dropout:g}"


def refuse_two(
    entries: Iterable[Entry],
    owner: Callable[[Result], Hashable],
    thing: Callable[[Result], str],
    rule: str,
) -> None:
    """Refuse two results of one owner that differ in what it may have once.

    Parameters
    ----------
    entries : iterable of Entry
        Results.
    owner, thing : callable
        What must have one, and what that is.
    rule : str
        For the message: "one column must belong to one task".

    Raises
    ------
    ValidationError
        If there are two; both files are named.
    """
    first: dict[Hashable, Entry] = {}
    for entry in entries:
        other = first.setdefault(owner(entry.result), entry)
        one, two = thing(other.result), thing(entry.result)
        if one != two:
            raise ValidationError(
                f"{entry.path}: {rule}. Got {two!r}, and {one!r} in {other.path}. "
                f"Keep one of them in this tree."
            )


def narrower(entries: Sequence[Entry]) -> list[Entry]:
    """Find results whose choices are a part of those of another for the same cell.

    Parameters
    ----------
    entries : sequence of Entry
        Results of one section.

    Returns
    -------
    list of Entry
        Those that give way, in the given order.

    Raises
    ------
    ValidationError
        If two results of a cell remain; both files are named.
    """
    cells: dict[Hashable, list[Entry]] = {}
    for entry in entries:
        cells.setdefault((model_of(entry.result), entry.result.task.name), []).append(entry)
    found = []
    for rivals in cells.values():
        left = [each for each in rivals if not any(_is_part(each, other) for other in rivals)]
        _refuse_rivals(left)
        found += [each for each in rivals if each not in left]
    return found


def refuse_rivals(entries: Iterable[Entry]) -> None:
    """Refuse two results of one cell where layers and seeds tell models apart.

    Raises
    ------
    ValidationError
        If there are two; both files are named.
    """
    cells: dict[Hashable, list[Entry]] = {}
    for entry in entries:
        owner = (model_of(entry.result, with_choices=True), entry.result.task.name)
        cells.setdefault(owner, []).append(entry)
    for rivals in cells.values():
        _refuse_rivals(rivals)


def _refuse_rivals(rivals: Sequence[Entry]) -> None:
    if len(rivals) > 1:
        raise ValidationError(
            f"{rivals[1].path}: must be the only result of its cell of the leaderboard. "
            f"Got {rivals[0].path} as well. Keep one of them in this tree."
        )


def _is_part(entry: Entry, other: Entry) -> bool:
    ours, theirs = entry.result.choices, other.result.choices
    mine = {*ours.layers, *ours.seeds}
    return mine < {*theirs.layers, *theirs.seeds}
