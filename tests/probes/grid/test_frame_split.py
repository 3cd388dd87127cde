"""A split of frames: windows that hold every frame once, targets, and what is read from disk."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from marble_eval.probes.grid import frame_split
from marble_eval.probes.grid.frame_split import FrameSplit, Window
from tests.probes.grid.conftest import LAYERS, RATE, RULES, WIDTH, frame_task, frames_split, like


@pytest.fixture
def split(tmp_path: Path) -> FrameSplit:
    return frames_split(tmp_path, frame_task("beat"))


@pytest.mark.parametrize("seconds", [0.01, 0.5, 1.0, 1.7, 60.0])
def test_every_frame_is_in_one_window(tmp_path: Path, seconds: float) -> None:
    rules = replace(RULES, window_seconds=seconds)
    split = frames_split(tmp_path, frame_task("beat"), rules=rules)
    windows = split.windows()
    for track, frames in enumerate(split.frames):
        of_track = [each for each in windows if each.track == track]
        assert of_track[0].start == 0 and of_track[-1].stop == frames
        assert all(one.stop == two.start for one, two in pairwise(of_track))
        assert all(each.start < each.stop for each in of_track)


# A window has 20 frames: a rest of fewer than 10 joins the window before it.
@pytest.mark.parametrize(
    ("frames", "expected"),
    [
        (5, [5]),
        (20, [20]),
        (29, [29]),
        (30, [20, 10]),
        (49, [20, 29]),
        (50, [20, 20, 10]),
    ],
)
def test_a_rest_shorter_than_half_a_window_joins_the_one_before(
    tmp_path: Path, frames: int, expected: list[int]
) -> None:
    split = frames_split(tmp_path, frame_task("beat"), lengths=(frames,))
    assert [each.stop - each.start for each in split.windows()] == expected


@pytest.mark.parametrize("kind", ["beat", "chord"])
def test_targets_of_a_window_are_cut_from_those_of_its_track(tmp_path: Path, kind: str) -> None:
    task = frame_task(kind)
    split = frames_split(tmp_path, task)
    unknown = 0
    for track, frames in enumerate(split.frames):
        events = task.frame_kind.annotation_of(str(split.tracks[track].label))
        whole = task.frame_kind.encode(events, frames, RATE, task.spec, RULES, widened=True)
        parts = [split.targets(each) for each in split.windows() if each.track == track]
        np.testing.assert_array_equal(np.concatenate(parts), whole)
        unknown += int(np.isnan(whole).sum())
    assert unknown, "the case has no unknown target"


def test_beats_are_widened_for_training(split: FrameSplit) -> None:
    goals = split.targets(Window(0, 0, split.frames[0]))
    assert {0.25, 0.5, 1.0} <= set(np.unique(goals[np.isfinite(goals)]).tolist())


def test_annotations_are_the_tracks_own(split: FrameSplit) -> None:
    for track in range(len(split)):
        assert (
            split.source.task.frame_kind.text_of(split.annotation(track))
            == split.tracks[track].label
        )


def test_a_layer_is_found_by_its_position_in_the_encoder(split: FrameSplit) -> None:
    """Of an encoder's 13 layers three are stored: 4, 7 and 12."""
    audio, store = split.source.store.tracks(), split.source.store
    some = like(split, kept=(4, 7, 12))
    assert some.frames == [90, 47, 30, 75, 60]
    for at, layer in enumerate((4, 7, 12)):
        found = some.read(1, layer, 10, 33)
        assert found.shape == (23, WIDTH) and found.dtype == torch.float32
        np.testing.assert_array_equal(found.numpy(), store.read_layer(audio[1], at, 10, 33))
    with pytest.raises(ValueError, match="not in tuple"):
        some.read(1, 5, 0, 1)


def counting(split: FrameSplit, seen: list[int]) -> FrameSplit:
    """Take down of how many frames targets are asked."""
    task = split.source.task

    def encode(annotation: Any, frames: int, *rest: Any, **options: Any) -> np.ndarray:
        seen.append(frames)
        return np.asarray(task.frame_kind.encode(annotation, frames, *rest, **options))

    return like(split, task=task.overriding(encode=encode))


def test_targets_are_kept_while_there_is_room(
    split: FrameSplit, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    counted = counting(split, seen)
    for _ in range(3):
        for each in counted.windows():
            counted.targets(each)
    assert seen == split.frames, "a track's targets were made twice"

    # Two outputs of 4 bytes: room for the 90 frames of the first track and no other.
    monkeypatch.setattr(frame_split, "_KEPT_BYTES", 90 * 8)
    seen.clear()
    tight = counting(split, seen)
    expected = [split.targets(each) for each in split.windows()]
    for _ in range(2):
        for each, goals in zip(tight.windows(), expected, strict=True):
            np.testing.assert_array_equal(tight.targets(each), goals)
            assert sum(kept.nbytes for kept in tight._targets.values()) <= 90 * 8
    assert len(seen) > len(split.frames)


def test_the_targets_of_a_track_that_is_larger_than_the_room_are_made_all_the_same(
    split: FrameSplit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frame_split, "_KEPT_BYTES", 1)
    assert split.targets(Window(0, 0, 20)).shape == (20, 2)
    assert split.targets(Window(3, 60, 75)).shape == (15, 2)
    assert len(split._targets) == 1


def test_nothing_is_read_until_it_is_asked_for(tmp_path: Path) -> None:
    """A split knows its frames by what its files say at their end."""
    split = frames_split(tmp_path, frame_task("beat"))
    for each in (tmp_path / "frames").rglob("*.frames"):
        with each.open("r+b") as stream:
            stream.write(b"\xff" * (30 * LAYERS * WIDTH * 4))  # of the shortest track all
    assert [each.stop - each.start for each in split.windows()][:5] == [20, 20, 20, 20, 10]
    assert split.targets(Window(2, 0, 20)).shape == (20, 2)
    assert split.read(2, 0, 0, 20).isnan().all()
