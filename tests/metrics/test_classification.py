"""Classification scores against scikit-learn, torchmetrics and arithmetic by hand."""

import numpy as np
import numpy.typing as npt
import pytest
import torch
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score
from torchmetrics.functional.classification import multiclass_accuracy, multiclass_f1_score

from marble_eval.metrics.classification import accuracy, confusion, macro_f1, per_label_f1

LABELS = 10
Classes = npt.NDArray[np.integer]


def _draw(seed: int, items: int = 290) -> tuple[Classes, Classes]:
    """Draw skewed classes of which about two in three are found."""
    generator = np.random.default_rng(seed)
    share = np.arange(1, LABELS + 1) / np.arange(1, LABELS + 1).sum()
    reference = generator.choice(LABELS, size=items, p=share)
    wrong = generator.choice(LABELS, size=items)
    return reference, np.where(generator.random(items) < 0.6, reference, wrong)


def test_all_found_scores_one() -> None:
    reference, _ = _draw(0)
    assert accuracy(reference, reference) == 1.0
    assert macro_f1(reference, reference, labels=LABELS) == 1.0


def test_nothing_found_scores_zero() -> None:
    reference, _ = _draw(0)
    wrong = (reference + 1) % LABELS
    assert accuracy(reference, wrong) == 0.0
    assert macro_f1(reference, wrong, labels=LABELS) == 0.0


def test_hand_worked_case() -> None:
    reference, estimate = np.array([0, 0, 0, 1, 1, 2]), np.array([0, 0, 1, 1, 2, 2])
    assert accuracy(reference, estimate) == pytest.approx(4 / 6)
    # Label 0: found 2 of 3, predicted 2: 4/5. Label 1: 1 of 2, predicted 2: 1/2.
    # Label 2: 1 of 1, predicted 2: 2/3. Label 3 does not occur.
    each = per_label_f1(reference, estimate, labels=4)
    np.testing.assert_allclose(each, [4 / 5, 1 / 2, 2 / 3, np.nan])
    mean = (4 / 5 + 1 / 2 + 2 / 3) / 3
    assert macro_f1(reference, estimate, labels=4) == pytest.approx(mean)
    assert confusion(reference, estimate, 3).tolist() == [[2, 1, 0], [0, 1, 1], [0, 0, 1]]


def test_a_predicted_label_without_reference_is_left_out_but_costs_the_true_one() -> None:
    reference, estimate = np.array([0, 0, 1, 1]), np.array([0, 2, 1, 1])
    # Label 0: 2 * 1 / (2 + 1); label 1: 1; label 2 has no reference.
    assert macro_f1(reference, estimate, labels=3) == pytest.approx((2 / 3 + 1) / 2)
    counted_as_zero = multiclass_f1_score(
        torch.from_numpy(estimate), torch.from_numpy(reference), num_classes=3, average="macro"
    )
    assert float(counted_as_zero) == pytest.approx((2 / 3 + 1 + 0) / 3)


@pytest.mark.parametrize("seed", range(5))
def test_scores_agree_with_scikit_learn(seed: int) -> None:
    reference, estimate = _draw(seed)
    assert accuracy(reference, estimate) == pytest.approx(accuracy_score(reference, estimate))
    assert macro_f1(reference, estimate, labels=LABELS) == pytest.approx(
        f1_score(reference, estimate, average="macro", labels=np.unique(reference))
    )
    expected = confusion_matrix(reference, estimate, labels=range(LABELS))
    np.testing.assert_array_equal(confusion(reference, estimate, LABELS), expected)


@pytest.mark.parametrize("seed", range(5))
def test_weighted_scores_agree_with_scikit_learn(seed: int) -> None:
    reference, estimate = _draw(seed, items=40)
    weights = np.random.default_rng(seed).integers(0, 4, size=(3, 40))
    ours = macro_f1(reference, estimate, labels=LABELS, weights=weights)
    for row, f1, right in zip(
        weights, ours, accuracy(reference, estimate, weights=weights), strict=True
    ):
        assert right == pytest.approx(accuracy_score(reference, estimate, sample_weight=row))
        present = np.unique(reference[row > 0])
        assert f1 == pytest.approx(
            f1_score(reference, estimate, average="macro", labels=present, sample_weight=row)
        )


def test_scores_agree_with_torchmetrics_where_every_label_occurs() -> None:
    reference, estimate = _draw(3)
    assert set(reference) == set(range(LABELS))
    tensors = torch.from_numpy(estimate), torch.from_numpy(reference)
    right = multiclass_accuracy(*tensors, num_classes=LABELS, average="micro")
    f1 = multiclass_f1_score(*tensors, num_classes=LABELS, average="macro")
    assert accuracy(reference, estimate) == pytest.approx(float(right), abs=1e-6)
    assert macro_f1(reference, estimate, labels=LABELS) == pytest.approx(float(f1), abs=1e-6)


def test_a_weight_of_two_is_an_item_that_occurs_twice() -> None:
    reference, estimate = _draw(1, items=30)
    weights = np.random.default_rng(1).integers(0, 3, size=30)
    twice = np.repeat(reference, weights), np.repeat(estimate, weights)
    assert macro_f1(reference, estimate, labels=LABELS, weights=weights) == pytest.approx(
        macro_f1(*twice, labels=LABELS)
    )


def test_leading_axes_of_the_weights_are_kept() -> None:
    reference, estimate = _draw(2, items=12)
    weights = np.random.default_rng(2).integers(1, 3, size=(4, 5, 12))
    assert accuracy(reference, estimate, weights=weights).shape == (4, 5)
    assert macro_f1(reference, estimate, labels=LABELS, weights=weights).shape == (4, 5)
    assert per_label_f1(reference, estimate, labels=LABELS, weights=weights).shape == (4, 5, 10)


def test_renaming_the_labels_changes_nothing() -> None:
    reference, estimate = _draw(4)
    other = np.random.default_rng(4).permutation(LABELS)
    assert macro_f1(other[reference], other[estimate], labels=LABELS) == pytest.approx(
        macro_f1(reference, estimate, labels=LABELS)
    )


def test_an_empty_reference_has_no_score() -> None:
    nothing = np.array([], dtype=np.int64)
    with pytest.raises(ValueError, match="at least one item"):
        accuracy(nothing, nothing)
    with pytest.raises(ValueError, match="at least one item"):
        macro_f1(nothing, nothing, labels=2)
    with pytest.raises(ValueError, match="at least one item"):
        confusion(nothing, nothing, 2)


@pytest.mark.parametrize(
    ("reference", "estimate", "weights", "complaint"),
    [
        ([0, 1], [0], None, "same items"),
        ([0.0, 1.0], [0, 1], None, "must be integers"),
        ([[0, 1]], [[0, 1]], None, "must be integers of shape"),
        ([0, 2], [0, 1], None, "reference must lie in 0 to 1"),
        ([0, 1], [0, -1], None, "estimate must lie in 0 to 1"),
        ([0, 1], [0, 1], [1.0], "weights must have shape"),
        ([0, 1], [0, 1], 1.0, "weights must have shape"),
        ([0, 1], [0, 1], [1.0, -1.0], "not negative"),
        ([0, 1], [0, 1], [1.0, np.nan], "finite"),
        ([0, 1], [0, 1], [[1.0, 1.0], [0.0, 0.0]], "row of zeros"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(
    reference: list[int], estimate: list[int], weights: list[float], complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint):
        macro_f1(np.array(reference), np.array(estimate), labels=2, weights=weights)
