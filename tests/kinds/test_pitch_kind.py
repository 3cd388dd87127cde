"""Pitch, from MIDI numbers to the two scores, against scikit-learn."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import accuracy_score

from marble_eval.kinds.pitch import KIND as pitch
from marble_eval.spec import TaskSpec, Track

LABELS = ("48", "50", "60", "61", "72", "127")
NUMBERS = np.array([int(each) for each in LABELS])
SPEC = TaskSpec(name="Mine", kind="pitch", labels=LABELS, metrics=("accuracy", "chroma_accuracy"))
RNG = np.random.default_rng(0)
REFERENCE = RNG.integers(6, size=100)
OUTPUTS = RNG.normal(size=(100, 6)) + np.eye(6)[REFERENCE]


def tracks_of(*labels: str) -> list[Track]:
    return [Track(str(at), Path("x"), "test", label, str(at)) for at, label in enumerate(labels)]


def official(reference: np.ndarray, estimate: np.ndarray) -> dict[str, float]:
    return {
        "accuracy": accuracy_score(reference, estimate),
        "chroma_accuracy": accuracy_score(NUMBERS[reference] % 12, NUMBERS[estimate] % 12),
    }


def test_pitches_are_placed_in_the_card_s_order_and_named_from_low_to_high() -> None:
    tracks = tracks_of("127", "48", "60")
    assert pitch.encode(tracks, SPEC).tolist() == [5, 0, 2]
    assert pitch.labels_of(tracks_of("100", "60", "9", "60"), SPEC) == ("9", "60", "100")
    assert pitch.outputs(SPEC) == 6
    assert pitch.texts(np.array([5, 0]), SPEC) == ["127", "48"]


@pytest.mark.parametrize("main", ["accuracy", "chroma_accuracy"])
def test_the_scores_are_those_of_scikit_learn_and_the_first_is_the_main_one(main: str) -> None:
    spec = replace(SPEC, metrics=(main,))
    estimate = pitch.decode(OUTPUTS, SPEC)
    expected = official(REFERENCE, estimate)
    scores = pitch.score(REFERENCE, estimate, SPEC)
    assert {name: pytest.approx(float(each)) for name, each in scores.items()} == expected
    assert expected["chroma_accuracy"] > expected["accuracy"]  # 48, 60 and 72 are all C
    first = pitch.score(REFERENCE, pitch.decode(OUTPUTS, spec), spec)[main]
    assert float(first) == pytest.approx(expected[main])


def test_an_octave_s_error_is_right_in_chroma_alone() -> None:
    reference, estimate = np.array([0, 2, 3]), np.array([2, 4, 1])  # 48 60, 60 72, 61 50
    scores = pitch.score(reference, estimate, SPEC)
    assert {name: float(each) for name, each in scores.items()} == {
        "accuracy": 0.0,
        "chroma_accuracy": pytest.approx(2 / 3),
    }


def test_weights_count_a_track_as_often_as_it_was_drawn() -> None:
    estimate = OUTPUTS.argmax(axis=1)
    drawn = RNG.integers(100, size=(3, 100))
    weights = np.stack([np.bincount(each, minlength=100) for each in drawn])
    scores = pitch.score(REFERENCE, estimate, SPEC, weights=weights)
    for at, rows in enumerate(drawn):
        for name, expected in official(REFERENCE[rows], estimate[rows]).items():
            assert scores[name][at] == pytest.approx(expected)


@pytest.mark.parametrize(("value", "label"), [("60", "60"), (" 060 ", "60"), (60, "60"), (0, "0")])
def test_a_midi_number_may_be_written_in_several_ways(value: object, label: str) -> None:
    assert pitch.label_of({"note": value}, "note", SPEC) == label


@pytest.mark.parametrize("value", ["", None, "C4", "128", "-1", "60.5", 60.0, 128, -1, True, [60]])
def test_what_is_no_midi_number_is_told(value: object) -> None:
    with pytest.raises(ValueError, match=r"^'note' must be a MIDI number, 0 to 127\. Got "):
        pitch.label_of({"note": value}, "note", SPEC)
