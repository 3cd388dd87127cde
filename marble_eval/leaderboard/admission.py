"""Which results may stand in one wide table, and why the others may not.

A cell of the wide table is one encoder's score on a task under one protocol with
one probe, from the whole grid. What is not that is left out and counted by its
reason; what cannot be decided is an error that names both files.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from pathlib import Path
from typing import NamedTuple

from marble_eval.errors import ValidationError
from marble_eval.leaderboard.average import CELLS
from marble_eval.results import Result

DEVIATES = "did not follow its protocol"
NO_COLUMN = "no column on MARBLE's board"
SUBSET = "not the whole grid of layers"
OLDER = "older version of the task"
NARROWER = "fewer choices than another result of the cell"


class Entry(NamedTuple):
    """A result and the file it was read from."""

    path: Path
    result: Result


class Admission(NamedTuple):
    """What may stand in a wide table, and how many may not, by reason."""

    entries: list[Entry]
    left_out: Counter[str]


def model_of(result: Result) -> tuple[str, ...]:
    """Say which row of the wide table a result belongs to.

    Parameters
    ----------
    result : Result
        What a run found.

    Returns
    -------
    tuple of str
        Encoder, revision, its precision, the number type of the features,
        protocol, its version, track, probe, deviations.
    """
    protocol = result.protocol
    return (
        result.encoder.name,
        result.encoder.revision,
        result.encoder.precision,
        result.features.dtype,
        protocol.name,
        str(protocol.version),
        protocol.track,
        result.probe.name,
        "; ".join(protocol.deviations),
    )


def admit(entries: Sequence[Entry], *, embedded: bool) -> Admission:
    """Choose the results of a wide table.

    Parameters
    ----------
    entries : sequence of Entry
        Results, all on embedded data or all on real data.
    embedded : bool
        Which of the two. On embedded data every task has a column, and runs with
        deviations stand in rows of their own.

    Returns
    -------
    Admission
        At most one result for each model and task.

    Raises
    ------
    ValidationError
        If two results claim one cell, two tasks one column, or one encoder
        and revision has two fingerprints.
    """
    admitted: list[Entry] = []
    left_out: Counter[str] = Counter()
    columns = {cell.task for cell in CELLS}
    for entry in entries:
        if not embedded and not entry.result.protocol.conforms:
            left_out[DEVIATES] += 1
        elif not embedded and entry.result.task.column not in columns:
            left_out[NO_COLUMN] += 1
        elif not _is_whole_grid(entry.result):
            left_out[SUBSET] += 1
        else:
            admitted.append(entry)
    if not embedded:
        _refuse_two(
            admitted,
            lambda result: result.task.column,
            lambda result: result.task.name,
            "one column of the leaderboard must belong to one task",
        )
    newest: dict[str, int] = {}
    for _, result in admitted:
        newest[result.task.name] = max(result.task.version, newest.get(result.task.name, 0))
    current = [each for each in admitted if each.result.task.version == newest[_task(each)]]
    left_out[OLDER] += len(admitted) - len(current)
    _refuse_two(
        current,
        model_of,
        lambda result: result.encoder.fingerprint,
        "one encoder and revision must have one fingerprint",
    )
    widest = _widest(current)
    left_out[NARROWER] += len(current) - len(widest)
    return Admission(widest, +left_out)


def _task(entry: Entry) -> str:
    return entry.result.task.name


def _is_whole_grid(result: Result) -> bool:
    """Say whether every layer was trained, and the learned sum where there is one."""
    single = set(result.encoder.layers)
    trained = {point.layer for point in result.grid}
    # Logistic regression has no learned sum, and one or two layers need none:
    # the input embedding stays out of it.
    needs_sum = result.probe.name != "logreg" and len(single) > 2
    return single <= trained and (not needs_sum or bool(trained - single))


def _refuse_two(
    entries: Sequence[Entry],
    owner: Callable[[Result], Hashable],
    thing: Callable[[Result], str],
    rule: str,
) -> None:
    first: dict[Hashable, Entry] = {}
    for entry in entries:
        other = first.setdefault(owner(entry.result), entry)
        one, two = thing(other.result), thing(entry.result)
        if one != two:
            raise ValidationError(
                f"{entry.path}: {rule}. Got {two!r}, and {one!r} in {other.path}. "
                f"Keep one of them in this tree."
            )


def _widest(entries: Sequence[Entry]) -> list[Entry]:
    """Leave out results whose choices are a part of those of another for the same cell."""
    cells: dict[tuple[str, ...], list[Entry]] = {}
    for entry in entries:
        cells.setdefault((*model_of(entry.result), _task(entry)), []).append(entry)
    widest = []
    for rivals in cells.values():
        left = [each for each in rivals if not any(_is_part(each, other) for other in rivals)]
        if len(left) > 1:
            raise ValidationError(
                f"{left[1].path}: must be the only result of its cell of the leaderboard. "
                f"Got {left[0].path} as well. Keep one of them in this tree."
            )
        widest += left
    return widest


def _is_part(entry: Entry, other: Entry) -> bool:
    ours, theirs = entry.result.choices, other.result.choices
    mine = {*ours.layers, *ours.seeds}
    return mine < {*theirs.layers, *theirs.seeds}
