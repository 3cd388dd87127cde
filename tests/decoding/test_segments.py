"""Runs of frames: by hand, and against scipy's labelling of connected regions."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import find_objects, label

from marble_eval.decoding.segments import Segments, active_frames, active_runs, equal_runs


def test_a_change_lies_halfway_between_two_frames() -> None:
    # At 4 Hz frames stand at 0, 0.25, 0.5, … s; the classes change between 0.25 and 0.5 s.
    runs = equal_runs(np.array([3, 3, 5, 5, 5, 3]), 4.0, 1.5)
    np.testing.assert_array_equal(runs.intervals, [[0, 0.375], [0.375, 1.125], [1.125, 1.5]])
    assert runs.values.tolist() == [3, 5, 3]


@pytest.mark.parametrize("rate", [25.0, 75.0, 43.06640625, 100.0])
def test_runs_cover_all_and_hold_their_value_at_every_frame(rate: float) -> None:
    values = np.random.default_rng(0).integers(3, size=500)
    runs = equal_runs(values, rate, 500 / rate)
    assert runs.intervals[0, 0] == 0.0
    assert runs.intervals[-1, 1] == 500 / rate
    np.testing.assert_array_equal(runs.intervals[1:, 0], runs.intervals[:-1, 1])
    assert (np.diff(runs.values) != 0).all()
    times = np.arange(500) / rate
    held = runs.values[np.searchsorted(runs.intervals[:, 0], times, side="right") - 1]
    np.testing.assert_array_equal(held, values)


def test_one_frame_is_one_run_and_none_is_none() -> None:
    one = equal_runs(np.array([7]), 10.0, 0.1)
    assert (one.intervals.tolist(), one.values.tolist()) == ([[0.0, 0.1]], [7])
    none = equal_runs(np.array([], dtype=np.int64), 10.0, 0.0)
    assert (none.intervals.shape, none.values.shape) == ((0, 2), (0,))


def test_an_end_before_the_last_change_is_refused() -> None:
    with pytest.raises(ValueError, match=r"end must lie behind the last change, at 0\.15 s"):
        equal_runs(np.array([0, 0, 1]), 10.0, 0.15)


def test_active_runs_are_the_connected_regions_of_each_output() -> None:
    active = np.random.default_rng(1).random((300, 5)) < 0.4
    expected = []
    for output in range(5):
        regions, _ = label(active[:, output])
        expected += [
            (region.start / 50, output, region.stop / 50) for (region,) in find_objects(regions)
        ]
    runs = active_runs(active, 50.0)
    found = zip(
        runs.intervals[:, 0].tolist(),
        runs.values.tolist(),
        runs.intervals[:, 1].tolist(),
        strict=True,
    )
    assert list(found) == sorted(expected)
    assert len(expected) > 200


def test_runs_at_both_ends_start_and_stop_there() -> None:
    runs = active_runs(np.ones((4, 1), dtype=bool), 8.0)
    assert runs.intervals.tolist() == [[0.0, 0.5]]
    assert active_runs(np.zeros((4, 2), dtype=bool), 8.0).intervals.shape == (0, 2)


def test_frames_are_on_from_the_nearest_of_the_start_to_the_nearest_of_the_end() -> None:
    # In frames: 0.4 to 2.6, so 0 up to 3; 1.5 to 2.5, halves up, so 2 up to 3; 3.1 to 3.2,
    # which has the one frame 3; 3.6 and 9, of which the first is behind the last frame.
    intervals = np.array([[0.04, 0.26], [0.15, 0.25], [0.31, 0.32], [0.36, 0.9], [0.9, 1.0]])
    active = active_frames(Segments(intervals, np.array([0, 1, 2, 3, 0])), 4, 4, 10.0)
    expected = [[1, 1, 1, 0], [0, 0, 1, 0], [0, 0, 0, 1], [0, 0, 0, 0]]
    np.testing.assert_array_equal(active.T, np.array(expected, dtype=bool))


def test_overlapping_segments_of_one_output_are_on_once() -> None:
    segments = Segments(np.array([[0.0, 0.5], [0.2, 0.8]]), np.array([0, 0]))
    assert active_runs(active_frames(segments, 10, 1, 10.0), 10.0).intervals.tolist() == [[0, 0.8]]


@pytest.mark.parametrize("rate", [25.0, 50.0, 75.0, 100.0])
def test_frames_and_runs_are_each_other_s_inverse(rate: float) -> None:
    active = np.random.default_rng(2).random((400, 3)) < 0.5
    again = active_frames(active_runs(active, rate), 400, 3, rate)
    np.testing.assert_array_equal(again, active)
