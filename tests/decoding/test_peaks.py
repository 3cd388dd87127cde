"""Peaks, against scipy.signal.find_peaks where the rules agree, and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import find_peaks

from marble_eval.decoding.peaks import pick_peaks


def _peaks(
    *activation: float, rate: float = 1.0, threshold: float = 0.5, distance: float = 0.0
) -> list[float]:
    times = pick_peaks(np.array(activation), rate, threshold=threshold, distance_seconds=distance)
    return [float(each) for each in times]


# --- against scipy ---


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_without_a_distance_peaks_are_scipy_s(dtype: type[np.floating]) -> None:
    activation = np.random.default_rng(1).random(3000).astype(dtype)
    activation[[0, -1]] = 0  # scipy knows no peak at the ends
    expected, _ = find_peaks(activation, height=0.5)
    times = pick_peaks(activation, 100, threshold=0.5, distance_seconds=0)
    np.testing.assert_allclose(times, expected / 100)
    assert len(times) > 500


def test_peaks_of_separate_bumps_are_scipy_s() -> None:
    random = np.random.default_rng(2)
    time = np.arange(3000) / 100
    beats = np.cumsum(0.3 + 0.4 * random.random(50))
    heights = 0.3 + 0.7 * random.random(50)
    bumps = heights * np.exp(-(((time[:, np.newaxis] - beats) / 0.03) ** 2))
    activation = bumps.max(axis=1) + 0.001 * random.random(3000)
    expected, _ = find_peaks(activation, height=0.5, distance=8)  # 8 frames apart or more
    times = pick_peaks(activation, 100, threshold=0.5, distance_seconds=0.07)
    np.testing.assert_allclose(times, expected / 100)
    assert 20 < len(times) < 50


@pytest.mark.parametrize("seed", range(20))
def test_peaks_are_the_largest_of_scipy_s_plateaus(seed: int) -> None:
    """Few different values, so plateaus and equal peaks abound; the ends are given lower sides."""
    activation = np.random.default_rng(seed).integers(0, 5, 200) / 4
    edges = find_peaks(np.pad(activation, 1, constant_values=-1), plateau_size=1)[1]
    reach = 3
    expected: list[float] = []
    for start, end in zip(edges["left_edges"] - 1, edges["right_edges"] - 1, strict=True):
        middle = (start + end) // 2
        around = activation[max(middle - reach, 0) : middle + reach + 1]
        apart = not expected or (start + end) / 2 - expected[-1] > reach
        if activation[middle] >= 0.5 and activation[middle] == around.max() and apart:
            expected.append((start + end) / 2)
    times = pick_peaks(activation, 100, threshold=0.5, distance_seconds=0.03)
    np.testing.assert_allclose(times, np.array(expected) / 100)
    assert expected


# --- by hand ---


def test_a_peak_has_its_time_and_at_least_the_threshold() -> None:
    assert _peaks(0, 0.5, 0, 0.4, 0, 0.9, 0, rate=10) == [0.1, 0.5]


def test_the_largest_within_the_distance_stays() -> None:
    assert _peaks(0, 0.7, 0, 0.9, 0, 0.8, 0, distance=2) == [3]
    assert _peaks(0, 0.7, 0, 0.9, 0, 0.8, 0, distance=1) == [1, 3, 5]
    # 0.7 gives way to 0.8, though that gives way to 0.9: each is compared with all around it.
    assert _peaks(0, 0.7, 0, 0.8, 0, 0.9, 0, distance=2) == [5]


def test_the_flank_of_a_larger_peak_counts_too() -> None:
    assert _peaks(0, 0.6, 0.1, 0.7, 0.9, 0, distance=2) == [4]


def test_the_distance_in_frames_is_that_in_seconds() -> None:
    # 0.07 * 100 is a little more than 7, 0.29 * 100 a little less than 29.
    for distance, frames in ((0.07, 7), (0.29, 29), (0.0749, 7)):
        for gap, stay in ((frames, 1), (frames + 1, 2)):
            activation = np.zeros(100)
            activation[[20, 20 + gap]] = 0.8, 0.9
            times = pick_peaks(activation, 100, threshold=0.5, distance_seconds=distance)
            assert len(times) == stay


def test_a_plateau_is_one_peak_at_its_middle() -> None:
    assert _peaks(0, 0.9, 0.9, 0.9, 0) == [2]
    assert _peaks(0, 0.9, 0.9, 0.9, 0.9, 0) == [2.5]
    assert _peaks(0, *[0.9] * 11, 0, distance=2) == [6]  # longer than the distance


def test_a_step_on_the_way_up_or_down_is_no_peak() -> None:
    assert _peaks(0, 0.6, 0.6, 0.9, 0.6, 0.6, 0) == [3]
    assert _peaks(0, *[0.6] * 9, 0.9, 0) == [10]


def test_of_equal_peaks_too_close_the_first_stays() -> None:
    assert _peaks(0, 0.9, 0, 0.9, 0, 0.9, 0, distance=2) == [1, 5]
    assert _peaks(0, 0.9, 0, 0.9, 0, 0.9, 0, distance=4) == [1]


def test_a_peak_may_stand_at_either_end() -> None:
    assert _peaks(0.9, 0.1, 0.1, 0.8) == [0, 3]
    assert _peaks(0.9, 0.9, 0.1, 0.8, 0.8) == [0.5, 3.5]
    assert _peaks(0.1, 0.9) == [1]


def test_one_frame_and_constant_activations_have_one_peak_or_none() -> None:
    assert _peaks(0.9) == [0]
    assert _peaks(0.4) == []
    assert _peaks(*[0.9] * 7, distance=1) == [3]
    assert _peaks(*[0.4] * 7) == []
    assert _peaks() == []


def test_logits_do_as_well_as_probabilities() -> None:
    logits = np.random.default_rng(3).normal(size=500)
    by_logits = pick_peaks(logits, 100, threshold=0.0, distance_seconds=0.05)
    probabilities = 1 / (1 + np.exp(-logits))
    by_probabilities = pick_peaks(probabilities, 100, threshold=0.5, distance_seconds=0.05)
    np.testing.assert_array_equal(by_logits, by_probabilities)


@pytest.mark.parametrize("dtype", [np.float16, np.int64, np.bool_])
def test_other_numbers_are_read_too(dtype: type[np.generic]) -> None:
    activation = np.array([0, 1, 0, 0, 1, 1, 0]).astype(dtype)
    assert pick_peaks(activation, 1, threshold=0.5, distance_seconds=1).tolist() == [1, 4.5]


# --- refused ---


@pytest.mark.parametrize(
    ("activation", "changed", "rule"),
    [
        (np.zeros((5, 1)), {}, r"activation must have shape \(frame,\). Got \(5, 1\)"),
        (np.array([0.1, np.nan]), {}, "activation must be numbers. Got 1 nan"),
        (np.zeros(5), {"rate": 0.0}, "rate must be positive and finite. Got 0.0"),
        (np.zeros(5), {"threshold": np.nan}, "threshold must be a number. Got nan"),
        (np.zeros(5), {"distance_seconds": -0.1}, "distance_seconds must be finite and not neg"),
        (np.zeros(5), {"distance_seconds": np.inf}, "distance_seconds must be finite and not neg"),
    ],
)
def test_other_arguments_are_refused(
    activation: np.ndarray, changed: dict[str, float], rule: str
) -> None:
    arguments = {"rate": 100.0, "threshold": 0.5, "distance_seconds": 0.07, **changed}
    with pytest.raises(ValueError, match=rule):
        pick_peaks(activation, **arguments)
