"""Key, from spellings to the two scores, against mir_eval."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from pathlib import Path

import mir_eval
import numpy as np
import pytest
from sklearn.metrics import accuracy_score

from marble_eval.kinds.key import KIND as key
from marble_eval.registry import load_task
from marble_eval.spec import TaskSpec, Track

SPEC = TaskSpec(
    name="Mine",
    kind="key",
    labels=key.labels,
    metrics=("weighted_score", "mirex_score", "accuracy"),
)
RNG = np.random.default_rng(0)
REFERENCE = RNG.integers(24, size=200)
OUTPUTS = RNG.normal(size=(200, 24)) + np.eye(24)[REFERENCE]


def official(reference: np.ndarray, estimate: np.ndarray) -> float:
    """Give mir_eval's mean score; its fifth is the upper one alone."""
    pairs = zip(reference, estimate, strict=True)
    return float(
        np.mean(
            [
                mir_eval.key.weighted_score(SPEC.labels[one], SPEC.labels[other])
                for one, other in pairs
            ]
        )
    )


def lower_fifths(reference: np.ndarray, estimate: np.ndarray) -> float:
    """Give the share of keys taken for that a fifth below, of the same mode."""
    same_mode = reference // 12 == estimate // 12
    return float((same_mode & ((estimate - reference) % 12 == 5)).mean())


def test_every_pair_of_keys_scores_as_in_mir_eval_but_for_the_lower_fifth() -> None:
    reference, estimate = (
        np.array(each) for each in zip(*product(range(24), repeat=2), strict=True)
    )
    scores = key.score(reference, estimate, SPEC)
    assert float(scores["weighted_score"]) == pytest.approx(official(reference, estimate))
    below = lower_fifths(reference, estimate)
    assert below == pytest.approx(24 / 576)
    mirex = official(reference, estimate) + 0.5 * below
    assert float(scores["mirex_score"]) == pytest.approx(mirex)
    assert float(scores["accuracy"]) == pytest.approx(24 / 576)


@pytest.mark.parametrize("main", ["weighted_score", "mirex_score", "accuracy"])
def test_the_first_metric_is_the_main_one(main: str) -> None:
    estimate = OUTPUTS.argmax(axis=1)
    expected = {
        "weighted_score": official(REFERENCE, estimate),
        "mirex_score": official(REFERENCE, estimate) + 0.5 * lower_fifths(REFERENCE, estimate),
        "accuracy": accuracy_score(REFERENCE, estimate),
    }
    others = [name for name in expected if name != main]
    spec = replace(SPEC, metrics=(main, *others))
    first = key.score(REFERENCE, key.decode(OUTPUTS, spec), spec)[main]
    assert float(first) == pytest.approx(expected[main])
    scores = key.score(REFERENCE, key.decode(OUTPUTS, spec), spec)
    assert {name: pytest.approx(float(each)) for name, each in scores.items()} == expected


def test_weights_count_a_track_as_often_as_it_was_drawn() -> None:
    estimate = OUTPUTS.argmax(axis=1)
    drawn = RNG.integers(200, size=(3, 200))
    weights = np.stack([np.bincount(each, minlength=200) for each in drawn])
    scores = key.score(REFERENCE, estimate, SPEC, weights=weights)
    for at, rows in enumerate(drawn):
        assert scores["weighted_score"][at] == pytest.approx(
            official(REFERENCE[rows], estimate[rows])
        )


def test_labels_are_the_24_keys_whatever_occurs() -> None:
    track = Track("a", Path("a"), "test", "Gb minor", "a")
    assert key.labels_of([track], SPEC) == key.labels
    assert len(set(key.labels)) == 24
    assert key.encode([track], SPEC).tolist() == [18]
    assert key.outputs(SPEC) == 24
    assert key.texts(np.array([0, 18]), SPEC) == ["C major", "Gb minor"]
    assert load_task("GS").spec.labels == key.labels


@pytest.mark.parametrize(
    ("written", "label"),
    [
        ("F# minor", "Gb minor"),
        ("Gb min", "Gb minor"),
        ("f#:minor", "Gb minor"),
        ("Cb major", "B major"),
        ("Am", "A minor"),
        ("A", "A major"),
    ],
)
def test_a_key_is_read_in_any_common_spelling(written: str, label: str) -> None:
    assert key.label_of({"key": written}, "key", SPEC) == label


@pytest.mark.parametrize("written", ["", None, "a", "H minor", "C dorian", "X", 5])
def test_what_is_no_key_is_told(written: object) -> None:
    with pytest.raises(ValueError, match="a key must be a tonic from A to G"):
        key.label_of({"key": written}, "key", SPEC)


def test_a_field_that_is_absent_is_no_key() -> None:
    with pytest.raises(ValueError, match="a key must be a tonic"):
        key.label_of({}, "key", SPEC)
