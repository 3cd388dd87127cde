"""MTGInstrument: its tags, and its fixture as an annotated whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from marble_eval.registry import Task, load_task

FIXTURE = Path(__file__).parent / "fixture"


@pytest.fixture(scope="module")
def task() -> Task:
    return load_task("MTGInstrument")


def test_every_label_is_an_instrument(task: Task) -> None:
    assert len(task.spec.labels) == 40
    assert all(each.startswith("instrument---") for each in task.spec.labels)


def test_targets_follow_the_card_s_order(task: Task) -> None:
    """By hand: 82/382 is sung; 10/262610 has bass, drums, electric guitar and piano."""
    tracks = task.kind.read_tracks(
        FIXTURE / "data", task.spec, lambda name: (FIXTURE / "lists" / name).read_bytes()
    )
    targets = dict(
        zip((each.id for each in tracks), task.track_kind.encode(tracks, task.spec), strict=True)
    )
    assert targets["82/382"].nonzero()[0].tolist() == [0]
    assert targets["10/262610"].nonzero()[0].tolist() == [2, 15, 18, 19]
    names = [task.spec.labels[at].removeprefix("instrument---") for at in (2, 15, 18, 19)]
    assert names == ["piano", "bass", "drums", "electricguitar"]
    assert targets["84/1405384"].sum() == 1, "electricpiano is no piano"
