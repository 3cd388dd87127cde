"""Classification, from labels to scores, against scikit-learn."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score

from marble_eval.kinds.classification import KIND as classification
from marble_eval.registry import load_task
from marble_eval.spec import TaskSpec, Track

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
def test_the_first_metric_is_the_main_one(main: str) -> None:
    other = ({"accuracy", "macro_f1"} - {main}).pop()
    spec = replace(SPEC, metrics=(main, other))
    official = {
        "accuracy": accuracy_score(REFERENCE, OUTPUTS.argmax(1)),
        "macro_f1": f1_score(REFERENCE, OUTPUTS.argmax(1), average="macro"),
    }
    assert float(
        classification.score(REFERENCE, classification.decode(OUTPUTS, spec), spec)[main]
    ) == pytest.approx(official[main])
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
    known = classification.metrics_of(SPEC)
    spec = replace(SPEC, metrics=tuple(known))
    perfect = classification.score(REFERENCE, REFERENCE, spec)
    assert {name: float(each) for name, each in perfect.items()} == dict.fromkeys(known, 1.0)
    assert all(known.values())


def test_a_split_without_a_class_is_scored_over_the_others() -> None:
    reference = np.array([0, 0, 1, 1])
    estimate = np.array([0, 0, 1, 1])
    scores = classification.score(reference, estimate, SPEC)
    assert (float(scores["accuracy"]), float(scores["macro_f1"])) == (1.0, 1.0)


def test_labels_that_the_card_does_not_give_are_those_of_the_tracks() -> None:
    tracks = [
        Track(id=label, path=Path(label), split="test", label=label, group=label)
        for label in ("rock", "Jazz", "10", "2", "rock")
    ]
    assert classification.labels_of(tracks, SPEC) == ("10", "2", "Jazz", "rock")


@pytest.mark.parametrize(
    ("value", "label"), [("rock", "rock"), ("01", "01"), (1, "1"), (0, "0"), ("größe", "größe")]
)
def test_a_label_may_be_text_or_a_whole_number(value: object, label: str) -> None:
    spec = TaskSpec(name="Mine", kind="classification")
    assert classification.label_of({"genre": value}, "genre", spec) == label


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({}, "'genre' must not be empty."),
        ({"genre": ""}, "'genre' must not be empty."),
        ({"genre": None}, "'genre' must not be empty."),
        ({"genre": ["rock"]}, "'genre' must be the name of a class. Got ['rock']."),
        ({"genre": {"a": 1}}, "'genre' must be the name of a class. Got {'a': 1}."),
        ({"genre": 1.5}, "'genre' must be the name of a class. Got 1.5."),
    ],
)
def test_what_is_no_label_is_told(row: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError) as caught:
        classification.label_of(row, "genre", SPEC)
    assert str(caught.value) == message


def test_classes_are_counted_scored_and_confused_like_scikit_learn_does() -> None:
    estimate = OUTPUTS.argmax(1)
    absent = REFERENCE != 4
    reference, estimate = REFERENCE[absent], estimate[absent]
    counts = classification.label_counts(reference, SPEC)
    assert counts.tolist() == [int((reference == each).sum()) for each in range(10)]
    f1 = classification.label_scores(reference, estimate, SPEC)["f1"]
    official = f1_score(reference, estimate, average=None, labels=range(10), zero_division=0)
    assert np.isnan(f1[4]) and np.allclose(np.delete(f1, 4), np.delete(official, 4))
    confused = classification.confusion_of(reference, estimate, SPEC)
    assert confused.tolist() == confusion_matrix(reference, estimate, labels=range(10)).tolist()


def test_classes_are_written_by_name() -> None:
    assert classification.texts(np.array([9, 0]), SPEC) == ["rock", "blues"]
    assert classification.columns_of(SPEC) == ()
    assert classification.labels is None and not classification.scaled
