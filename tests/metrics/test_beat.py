"""Beats of click tracks at known tempi: scores worked by hand, and mir_eval called directly."""

from __future__ import annotations

import warnings

import mir_eval.beat
import mir_eval.util
import numpy as np
import pytest
from sklearn.metrics import log_loss

from marble_eval.data.annotations.beat_files import Beats
from marble_eval.metrics.beat import LATEST, METRICS, beat_counts, likelihood, matched

NONE = np.array([])
BEAT_METRICS = tuple(name for name in METRICS if name.startswith("beat_"))


def clicks(tempo: float, seconds: float = 30.0, start: float = 0.3) -> np.ndarray:
    """Return the times of a click track, in seconds."""
    return np.arange(start, seconds, 60 / tempo)


def values(
    reference: np.ndarray, estimate: np.ndarray, *, tolerance: float = 0.07, trim: float = 0.0
) -> dict[str, float]:
    """Score beats alone, each metric as its ratio."""
    counts = beat_counts(
        Beats(reference, NONE),
        Beats(estimate, NONE),
        BEAT_METRICS,
        tolerance=tolerance,
        trim_seconds=trim,
    )
    ratios = counts[:, 0] / counts[:, 1]
    return {
        name.removeprefix("beat_"): ratio for name, ratio in zip(BEAT_METRICS, ratios, strict=True)
    }


def official(
    reference: np.ndarray, estimate: np.ndarray, *, tolerance: float = 0.07, trim: float = 0.0
) -> dict[str, float]:
    """Score by mir_eval, called as its documentation says."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns of empty and single beats
        reference = mir_eval.beat.trim_beats(reference, trim)
        estimate = mir_eval.beat.trim_beats(estimate, trim)
        f1 = mir_eval.beat.f_measure(reference, estimate, tolerance)
        continuity = mir_eval.beat.continuity(reference, estimate)
        return {
            "f1": f1,
            "f1_pooled": f1,
            "f1_20ms": mir_eval.beat.f_measure(reference, estimate, 0.02),
            **dict(zip(("cmlc", "cmlt", "amlc", "amlt"), continuity, strict=True)),
            "information_gain": mir_eval.beat.information_gain(reference, estimate),
        }


# --- golden click tracks ---


@pytest.mark.parametrize("tempo", [60, 90, 120, 180])
def test_the_same_beats_score_one_in_everything(tempo: float) -> None:
    beats = clicks(tempo)
    assert values(beats, beats) == pytest.approx(dict.fromkeys(official(beats, beats), 1.0))


@pytest.mark.parametrize("tempo", [60, 120, 180])
def test_jitter_below_the_window_costs_nothing_but_in_the_narrow_one(tempo: float) -> None:
    beats = clicks(tempo)
    late = beats + np.where(np.arange(len(beats)) % 2, 0.025, -0.025)
    found = values(beats, late)
    assert (found["f1"], found["f1_pooled"], found["f1_20ms"]) == (1, 1, 0)
    assert 0 < found["information_gain"] < 1
    assert found == pytest.approx(official(beats, late))


def test_jitter_above_the_window_loses_the_beats_it_moves() -> None:
    """Of 60 beats each fourth is 90 ms late: 45 are right, F = 2 * 45 / 120."""
    beats = clicks(120)
    late = beats + np.where(np.arange(60) % 4 == 3, 0.09, 0.0)
    found = values(beats, late)
    assert found["f1"] == pytest.approx(0.75)
    # 0.09 is 0.18 of a period, more than the 0.175 that continuity allows. The beat after a
    # late one comes too early for its period, so two of four are right, and the very first.
    assert found["cmlt"] == pytest.approx((2 * 15 + 1) / 60)
    assert found["cmlc"] == pytest.approx(3 / 60)
    assert found == pytest.approx(official(beats, late))
    assert values(beats, late, tolerance=0.1)["f1"] == 1


def test_half_tempo_scores_two_thirds_and_is_right_at_another_level() -> None:
    """30 of 60 beats, none wrong: P = 1, R = 1/2, F = 2 * 30 / 90."""
    beats = clicks(120)
    found = values(beats, beats[::2])
    assert found["f1"] == pytest.approx(2 / 3)
    assert (found["cmlc"], found["cmlt"]) == (0, 0)
    assert (found["amlc"], found["amlt"]) == (1, 1)
    assert found == pytest.approx(official(beats, beats[::2]))


def test_double_tempo_scores_two_thirds_and_is_right_at_another_level() -> None:
    """119 beats for 60, which are all among them: F = 2 * 60 / 179."""
    beats = clicks(120)
    double = np.linspace(beats[0], beats[-1], 119)
    found = values(beats, double)
    assert found["f1"] == pytest.approx(120 / 179)
    assert (found["cmlc"], found["cmlt"]) == (0, 0)
    assert (found["amlc"], found["amlt"]) == (1, 1)
    assert found == pytest.approx(official(beats, double))


def test_offbeats_are_wrong_but_at_another_level() -> None:
    beats = clicks(100)
    off = beats[:-1] + 0.3
    found = values(beats, off)
    assert (found["f1"], found["f1_20ms"], found["cmlt"]) == (0, 0, 0)
    assert (found["amlc"], found["amlt"]) == (1, 1)
    assert found == pytest.approx(official(beats, off))


def test_a_constant_delay_is_wrong_but_gains_nearly_all_information() -> None:
    """50 errors, all alike but the first: mir_eval divides that one by the whole track."""
    beats = clicks(100)
    late = beats + 0.15
    found = values(beats, late)
    assert (found["f1"], found["cmlt"], found["amlt"]) == (0, 0, 0)
    entropy = -(0.98 * np.log2(0.98) + 0.02 * np.log2(0.02))
    assert found["information_gain"] == pytest.approx(1 - entropy / np.log2(41))
    assert found == pytest.approx(official(beats, late))


def test_no_estimate_scores_nothing_and_says_nothing() -> None:
    beats = clicks(120)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = values(beats, NONE)
        counts = beat_counts(Beats(beats, NONE), Beats(NONE, NONE), ("beat_f1", "beat_f1_pooled"))
    assert found == official(beats, NONE) == dict.fromkeys(found, 0)
    assert counts.tolist() == [[0, 1], [0, 60]]


@pytest.mark.parametrize(("one", "other"), [(1, 60), (60, 1), (1, 1)])
def test_one_beat_alone_has_a_place_but_no_period(one: int, other: int) -> None:
    beats = clicks(120)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = values(beats[:one], beats[:other])
    assert found["f1"] == pytest.approx(2 / (one + other))
    assert (found["cmlc"], found["amlt"], found["information_gain"]) == (0, 0, 0)
    assert found == pytest.approx(official(beats[:one], beats[:other]))


@pytest.mark.parametrize(("one", "other"), [(2, 2), (2, 3), (3, 2), (2, 5)])
def test_two_beats_are_enough_for_every_metric(one: int, other: int) -> None:
    beats = clicks(120)
    found = values(beats[:one], beats[:other])
    assert found == pytest.approx(official(beats[:one], beats[:other]))
    assert all(value > 0 for value in found.values())


def test_a_track_without_annotated_downbeats_counts_nowhere_in_them() -> None:
    beats = clicks(120)
    counts = beat_counts(Beats(beats, NONE), Beats(beats, beats[::4]), METRICS)
    for name, row in zip(METRICS, counts.tolist(), strict=True):
        assert (row[1] == 0) == name.startswith("downbeat")
        if name.startswith("downbeat"):
            assert row == [0, 0]


def test_downbeats_are_scored_like_beats_of_their_own() -> None:
    beats = clicks(120)
    reference, estimate = Beats(beats, beats[::4]), Beats(beats[1:], beats[::2])
    counts = beat_counts(reference, estimate, METRICS)
    found = dict(zip(METRICS, counts[:, 0] / counts[:, 1], strict=True))
    for prefix, pair in (("beat_", (beats, beats[1:])), ("downbeat_", (beats[::4], beats[::2]))):
        for name, value in official(*pair).items():
            assert found[prefix + name] == pytest.approx(value), prefix + name
    assert found["downbeat_f1"] == pytest.approx(2 * 15 / (15 + 30))


def test_trimming_leaves_out_early_beats_of_both() -> None:
    """At 60 a minute from 0 s: 30 beats, of which the 5 before 5 s are wrong in the estimate."""
    beats = np.arange(0.0, 30.0)
    estimate = np.concatenate([beats[:5] + 0.3, beats[5:]])
    assert values(beats, estimate)["f1"] == pytest.approx(25 / 30)
    trimmed = values(beats, estimate, trim=5.0)
    assert trimmed["f1"] == 1
    assert trimmed == pytest.approx(official(beats, estimate, trim=5.0))
    counts = beat_counts(
        Beats(beats, NONE), Beats(estimate, NONE), ("beat_f1_pooled",), trim_seconds=5.0
    )
    assert counts.tolist() == [[50, 50]]  # the beat at 5 s itself stays


def test_a_reference_that_trimming_empties_counts_nowhere() -> None:
    beats = clicks(120, seconds=4.0)
    counts = beat_counts(
        Beats(beats, beats[::4]), Beats(clicks(120), NONE), METRICS, trim_seconds=5.0
    )
    assert counts.tolist() == [[0, 0]] * len(METRICS)


# --- against mir_eval ---


def test_random_beats_score_as_in_mir_eval() -> None:
    rng = np.random.default_rng(0)
    for _ in range(60):
        tempo, drift = rng.uniform(50, 220), rng.uniform(0, 0.1)
        beats = np.unique(np.abs(clicks(tempo, 15) + rng.normal(0, 0.02, len(clicks(tempo, 15)))))
        estimate = beats[rng.random(len(beats)) < 0.9] + rng.normal(0, drift)
        estimate = np.unique(np.abs(estimate + rng.normal(0, drift / 2, len(estimate))))
        extra = rng.uniform(0, 15, rng.integers(0, 8))
        estimate = np.unique(np.concatenate([estimate, extra]))
        trim = rng.choice([0.0, 5.0])
        assert values(beats, estimate, trim=trim) == pytest.approx(
            official(beats, estimate, trim=trim), abs=1e-12
        )


def test_only_what_is_asked_for_is_given_in_the_order_asked() -> None:
    beats = clicks(120)
    reference, estimate = Beats(beats, beats[::4]), Beats(beats[::2], beats[::4])
    whole = dict(zip(METRICS, beat_counts(reference, estimate, METRICS).tolist(), strict=True))
    for names in (METRICS[::-1], ("downbeat_amlc", "beat_information_gain"), ("beat_cmlt",), ()):
        found = beat_counts(reference, estimate, names)
        assert found.shape == (len(names), 2)
        assert found.dtype == np.float64
        assert found.tolist() == [whole[name] for name in names]


# --- the matching ---


def graph_matching(reference: np.ndarray, estimate: np.ndarray, window: float) -> int:
    return len(mir_eval.util.match_events(reference, estimate, window))


def test_the_matching_is_as_large_as_that_of_a_graph_for_random_times() -> None:
    rng = np.random.default_rng(1)
    for _ in range(400):
        reference = np.sort(rng.uniform(0, 3, rng.integers(0, 40)))
        estimate = np.sort(rng.uniform(0, 3, rng.integers(0, 40)))
        window = rng.uniform(0, 0.3)
        assert matched(reference, estimate, window) == graph_matching(reference, estimate, window)


def test_times_exactly_the_window_apart_are_told_as_mir_eval_tells_them() -> None:
    """On a grid of hundredths ties are everywhere, and their sums in floats are not exact."""
    rng = np.random.default_rng(2)
    at_the_edge = 0
    for _ in range(400):
        reference = np.sort(rng.integers(0, 300, rng.integers(1, 40))) / 100
        estimate = np.sort(rng.integers(0, 300, rng.integers(1, 40))) / 100
        window = rng.integers(0, 12) / 100
        found = matched(reference, estimate, window)
        assert found == graph_matching(reference, estimate, window)
        at_the_edge += found != matched(reference, estimate, window - 1e-9)
    assert at_the_edge > 100


def test_the_window_s_edge_is_inside() -> None:
    assert matched([1.0], [1.25], 0.25) == 1
    assert matched([1.25], [1.0], 0.25) == 1
    assert matched([1.0], [1.25], 0.2499) == 0


def test_a_pairing_of_neighbours_is_given_up_where_a_shift_finds_more() -> None:
    """The nearest pairs are (2, 1.95) and no other; shifted, both references have one."""
    assert matched([1.0, 2.0], [1.95, 2.9], 0.96) == 2
    assert matched([0.0, 0.1, 0.2], [0.1, 0.2, 0.3], 0.11) == 3


def test_nothing_matches_nothing() -> None:
    assert matched([], [], 0.07) == matched([1.0], [], 0.07) == matched([], [1.0], 0.07) == 0


# --- what is refused ---


@pytest.mark.parametrize(
    ("times", "words"),
    [
        ([1.0, 0.5], "that rise"),
        ([0.5, 0.5], "that rise"),
        ([0.5, np.nan], "finite"),
        ([0.5, np.inf], "finite"),
        ([[0.5, 1.0]], "times in seconds"),
        ([0.5, LATEST + 1], "lie before 30000 seconds"),
    ],
)
def test_times_that_would_be_scored_wrongly_are_refused(times: list[float], words: str) -> None:
    right, wrong = Beats(clicks(120), NONE), Beats(np.array(times), NONE)
    with pytest.raises(ValueError, match=f"estimated beats must .*{words}"):
        beat_counts(right, wrong, ("beat_f1",))
    with pytest.raises(ValueError, match="reference beats must"):
        beat_counts(wrong, right, ("beat_f1",))


def test_an_unknown_metric_is_refused_with_the_one_that_may_be_meant() -> None:
    beats = Beats(clicks(120), NONE)
    with pytest.raises(ValueError, match="Did you mean 'beat_f1'"):
        beat_counts(beats, beats, ("beat_f",))


def test_likelihood_is_that_of_scikit_learn_s_log_loss() -> None:
    rng = np.random.default_rng(0)
    activations, targets = rng.random((200, 2)), rng.integers(0, 2, (200, 2)).astype(float)
    expected = np.exp(-log_loss(targets.ravel(), activations.ravel()))
    assert likelihood(activations, targets) == pytest.approx(expected)
    targets[:, 1] = np.nan
    expected = np.exp(-log_loss(targets[:, 0], activations[:, 0]))
    assert likelihood(activations, targets) == pytest.approx(expected)
