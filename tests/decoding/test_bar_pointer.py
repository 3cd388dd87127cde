"""Beats by the bar-pointer model, against madmom-infer frame by frame, and by hand."""

from __future__ import annotations

from typing import Any, NamedTuple

import mir_eval.beat
import numpy as np
import pytest

from marble_eval.decoding.bar_pointer import beat_model, decode_beats, log_densities
from marble_eval.decoding.semi_markov import Periods, likeliest_periods

BEATS, BARS = (55.0, 215.0), (18.0, 72.0)  # a minute


def _decoded(
    activation: np.ndarray, rate: float = 100.0, tempo: tuple[float, float] = BEATS
) -> np.ndarray:
    return decode_beats(activation, rate, tempo=tempo, transition_lambda=100, observation_lambda=16)


def _periods(
    activation: np.ndarray, rate: float, tempo: tuple[float, float], parts: int = 16
) -> Periods:
    model = beat_model(rate, tempo=tempo, transition_lambda=100, observation_lambda=parts)
    return likeliest_periods(log_densities(activation, parts), model)


def _bumps(times: np.ndarray, seconds: float, rate: float, *, width: float = 0.02) -> np.ndarray:
    """Give an activation of 0.9 at the times and 0.02 far from them."""
    frames = np.arange(round(seconds * rate)) / rate
    bumps = np.exp(-(((frames[:, np.newaxis] - times) / width) ** 2))
    return np.asarray(0.02 + 0.88 * bumps.max(axis=1))


# --- against madmom-infer ---


class _Foreign(NamedTuple):
    """What madmom-infer finds: the state of every frame, its log probability, the beats."""

    path: np.ndarray
    log_probability: float
    beats: np.ndarray
    first_states: np.ndarray


class _Observations:
    """The observation model; madmom-infer 0.2.0's own raises a TypeError for any input."""

    def __init__(self, positions: np.ndarray, parts: int) -> None:
        self.parts = parts
        self.pointers = (positions < 1 / parts).astype(np.uint32)

    def log_densities(self, activation: np.ndarray) -> np.ndarray:
        others = np.log((1 - activation) / (self.parts - 1))
        return np.stack((others, np.log(activation)), axis=1)


class _Rounded:
    """Transitions or observations of which log probabilities are multiples of 2^-30."""

    def __init__(self, model: Any) -> None:
        self.model = model

    def __getattr__(self, name: str) -> Any:
        return getattr(self.model, name)

    @property
    def log_probabilities(self) -> np.ndarray:
        return np.asarray(np.round(self.model.log_probabilities * 2**30) / 2**30)

    def log_densities(self, activation: np.ndarray) -> np.ndarray:
        return np.asarray(np.round(self.model.log_densities(activation) * 2**30) / 2**30)


def _foreign(
    activation: np.ndarray,
    rate: float,
    tempo: tuple[float, float],
    *,
    parts: int = 16,
    rounded: bool = False,
) -> _Foreign:
    reason = "madmom-infer is part of the dev extra"
    hmm = pytest.importorskip("madmom_infer.ml.hmm", reason=reason)
    beats_hmm = pytest.importorskip("madmom_infer.features.beats_hmm", reason=reason)
    space = beats_hmm.BeatStateSpace(60 * rate / tempo[1], 60 * rate / tempo[0])
    transitions = beats_hmm.BeatTransitionModel(space, 100)
    observations: Any = _Observations(space.state_positions, parts)
    if rounded:
        model = hmm.HiddenMarkovModel(_Rounded(transitions), _Rounded(observations))
        # The prior is added afterwards, since its logarithm is no multiple.
        model.initial_distribution = np.ones(space.num_states)
    else:
        model = hmm.HiddenMarkovModel(transitions, observations)
    path, log_probability = model.viterbi(activation)
    if rounded:
        log_probability -= np.log(space.num_states)
    # Runs of frames in a first part, and the largest value of each.
    edges = np.flatnonzero(np.diff(observations.pointers[path], prepend=0, append=0))
    beats = [left + activation[left:right].argmax() for left, right in edges.reshape(-1, 2)]
    return _Foreign(path, log_probability, np.array(beats) / rate, space.first_states)


def _states(periods: Periods, foreign: _Foreign) -> np.ndarray:
    """Give madmom's number of the state of every frame of our path."""
    frames = np.arange(len(foreign.path))
    period = np.searchsorted(periods.starts, frames, side="right") - 1
    first = foreign.first_states[periods.choices[period]]
    return np.asarray(first + frames - periods.starts[period])


def _signal(name: str, rate: float, seconds: float, period: float) -> np.ndarray:
    random = np.random.default_rng(5)
    frames = np.arange(round(seconds * rate)) / rate
    steady = np.arange(0.6 * period, seconds, period)
    if name == "random":
        return random.uniform(0.001, 0.999, len(frames))
    if name == "jitter":
        return _bumps(steady + period * random.normal(0, 0.03, len(steady)), seconds, rate)
    if name == "drift":
        drifting = np.cumsum(period * np.linspace(0.8, 1.3, 2 * len(steady)))
        return _bumps(drifting, seconds, rate) * random.uniform(0.5, 1, len(frames))
    if name == "silence":
        silent = (frames > 0.3 * seconds) & (frames < 0.7 * seconds)
        return np.where(silent, 0.001, _bumps(steady, seconds, rate)) * random.uniform(
            0.9, 1, len(frames)
        )
    if name == "constant":
        return np.full(len(frames), 0.3)
    return np.where(_bumps(steady, seconds, rate) > 0.5, 0.75, 0.25)  # two values alone


SIGNALS = ("random", "jitter", "drift", "silence", "constant", "two values")
RATES = ((100.0, BEATS, 8.0, 0.5), (75.0, BEATS, 8.0, 0.5), (25.0, BEATS, 20.0, 0.5),
         (100.0, BARS, 5.5, 1.8), (50.0, BARS, 9.0, 1.8), (25.0, BARS, 20.0, 1.8))  # fmt: skip


@pytest.mark.parametrize("name", SIGNALS)
@pytest.mark.parametrize(("rate", "tempo", "seconds", "period"), RATES[:3] + RATES[4:])
def test_every_state_is_madmom_s(
    name: str, rate: float, tempo: tuple[float, float], seconds: float, period: float
) -> None:
    """Also where paths are equally likely: sums of such rounded numbers are exact."""
    activation = _signal(name, rate, seconds, period)
    foreign = _foreign(activation, rate, tempo, rounded=True)
    periods = _periods(activation, rate, tempo)
    np.testing.assert_array_equal(_states(periods, foreign), foreign.path)
    assert periods.log_probability == pytest.approx(foreign.log_probability, abs=1e-8)
    np.testing.assert_array_equal(_decoded(activation, rate, tempo), foreign.beats)


@pytest.mark.parametrize("name", SIGNALS[:4])
@pytest.mark.parametrize(("rate", "tempo", "seconds", "period"), RATES[:3] + RATES[5:])
def test_without_any_rounding_madmom_finds_the_same(
    name: str, rate: float, tempo: tuple[float, float], seconds: float, period: float
) -> None:
    activation = _signal(name, rate, seconds, period)
    foreign = _foreign(activation, rate, tempo)
    periods = _periods(activation, rate, tempo)
    assert periods.log_probability == pytest.approx(foreign.log_probability, abs=1e-5)
    np.testing.assert_array_equal(_states(periods, foreign), foreign.path)
    np.testing.assert_array_equal(_decoded(activation, rate, tempo), foreign.beats)


def test_bars_at_100_hz_are_madmom_s() -> None:
    """52,208 states: a second or two for madmom-infer."""
    rate, tempo, seconds, period = RATES[3]
    activation = _signal("drift", rate, seconds, period)
    foreign = _foreign(activation, rate, tempo)
    np.testing.assert_array_equal(_decoded(activation, rate, tempo), foreign.beats)
    assert len(foreign.beats) >= 3


@pytest.mark.parametrize("parts", [2, 3, 7, 24])
def test_other_divisions_of_a_beat_are_madmom_s(parts: int) -> None:
    activation = _signal("jitter", 75.0, 5.0, 0.5)
    foreign = _foreign(activation, 75.0, BEATS, parts=parts)
    periods = _periods(activation, 75.0, BEATS, parts)
    np.testing.assert_array_equal(_states(periods, foreign), foreign.path)


@pytest.mark.parametrize("frames", [1, 2, 5, 20, 60])
def test_a_track_shorter_than_a_beat_has_madmom_s_beats(frames: int) -> None:
    for seed in range(5):
        activation = np.random.default_rng(seed).uniform(0.001, 0.999, frames)
        foreign = _foreign(activation, 100.0, BEATS)
        periods = _periods(activation, 100.0, BEATS)
        assert periods.log_probability == pytest.approx(foreign.log_probability, abs=1e-6)
        np.testing.assert_array_equal(_states(periods, foreign), foreign.path)
        np.testing.assert_array_equal(_decoded(activation), foreign.beats)


# --- by hand ---


@pytest.mark.parametrize("rate", [100.0, 50.0, 20.0])
def test_clicks_at_120_bpm_are_found(rate: float) -> None:
    clicks = np.arange(0.3, 10, 0.5)
    activation = np.full(round(10 * rate), 0.01)
    frames = np.round(clicks * rate).astype(int)
    activation[frames] = 0.95
    np.testing.assert_allclose(_decoded(activation, rate), frames / rate)


def test_clicks_slower_than_the_range_are_filled_in() -> None:
    """Every 1.5 s, 40 a minute: not in 55 to 215. 80 needs the fewest beats more."""
    clicks = np.arange(0.5, 20, 1.5)
    beats = _decoded(_bumps(clicks, 20, 100))
    np.testing.assert_allclose(beats[np.abs(beats[:, np.newaxis] - clicks).min(axis=1) < 0.1],
                               clicks, atol=0.011)  # fmt: skip
    np.testing.assert_allclose(np.diff(beats), 0.75, atol=0.05)


def test_clicks_faster_than_the_range_are_thinned_out() -> None:
    """Ten a second, 600 a minute: the beats have a tempo of the range, and are clicks."""
    clicks = np.arange(0.05, 10, 0.1)
    beats = _decoded(_bumps(clicks, 10, 100, width=0.01))
    assert np.abs(beats[:, np.newaxis] - clicks).min(axis=1).max() < 0.011
    assert 60 / 215 - 0.01 <= np.diff(beats).min() <= np.diff(beats).max() <= 60 / 55 + 0.01


@pytest.mark.parametrize("period", [1.0, 2.0, 3.0])
def test_bars_have_a_range_of_their_own(period: float) -> None:
    downbeats = np.arange(0.7, 30, period)
    found = _decoded(_bumps(downbeats, 30, 100, width=0.04), tempo=BARS)
    inside = found[(found > downbeats[0] - 0.3) & (found < downbeats[-1] + 0.3)]
    np.testing.assert_allclose(inside, downbeats, atol=0.011)


def test_more_than_256_intervals_are_told_apart() -> None:
    """167 to 667 frames: their numbers do not fit into a byte. The change is from 500 to 400."""
    downbeats = np.concatenate((np.arange(0.7, 20, 2.5), np.arange(20.2, 40, 2.0)))
    found = _decoded(_bumps(downbeats, 40, 200, width=0.06), 200, BARS)
    inside = found[(found > 0.5) & (found < 38.5)]
    np.testing.assert_allclose(inside, downbeats, atol=0.006)


def test_a_gap_is_bridged_at_the_tempo_around_it() -> None:
    """For 6 s nothing speaks for a beat or against: log 1/16 = log((1 - 1/16) / 15)."""
    clicks = np.arange(0.3, 20, 0.5)
    activation = _bumps(clicks, 20, 100)
    activation[700:1300] = 1 / 16
    assert mir_eval.beat.f_measure(clicks, _decoded(activation)) == 1  # within 0.07 s


def test_a_drifting_tempo_is_followed() -> None:
    clicks = np.cumsum(60 / np.linspace(80, 140, 40))
    beats = _decoded(_bumps(clicks, clicks[-1] + 0.2, 100))
    # One beat more may stand before the first click.
    np.testing.assert_allclose(beats[-len(clicks) :], clicks, atol=0.006)
    assert len(beats) <= len(clicks) + 1


def test_nothing_has_no_beats() -> None:
    assert _decoded(np.zeros(1000)).tolist() == []
    assert _decoded(np.zeros(0)).tolist() == []


def test_one_frame_is_a_beat_if_it_is_likely_to_be() -> None:
    assert _decoded(np.array([0.9])).tolist() == [0.0]
    assert _decoded(np.array([0.01])).tolist() == []


def test_zeros_and_ones_are_no_obstacle() -> None:
    """Beats last several frames in the model, of which all but one are impossible here."""
    activation = np.zeros(2000, np.float32)
    activation[30::50] = 1
    np.testing.assert_allclose(_decoded(activation), np.arange(30, 2000, 50) / 100)
    assert len(_decoded(np.ones(2000))) > 10
    assert np.isfinite(log_densities(np.array([0.0, 1.0], np.float32), 16)).all()


def test_single_and_double_precision_have_the_same_beats() -> None:
    activation = np.random.default_rng(4).random(1500).astype(np.float32)
    np.testing.assert_array_equal(_decoded(activation), _decoded(activation.astype(np.float64)))


def test_transitions_are_the_published_distribution() -> None:
    """Intervals 2 to 4, lambda 1: from 2 e^0, e^-1/2, e^-1; 1.6 and more apart none with 100."""
    model = beat_model(4, tempo=(60, 120), transition_lambda=1, observation_lambda=2)
    assert model.intervals.tolist() == [2, 3, 4]
    assert model.first_frames.tolist() == [1, 2, 2]
    weights = np.exp([0, -0.5, -1])
    np.testing.assert_allclose(np.exp(model.log_transitions[0]), weights / weights.sum())
    steady = beat_model(4, tempo=(60, 120), transition_lambda=100, observation_lambda=2)
    # exp(-100 * 1/3) = 3e-15 is more than 2^-52 = 2.2e-16; exp(-100 * 1/2) is less.
    np.testing.assert_array_equal(
        np.isfinite(steady.log_transitions),
        [[True, False, False], [True, True, True], [False, True, True]],
    )


# --- refused ---


@pytest.mark.parametrize(
    ("activation", "rule"),
    [
        (np.zeros((5, 2)), r"activation must have shape \(frame,\). Got \(5, 2\)"),
        (np.array([0.1, np.nan]), "probabilities from 0 to 1; .* Got nan to nan"),
        (np.array([-3.0, 2.0]), "logits need the sigmoid first. Got -3.0 to 2.0"),
    ],
)
def test_other_activations_are_refused(activation: np.ndarray, rule: str) -> None:
    with pytest.raises(ValueError, match=rule):
        _decoded(activation)


@pytest.mark.parametrize(
    ("changed", "rule"),
    [
        ({"rate": 0.0}, "rate must be positive and finite. Got 0.0"),
        ({"rate": float("nan")}, "rate must be positive and finite. Got nan"),
        ({"rate": 5.0}, "at most 150, which is two frames a beat at 5 Hz. Got "),
        ({"tempo": (215.0, 55.0)}, "tempo must rise from above 0 to at most 3000"),
        ({"tempo": (0.0, 55.0)}, "tempo must rise from above 0 to at most 3000"),
        ({"transition_lambda": 0.0}, "transition_lambda must be positive and finite"),
        ({"transition_lambda": float("inf")}, "transition_lambda must be positive and finite"),
        ({"observation_lambda": 1}, "observation_lambda must be an integer of 2 or more. Got 1"),
        ({"observation_lambda": 16.5}, "observation_lambda must be an integer of 2 or more"),
    ],
)
def test_other_rules_are_refused(changed: dict[str, Any], rule: str) -> None:
    rules: dict[str, Any] = {
        "rate": 100.0, "tempo": BEATS, "transition_lambda": 100, "observation_lambda": 16, **changed
    }  # fmt: skip
    with pytest.raises(ValueError, match=rule):
        decode_beats(np.full(10, 0.5), **rules)
