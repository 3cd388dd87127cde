"""MTGTop50: its tags are tags of the three other tasks, in an order of its own."""

from __future__ import annotations

from collections import Counter

import pytest

from marble_eval.registry import Task, load_task


@pytest.fixture(scope="module")
def task() -> Task:
    return load_task("MTGTop50")


def test_every_label_is_a_label_of_another_task(task: Task) -> None:
    others = [load_task(each).spec for each in ("MTGGenre", "MTGInstrument", "MTGMood")]
    assert set(task.spec.labels) < {label for each in others for label in each.labels}
    kinds = Counter(label.split("---")[0] for label in task.spec.labels)
    assert kinds == {"genre": 31, "instrument": 14, "mood/theme": 5}


def test_all_tracks_with_a_top_50_tag_are_in_the_split(task: Task) -> None:
    """The publisher counts 54,380 of them before the split."""
    assert sum(task.spec.sizes.values()) == 54380
