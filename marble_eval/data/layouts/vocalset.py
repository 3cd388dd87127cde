"""VocalSet, as it was released and as MARBLE's first code cuts it up.

The release: ``FULL/<singer>/<exercise>/<technique>/<file>.wav``, a file a track. MARBLE's
pieces of 3 s: ``audio/<technique>/<file>_<number>.wav``, a piece a track and the file its
recording. Both hold the same recordings under the same names: of the release, only
folders with one of 17 names count; a file whose name lacks the singer is given it, as
MARBLE's script does by a table of 28; and the five that it deletes are left out. Who
sings is said by the folder, also where a file's name says otherwise (one does).
Source: Wilkins et al., ISMIR 2018.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from marble_eval.data.layouts import Reading, where_to_get
from marble_eval.data.layouts.rows import refuse, text_of
from marble_eval.data.layouts.vocalset_splits import (
    exercise_of,
    exercise_split,
    marble_splits,
    singer_split,
)
from marble_eval.errors import MissingError, SpecError, ValidationError
from marble_eval.spec import Layout, TaskSpec, Track

TECHNIQUES = (
    "belt", "breathy", "fast_forte", "fast_piano", "forte", "inhaled", "lip_trill", "messa", "pp",
    "slow_forte", "slow_piano", "spoken", "straight", "trill", "trillo", "vibrato", "vocal_fry",
)  # fmt: skip

#: Files that MARBLE's script deletes: a copy, and others that the paper's Table 2 has not.
LEFT_OUT = (
    "vibrato/f2_scales_vibrato_a(1)",
    "vibrato/caro_vibrato",
    "vibrato/dona_vibrato",
    "vibrato/row_vibrato",
    "vibrato/slow_vibrato_arps",
)

_SINGER_FOLDER = re.compile(r"female[1-9]|male(?:1[01]|[1-9])")
_SINGER_PREFIX = re.compile(r"([fm]\d+)_")
_PIECE = re.compile(r"\w+/(?:f[1-9]|m1[01]|m[1-9])_.+_\d{2,}")


class Take(NamedTuple):
    """A file."""

    id: str  # ``<technique>/<name>``, of a piece with its number
    path: Path  # where it is
    # "belt", "f1".
    technique: str
    singer: str
    recording: str  # the whole recording: ``<technique>/<name>``
    listed: str  # the same as MARBLE's script names it


def read(reading: Reading, layout: Layout) -> list[Track]:
    """Read recordings or pieces: ``path`` is the folder of singers or of techniques.

    ``label`` is "technique" or "singer". ``group`` divides the data by "singer", or by
    "exercise" of each singer; ``files`` instead of it are MARBLE's lists, one piece a line, and
    for the release its rule gives the same. Of a technique task only its classes are read.
    """
    _check(layout, reading.spec)
    base = reading.root / layout.folder / layout.path
    is_cut = any((base / each).is_dir() for each in TECHNIQUES)
    lists = _lists(reading, layout)
    if is_cut and layout.files:
        _check_there(lists, reading, layout)
        takes = [_piece(base, each) for each in lists]
    else:
        takes = _pieces(base) if is_cut else _recordings(base)
    if not takes:
        return []
    splits = _splits(takes, lists, reading, layout)
    return [_track(each, splits[each.id], reading, layout) for each in takes if each.id in splits]


def _check(layout: Layout, spec: TaskSpec) -> None:
    known = layout.group in ("singer", "exercise") or (layout.files and not layout.group)
    if layout.label not in ("technique", "singer") or not known:
        raise SpecError(
            f"{spec.name}: for the form vocalset, 'label' must be technique or singer, and "
            f"either 'group' singer or exercise, or 'files' given. "
            f"Got {layout.label!r}, {layout.group!r}, {layout.files!r}."
        )


def _check_there(lists: Mapping[str, str], reading: Reading, layout: Layout) -> None:
    """Refuse pieces without lists: what gave no piece counts in the rule, and is not there."""
    if not lists:
        names = ", ".join((layout.files or {}).values())
        raise MissingError(
            f"{reading.root / layout.folder}: must hold {names} beside the pieces, whose division "
            f"they are. Got none of them. Add them{where_to_get(reading.spec)}."
        )


def _track(take: Take, split: str, reading: Reading, layout: Layout) -> Track:
    group = {"singer": take.singer, "exercise": f"{take.singer}/{_exercise(take)}"}
    # MARBLE divides recordings; its test singers, of the techniques, sing nowhere else.
    by_rule = take.singer if (layout.label, split) == ("technique", "test") else take.recording
    return Track(
        id=take.id,
        path=take.path,
        split=split,
        label=reading.label_of(take._asdict(), layout.label, reading.spec),
        group=group.get(layout.group, by_rule),
        recording="" if take.id == take.recording else take.recording,
    )


def _exercise(take: Take) -> str:
    return exercise_of(take.technique, take.listed.partition("/")[2])


def _splits(
    takes: Sequence[Take], lists: Mapping[str, str], reading: Reading, layout: Layout
) -> dict[str, str]:
    """Give the split of each file that the task asks for, by its id."""
    classes = reading.spec.labels if layout.label == "technique" else TECHNIQUES
    asked = [each for each in takes if each.technique in classes]
    if layout.group == "singer":
        return {each.id: singer_split(each.singer) for each in asked}
    if layout.group == "exercise":
        return {each.id: exercise_split(each.singer, _exercise(each)) for each in asked}
    if lists:
        # A recording is where its pieces are; one that gave none is on no list.
        of_recording = {name.rpartition("_")[0]: split for name, split in lists.items()}
        return {each.id: of_recording[each.listed] for each in takes if each.listed in of_recording}
    try:
        of_recording = marble_splits([each.listed for each in takes], layout.label)
    except ValueError as error:
        raise ValidationError(
            f"{reading.root}: to be divided by MARBLE's rule, {error} Get VocalSet 1.1 as a whole, "
            f"or put MARBLE's lists into this folder{where_to_get(reading.spec)}."
        ) from None
    return {each.id: of_recording[each.listed] for each in asked}


def _lists(reading: Reading, layout: Layout) -> dict[str, str]:
    """Read MARBLE's lists: the split of each piece; none if there is no list."""
    paths = {
        split: reading.root / layout.folder / name for split, name in (layout.files or {}).items()
    }
    absent = [path for path in paths.values() if not path.is_file()]
    if len(absent) == len(paths):
        return {}
    if absent:
        raise MissingError(f"{absent[0]}: must lie beside the other splits' lists. Add it.")
    splits: dict[str, str] = {}
    for split, path in paths.items():
        faults = []
        for number, line in enumerate(text_of(path).splitlines(), start=1):
            name = line.strip().removesuffix(".wav")
            if not name:
                continue
            if not _PIECE.fullmatch(name):
                rule = "must be <technique>/<singer>_…_<number>.wav."
                faults.append(f"line {number}: {rule} Got {line!r}.")
            elif name in splits:
                faults.append(f"line {number}: {line!r} must be on one list, and once.")
            splits[name] = split
        refuse(faults, path)
    return splits


def _pieces(base: Path) -> list[Take]:
    """Find MARBLE's pieces."""
    names = [
        f"{technique}/{path.stem}"
        for technique in TECHNIQUES
        for path in _wav_files(base / technique, "*.wav")
    ]
    strange = [each for each in names if not _PIECE.fullmatch(each)]
    rule = "must be <singer>_…_<number of the piece>.wav."
    refuse([f"{each}.wav: {rule}" for each in strange], base)
    return [_piece(base, each) for each in names]


def _piece(base: Path, name: str) -> Take:
    technique, _, file = name.partition("/")
    recording = name.rpartition("_")[0]
    singer = file.partition("_")[0]
    return Take(name, base / f"{name}.wav", technique, singer, recording, recording)


def _recordings(base: Path) -> list[Take]:
    """Find the recordings of the release."""
    takes = []
    for path in _wav_files(base, "*/*/*/*.wav"):
        folder, _, technique = path.relative_to(base).parts[:3]
        is_taken = technique in TECHNIQUES and f"{technique}/{path.stem}" not in LEFT_OUT
        if is_taken and _SINGER_FOLDER.fullmatch(folder):
            singer = folder.replace("female", "f").replace("male", "m")
            takes.append(_recording(path, technique, singer))
    return takes


def _recording(path: Path, technique: str, singer: str) -> Take:
    said = _SINGER_PREFIX.match(path.stem)
    listed = path.stem if said else f"{singer}_{path.stem}"
    name = f"{technique}/{singer}_{listed.partition('_')[2]}"
    return Take(name, path, technique, singer, name, f"{technique}/{listed}")


def _wav_files(folder: Path, pattern: str) -> list[Path]:
    return sorted(path for path in folder.glob(pattern) if not path.name.startswith("."))
