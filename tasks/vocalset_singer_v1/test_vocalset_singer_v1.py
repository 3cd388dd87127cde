"""VocalSetSv1: the same task as VocalSetS, divided by MARBLE's lists."""

from __future__ import annotations

import dataclasses
from functools import cache
from pathlib import Path

from marble_eval.data.tracks import check_tracks
from marble_eval.registry import Task
from marble_eval.registry import load_task as read_task
from marble_eval.spec import SPLITS, Track

FOLDER = Path(__file__).parent
DATA = FOLDER / "fixture" / "data"


@cache
def load_task(name: str) -> Task:
    """Read every card once in this module, not once a test."""
    return read_task(name)


def no_lists(name: str) -> bytes:
    raise AssertionError("MARBLE's lists lie with the data")


def tracks() -> list[Track]:
    task = load_task("VocalSetSv1")
    found: list[Track] = task.kind.read_tracks(DATA, task.spec, no_lists)
    return found


def test_only_the_split_is_another() -> None:
    own, variant = load_task("VocalSetS").spec, load_task("VocalSetSv1").spec
    differing = {
        field.name
        for field in dataclasses.fields(own)
        if getattr(own, field.name) != getattr(variant, field.name)
    }
    told = {"name", "aliases", "summary", "remarks", "sources", "instructions"}
    assert differing == {*told, "data", "column"}
    assert variant.column == "", "one column for one task"


def test_the_lists_are_followed_to_the_letter() -> None:
    found = tracks()
    for split in SPLITS:
        lines = (DATA / f"{split}_s.txt").read_text().split("\n")
        listed = [line.removesuffix(".wav") for line in lines if line]
        assert [each.id for each in found if each.split == split] == listed
    assert all(each.path == DATA / "audio" / f"{each.id}.wav" for each in found)
    check_tracks(found, load_task("VocalSetSv1").spec, DATA)


def test_takes_of_one_exercise_are_on_all_sides_and_a_recording_is_on_one() -> None:
    """What makes it MARBLE's: f1's belted arpeggio on "a" is for test, on "i" for training."""
    splits = {each.recording: each.split for each in tracks()}
    assert splits["belt/f1_arpeggios_belt_c_a"] == "test"
    assert splits["belt/f1_arpeggios_belt_c_i"] == "train"
    assert splits["belt/f1_scales_belt_a"] == "valid"
    assert splits["belt/f1_scales_belt_o"] == "train"
    assert all(each.group == each.recording == each.id[:-3] for each in tracks())
    (kept,) = {each.group for each in tracks() if each.recording == "forte/m10_long_forte_a"}
    assert kept == "forte/m10_long_forte_a"
