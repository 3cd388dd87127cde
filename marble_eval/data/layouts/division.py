"""Divide a table that has no split column: once, by rule, and kept beside the table.

Three fifths of the tracks are for training, one for validation, one for test. A group
stays on one side, and classes are spread as evenly as the groups allow (scikit-learn's
StratifiedGroupKFold); then groups change places until every class or tag that has three
groups is in all three splits. Tags are spread by each track's rarest one, numbers by fifths
of their mean. The division is a file that can be read, edited and shared; it is used
as long as it names exactly the tracks of the table.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from marble_eval.data.layouts.rows import text_of
from marble_eval.data.text_files import nfc
from marble_eval.data.tracks import label_names
from marble_eval.errors import MarbleError, ValidationError
from marble_eval.files.atomic_file import write_atomically
from marble_eval.spec import SPLITS, Track

_SEED = 1234
_FOLDS = {"test": (0,), "valid": (1,), "train": (2, 3, 4)}
_FOLD_COUNT = 5
_GROUPS = 2 * _FOLD_COUNT
_TRIED = 200  # groups tried for a change of places


def divided(tracks: Sequence[Track], table: Path) -> list[Track]:
    """Give each track its split."""
    kept = table.with_name(f"{table.stem}.split.csv")
    if kept.exists():
        splits = _read(kept)
        _check_same(set(splits), {each.id for each in tracks}, kept, table)
    else:
        splits = stratified(tracks, table)
        _keep(splits, kept)
    return [replace(each, split=splits[each.id]) for each in tracks]


def stratified(tracks: Sequence[Track], table: Path) -> dict[str, str]:
    """Divide tracks by rule; the same tracks always in the same way."""
    from sklearn.model_selection import StratifiedGroupKFold  # noqa: PLC0415 - it takes 0.7 s

    ordered = sorted(tracks, key=lambda each: each.id)
    groups = [each.group for each in ordered]
    if len(set(groups)) < _GROUPS:
        raise ValidationError(
            f"{table}: must have {_GROUPS} or more groups to be divided. Got {len(set(groups))}. "
            f"Add a 'split' column with {', '.join(SPLITS)}."
        )
    folds = StratifiedGroupKFold(n_splits=_FOLD_COUNT, shuffle=True, random_state=_SEED)
    fold_of = np.empty(len(ordered), dtype=int)
    strata = _strata(ordered)
    for number, (_, held_out) in enumerate(folds.split(np.zeros(len(ordered)), strata, groups)):
        fold_of[held_out] = number
    split_of = {fold: split for split, numbers in _FOLDS.items() for fold in numbers}
    split_of_group = {
        group: split_of[fold] for group, fold in zip(groups, fold_of.tolist(), strict=True)
    }
    _spread_labels(ordered, split_of_group)
    splits = [split_of_group[group] for group in groups]
    for split in ("valid", "test"):
        held = {group for group, each in zip(groups, splits, strict=True) if each == split}
        if len(held) < 2:
            raise ValidationError(
                f"{table}: cannot be divided by rule, since {split} would have one group alone: "
                f"{', '.join(held) or 'none'}. Add a 'split' column with {', '.join(SPLITS)}."
            )
    return {each.id: split for each, split in zip(ordered, splits, strict=True)}


def _spread_labels(tracks: Sequence[Track], split_of: dict[str, str]) -> None:
    """Swap or move groups until each label of three groups or more is in every split."""
    labels_of: dict[str, set[str]] = {group: set() for group in split_of}
    for each in tracks:
        labels_of[each.group].update(label_names(each))
    groups_with: dict[str, list[str]] = {}
    for group, names in labels_of.items():
        for label in names:
            groups_with.setdefault(label, []).append(group)
    wanted = sorted(
        (each for each, groups in groups_with.items() if len(groups) >= len(SPLITS)),
        key=lambda label: (len(groups_with[label]), label),
    )
    for names in labels_of.values():
        names.intersection_update(wanted)
    sizes = Counter(split_of.values())
    counts = Counter((label, split_of[each]) for label in wanted for each in groups_with[label])

    def lacking(labels: Collection[str]) -> int:
        absent = sum(not counts[label, split] for label in labels for split in SPLITS)
        return absent + sum(sizes[split] < 2 for split in SPLITS)

    def move(group: str, split: str) -> None:
        for label in labels_of[group]:
            counts[label, split_of[group]] -= 1
            counts[label, split] += 1
        sizes[split_of[group]] -= 1
        sizes[split] += 1
        split_of[group] = split

    def mended(label: str, split: str) -> bool:
        # A swap keeps the sizes, so a group alone moves only where no swap helps.
        others = [*sorted(each for each in split_of if split_of[each] == split), None]
        first = sorted(groups_with[label], key=lambda each: (-counts[label, split_of[each]], each))
        for other in others if len(others) <= _TRIED else [*others[:_TRIED], None]:
            for group in first[:_TRIED]:
                home = split_of[group]
                labels = labels_of[group] | (labels_of[other] if other is not None else set())
                before = lacking(labels)
                move(group, split)
                if other is not None:
                    move(other, home)
                if lacking(labels) < before:
                    return True
                if other is not None:
                    move(other, split)
                move(group, home)
        return False

    again = True
    while again:  # each change leaves less that is lacking
        absent = [(label, split) for label in wanted for split in SPLITS]
        again = any(not counts[each] and mended(*each) for each in absent)


def _strata(tracks: Sequence[Track]) -> list[str]:
    """Name what is to be spread evenly; strata too small for five folds are put together."""
    labels = [each.label for each in tracks]
    if any(isinstance(value, float) for label in labels for value in label):
        means = np.array([np.mean(label) for label in labels])  # type: ignore[arg-type]
        fifths = np.quantile(means, [0.2, 0.4, 0.6, 0.8])
        strata = [str(each) for each in np.searchsorted(fifths, means)]
    else:
        tags = Counter(tag for label in labels if not isinstance(label, str) for tag in label)
        strata = [
            label
            if isinstance(label, str)
            else min(map(str, label), key=lambda tag: tags[tag], default="")
            for label in labels
        ]
    counts = Counter(strata)
    rare = {each for each, count in counts.items() if count < _FOLD_COUNT}
    enough = sum(counts[each] for each in rare) >= _FOLD_COUNT
    together = "rare" if enough else counts.most_common(1)[0][0]
    return [together if each in rare else each for each in strata]


def _read(path: Path) -> dict[str, str]:
    reader = csv.DictReader(io.StringIO(text_of(path), newline=""))
    if reader.fieldnames != ["id", "split"]:
        raise ValidationError(
            f"{path}: must have the columns id, split. Got {reader.fieldnames}. "
            f"Delete it, and the table is divided anew."
        )
    rows = list(reader)
    splits = {nfc(row["id"]): row["split"] for row in rows}
    if len(splits) < len(rows):
        raise ValidationError(
            f"{path}: an id must be there once. Got {len(rows)} lines for {len(splits)} ids. "
            f"Take one of each out."
        )
    strange = sorted({str(each) for each in splits.values()} - set(SPLITS))
    if strange:
        raise ValidationError(
            f"{path}: 'split' must be one of {', '.join(SPLITS)}. Got {strange[0]!r}."
        )
    return splits


def _check_same(kept: set[str], tracks: set[str], path: Path, table: Path) -> None:
    added, gone = sorted(tracks - kept), sorted(kept - tracks)
    if added or gone:
        example = added[0] if added else gone[0]
        raise ValidationError(
            f"{path}: must divide the tracks of {table.name}. Got {len(added)} tracks that it "
            f"lacks and {len(gone)} that are gone, for instance {example!r}. Add a line for each, "
            f"or delete it, and the table is divided anew, which gives other scores."
        )


def _keep(splits: dict[str, str], path: Path) -> None:
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(("id", "split"))
    writer.writerows(sorted(splits.items()))
    try:
        write_atomically(path, stream.getvalue().encode("utf-8"))
    except OSError as error:
        raise MarbleError(
            f"{path}: the division of the table must be kept beside it. Got {error.strerror}. "
            f"Add a 'split' column to the table, or make its folder writable."
        ) from error
