"""Tempo and swing: times of beats by hand, and the walk of the tempo by its definition."""

from __future__ import annotations

import numpy as np
import pytest

from marble_eval.embedded.metre import Timing, wandering_beats
from marble_eval.embedded.performance import Written

# Beats of 1, 2 and 1 seconds; the first begins before the clip.
UNEVEN = Timing((-0.5, 0.5, 2.5, 3.5))


def walk(seed: int, drift: float, tempo_bpm: float = 100.0) -> np.ndarray:
    return np.array(
        wandering_beats(
            np.random.default_rng(seed),
            tempo_bpm=tempo_bpm,
            drift=drift,
            start_seconds=-0.7,
            seconds=20.0,
        )
    )


def test_points_between_beats_fall_by_the_length_of_their_beat() -> None:
    assert [UNEVEN.seconds(beat) for beat in (0.0, 0.25, 1.0, 1.5, 2.75)] == [
        *(-0.5, -0.25, 0.5, 1.5, 3.25)
    ]


def test_swing_moves_the_second_half_of_a_beat_and_no_beat() -> None:
    swung = Timing((0.0, 0.6, 1.2), swing=2 / 3)
    quarters = [swung.seconds(at / 4) for at in range(5)]
    # 2/3 of 0.6 s is 0.4 s; the quarters lie in the middle of each part.
    assert quarters == pytest.approx([0.0, 0.2, 0.4, 0.5, 0.6])
    assert swung.seconds(2.0) == 1.2


def test_what_lies_behind_the_last_beat_falls_on_it_or_is_left_out() -> None:
    assert UNEVEN.seconds(3.0) == UNEVEN.seconds(9.0) == 3.5
    kept = UNEVEN.timed([Written(2.5, 4.0, 60, 5), Written(3.0, 1.0, 61), Written(4.0, 1.0, 62)])
    assert kept == [Written(3.0, 0.5, 60, 5)]


def test_a_timed_part_lasts_as_long_as_its_beats() -> None:
    assert UNEVEN.timed([Written(0.5, 1.0, 60), Written(0.0, 2.0, 61, -3)]) == [
        Written(0.0, 1.5, 60),
        Written(-0.5, 3.0, 61, -3),
    ]


def test_beats_of_the_clip_are_annotated_and_those_of_the_bar_too() -> None:
    beats, downbeats = UNEVEN.annotated(metre=2, seconds=3.5)
    assert beats.tolist() == [0.5, 2.5]  # a beat at the very end is not heard
    assert downbeats.tolist() == [2.5]
    assert beats.dtype == downbeats.dtype == np.float64


@pytest.mark.parametrize("drift", [0.02, 0.05, 0.08])
def test_the_tempo_goes_as_far_as_the_drift_and_no_farther(drift: float) -> None:
    for seed in range(20):
        tempi = 60 / np.diff(walk(seed, drift))
        assert tempi.max() <= 100 * np.exp(drift) * 1.001
        assert tempi.min() >= 100 * np.exp(-drift) * 0.999
        assert np.ptp(np.log(tempi)) > 0.8 * drift


def test_the_tempo_is_smooth_and_no_two_walks_are_alike() -> None:
    for seed in range(20):
        steps = np.diff(np.log(np.diff(walk(seed, 0.08))))
        # White noise of the same range would change its direction at two beats of three.
        assert np.mean(steps[1:] * steps[:-1] < 0) < 0.5
    assert len({tuple(walk(seed, 0.05)) for seed in range(20)}) == 20


def test_beats_begin_where_they_are_told_to_and_go_on_behind_the_end() -> None:
    for seed in range(20):
        for tempo in (60.0, 100.0, 180.0):
            times = walk(seed, 0.08, tempo)
            assert times[0] == -0.7
            assert times[-2] < 20.0 <= times[-1]
            assert (np.diff(times) > 0).all()


def test_times_are_to_a_tenth_of_a_millisecond() -> None:
    for time in walk(3, 0.05):
        assert time == round(time, 4)
