"""Weights: what is taken as given and what is refused."""

import numpy as np
import numpy.typing as npt
import pytest

from marble_eval.metrics.item_weights import as_given, item_weights


def test_no_weights_count_each_item_once() -> None:
    np.testing.assert_array_equal(item_weights(None, 3), [1.0, 1.0, 1.0])


def test_leading_axes_are_kept() -> None:
    given = np.arange(24).reshape(2, 3, 4)
    kept = item_weights(given, 4)
    assert kept.dtype == np.float64
    np.testing.assert_array_equal(kept, given)


@pytest.mark.parametrize(
    ("weights", "complaint"),
    [
        ([1.0], r"weights must have shape \(\.\.\., 2\)\. Got \(1,\)"),
        (1.0, r"weights must have shape \(\.\.\., 2\)\. Got \(\)"),
        ([1.0, -1.0], "not negative"),
        ([1.0, np.inf], "finite"),
        ([1.0, np.nan], "finite"),
        ([[1.0, 1.0], [0.0, 0.0]], "row of zeros"),
    ],
)
def test_weights_that_do_not_fit_are_refused(weights: npt.ArrayLike, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        item_weights(weights, 2)


def test_a_score_is_a_float_without_weights_and_an_array_with_them() -> None:
    assert isinstance(as_given(np.float64(0.5), None), float)
    single = as_given(np.float64(0.5), [1.0])
    assert isinstance(single, np.ndarray) and single.shape == ()
