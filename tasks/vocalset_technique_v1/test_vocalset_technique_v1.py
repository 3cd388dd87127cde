"""VocalSetTv1: the same task as VocalSetT, divided by MARBLE's lists."""

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
    task = load_task("VocalSetTv1")
    found: list[Track] = task.kind.read_tracks(DATA, task.spec, no_lists)
    return found


def test_only_the_split_is_another() -> None:
    own, variant = load_task("VocalSetT").spec, load_task("VocalSetTv1").spec
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
        lines = (DATA / f"{split}_t.txt").read_text().split("\n")
        listed = [line.removesuffix(".wav") for line in lines if line]
        assert [each.id for each in found if each.split == split] == listed
    assert all(each.path == DATA / "audio" / f"{each.id}.wav" for each in found)
    check_tracks(found, load_task("VocalSetTv1").spec, DATA)


def test_training_and_validation_share_singers_and_no_recording() -> None:
    """What makes it MARBLE's: f1 and m1 are heard in both; test singers are the groups of test."""
    sides = {
        split: {each.id.split("/")[1].split("_")[0] for each in tracks() if each.split == split}
        for split in SPLITS
    }
    assert sides == {"train": {"f1", "m1"}, "valid": {"f1", "m1"}, "test": {"f2", "m5"}}
    groups = {each.group for each in tracks() if each.split == "test"}
    assert groups == {"f2", "m5"}
    others = [each for each in tracks() if each.split != "test"]
    assert all(each.group == each.recording == each.id[:-3] for each in others)
