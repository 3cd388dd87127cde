"""Rankings: each group of equal scores with a positive item gives one part."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from marble_eval.metrics.ranking import add_rankings, add_weighted_rankings

POSITIVE = np.array([[1], [0], [1], [0], [1], [0]]).astype(np.bool_)
SCORES = np.array([[0.9], [0.5], [0.5], [0.4], [0.2], [0.1]])
WEIGHTS = np.array([[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]])


class _Rule:
    """Remember what each group is told, and give its positives."""

    def __call__(
        self, hits: Any, ties: Any, found: Any, passed: Any, negatives: Any
    ) -> npt.NDArray[np.float64]:
        self.told = [np.ravel(each).tolist() for each in (hits, ties, found, passed, negatives)]
        return np.asarray(hits, dtype=np.float64)


def test_a_group_is_told_its_weights_and_those_above_it() -> None:
    rule = _Rule()
    sums = add_weighted_rankings(POSITIVE, SCORES, WEIGHTS, rule)
    # Scores 0.9 (weight 1), 0.5 (a negative of 2 beside a positive of 3), 0.2 (weight 5).
    assert rule.told == [[1, 3, 5], [0, 2, 0], [1, 4, 9], [0, 2, 6], [12]]
    assert [each.tolist() for each in sums] == [[[9]], [[9]], [[12]]]


def test_without_weights_each_positive_is_a_group() -> None:
    rule = _Rule()
    sums = add_rankings(POSITIVE, SCORES, rule)
    assert rule.told == [[1, 1, 1], [0, 1, 0], [1, 2, 3], [0, 1, 2], [3, 3, 3]]
    assert [each.tolist() for each in sums] == [[3], [3], [3]]


@pytest.mark.parametrize("items", [1, 2, 7])
def test_a_tag_without_positives_adds_up_to_nothing(items: int) -> None:
    flags, scores = np.zeros((items, 2), dtype=np.bool_), np.zeros((items, 2))
    flags[0, 1] = True
    expected = [[0, 1], [0, 1], [items, items - 1]]
    assert [each.tolist() for each in add_rankings(flags, scores, _Rule())] == expected
    sums = add_weighted_rankings(flags, scores, np.ones((3, items)), _Rule())
    assert [each.tolist() for each in sums] == [[row] * 3 for row in expected]


@pytest.mark.parametrize("kind", ["counts", "fractions"])
@pytest.mark.parametrize("decimals", [0, 1, 9])
def test_many_rows_count_all_pairs_of_a_positive_and_a_negative(decimals: int, kind: str) -> None:
    generator = np.random.default_rng(decimals)
    flags = generator.random((300, 3)) < np.array([0.02, 0.3, 0.98])
    scores = np.round(generator.standard_normal((300, 3)), decimals)
    rows = generator.integers(0, 4, size=(150, 300)).astype(np.float64)
    if kind == "fractions":
        rows *= generator.random(rows.shape)
    sums = add_weighted_rankings(
        flags, scores, rows, lambda hits, ties, _, passed, all_: hits * (all_ - passed + ties / 2)
    )
    for tag in range(3):
        above, below = rows * flags[:, tag], rows * ~flags[:, tag]
        order = np.sign(scores[:, None, tag] - scores[None, :, tag]) / 2 + 0.5
        expected = np.einsum("ri,ij,rj->r", above, order, below, optimize=True)
        np.testing.assert_allclose(sums.parts[:, tag], expected, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(sums.positives[:, tag], above.sum(axis=1), rtol=1e-12)
        np.testing.assert_allclose(sums.negatives[:, tag], below.sum(axis=1), rtol=1e-12)


def test_large_counts_are_added_exactly() -> None:
    """Beyond 2**24 float32 no longer counts every one."""
    flags, scores = np.ones((3, 1), dtype=np.bool_), np.zeros((3, 1))
    rows = np.array([[2.0**24, 1.0, 1.0], [2.0**24 - 3, 1.0, 1.0]])
    found = add_weighted_rankings(flags, scores, rows, _Rule())
    assert found.parts.tolist() == [[2.0**24 + 2], [2.0**24 - 1]]
