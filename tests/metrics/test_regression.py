"""R² against scikit-learn, torchmetrics and arithmetic by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from sklearn.metrics import r2_score
from torchmetrics.functional.regression import r2_score as torch_r2_score

from marble_eval.metrics.regression import per_dimension_r2, r2

Values = npt.NDArray[np.float64]


def _draw(seed: int, items: int = 60) -> tuple[Values, Values]:
    """Draw three dimensions of different scale and place, estimated ever worse."""
    generator = np.random.default_rng(seed)
    reference = generator.standard_normal((items, 3)) * [1.0, 100.0, 1e-3] + [5.0, -1e3, 0.0]
    noise = generator.standard_normal((items, 3)) * [0.3, 80.0, 2e-3]
    return reference, reference + noise


def test_all_found_scores_one() -> None:
    reference, _ = _draw(0)
    assert r2(reference, reference) == 1.0


def test_the_mean_scores_zero_and_worse_is_negative() -> None:
    reference, _ = _draw(0)
    mean = np.broadcast_to(reference.mean(axis=0), reference.shape)
    np.testing.assert_allclose(per_dimension_r2(reference, mean), 0.0, atol=1e-12)
    assert r2(reference, -reference) < 0


def test_hand_worked_case() -> None:
    reference = np.array([[1.0, 10.0], [2.0, 20.0], [3.0, 60.0]])
    estimate = np.array([[1.0, 20.0], [2.0, 20.0], [2.0, 30.0]])
    # Dimension 0: 1 - 1 / (1 + 0 + 1). Dimension 1: 1 - (100 + 900) / (400 + 100 + 900).
    expected = [1 / 2, 1 - 1000 / 1400]
    np.testing.assert_allclose(per_dimension_r2(reference, estimate), expected)
    assert r2(reference, estimate) == pytest.approx(np.mean(expected))
    # The first item twice: means 7/4 and 25, spread 2 * 9/16 + 1/16 + 25/16 and
    # 2 * 225 + 25 + 1225, error 1 and 2 * 100 + 900.
    found = per_dimension_r2(reference, estimate, weights=[2, 1, 1])
    np.testing.assert_allclose(found, [1 - 1 / (44 / 16), 1 - 1100 / 1700])


@pytest.mark.parametrize("seed", range(5))
def test_r2_agrees_with_scikit_learn_and_torchmetrics(seed: int) -> None:
    reference, estimate = _draw(seed)
    each = per_dimension_r2(reference, estimate)
    np.testing.assert_allclose(each, r2_score(reference, estimate, multioutput="raw_values"))
    mean = r2_score(reference, estimate, multioutput="uniform_average")
    assert r2(reference, estimate) == pytest.approx(mean, abs=1e-9)
    tensors = torch.from_numpy(estimate), torch.from_numpy(reference)
    foreign = torch_r2_score(*tensors, multioutput="raw_values")
    # torchmetrics takes the third dimension, which varies by a thousandth, for constant.
    np.testing.assert_allclose(each[:2], foreign[:2], atol=1e-6)


@pytest.mark.parametrize("seed", range(5))
def test_weighted_r2_agrees_with_scikit_learn(seed: int) -> None:
    reference, estimate = _draw(seed)
    generator = np.random.default_rng(seed)
    weights = generator.integers(0, 4, size=(4, 5, 60)) * generator.random((4, 5, 60))
    found = per_dimension_r2(reference, estimate, weights=weights)
    assert found.shape == (4, 5, 3)
    for place in np.ndindex(4, 5):
        row = weights[place]
        expected = r2_score(reference, estimate, sample_weight=row, multioutput="raw_values")
        np.testing.assert_allclose(found[place], expected, rtol=1e-9)
    np.testing.assert_allclose(r2(reference, estimate, weights=weights), found.mean(axis=-1))


def test_a_weight_of_two_is_an_item_that_occurs_twice() -> None:
    reference, estimate = _draw(1)
    weights = np.random.default_rng(1).integers(0, 3, size=60)
    twice = np.repeat(reference, weights, axis=0), np.repeat(estimate, weights, axis=0)
    assert r2(reference, estimate, weights=weights) == pytest.approx(r2(*twice), abs=1e-9)


def test_unit_and_order_change_nothing() -> None:
    reference, estimate = _draw(2)
    other = np.random.default_rng(2).permutation(60)
    before = per_dimension_r2(reference, estimate)
    np.testing.assert_allclose(per_dimension_r2(3 * reference + 1, 3 * estimate + 1), before)
    np.testing.assert_allclose(per_dimension_r2(reference[other], estimate[other]), before)


def test_a_constant_reference_has_no_r2() -> None:
    reference, estimate = _draw(3)
    reference[:, 1] = 0.1  # its mean of 60 is not quite 0.1
    with pytest.raises(ValueError, match=r"Dimension 1 is 0\.1 for all 60 items"):
        r2(reference, estimate)
    with pytest.raises(ValueError, match="Dimension 1 is"):
        per_dimension_r2(reference, estimate)


def test_a_resample_in_which_a_dimension_is_constant_has_no_score() -> None:
    reference = np.array([[0.1, 1.0], [0.1, 2.0], [0.1, 3.0], [0.7, 4.0]])
    estimate = np.zeros((4, 2))
    rows = [[1, 1, 1, 1], [3, 1, 7, 0], [0, 0, 0, 4]]
    found = per_dimension_r2(reference, estimate, weights=rows)
    assert np.isnan(found).tolist() == [[False, False], [True, False], [True, True]]
    assert np.isnan(r2(reference, estimate, weights=rows)).tolist() == [False, True, True]


@pytest.mark.parametrize(
    ("reference", "estimate", "complaint"),
    [
        ([], [], r"shape \(n, dimensions\)\. Got \(0,\)"),
        (np.zeros((0, 2)), np.zeros((0, 2)), "at least two items. Got 0"),
        ([[1.0]], [[1.0]], "at least two items. Got 1"),
        ([1.0, 2.0], [1.0, 2.0], r"shape \(n, dimensions\)\. Got \(2,\)"),
        (np.zeros((3, 0)), np.zeros((3, 0)), r"shape \(n, dimensions\)\. Got \(3, 0\)"),
        ([[1.0], [2.0]], [[1.0], [np.nan]], "estimate must be finite"),
        ([[1.0], [np.inf]], [[1.0], [2.0]], "reference must be finite"),
        ([[1.0], [2.0]], [[1.0], [2.0], [3.0]], r"one shape\. Got \(2, 1\) and \(3, 1\)"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(reference: Any, estimate: Any, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        r2(np.asarray(reference), np.asarray(estimate))


def test_weights_of_other_items_are_refused() -> None:
    reference, estimate = _draw(4)
    with pytest.raises(ValueError, match=r"weights must have shape \(\.\.\., 60\)"):
        r2(reference, estimate, weights=np.ones(59))
