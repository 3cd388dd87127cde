"""Pitch classes against mir_eval's melody metrics and arithmetic by hand."""

from __future__ import annotations

import mir_eval.melody
import numpy as np
import pytest

from marble_eval.metrics.classification import accuracy
from marble_eval.metrics.pitch import chroma_accuracy


def test_octaves_do_not_count() -> None:
    reference = np.arange(24, 96)
    assert chroma_accuracy(reference, reference) == 1.0
    assert chroma_accuracy(reference, reference + 12) == 1.0
    assert chroma_accuracy(reference, reference - 24) == 1.0
    assert accuracy(reference, reference + 12) == 0.0


@pytest.mark.parametrize("interval", [1, 2, 5, 6, 7, 11, 13, -1])
def test_any_other_interval_scores_zero(interval: int) -> None:
    reference = np.arange(24, 96)
    assert chroma_accuracy(reference, reference + interval) == 0.0


def test_hand_worked_case() -> None:
    # C4 for C4, C5 for C4, C#4 for C4, A3 for A4, A#9 for A4: three of five.
    reference, estimate = np.array([60, 60, 60, 69, 69]), np.array([60, 72, 61, 57, 118])
    assert chroma_accuracy(reference, estimate) == pytest.approx(3 / 5)
    rows = [[1, 1, 1, 1, 1], [0, 2, 1, 1, 0], [0, 0, 1, 0, 4]]
    found = chroma_accuracy(reference, estimate, weights=rows)
    np.testing.assert_allclose(found, [3 / 5, 3 / 4, 0])


def test_chroma_accuracy_agrees_with_mir_eval() -> None:
    generator = np.random.default_rng(0)
    reference = generator.integers(20, 100, size=400)
    estimate = reference + generator.choice([0, 0, 12, -12, 24, 1, -1, 7], size=400)
    voiced = np.ones(400)
    expected = mir_eval.melody.raw_chroma_accuracy(
        voiced, 100.0 * reference, voiced, 100.0 * estimate, cent_tolerance=50
    )
    assert 0.3 < expected < 0.9
    assert chroma_accuracy(reference, estimate) == pytest.approx(expected)
    same = mir_eval.melody.raw_pitch_accuracy(voiced, 100.0 * reference, voiced, 100.0 * estimate)
    assert accuracy(reference, estimate) == pytest.approx(same)


def test_pitches_that_are_no_midi_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match="estimate must lie in 0 to 127"):
        chroma_accuracy(np.array([60]), np.array([128]))
    with pytest.raises(ValueError, match="must be integers"):
        chroma_accuracy(np.array([60.5]), np.array([60.5]))
    nothing = np.array([], dtype=np.int64)
    with pytest.raises(ValueError, match="at least one item"):
        chroma_accuracy(nothing, nothing)
