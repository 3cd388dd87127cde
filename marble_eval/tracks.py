"""Read the tracks of a task from the layouts its card names, and check them.

A layout is one way in which the data lies on disk (`marble_eval.spec.Layout`):
audio files in folders with published split lists, MARBLE v2's JSON Lines, or one
CSV. The first layout that is there is read. Files are not opened here; an absent
one is still a track, and is reported with all others that cannot be used.
"""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from marble_eval.errors import MissingError, ValidationError, near_misses
from marble_eval.spec import SPLITS, Excused, Layout, TaskSpec, Track

#: Returns the published ids of each split.
Lists = Callable[[], Mapping[str, Sequence[str]]]

_CSV_COLUMNS = ("path", "label", "split")


def read_labelled_tracks(root: Path, spec: TaskSpec, lists: Lists) -> list[Track]:
    """Read tracks with one class label each.

    Parameters
    ----------
    root : Path
        The user's copy of the data.
    spec : TaskSpec
        The card.
    lists : callable
        Returns the ids of each split; called only for a layout that needs the
        published lists, since they may have to be fetched.

    Returns
    -------
    list of Track
        In the order of the splits and lists; absent files included.

    Raises
    ------
    MissingError
        If the folder does not exist or holds none of the layouts.
    ValidationError
        If a label, split or id breaks a rule.
    """
    if not root.is_dir():
        raise MissingError(
            f"{root}: must be the folder that holds {spec.name}. Got "
            f"{'a file' if root.exists() else 'nothing there'}. Set task.root to your copy"
            f"{_where_to_get(spec)}."
        )
    for layout in spec.data:
        tracks = _READERS[layout.form](root, spec, layout, lists)
        if tracks:
            return tracks
    looked = "; ".join(_describe(each) for each in spec.data)
    raise MissingError(
        f"{root}: must hold {spec.name} in a known layout. Looked for {looked}; found none of "
        f"them. Set task.root to the right folder{_where_to_get(spec)}."
    )


def check_tracks(tracks: Sequence[Track], spec: TaskSpec, root: Path) -> None:
    """Check ids, labels, groups and counts against the card.

    Parameters
    ----------
    tracks : sequence of Track
        What was read; those that the card's ``may_lack`` excuses may be absent.
    spec : TaskSpec
        The card.
    root : Path
        Where it was read, for the message.

    Raises
    ------
    ValidationError
        With every fault in one list.
    """
    faults = []
    twice = [name for name, count in Counter(each.id for each in tracks).items() if count > 1]
    if twice:
        faults.append(f"ids must be unique; twice or more: {', '.join(twice[:5])}")
    unknown = sorted({each.label for each in tracks} - set(spec.labels))
    for label in unknown[:5]:
        faults.append(f"unknown label {label!r}. {near_misses(label, spec.labels)}")
    sides: dict[str, set[str]] = {}
    for each in tracks:
        sides.setdefault(each.group, set()).add(each.split)
    astride = [group for group, splits in sides.items() if len(splits) > 1]
    if astride:
        faults.append(f"a group must stay in one split; astride: {', '.join(astride[:5])}")
    strange = sorted({each.split for each in tracks} - set(SPLITS))
    if strange:
        faults.append(f"'split' must be one of {', '.join(SPLITS)}. Got {', '.join(strange)}.")
    for split in SPLITS:
        faults += _count_faults([each for each in tracks if each.split == split], split, spec)
    if faults:
        raise ValidationError(
            f"{root}: does not follow the card of {spec.name}:\n  " + "\n  ".join(faults)
        )


def _count_faults(tracks: Sequence[Track], split: str, spec: TaskSpec) -> list[str]:
    """Hold a split's counts against the card, with and without the tracks that it may lack."""
    if not tracks:
        return [f"{split} has no track."]
    there = {each.id for each in tracks}
    lacking = [each for each in spec.may_lack if each.split == split and each.id not in there]
    expected, faults = spec.sizes.get(split, len(tracks)), []
    if len(tracks) not in (expected, expected - len(lacking)):
        without = f", or {expected - len(lacking)} without {_ids(lacking)}" if lacking else ""
        faults.append(f"{split} must have {expected} tracks{without}. Got {len(tracks)}.")
    counts = Counter(each.label for each in tracks)
    for label, number in zip(spec.labels, spec.label_counts.get(split, ()), strict=False):
        absent = [each for each in lacking if each.label == label]
        if counts[label] not in (number, number - len(absent)):
            without = f", or {number - len(absent)} without {_ids(absent)}" if absent else ""
            faults.append(f"{split} must have {number} of {label!r}{without}. Got {counts[label]}.")
    return faults


def _ids(tracks: Sequence[Excused]) -> str:
    return ", ".join(each.id for each in tracks)


def _label_of(name: str) -> str:
    return PurePosixPath(name).parts[0]


def _where_to_get(spec: TaskSpec) -> str:
    places = "; ".join(f"{each.what}: {each.address}" for each in spec.sources)
    return f"; the task's README says where to get it ({places})" if places else ""


def _describe(layout: Layout) -> str:
    if layout.form == "jsonl":
        return f"{layout.folder}/{next(iter((layout.files or {}).values()), '')} and its siblings"
    return f"{layout.folder}/{layout.path}"


def _folders(root: Path, spec: TaskSpec, layout: Layout, lists: Lists) -> list[Track]:
    for folder in _matching(root, layout.folder):
        if not _holds_audio(folder, layout):
            continue
        ids = lists()
        tracks = [
            Track(
                id=name,
                path=_first_existing(folder, layout, name),
                split=split,
                label=_label_of(name),
                group=name,
            )
            for split in SPLITS
            for name in ids.get(split, ())
        ]
        if any(each.path.exists() for each in tracks):
            return tracks
    return []


def _holds_audio(folder: Path, layout: Layout) -> bool:
    # "**" enters no linked folder, "*" does: somebody's genres may lie on another disk.
    patterns = [f"{stem}.{each}" for stem in ("*/*", "**/*") for each in layout.extensions]
    return any(True for pattern in patterns for _ in folder.glob(pattern))


def _matching(root: Path, pattern: str) -> list[Path]:
    return [root] if pattern == "." else sorted(p for p in root.glob(pattern) if p.is_dir())


def _first_existing(folder: Path, layout: Layout, name: str) -> Path:
    paths = [
        folder / layout.path.format(id=name, extension=extension) for extension in layout.extensions
    ]
    return next((path for path in paths if path.exists()), paths[0])


def _jsonl(root: Path, spec: TaskSpec, layout: Layout, lists: Lists) -> list[Track]:
    files = {split: root / layout.folder / name for split, name in (layout.files or {}).items()}
    if not any(path.exists() for path in files.values()):
        return []
    absent = [str(path) for path in files.values() if not path.exists()]
    if absent:
        raise MissingError(f"{absent[0]}: must lie beside the other splits' files. Add it.")
    return [
        _jsonl_track(row, split, root, path, number)
        for split, path in files.items()
        for number, row in enumerate(_text(path).split("\n"), start=1)
        if row.strip()
    ]


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValidationError(
            f"{path}: must be UTF-8 text. Got {error}. Save it as such."
        ) from None


def _jsonl_track(line: str, split: str, root: Path, path: Path, number: int) -> Track:
    try:
        row: Any = json.loads(line)
        audio, label = PurePosixPath(row["audio_path"]), str(row["label"])
        # The same id as in the folder layout, so that predictions can be compared.
        name = str(PurePosixPath(*audio.parts[-2:]).with_suffix(""))
    except (ValueError, KeyError, TypeError) as error:
        raise ValidationError(
            f"{path}, line {number}: must be a JSON object with 'audio_path' and 'label'. "
            f"Got {line[:80]!r} ({error})."
        ) from None
    return Track(id=name, path=_below(root, audio), split=split, label=label, group=name)


def _below(root: Path, audio: PurePosixPath) -> Path:
    """Find a path that was written relative to some folder above the root, or absolute."""
    parts = audio.parts
    for start in range(len(parts)):
        candidate = root.joinpath(*parts[start:])
        if parts[start] not in ("/", "..", ".") and candidate.exists():
            return candidate
    return root / audio  # an absolute path stays as it is


def _csv(root: Path, spec: TaskSpec, layout: Layout, lists: Lists) -> list[Track]:
    path = root / layout.folder / layout.path
    if not path.exists():
        return []
    reader = csv.DictReader(io.StringIO(_text(path), newline=""), strict=True)
    try:
        columns, rows = reader.fieldnames or (), [(reader.line_num, row) for row in reader]
    except csv.Error as error:
        raise ValidationError(
            f"{path}: must be comma-separated values. Got {error} after line {reader.line_num}."
        ) from None
    absent = [each for each in _CSV_COLUMNS if each not in columns]
    if absent:
        raise ValidationError(
            f"{path}: must have the columns {', '.join(_CSV_COLUMNS)}, separated by commas, and "
            f"may have 'group'. Got {', '.join(columns) or 'none'}. Missing: {', '.join(absent)}."
        )
    return [_csv_track(row, root, path, line) for line, row in rows]


def _csv_track(row: dict[str, Any], root: Path, path: Path, line: int) -> Track:
    values = {name: (row.get(name) or "").strip() for name in (*_CSV_COLUMNS, "group")}
    empty = [name for name in _CSV_COLUMNS if not values[name]]
    if empty:
        raise ValidationError(f"{path}, line {line}: {empty[0]!r} must not be empty.")
    if values["split"] not in SPLITS:
        raise ValidationError(
            f"{path}, line {line}: 'split' must be one of {', '.join(SPLITS)}. "
            f"Got {values['split']!r}."
        )
    audio = PurePosixPath(values["path"])
    if not audio.name:
        raise ValidationError(f"{path}, line {line}: 'path' must name a file. Got {str(audio)!r}.")
    name = str(audio.with_suffix(""))
    return Track(
        id=name,
        path=root / audio,  # an absolute path stays as it is
        split=values["split"],
        label=values["label"],
        group=values["group"] or name,
    )


_READERS = {"folders": _folders, "jsonl": _jsonl, "csv": _csv}
