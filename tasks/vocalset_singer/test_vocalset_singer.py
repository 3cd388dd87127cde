"""VocalSetS: its card, its README, and exercises that stay on one side."""

from __future__ import annotations

import csv
import re
from functools import cache
from pathlib import Path

from marble_eval.registry import Task
from marble_eval.registry import load_task as read_task
from marble_eval.spec import Track

FOLDER = Path(__file__).parent
PUBLISHED = FOLDER.parents[1] / "results" / "published" / "marble_2023.csv"


@cache
def load_task(name: str) -> Task:
    """Read every card once in this module, not once a test."""
    return read_task(name)


def no_lists(name: str) -> bytes:
    raise AssertionError("no list is pinned")


def text() -> str:
    return (FOLDER / "README.md").read_text(encoding="utf-8")


def tracks() -> list[Track]:
    task = load_task("VocalSetSinger")
    found: list[Track] = task.kind.read_tracks(FOLDER / "fixture" / "data", task.spec, no_lists)
    return found


def test_the_twenty_singers_are_numbered_women_first() -> None:
    spec = load_task("VocalSetS").spec
    women, men = range(1, 10), range(1, 12)
    assert spec.labels == (*(f"f{each}" for each in women), *(f"m{each}" for each in men))
    assert f"| Classes | {', '.join(spec.labels)}, in this order |" in text()


def test_two_vowels_of_a_scale_are_one_group_and_each_singer_is_everywhere() -> None:
    found = tracks()
    groups = {each.group: each.split for each in found}
    assert len(groups) == len({(each.group, each.split) for each in found})
    assert [each.id for each in found if each.group == "f1/scales/belt"] == [
        "belt/f1_scales_belt_a", "belt/f1_scales_belt_e",
    ]  # fmt: skip
    for singer in ("f1", "m5"):
        splits = {split for group, split in groups.items() if group.startswith(f"{singer}/")}
        assert splits == {"train", "valid", "test"}


def test_a_song_is_one_group_whatever_the_technique() -> None:
    assert {each.id: each.group for each in tracks() if "dona" in each.id} == {
        "vibrato/f1_dona_vibrato": "f1/dona", "straight/m5_dona_straight": "m5/dona",
    }  # fmt: skip


def test_the_readme_tells_all_thirty_exercises() -> None:
    told = " ".join(text().split())
    ways = re.findall(r"(?:each|in seven) \(([a-z_, ]+)\)", told)
    songs = re.findall(r"three songs \(([a-z, ]+)\)", told)
    runs, tones = (each.split(", ") for each in ways)
    assert (2 * len(runs), len(tones), len(songs[0].split(", "))) == (20, 7, 3)


def test_the_readme_s_scores_are_those_in_results() -> None:
    with PUBLISHED.open(encoding="utf-8") as stream:
        rows = [row for row in csv.DictReader(stream) if row["task"] == "VocalSetS"]
    stored = {row["encoder"]: row["value"] for row in rows}
    shown = dict(
        re.findall(r"^\| ([\w -]+?)(?: \([\w ]+\))? \| ([\d.]+) \|$", text(), re.MULTILINE)
    )
    assert shown == stored and len(stored) == 10
