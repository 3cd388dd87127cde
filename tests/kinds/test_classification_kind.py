"""Classification, from labels to scores, against scikit-learn."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score

from marble_eval.kinds import classification
from marble_eval.registry import load_task
from marble_eval.spec import Track

SPEC = load_task("GTZAN").spec
RNG = np.random.default_rng(0)
REFERENCE = RNG.integers(10, size=80)
OUTPUTS = RNG.normal(size=(80, 10)) + np.eye(10)[REFERENCE]


def test_classes_are_numbered_in_the_card_s_order() -> None:
    tracks = [
        Track(id=label, path=Path(label), split="test", label=label, group=label)
        for label in ("rock", "blues", "jazz", "rock")
    ]
    encoded = classification.encode(tracks, SPEC)
    assert encoded.tolist() == [9, 0, 5, 9]
    assert encoded.dtype == np.int64


def test_a_probe_has_one_output_a_class() -> None:
    assert classification.outputs(SPEC) == 10


def test_the_largest_output_is_the_class_and_of_equals_the_lower_one() -> None:
    outputs = np.array([[0.1, 0.9, 0.3], [2.0, -1.0, 2.0], [-3.0, -3.0, -3.0]])
    assert classification.decode(outputs, SPEC).tolist() == [1, 0, 0]
    several = np.stack([outputs, -outputs])
    assert classification.decode(several, SPEC).tolist() == [[1, 0, 0], [0, 1, 0]]


@pytest.mark.parametrize("main", ["accuracy", "macro_f1"])
def test_the_monitor_is_the_main_metric(main: str) -> None:
    other = ({"accuracy", "macro_f1"} - {main}).pop()
    spec = replace(SPEC, metrics=(main, other))
    official = {
        "accuracy": accuracy_score(REFERENCE, OUTPUTS.argmax(1)),
        "macro_f1": f1_score(REFERENCE, OUTPUTS.argmax(1), average="macro"),
    }
    assert classification.monitor(REFERENCE, OUTPUTS, spec) == pytest.approx(official[main])
    scores = classification.score(REFERENCE, OUTPUTS.argmax(1), spec)
    assert {name: pytest.approx(float(each)) for name, each in scores.items()} == official
    assert list(scores) == [main, other]


def test_weights_count_a_track_as_often_as_it_was_drawn() -> None:
    estimate = OUTPUTS.argmax(1)
    drawn = RNG.integers(80, size=(3, 80))
    weights = np.stack([np.bincount(each, minlength=80) for each in drawn])
    scores = classification.score(REFERENCE, estimate, SPEC, weights=weights)
    for at, rows in enumerate(drawn):
        expected = accuracy_score(REFERENCE[rows], estimate[rows])
        assert scores["accuracy"][at] == pytest.approx(expected)
        present = np.unique(REFERENCE[rows])
        f1 = f1_score(REFERENCE[rows], estimate[rows], average="macro", labels=present)
        assert scores["macro_f1"][at] == pytest.approx(f1)


def test_every_metric_of_the_kind_can_be_scored_and_is_better_when_higher() -> None:
    spec = replace(SPEC, metrics=tuple(classification.METRICS))
    perfect = classification.score(REFERENCE, REFERENCE, spec)
    assert {name: float(each) for name, each in perfect.items()} == dict.fromkeys(
        classification.METRICS, 1.0
    )
    assert all(classification.METRICS.values())


def test_a_split_without_a_class_is_scored_over_the_others() -> None:
    reference = np.array([0, 0, 1, 1])
    estimate = np.array([0, 0, 1, 1])
    scores = classification.score(reference, estimate, SPEC)
    assert (float(scores["accuracy"]), float(scores["macro_f1"])) == (1.0, 1.0)
