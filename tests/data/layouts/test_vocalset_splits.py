"""The divisions of VocalSet: by rule, fixed, and MARBLE's the one that was published.

The lists that MARBLE's first author published (nicolaus625/CMI-bench, commit 0a83837,
``data/VocalSet/*.txt``) are compared with the rule on the parts written down here: all of
``belt``, and ``straight`` and ``vibrato`` for the fifteen singers that are not for test.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from functools import cache
from itertools import product
from pathlib import Path

import pytest

from marble_eval.data.layouts.vocalset import (
    SINGERS,
    exercise_of,
    exercise_split,
    marble_splits,
    singer_split,
)
from marble_eval.data.tracks import check_tracks
from marble_eval.errors import ValidationError
from marble_eval.registry import Task
from marble_eval.registry import load_task as read_task
from tests.data.layouts.conftest import no_lists, touch

WOMEN = [f"f{number}" for number in range(1, 10)]
MEN = [f"m{number}" for number in range(1, 12)]
EVERYONE = [*WOMEN, *MEN]
VOWELS = "aeiou"
SONGS = ["caro", "dona", "row"]
#: Sung for less than 3 s, so that no piece of them is on any list.
TOO_SHORT = {"straight/m2_arpeggios_straight_u", "vibrato/m6_arpeggios_vibrato_u"}

#: valid_t.txt: arpeggios, scales, long tones, songs.
STRAIGHT = {
    "f1": "o ao - dr", "f3": "eu eu - dr", "f4": "iou ei eo c", "f5": "aeio eu aeu -",
    "f6": "eu ai o r", "f7": "aio ou ei -", "f9": "ao i i c", "m11": "ae - iu cr",
    "m1": "aeiu e eou d", "m2": "io ou eio cdr", "m4": "eu aio e c", "m6": "- - iu cr",
    "m7": "eio u eou d", "m8": "io aeou io cr", "m9": "eo ai io cd",
}  # fmt: skip
#: valid_t.txt: arpeggios, scales, songs.
VIBRATO = {
    "f1": "o u d", "f3": "ae iou -", "f4": "iu e r", "f5": "iu iou r", "f6": "ao ei c",
    "f7": "aeio ao r", "f9": "iu iu cr", "m11": "ou eo r", "m1": "ae ei cdr", "m2": "ai - r",
    "m4": "aou ae -", "m6": "aei aio d", "m7": "e aio r", "m8": "aeiu eiu -", "m9": "u aei cd",
}  # fmt: skip
#: valid_t.txt: arpeggios, scales; f6 sang the arpeggios twice.
BELT = {
    "f1": "o e", "f3": "ei -", "f4": "eio eo", "f5": "eo u", "f6": "eu+iou ao", "f7": "au aou",
    "f9": "i ai", "m11": "eu ei", "m1": "io -", "m2": "aeu eo", "m4": "ao au", "m6": "u io",
    "m7": "ei ei", "m8": "e aio", "m9": "u aeo",
}  # fmt: skip
#: test_s.txt and valid_s.txt.
BELT_TEST = {
    "f1": "a eu", "f2": "- a", "f3": "- o", "f4": "io -", "f5": "a o", "f6": "-+a u", "f7": "io -",
    "f8": "i u", "f9": "- o", "m10": "- ao", "m11": "au o", "m1": "e e", "m2": "u aeiu",
    "m3": "eu u", "m4": "o -", "m5": "ae -", "m6": "- -", "m7": "e o", "m8": "ao -", "m9": "- aei",
}  # fmt: skip
BELT_VALID = {
    "f1": "e ai", "f2": "aiu i", "f3": "ao -", "f4": "au u", "f5": "eio ae", "f6": "u+u io",
    "f7": "- ae", "f8": "e e", "f9": "aeo ei", "m10": "ai iu", "m11": "o eiu", "m1": "ao o",
    "m2": "aio -", "m3": "o ao", "m4": "aei ae", "m5": "o eu", "m6": "ae -", "m7": "ai i",
    "m8": "iu e", "m9": "aei o",
}  # fmt: skip


@cache
def load_task(name: str) -> Task:
    """Read every card once in this module, not once a test."""
    return read_task(name)


def straight(singer: str) -> list[str]:
    """Name the recordings of a singer: 18, and one of f2 twice."""
    names = [
        f"{singer}_{what}_straight_{vowel}"
        for what, vowel in product(["arpeggios", "scales", "long"], VOWELS)
    ]
    names += [f"{singer}_{song}_straight" for song in SONGS]
    if singer == "m1":
        names[names.index("m1_scales_straight_u")] = "m1_straight_tone_scales_u"
    return names + ["f2_scales_straight_u(1)"] * (singer == "f2")


def vibrato(singer: str) -> list[str]:
    """Name the recordings of a singer that MARBLE's script finds: 250 of all."""
    whats = ["scales"] if singer == "f2" else ["arpeggios", "scales"]  # f2's are in "vibrado"
    names = [f"{singer}_{what}_vibrato_{vowel}" for what, vowel in product(whats, VOWELS)]
    absent = {"m10": SONGS, "m2": ["dona"], "m8": ["caro"]}.get(singer, [])
    return names + [f"{singer}_{song}_vibrato" for song in SONGS if song not in absent]


def belt(singer: str) -> list[str]:
    whats = {"f1": ["arpeggios_belt_c"], "f6": ["arpeggios_belt_1", "arpeggios_belt_2"]}
    return [
        f"{singer}_{what}_{vowel}"
        for what in [*whats.get(singer, ["arpeggios_belt"]), "scales_belt"]
        for vowel in VOWELS
    ]


def everything() -> list[str]:
    """The three folders as they are, and what matters here of others.

    The longest folder has 397 files. In others, singers that are not for test stand at
    positions at which only test singers do in the three.
    """
    known = {"straight": straight, "vibrato": vibrato, "belt": belt}
    names = [f"{way}/{name}" for way in known for each in EVERYONE for name in known[way](each)]
    names += [f"lip_trill/f1_scales_{number:03d}" for number in range(165)]
    return names + [f"slow_piano/f1_scales_{number:03d}" for number in range(397)]


def letters(text: str) -> str:
    return text.replace("-", "")


def of_vowels(singer: str, way: str, told: str) -> set[str]:
    """Write out what a table above tells of arpeggios and scales, or long tones."""
    arpeggios, scales, *long = told.split()
    infix = "_c" if (singer, way) == ("f1", "belt") else ""
    names = {f"{singer}_scales_{way}_{vowel}" for vowel in letters(scales)}
    if "+" in arpeggios:
        for take, vowels in enumerate(arpeggios.split("+"), start=1):
            names |= {f"{singer}_arpeggios_{way}_{take}_{vowel}" for vowel in letters(vowels)}
    else:
        names |= {f"{singer}_arpeggios_{way}{infix}_{vowel}" for vowel in letters(arpeggios)}
    names |= {f"{singer}_long_{way}_{vowel}" for vowel in letters(long[0] if len(long) > 1 else "")}
    songs = letters(long[-1]) if long else ""
    return names | {f"{singer}_{song}_{way}" for song in SONGS if song[0] in songs}


def published(way: str, table: dict[str, str]) -> set[str]:
    return {
        f"{way}/{name}" for singer, told in table.items() for name in of_vowels(singer, way, told)
    }


def in_split(splits: dict[str, str], split: str, way: str) -> set[str]:
    return {name for name, where in splits.items() if where == split and name.startswith(f"{way}/")}


def test_the_technique_rule_gives_marble_s_published_lists() -> None:
    splits = marble_splits(everything(), "technique")
    for way, table in {"straight": STRAIGHT, "vibrato": VIBRATO, "belt": BELT}.items():
        assert in_split(splits, "valid", way) - TOO_SHORT == published(way, table)
    for name, split in splits.items():
        assert (split == "test") == (name.split("/")[1].split("_")[0] in SINGERS["test"])
    assert not in_split(splits, "train", "slow_piano"), "no class of the task"


def test_the_singer_rule_gives_marble_s_published_lists() -> None:
    splits = marble_splits(everything(), "singer")
    assert in_split(splits, "test", "belt") == published("belt", BELT_TEST)
    assert in_split(splits, "valid", "belt") == published("belt", BELT_VALID)
    assert set(splits) == set(everything())


def test_the_rule_does_not_depend_on_the_order_in_which_files_are_found() -> None:
    names = everything()
    assert marble_splits(names[::-1], "singer") == marble_splits(names, "singer")


def test_files_at_one_position_of_their_folders_stay_together() -> None:
    """MARBLE's groups: the third file of every technique, whoever sings it."""
    splits = marble_splits(everything(), "singer")
    sides: dict[int, set[str]] = {}
    for way in ("straight", "vibrato", "belt", "lip_trill", "slow_piano"):
        folder = sorted(f"{name}.wav" for name in everything() if name.startswith(f"{way}/"))
        for position, name in enumerate(folder):
            sides.setdefault(position, set()).add(splits[name.removesuffix(".wav")])
    assert all(len(each) == 1 for each in sides.values())
    counts = Counter(next(iter(each)) for each in sides.values())
    assert counts == {"test": 80, "valid": 127, "train": 190}  # a fifth of 397, two fifths of 317


def test_a_recording_that_is_missing_would_move_the_others_and_is_told() -> None:
    names = everything()
    marble_splits(names, "technique")
    names.remove("straight/m9_scales_straight_u")
    with pytest.raises(ValueError, match=r"340 groups .* 397 .* Got 339 and 397\."):
        marble_splits(names, "technique")


def test_the_release_is_divided_as_marble_s_lists_do(tmp_path: Path) -> None:
    """The same from files on disk: prefixes, the five that are deleted, and m8's that says m9."""
    without_singer = {"f4_scales_straight_a", "f4_arpeggios_straight_o", "m8_row_straight"}
    for name in everything():
        way, _, file = name.partition("/")
        singer = file.partition("_")[0]
        if file in without_singer:
            file = file.partition("_")[2]
        release_file(tmp_path, singer, way, file)
    for singer, file in (("m10", "caro"), ("m10", "dona"), ("m10", "row"), ("f2", "slow")):
        release_file(tmp_path, singer, "vibrato", f"{file}_vibrato{'_arps' * (file == 'slow')}")
    release_file(tmp_path, "f2", "vibrato", "f2_scales_vibrato_a(1)")
    release_file(tmp_path, "m8", "vibrato", "m9_caro_vibrato")
    for vowel in VOWELS:
        release_file(tmp_path, "f2", "vibrado", f"f2_arpeggios_vibrato_{vowel}")
    expected = marble_splits(everything(), "technique")
    expected["vibrato/m8_caro_vibrato"] = expected["vibrato/m9_caro_vibrato"]
    task = load_task("VocalSetTv1")
    tracks = task.kind.read_tracks(tmp_path, task.spec, no_lists)
    check_tracks(tracks, task.spec, tmp_path)
    assert {each.id: each.split for each in tracks} == expected
    (named,) = (each for each in tracks if each.id == "vibrato/m8_caro_vibrato")
    assert named.path == tmp_path / "FULL/male8/x/vibrato/m9_caro_vibrato.wav"
    assert all(each.group == each.id for each in tracks if each.split != "test")
    assert {each.group for each in tracks if each.split == "test"} == set(SINGERS["test"])
    (tmp_path / "FULL/male9/x/straight/m9_scales_straight_u.wav").unlink()
    with pytest.raises(ValidationError, match=r"Got 339 and 397\. Get VocalSet 1\.1 as a whole"):
        task.kind.read_tracks(tmp_path, task.spec, no_lists)


def release_file(root: Path, singer: str, way: str, file: str) -> None:
    folder = f"{'female' if singer[0] == 'f' else 'male'}{singer[1:]}"
    touch(root, f"FULL/{folder}/x/{way}/{file}.wav")


def test_validation_singers_are_the_first_three_women_and_men_by_digest() -> None:
    def digest(singer: str) -> str:
        return hashlib.sha256(f"VocalSetT/{singer}".encode()).hexdigest()

    others = [each for each in EVERYONE if each not in ("f2", "f8", "m3", "m5", "m10")]
    women = sorted((each for each in others if each[0] == "f"), key=digest)
    men = sorted((each for each in others if each[0] == "m"), key=digest)
    assert set(SINGERS["valid"]) == {*women[:3], *men[:3]}
    assert set(SINGERS["train"]) == {*women[3:], *men[3:]}
    assert [len(SINGERS[split]) for split in ("train", "valid", "test")] == [9, 6, 5]


def test_every_singer_is_in_one_split_of_the_technique_task() -> None:
    assert sorted(EVERYONE) == sorted(name for names in SINGERS.values() for name in names)
    assert {each: singer_split(each) for each in ("f4", "m11", "f8")} == {
        "f4": "train", "m11": "valid", "f8": "test",
    }  # fmt: skip
    with pytest.raises(ValueError, match=r"one of f1, .* Got 'f10'"):
        singer_split("f10")


@pytest.mark.parametrize(
    ("technique", "name", "exercise"),
    [
        ("belt", "f1_arpeggios_belt_c_a", "arpeggios/belt"),
        ("lip_trill", "f2_lip_trill_arps", "arpeggios/lip_trill"),
        ("fast_forte", "f4_arepggios_c_fast_forte_a", "arpeggios/fast_forte"),
        ("slow_forte", "m8_scales_f_sow_forte_a", "scales/slow_forte"),
        ("straight", "m1_straight_tone_scales_u", "scales/straight"),
        ("vocal_fry", "f2_scales_vocal_fry", "scales/vocal_fry"),
        ("straight", "f2_scales_straight_u(1)", "scales/straight"),
        ("trillo", "f7_ long_trillo_i", "long/trillo"),
        ("spoken", "m4_ row_spoken", "row"),
        ("vibrato", "m3_caro_vibrato", "caro"),
        ("straight", "m4_dona_straight", "dona"),
        ("belt", "f1_warmup", "other"),
    ],
)
def test_the_name_says_what_is_sung(technique: str, name: str, exercise: str) -> None:
    assert exercise_of(technique, name) == exercise


def test_every_vowel_and_key_of_an_exercise_is_on_one_side() -> None:
    for singer in EVERYONE:
        for key, vowel in product(["c_", "f_"], VOWELS):
            name = f"{singer}_scales_{key}slow_piano_{vowel}"
            assert exercise_of("slow_piano", name) == "scales/slow_piano"


def test_each_singer_s_thirty_exercises_are_divided_as_14_10_6() -> None:
    ways = "belt breathy fast_forte fast_piano lip_trill slow_forte slow_piano straight vibrato"
    runs = [
        f"{run}/{way}" for run in ("arpeggios", "scales") for way in f"{ways} vocal_fry".split()
    ]
    tones = [f"long/{way}" for way in "forte inhaled messa pp straight trill trillo".split()]
    exercises = [*runs, *tones, *SONGS]
    divisions = set()
    for singer in EVERYONE:
        splits = [exercise_split(singer, each) for each in exercises]
        assert Counter(splits) == {"train": 14, "valid": 10, "test": 6}
        ranked = sorted(
            exercises, key=lambda each: hashlib.sha256(f"{singer}/{each}".encode()).digest()
        )
        assert [exercise_split(singer, each) for each in ranked] == (
            ["test"] * 6 + ["valid"] * 10 + ["train"] * 14
        )
        divisions.add(tuple(splits))
    assert len(divisions) == 20, "each singer is divided in a way of their own"
    assert exercise_split("f1", "other") == "train"
