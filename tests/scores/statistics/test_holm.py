"""Holm's rule: cases by hand, its properties, and what it is for."""

from __future__ import annotations

import numpy as np
import pytest

from marble_eval.scores.statistics import holm


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        # 3 x 0.01, 2 x 0.02, 1 x 0.04; the last may not be smaller than the one before.
        ([0.01, 0.02, 0.04], [0.03, 0.04, 0.04]),
        # In another order: 4 x 0.005, 3 x 0.01, 2 x 0.03, 1 x 0.04 below 2 x 0.03.
        ([0.01, 0.04, 0.03, 0.005], [0.03, 0.06, 0.06, 0.02]),
        # Equal values get the largest factor among them.
        ([0.02, 0.02, 0.5], [0.06, 0.06, 0.5]),
        # No chance is above 1, and all after it are 1 too.
        ([0.6, 0.9], [1.0, 1.0]),
        ([0.0, 1.0], [0.0, 1.0]),
        # A single test needs no adjustment.
        ([0.04], [0.04]),
        ([], []),
    ],
)
def test_hand_worked_cases(values: list[float], expected: list[float]) -> None:
    np.testing.assert_allclose(holm(values), expected, rtol=1e-12)


def test_adjusted_values_keep_the_order_and_lie_between_raw_and_bonferroni() -> None:
    generator = np.random.default_rng(0)
    for tests in (2, 5, 20):
        values = generator.random(tests) ** 3
        found = holm(values)
        assert (np.diff(found[np.argsort(values)]) >= 0).all()
        assert (found >= values).all()
        assert (found <= np.minimum(1, tests * values) + 1e-15).all()
        assert found.min() == pytest.approx(min(1, tests * values.min()))


def test_the_order_of_the_tests_does_not_matter() -> None:
    values = np.random.default_rng(1).random(30) ** 2
    order = np.random.default_rng(2).permutation(30)
    np.testing.assert_array_equal(holm(values[order]), holm(values)[order])


def test_a_smaller_value_makes_no_adjusted_one_larger() -> None:
    generator = np.random.default_rng(3)
    for _ in range(50):
        values = generator.random(8) ** 2
        less = values.copy()
        less[3] *= generator.random()
        assert (holm(less) <= holm(values) + 1e-15).all()


def test_false_alarms_among_many_tests_stay_below_the_level() -> None:
    # 14 tests without a difference: one or more below 0.05 in 51 % of cases, 1 - 0.95 ** 14.
    values = np.random.default_rng(4).random((4000, 14))
    assert (values.min(axis=1) < 0.05).mean() == pytest.approx(0.51, abs=0.03)
    # Independent tests: 1 - (1 - 0.05 / 14) ** 14 = 4.9 %.
    found = np.mean([holm(each).min() < 0.05 for each in values])
    assert found == pytest.approx(0.049, abs=0.012)


@pytest.mark.parametrize("values", [[0.1, 1.1], [-0.1], [np.nan, 0.1], [[0.1]], 0.1])
def test_what_is_no_list_of_chances_is_refused(values: object) -> None:
    with pytest.raises(ValueError, match=r"numbers in \[0, 1\]"):
        holm(values)  # type: ignore[arg-type]
