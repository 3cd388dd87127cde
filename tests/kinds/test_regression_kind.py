"""Regression, from cells to R², against scikit-learn."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import r2_score

from marble_eval.kinds.regression import KIND as regression
from marble_eval.spec import TaskSpec, Track

NAMES = ("arousal", "valence")
SPEC = TaskSpec(
    name="Mine", kind="regression", labels=NAMES, metrics=("r2", "r2_arousal", "r2_valence")
)
RNG = np.random.default_rng(0)
REFERENCE = RNG.normal(5, [1.0, 20.0], size=(50, 2))
ESTIMATE = REFERENCE + RNG.normal(0, [0.5, 15.0], size=(50, 2))


def test_numbers_stand_in_the_card_s_order() -> None:
    tracks = [
        Track(str(at), Path("x"), "test", label, str(at))
        for at, label in enumerate([(5.5, 4.0), (1.0, -2.0)])
    ]
    encoded = regression.encode(tracks, SPEC)
    assert encoded.tolist() == [[5.5, 4.0], [1.0, -2.0]]
    assert encoded.dtype == np.float64
    assert regression.outputs(SPEC) == 2
    assert regression.labels_of(tracks, SPEC) == ()
    assert regression.columns_of(SPEC) == NAMES


def test_the_scores_are_those_of_scikit_learn() -> None:
    scores = regression.score(REFERENCE, regression.decode(ESTIMATE, SPEC), SPEC)
    each = r2_score(REFERENCE, ESTIMATE, multioutput="raw_values")
    assert {name: pytest.approx(float(value)) for name, value in scores.items()} == {
        "r2": each.mean(),
        "r2_arousal": each[0],
        "r2_valence": each[1],
    }
    assert list(regression.metrics_of(SPEC)) == list(scores)
    of_names = regression.label_scores(REFERENCE, ESTIMATE, SPEC)["r2"]
    assert of_names == pytest.approx(each)


@pytest.mark.parametrize("main", ["r2", "r2_valence"])
def test_the_first_metric_is_the_main_one(main: str) -> None:
    spec = replace(SPEC, metrics=(main,))
    expected = {
        "r2": r2_score(REFERENCE, ESTIMATE),
        "r2_valence": r2_score(REFERENCE[:, 1], ESTIMATE[:, 1]),
    }[main]
    assert float(
        regression.score(REFERENCE, regression.decode(ESTIMATE, spec), spec)[main]
    ) == pytest.approx(expected)
    assert list(regression.score(REFERENCE, ESTIMATE, spec)) == [main]


def test_weights_count_a_track_as_often_as_it_was_drawn() -> None:
    drawn = RNG.integers(50, size=(3, 50))
    weights = np.stack([np.bincount(each, minlength=50) for each in drawn])
    scores = regression.score(REFERENCE, ESTIMATE, SPEC, weights=weights)
    for at, rows in enumerate(drawn):
        each = r2_score(REFERENCE[rows], ESTIMATE[rows], multioutput="raw_values")
        assert scores["r2"][at] == pytest.approx(each.mean())
        assert scores["r2_arousal"][at] == pytest.approx(each[0])


def test_standardised_targets_give_the_same_r2() -> None:
    """Probes are trained on standardised targets: R² is blind to unit and origin."""
    mean, deviation = REFERENCE.mean(axis=0), REFERENCE.std(axis=0)
    scaled = regression.score((REFERENCE - mean) / deviation, (ESTIMATE - mean) / deviation, SPEC)
    plain = regression.score(REFERENCE, ESTIMATE, SPEC)
    assert [float(each) for each in scaled.values()] == pytest.approx(
        [float(each) for each in plain.values()]
    )
    assert regression.scaled


def test_a_perfect_estimate_scores_one_and_the_mean_nothing() -> None:
    perfect = regression.score(REFERENCE, REFERENCE, SPEC)
    assert [float(each) for each in perfect.values()] == [1.0, 1.0, 1.0]
    constant = np.broadcast_to(REFERENCE.mean(axis=0), REFERENCE.shape)
    mean = regression.score(REFERENCE, np.array(constant), SPEC)
    assert [float(each) for each in mean.values()] == pytest.approx([0.0, 0.0, 0.0])


@pytest.mark.parametrize(
    "row",
    [
        {"valence": "4", "arousal": "5.5"},
        {"valence": 4, "arousal": 5.5, "label": None},
        {"label": [5.5, 4]},
        {"label": {"valence": 4, "arousal": "5.5", "other": 1}},
    ],
)
def test_numbers_stand_in_columns_or_in_a_list_or_mapping(row: dict[str, object]) -> None:
    assert regression.label_of(row, "label", SPEC) == (5.5, 4.0)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"arousal": "1"}, "'valence' must be a finite number. Got None."),
        ({"arousal": "", "valence": 1}, "'arousal' must be a finite number. Got ''."),
        ({"arousal": "nan", "valence": 1}, "'arousal' must be a finite number. Got 'nan'."),
        ({"arousal": True, "valence": 1}, "'arousal' must be a finite number. Got True."),
        ({"arousal": [1], "valence": 1}, "'arousal' must be a finite number. Got [1]."),
        ({"label": [1]}, "'label' must be 2 numbers, arousal, valence. Got [1]."),
        ({"label": {"arousal": 1}}, "'valence' must be a finite number. Got None."),
    ],
)
def test_what_is_no_number_is_told(row: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError) as caught:
        regression.label_of(row, "label", SPEC)
    assert str(caught.value) == message


def test_numbers_are_written_and_counted() -> None:
    numbers = np.array([[5.5, -0.123456789]])
    assert regression.texts(numbers, SPEC) == ["5.5;-0.123456789"]
    np.testing.assert_array_equal(regression.values_of(["5.5;-0.123456789"], SPEC), numbers)
    assert regression.label_counts(REFERENCE, SPEC).tolist() == [50, 50]
