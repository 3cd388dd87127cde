"""Hold tracks against their card: ids, labels, groups, splits and counts.

Every fault is named before anything runs, in one list.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from marble_eval.data.text_files import normal
from marble_eval.errors import ValidationError, near_misses
from marble_eval.spec import SPLITS, Annotation, Excused, TaskSpec, Track

_NAMED = 5  # examples of one fault; the others are counted


def check_tracks(tracks: Sequence[Track], spec: TaskSpec, root: Path) -> None:
    """Check ids, labels, groups and counts against the card."""
    faults = track_faults(tracks, spec)
    if faults:
        absent = [str(each.path) for each in tracks if not each.path.exists()]
        if absent:
            faults.append(f"missing files: {_some(absent)}")
        raise ValidationError(
            f"{root}: does not follow the card of {spec.name}:\n  " + "\n  ".join(faults)
        )


def track_faults(tracks: Sequence[Track], spec: TaskSpec) -> list[str]:
    """Say how tracks break the rules of their card."""
    faults = []
    twice = [name for name, count in Counter(each.id for each in tracks).items() if count > 1]
    if twice:
        faults.append(f"ids must be unique; twice or more: {_some(twice)}")
    unreadable = [repr(each.id) for each in tracks if not _is_text(each.id)]
    if unreadable:
        faults.append(f"ids must be Unicode text, not bytes: {_some(unreadable)}")
    unknown = sorted({name for each in tracks for name in label_names(each)} - set(spec.labels))
    for label in unknown[:_NAMED]:
        there = [each.id for each in tracks if label in label_names(each)]
        faults.append(
            f"unknown label {label!r} of {_some(there)}. {near_misses(label, spec.labels)}"
        )
    if len(unknown) > _NAMED:
        faults.append(f"and {len(unknown) - _NAMED} more unknown labels")
    astride = groups_astride(tracks)
    if astride:
        faults.append(f"a group must stay in one split; astride: {_some(astride)}")
    strange = sorted({each.split for each in tracks} - set(SPLITS))
    if strange:
        faults.append(f"'split' must be one of {', '.join(SPLITS)}. Got {', '.join(strange)}.")
    for split in SPLITS:
        of_split = [each for each in tracks if each.split == split]
        faults += _count_faults(counted_tracks(of_split, spec), split, spec)
    return faults


def unspread_labels(tracks: Sequence[Track]) -> list[str]:
    """Name the labels that are not in all splits, with where they are and in how many groups."""
    groups: dict[str, dict[str, set[str]]] = {}
    for each in tracks:
        for label in label_names(each):
            groups.setdefault(label, {}).setdefault(each.split, set()).add(each.group)
    return [
        f"label {label!r} is not in all splits: "
        + ", ".join(f"{len(there[split])} groups in {split}" for split in SPLITS if split in there)
        for label, there in groups.items()
        if len(there) < len(SPLITS)
    ]


def groups_astride(tracks: Sequence[Track]) -> list[str]:
    """Name the groups that are in more than one split."""
    sides: dict[str, set[str]] = {}
    for each in tracks:
        sides.setdefault(each.group, set()).add(each.split)
    return [group for group, splits in sides.items() if len(splits) > 1]


def on_one_side(tracks: Sequence[Track]) -> list[Track]:
    """Keep the tracks of each group in the last split that has any of them.

    For data that was published with a group in two splits: test stays as it is, and
    nothing that is tested is trained on.
    """
    last: dict[str, int] = {}
    for each in tracks:
        last[each.group] = max(SPLITS.index(each.split), last.get(each.group, 0))
    return [each for each in tracks if SPLITS.index(each.split) == last[each.group]]


def counted_tracks(tracks: Sequence[Track], spec: TaskSpec) -> list[Track]:
    """Return what the card counts: every track, or the first of each recording."""
    if spec.counted == "track":
        return list(tracks)
    return list({each.recording or each.id: each for each in reversed(tracks)}.values())


def _count_faults(tracks: Sequence[Track], split: str, spec: TaskSpec) -> list[str]:
    """Hold a split's counts against the card, with and without the tracks that it may lack."""
    if not tracks:
        return [f"{split} has no track."]
    if split != "train" and len({each.group for each in tracks}) < 2:
        return [f"{split} must have two or more groups, for an interval. Got one."]
    there = {each.id for each in tracks}
    lacking = [each for each in spec.may_lack if each.split == split and each.id not in there]
    expected, faults = spec.sizes.get(split, len(tracks)), []
    if len(tracks) not in (expected, expected - len(lacking)):
        without = f", or {expected - len(lacking)} without {_ids(lacking)}" if lacking else ""
        faults.append(f"{split} must have {expected} {spec.counted}s{without}. Got {len(tracks)}.")
    counts = Counter(name for each in tracks for name in label_names(each))
    for label, number in zip(spec.labels, spec.label_counts.get(split, ()), strict=False):
        absent = [each for each in lacking if each.label == label]
        if counts[label] not in (number, number - len(absent)):
            without = f", or {number - len(absent)} without {_ids(absent)}" if absent else ""
            faults.append(f"{split} must have {number} of {label!r}{without}. Got {counts[label]}.")
    return faults


def _is_text(name: str) -> bool:
    try:
        normal(name)
    except ValueError:
        return False
    return True


def _ids(tracks: Sequence[Excused]) -> str:
    return ", ".join(each.id for each in tracks)


def label_names(track: Track) -> tuple[str, ...]:
    """Return the names of the labels that a track has; none where it has numbers or events."""
    if isinstance(track.label, Annotation):
        return ()
    if isinstance(track.label, str):
        return (track.label,)
    return tuple(each for each in track.label if isinstance(each, str))


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
