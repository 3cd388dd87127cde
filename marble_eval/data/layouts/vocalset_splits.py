"""How the recordings of VocalSet are divided, where no list says so.

Technique: a singer stays in one split. The five test singers are the data set's own
(``test_singers_technique.txt`` in the archive). Of the fifteen others MARBLE's paper has
nine for training and six for validation and names none; here the three women and three
men whose names have the smallest SHA-256 are for validation. Singer: every singer must
be in every split, so what stays together is one exercise of one singer. And MARBLE's own
rule, which groups recordings by their position in the folder of their technique.
Sources: Wilkins et al., ISMIR 2018; MARBLE, arXiv 2306.10548, and its first code's
``benchmark/tasks/VocalSet/preprocess.py``.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable

import numpy as np

SINGERS = {
    "train": ("f1", "f4", "f6", "f9", "m2", "m6", "m7", "m8", "m9"),
    "valid": ("f3", "f5", "f7", "m1", "m4", "m11"),
    "test": ("f2", "f8", "m3", "m5", "m10"),
}

#: The techniques that are classes of the task.
TECHNIQUES = (
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
        each: singer_split(_singer(each))
        for each in positions
        if each.partition("/")[0] in TECHNIQUES
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
