"""VocalSet, as it was released and as MARBLE's first code cuts it up.

The release: ``FULL/<singer>/<exercise>/<technique>/<file>.wav``, a file a track. MARBLE's
pieces of 3 s: ``audio/<technique>/<file>_<number>.wav``, a piece a track and the file its
recording. Both hold the same recordings under the same names: of the release, only
folders with one of 17 names count; a file whose name lacks the singer is given it, as
MARBLE's script does by a table of 28; and the five that it deletes are left out. Who
sings is said by the folder, also where a file's name says otherwise (one does).

Where no list divides them: for technique classification a singer stays in one split. The
five test singers are the data set's own (``test_singers_technique.txt`` in the archive).
Of the fifteen others MARBLE's paper has nine for training and six for validation and names
none; here the three women and three men whose names have the smallest SHA-256 are for
validation. For singer classification every singer must be in every split, so one exercise
of one singer stays together. MARBLE's own rule groups recordings by their position in the
folder of their technique. Sources: Wilkins et al., ISMIR 2018; MARBLE, arXiv 2306.10548,
and its first code's ``benchmark/tasks/VocalSet/preprocess.py``.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from marble_eval.data.layouts import Reading, where_to_get
from marble_eval.data.layouts.rows import refuse, text_of
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

SINGERS = {
    "train": ("f1", "f4", "f6", "f9", "m2", "m6", "m7", "m8", "m9"),
    "valid": ("f3", "f5", "f7", "m1", "m4", "m11"),
    "test": ("f2", "f8", "m3", "m5", "m10"),
}

#: The techniques that are classes of the task.
CLASSES = (
    "belt", "breathy", "inhaled", "lip_trill", "spoken", "straight", "trill", "trillo", "vibrato",
    "vocal_fry",
)  # fmt: skip

# What each singer was asked for: scales and arpeggios in ten ways, tones in seven, three songs.
_RUNS = (
    "belt", "breathy", "fast_forte", "fast_piano", "lip_trill", "slow_forte", "slow_piano",
    "straight", "vibrato", "vocal_fry",
)  # fmt: skip
_TONES = ("forte", "inhaled", "messa", "pp", "straight", "trill", "trillo")
_SONGS = ("caro", "dona", "row")
_EXERCISES = (
    *(f"{run}/{way}" for run in ("arpeggios", "scales") for way in _RUNS),
    *(f"long/{way}" for way in _TONES),
    *_SONGS,
)
_HELD_OUT = {"test": range(6), "valid": range(6, 16)}  # of the 30, close to MARBLE's 5 : 8 : 12

_SEED = 42617  # MARBLE's; the one generator draws for the techniques, then for the singers
_GROUPS = (340, 397)  # in the two divisions of all of VocalSet 1.1


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


def singer_split(singer: str) -> str:
    """Say in which split a singer is for technique classification."""
    for split, singers in SINGERS.items():
        if singer in singers:
            return split
    known = ", ".join(name for names in SINGERS.values() for name in names)
    raise ValueError(f"the singer must be one of {known}. Got {singer!r}.")


def exercise_of(technique: str, name: str) -> str:
    """Name the exercise that a recording belongs to, whatever its vowel and key."""
    # "arps" and "arepggios" occur; "long" and "row" may follow a blank.
    found = re.search(r"scales|ar(?:p|ep)|long|caro|dona|row", name)
    if not found:
        return "other"
    word = "arpeggios" if found.group().startswith("ar") else found.group()
    return word if word in _SONGS else f"{word}/{technique}"


def exercise_split(singer: str, exercise: str) -> str:
    """Say in which split a singer's exercise is for singer classification."""
    if exercise not in _EXERCISES:
        return "train"
    ranked = sorted(_EXERCISES, key=lambda each: _digest(f"{singer}/{each}"))
    rank = ranked.index(exercise)
    return next((split for split, ranks in _HELD_OUT.items() if rank in ranks), "train")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def marble_splits(recordings: Iterable[str], task: str) -> dict[str, str]:
    """Divide recordings by the rule of MARBLE's first code.

    Of the whole of version 1.1 it gives the lists that MARBLE's first author published
    (nicolaus625/CMI-bench, commit 0a83837, ``data/VocalSet``).
    """
    positions = _positions(recordings)
    generator = np.random.RandomState(_SEED)
    by_singer = {
        each: singer_split(_singer(each)) for each in positions if each.partition("/")[0] in CLASSES
    }
    others = {positions[each] for each, split in by_singer.items() if split != "test"}
    everyone = set(positions.values())
    if (len(others), len(everyone)) != _GROUPS:
        raise ValueError(
            f"there must be all recordings, which fall into {_GROUPS[0]} groups of techniques and "
            f"{_GROUPS[1]} of singers. Got {len(others)} and {len(everyone)}."
        )
    valid = _held_out(others, 0.4, generator)
    if task == "technique":
        return {
            each: "test" if split == "test" else "valid" if positions[each] in valid else "train"
            for each, split in by_singer.items()
        }
    test = _held_out(everyone, 0.2, generator)
    valid = _held_out(everyone - test, 0.4, generator)
    return {
        each: "test" if position in test else "valid" if position in valid else "train"
        for each, position in positions.items()
    }


def _positions(recordings: Iterable[str]) -> dict[str, int]:
    """Give each file its position in the folder of its technique."""
    folders: dict[str, set[str]] = {}
    for each in recordings:
        folders.setdefault(each.partition("/")[0], set()).add(each)
    return {
        each: position
        for folder in sorted(folders)
        # With the extension: a name and the same with "(1)" change places without it.
        for position, each in enumerate(sorted(folders[folder], key=lambda name: f"{name}.wav"))
    }


def _singer(recording: str) -> str:
    return recording.partition("/")[2].partition("_")[0]


def _held_out(positions: set[int], share: float, generator: np.random.RandomState) -> set[int]:
    from sklearn.model_selection import GroupShuffleSplit  # noqa: PLC0415 - it takes 0.7 s

    groups = np.array(sorted(positions))
    splitter = GroupShuffleSplit(n_splits=1, test_size=share, random_state=generator)
    _, held_out = next(splitter.split(groups, groups=groups))
    return set(groups[held_out].tolist())
