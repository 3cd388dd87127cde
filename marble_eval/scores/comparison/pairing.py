"""Which results of two trees belong together, and the items that both scored.

Results are paired by task; where a side has several on one, by protocol, probe and
choices besides, and by encoder where both sides have it. Two results are compared on the
same items with the same references and groups: a test track that one of them lacks is
said, and left out only if asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from marble_eval.errors import MissingError, SpecError, ValidationError, near_misses
from marble_eval.results import Found, results_below
from marble_eval.scores.rescoring import StoredScores, stored_scores

if TYPE_CHECKING:
    from collections.abc import Sequence

_NAMED = 3  # items named in a message; the others are counted


@dataclass(frozen=True)
class Pairs:
    """What two trees have in common.

    Attributes
    ----------
    pairs : tuple of (Found, Found)
        First and second, by task.
    only_first, only_second : tuple of str
        Tasks that one side alone has, with their versions; of a task with several
        results, the folders of those that have no counterpart.
    """

    pairs: tuple[tuple[Found, Found], ...]
    only_first: tuple[str, ...]
    only_second: tuple[str, ...]


def find_pairs(first: Path, second: Path, tasks: Sequence[str] = ()) -> Pairs:
    """Pair the results of two trees.

    Parameters
    ----------
    first, second : Path
        A `result.json` or a folder of results each.
    tasks : sequence of str
        Names of tasks; every common one if there is none.

    Returns
    -------
    Pairs
        At least one.

    Raises
    ------
    MissingError
        If a side has no result, or a task named is on neither or one side alone.
    SpecError
        If it is not clear which of several results is meant.
    ValidationError
        If a file is invalid.
    """
    sides = [_by_task(results_below(place)) for place in (first, second)]
    names = sorted({_name(each) for side in sides for each in side})
    for task in tasks:
        if task not in names:
            raise MissingError(
                f"{first} and {second}: no result of {task!r}. {near_misses(task, names)}"
            )
    wanted = [{task for task in side if not tasks or _name(task) in tasks} for side in sides]
    common = sorted(wanted[0] & wanted[1])
    if not common:
        raise MissingError(
            f"{first} and {second}: must have a task of one version in common. "
            f"Got {', '.join(sorted(wanted[0])) or 'none'} and "
            f"{', '.join(sorted(wanted[1])) or 'none'}."
        )
    pairs = [pair for task in common for pair in _paired(task, sides[0][task], sides[1][task])]
    taken = [{pair[side].path for pair in pairs} for side in (0, 1)]
    alone = [
        sorted(wanted[side] - wanted[1 - side])
        + [
            f"{task} in {each.path.parent}"
            for task in common
            for each in sides[side][task]
            if each.path not in taken[side]
        ]
        for side in (0, 1)
    ]
    return Pairs(tuple(pairs), tuple(alone[0]), tuple(alone[1]))


def _name(task: str) -> str:
    return task.partition("@")[0]


def _by_task(found: Sequence[Found]) -> dict[str, list[Found]]:
    tasks: dict[str, list[Found]] = {}
    for each in found:
        tasks.setdefault(f"{each.result.task.name}@{each.result.task.version}", []).append(each)
    return tasks


def _paired(
    task: str, first: Sequence[Found], second: Sequence[Found]
) -> list[tuple[Found, Found]]:
    """Pair what two sides have on one task."""
    if len(first) == len(second) == 1:
        return [(first[0], second[0])]
    # Two trees of the same encoders are paired encoder by encoder; else each has one.
    with_encoder = bool(_encoders(first) & _encoders(second))
    sides = [_by_rules(task, side, with_encoder=with_encoder) for side in (first, second)]
    common = sorted(set(sides[0]) & set(sides[1]))
    if not common:
        raise SpecError(
            f"{task}: several results could be meant, and no two of one protocol, probe and "
            f"choices. Give the folder of one result each: {first[0].path.parent}, …, and "
            f"{second[0].path.parent}, …."
        )
    return [(sides[0][rules], sides[1][rules]) for rules in common]


def _encoders(found: Sequence[Found]) -> set[tuple[str, str]]:
    return {(each.result.encoder.name, each.result.encoder.revision) for each in found}


def _by_rules(
    task: str, found: Sequence[Found], *, with_encoder: bool
) -> dict[tuple[str, ...], Found]:
    rules: dict[tuple[str, ...], Found] = {}
    for each in found:
        protocol, choices, encoder = each.result.protocol, each.result.choices, each.result.encoder
        # Layers of two encoders have other names and numbers; that all were tried is alike.
        whole = set(encoder.layers) <= set(choices.layers)
        key = (
            *((encoder.name, encoder.revision) if with_encoder else ()),
            f"{protocol.name}@{protocol.version}",
            each.result.probe.name,
            "every layer" if whole else " ".join(choices.layers),
            " ".join(map(str, choices.seeds)),
            "; ".join(protocol.deviation_sentences),
        )
        other = rules.setdefault(key, each)
        if other is not each:
            raise SpecError(
                f"{task}: several results of one protocol could be meant, "
                f"{other.path.parent} and {each.path.parent}. Give the folder of one of them."
            )
    return rules


def on_common_items(
    first: Path, second: Path, *, common: bool = False
) -> tuple[StoredScores, StoredScores, int]:
    """Read the stored predictions of two results, item beside item.

    Parameters
    ----------
    first, second : Path
        Their `result.json` files.
    common : bool
        Leave out items that one of them lacks.

    Returns
    -------
    first, second : StoredScores
        With the same items in the same order.
    left_out : int
        Items that one of them lacks.

    Raises
    ------
    MissingError
        If a file is absent.
    ValidationError
        If they are not of one task with the same labels, an item has two references or
        groups, one of them lacks items and ``common`` is false, or all items are of one group.
    """
    ours, theirs = stored_scores(first), stored_scores(second)
    for what in ("name", "version", "kind"):
        one, two = (getattr(each.result.task, what) for each in (ours, theirs))
        if one != two:
            raise ValidationError(
                f"{first} and {second}: must be of one task to be compared. "
                f"Got {what} {one!r} and {two!r}."
            )
    labels = [each.task.spec.labels for each in (ours, theirs)]
    if labels[0] != labels[1]:  # their outputs stand in another order
        raise ValidationError(
            f"{first} and {second}: must have the same labels in the same order to be compared. "
            f"Got {len(labels[0])} and {len(labels[1])} labels, or another order. Compare results "
            f"of one card."
        )
    shared = set(ours.items) & set(theirs.items)
    lacking = sorted((set(ours.items) | set(theirs.items)) - shared)
    if lacking and not (common and shared):
        raise ValidationError(
            f"{first} and {second}: must have the same test items to be compared. Got "
            f"{len(shared)} in common and {len(lacking)} in one alone, such as "
            f"{', '.join(lacking[:_NAMED])}. Leave those out with --common."
        )
    items = [each for each in ours.items if each in shared]
    ours, theirs = (stored_scores(path, items=items) for path in (first, second))
    for what in ("references", "groups"):
        for item, one, two in zip(items, getattr(ours, what), getattr(theirs, what), strict=True):
            if one != two:
                raise ValidationError(
                    f"{first} and {second}: {what} must agree. Got {one!r} and {two!r} for "
                    f"{item}. The two were run on different annotations."
                )
    joined = [each.recording_groups for each in (ours, theirs) if each.recordings is not None]
    if len(joined) == 2 and joined[0] != joined[1]:
        raise ValidationError(
            f"{first} and {second}: must have items of the same recordings to be compared. Got "
            f"{len(joined[0])} and {len(joined[1])} recordings, or others. The two were run on "
            f"different annotations."
        )
    if len(set(ours.groups)) < 2:
        raise ValidationError(
            f"{first} and {second}: must have test items of two groups in common, or nothing can "
            f"be said of chance. Got {len(items)} items of one group."
        )
    return ours, theirs, len(lacking)
