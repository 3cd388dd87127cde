"""What is one example: a clip, a track or a recording, and which features belong to it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from marble_eval.errors import ValidationError
from marble_eval.probes.examples import (
    Examples,
    examples_of,
    larger_units,
    target_scale,
    training_unit,
)
from marble_eval.spec import TaskRules, Track

#: Three tracks of two recordings, which do not lie together, and a whole one.
TRACKS = [
    Track("a-0", Path("a-0.wav"), "test", "x", "Ann", "a"),
    Track("b", Path("b.wav"), "test", "y", "Bob"),
    Track("a-1", Path("a-1.wav"), "test", "x", "Ann", "a"),
]
#: Clips are told by a number: tens for the track, ones for the clip.
FEATURES = {
    "a-0": np.array([[[10.0]], [[11.0]]]),
    "b": np.array([[[20.0]]]),
    "a-1": np.array([[[30.0]], [[31.0]], [[32.0]]]),
}


def examples(tracks: list[Track], features: dict[str, np.ndarray], unit: str) -> Examples:
    clips = {name: len(each) for name, each in features.items()}
    return examples_of(tracks, clips, lambda each: features[each.id], unit)  # type: ignore[arg-type]


def heard(unit: str) -> tuple[list[str], list[float], list[int]]:
    found = examples(TRACKS, FEATURES, unit)
    assert found.features.shape == (1, 6, 1)
    return [each.id for each in found.items], found.features.ravel().tolist(), found.clips.tolist()


def test_a_track_is_one_example_with_its_clips() -> None:
    assert heard("track") == (["a-0", "b", "a-1"], [10, 11, 20, 30, 31, 32], [2, 1, 3])


def test_a_recording_is_one_example_with_the_clips_of_its_tracks() -> None:
    assert heard("recording") == (["a", "b"], [10, 11, 30, 31, 32, 20], [5, 1])


def test_a_clip_is_one_example_with_its_track_s_label() -> None:
    names = ["a-0#0", "a-0#1", "b#0", "a-1#0", "a-1#1", "a-1#2"]
    assert heard("clip") == (names, [10, 11, 20, 30, 31, 32], [1] * 6)
    items = examples(TRACKS, FEATURES, "clip").items
    assert [each.label for each in items] == ["x", "x", "y", "x", "x", "x"]
    assert [each.recording for each in items] == ["a", "a", "b", "a", "a", "a"]


def test_clips_are_found_again_by_recording() -> None:
    items = examples(TRACKS, FEATURES, "clip").items
    recordings, of_item = larger_units(items)
    assert [each.id for each in recordings] == ["a", "b"]
    assert of_item.tolist() == [0, 0, 1, 0, 0, 0]


def test_pieces_of_a_recording_must_agree() -> None:
    other = Track("a-2", Path("a-2.wav"), "test", "y", "Ann", "a")
    features = {**FEATURES, "a-2": FEATURES["b"]}
    with pytest.raises(ValidationError, match=r"'a' must share their label.*'x' for a-0 and 'y'"):
        examples([*TRACKS, other], features, "recording")


def test_training_takes_tracks_or_clips() -> None:
    assert training_unit(TaskRules()) == "track"
    assert training_unit(TaskRules(batch_of="clips", scored="recording")) == "clip"


def test_a_dimension_that_never_varies_in_training_is_named() -> None:
    targets = np.array([[1.0, 5.0], [3.0, 5.0]])
    with pytest.raises(ValidationError, match="valence does not"):
        target_scale(targets, ["arousal", "valence"])
