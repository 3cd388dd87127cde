"""Paths from period to period, against an enumeration of all paths from frame to frame."""

from __future__ import annotations

import math
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from marble_eval.decoding.semi_markov import PeriodModel, Periods, likeliest_periods

State = tuple[int, int]  # (interval in frames, phase)


def _small_model(seed: int) -> PeriodModel:
    """Intervals of 2, 3 and 4 frames; from 2 to 4 and from 4 to 2 nothing goes."""
    probabilities = np.random.default_rng(seed).random((3, 3))
    probabilities[0, 2] = probabilities[2, 0] = 0
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    with np.errstate(divide="ignore"):
        return PeriodModel(np.array([2, 3, 4]), np.array([1, 1, 2]), np.log(probabilities))


def _steps(state: State, model: PeriodModel) -> Iterator[tuple[State, float]]:
    """Give the states that may follow a state, with their log probability."""
    interval, phase = state
    if phase + 1 < interval:
        yield (interval, phase + 1), 0.0
        return
    row = model.log_transitions[list(model.intervals).index(interval)]
    for following, log_probability in zip(model.intervals.tolist(), row.tolist(), strict=True):
        if log_probability > -math.inf:
            yield (following, 0), log_probability


def _all_paths(
    state: State, densities: np.ndarray, model: PeriodModel
) -> Iterator[tuple[list[State], float]]:
    """Give every path from a state before the first frame, with its log probability."""
    if len(densities) == 0:
        yield [], 0.0
        return
    for (interval, phase), step in _steps(state, model):
        first = phase < model.first_frames[list(model.intervals).index(interval)]
        here = step + densities[0, 0 if first else 1]
        for path, score in _all_paths((interval, phase), densities[1:], model):
            yield [(interval, phase), *path], here + score


def _states(periods: Periods, model: PeriodModel, frames: int) -> list[State]:
    """Spell out periods frame by frame."""
    states = [
        (interval, phase)
        for start, interval in zip(periods.starts, model.intervals[periods.choices], strict=True)
        for phase in range(interval)
        if 0 <= start + phase < frames
    ]
    return [(int(interval), phase) for interval, phase in states]


@pytest.mark.parametrize("frames", [1, 2, 3, 5, 9])
@pytest.mark.parametrize("seed", range(8))
def test_no_path_of_the_full_model_is_likelier(seed: int, frames: int) -> None:
    model = _small_model(seed)
    densities = np.log(np.random.default_rng(100 + seed).random((frames, 2)))
    before = [(interval, phase) for interval in (2, 3, 4) for phase in range(interval)]
    paths = [found for state in before for found in _all_paths(state, densities, model)]
    best, score = max(paths, key=lambda found: found[1])
    periods = likeliest_periods(densities, model)
    assert periods.log_probability == pytest.approx(score - math.log(9), abs=1e-7)
    assert _states(periods, model, frames) == best


def test_a_worked_case_has_its_log_probability() -> None:
    # One interval of two frames: both phases have probability 1/2 at the beginning, and all
    # steps 1. Starting with the first phase: 1/2 * 0.9 * 0.8 * 0.7 = 0.252.
    model = PeriodModel(np.array([2]), np.array([1]), np.array([[0.0]]))
    densities = np.log([[0.9, 0.1], [0.2, 0.8], [0.7, 0.3]])
    starts, choices, log_probability = likeliest_periods(densities, model)
    assert (starts.tolist(), choices.tolist()) == ([0, 2], [0, 0])
    assert math.exp(log_probability) == pytest.approx(0.252)


def test_of_equal_paths_the_lowest_state_is_taken() -> None:
    """Every path of a length has the same probability: 1/5 at first, 1/2 at each change."""
    model = PeriodModel(np.array([2, 3]), np.array([1, 1]), np.full((2, 2), math.log(0.5)))
    flat = np.log(np.full((3, 2), 0.3))
    # No change is likelier than one, and only the last three phases of interval 3 need none;
    # but before the first frame there is a step too, so the path begins with phase 1 of 3 or
    # with a change. Phases 1, 2 of 3 and then a change, or a change and phases 0, 1, 2: equal.
    # The first ends in state 0 (interval 2, phase 0), the second in state 4.
    periods = likeliest_periods(flat, model)
    assert _states(periods, model, 3) == [(3, 1), (3, 2), (2, 0)]
    assert periods.log_probability == pytest.approx(math.log(0.3**3 * 0.5 / 5))


def test_of_equal_ways_to_a_state_that_from_the_lowest_is_taken() -> None:
    model = PeriodModel(np.array([2, 3]), np.array([1, 1]), np.full((2, 2), math.log(0.5)))
    # Frame 1 asks for a beginning; before it both intervals end with the same density.
    periods = likeliest_periods(np.log([[0.3, 0.3], [0.9, 0.1]]), model)
    assert _states(periods, model, 2) == [(2, 1), (2, 0)]


def test_threads_find_the_same_paths() -> None:
    densities = np.log(np.random.default_rng(1).random((16, 400, 2)))
    model = _small_model(1)
    with ThreadPoolExecutor(4) as threads:
        together = list(threads.map(lambda each: likeliest_periods(each, model), densities))
    for each, periods in zip(densities, together, strict=True):
        assert likeliest_periods(each, model).log_probability == periods.log_probability


def test_memory_stays_small_for_a_long_track() -> None:
    """60,000 frames x 83 intervals: pointers take 5 MB, scores of every frame would take 40."""
    intervals = np.arange(28, 111)
    transitions = np.where(np.abs(intervals - intervals[:, np.newaxis]) <= 1, 0.0, -np.inf)
    model = PeriodModel(intervals, np.ones_like(intervals), transitions)
    densities = np.log(np.random.default_rng(1).random((60_000, 2)))
    likeliest_periods(densities[:10], model)  # compiled
    tracemalloc.start()
    likeliest_periods(densities, model)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 12e6


def test_numba_is_loaded_when_a_path_is_looked_for() -> None:
    code = "import sys, marble_eval.decoding.bar_pointer; sys.exit('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


@pytest.mark.parametrize(
    ("densities", "rule"),
    [
        (np.zeros(5), r"shape \(frame, 2\) with a frame or more. Got \(5,\)"),
        (np.zeros((5, 3)), r"shape \(frame, 2\) with a frame or more. Got \(5, 3\)"),
        (np.zeros((0, 2)), r"shape \(frame, 2\) with a frame or more. Got \(0, 2\)"),
        (np.full((5, 2), -np.inf), "log_densities must be finite"),
        (np.full((5, 2), np.nan), "log_densities must be finite"),
    ],
)
def test_other_densities_are_refused(densities: np.ndarray, rule: str) -> None:
    with pytest.raises(ValueError, match=rule):
        likeliest_periods(densities, _small_model(1))
