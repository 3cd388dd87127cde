"""Tagging scores against scikit-learn, torchmetrics and arithmetic by hand."""

from __future__ import annotations

import tracemalloc
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from sklearn.metrics import average_precision_score, roc_auc_score
from torchmetrics.functional.classification import (
    multilabel_auroc,
    multilabel_average_precision,
)

from marble_eval.metrics import ranking
from marble_eval.metrics.tagging import (
    average_precision,
    per_tag_average_precision,
    per_tag_roc_auc,
    roc_auc,
)

Array = npt.NDArray[Any]
METRICS = [
    pytest.param(per_tag_roc_auc, roc_auc_score, id="roc_auc"),
    pytest.param(per_tag_average_precision, average_precision_score, id="average_precision"),
]
TIES = [
    pytest.param(None, id="no ties"),
    pytest.param(1, id="some ties"),
    pytest.param(0, id="hardly anything but ties"),
]


def _draw(seed: int, items: int = 120, tags: int = 9, decimals: int | None = None) -> Any:
    """Draw tags of uneven frequency and scores that know something of them."""
    generator = np.random.default_rng(seed)
    reference = generator.random((items, tags)) < np.linspace(0.03, 0.9, tags)
    scores = generator.standard_normal((items, tags)) + 0.8 * reference
    return reference, scores if decimals is None else np.round(scores, decimals)


def _expected(reference: Array, scores: Array, foreign: Callable[..., float], row: Array) -> Array:
    """Ask scikit-learn about every tag that can be scored."""
    each = np.full(reference.shape[1], np.nan)
    for tag, (positive, score) in enumerate(zip(reference.T, scores.T, strict=True)):
        drawn = positive[row > 0]
        if drawn.any() and not (foreign is roc_auc_score and drawn.all()):
            each[tag] = foreign(positive, score, sample_weight=row)
    return each


def test_all_in_order_scores_one() -> None:
    reference, _ = _draw(0)
    scores = reference.astype(np.float64)
    assert roc_auc(reference, scores) == 1.0
    assert average_precision(reference, scores) == 1.0


def test_all_in_reverse_has_an_area_of_zero() -> None:
    reference, _ = _draw(0)
    assert roc_auc(reference, -reference.astype(np.float64)) == 0.0


def test_a_constant_score_is_chance() -> None:
    reference, scores = _draw(1)
    assert roc_auc(reference, np.zeros_like(scores)) == 0.5
    np.testing.assert_allclose(
        per_tag_average_precision(reference, np.zeros_like(scores)), reference.mean(axis=0)
    )


def test_hand_worked_case_with_ties() -> None:
    reference = np.array([[1], [0], [1], [0], [0], [1]])
    scores = np.array([[0.9], [0.6], [0.6], [0.6], [0.3], [0.3]])
    # Of 3 x 3 pairs: 0.9 beats 3; 0.6 ties 2 and beats 1: 2; 0.3 ties 1: 1/2. 5.5 / 9.
    assert roc_auc(reference, scores) == pytest.approx(5.5 / 9)
    # Down to 0.9: 1 of 1; to 0.6: 2 of 4; to 0.3: 3 of 6; each adds a third of recall.
    assert average_precision(reference, scores) == pytest.approx((1 + 2 / 4 + 3 / 6) / 3)
    # The second positive twice, the first negative never, the last positive three times:
    weights = [1, 0, 2, 1, 1, 3]
    # Pairs 6 x 2: 1 * 2 + 2 * (1/2 + 1) + 3 * 1/2 = 6.5.
    assert roc_auc(reference, scores, weights=weights) == pytest.approx(6.5 / 12)
    # 1/6 * 1/1 + 2/6 * 3/4 + 3/6 * 6/8.
    found = average_precision(reference, scores, weights=weights)
    assert found == pytest.approx(1 / 6 + 2 / 6 * 3 / 4 + 3 / 6 * 6 / 8)


@pytest.mark.parametrize("decimals", TIES)
@pytest.mark.parametrize(("metric", "foreign"), METRICS)
def test_scores_agree_with_scikit_learn(
    metric: Callable[..., Array], foreign: Callable[..., float], decimals: int | None
) -> None:
    for seed in range(4):
        reference, scores = _draw(seed, decimals=decimals)
        expected = [foreign(reference[:, tag], scores[:, tag]) for tag in range(9)]
        np.testing.assert_allclose(metric(reference, scores), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", ["counts", "fractions"])
@pytest.mark.parametrize("decimals", TIES)
@pytest.mark.parametrize(("metric", "foreign"), METRICS)
def test_weighted_scores_agree_with_scikit_learn(
    metric: Callable[..., Array],
    foreign: Callable[..., float],
    decimals: int | None,
    kind: str,
) -> None:
    reference, scores = _draw(5, items=60, decimals=decimals)
    generator = np.random.default_rng(6)
    weights = generator.multinomial(60, np.full(60, 1 / 60), size=40).astype(np.float64)
    if kind == "fractions":
        weights *= generator.random(weights.shape)
    found = metric(reference, scores, weights=weights)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        expected = [_expected(reference, scores, foreign, row) for row in weights]
    assert np.isnan(found).any() and not np.isnan(found).all()  # rare tags, at times not drawn
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("decimals", TIES)
def test_scores_agree_with_torchmetrics_where_every_tag_occurs(decimals: int | None) -> None:
    reference, logits = _draw(7, decimals=decimals)
    scores = 1 / (1 + np.exp(-logits))  # torchmetrics would squash logits by itself
    tensors = torch.from_numpy(scores), torch.from_numpy(reference).long()
    area = multilabel_auroc(*tensors, num_labels=9, average=None)
    precision = multilabel_average_precision(*tensors, num_labels=9, average=None)
    np.testing.assert_allclose(per_tag_roc_auc(reference, logits), area, atol=1e-6)
    np.testing.assert_allclose(per_tag_average_precision(reference, logits), precision, atol=1e-6)


def test_tags_without_positives_are_left_out_where_torchmetrics_counts_zero() -> None:
    reference, scores = _draw(8, tags=4)
    reference[:, 1] = False
    area = [roc_auc_score(reference[:, tag], scores[:, tag]) for tag in (0, 2, 3)]
    precision = [average_precision_score(reference[:, tag], scores[:, tag]) for tag in (0, 2, 3)]
    assert roc_auc(reference, scores) == pytest.approx(np.mean(area), abs=1e-12)
    assert average_precision(reference, scores) == pytest.approx(np.mean(precision), abs=1e-12)
    probabilities = torch.from_numpy(1 / (1 + np.exp(-scores)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        foreign = multilabel_auroc(
            probabilities, torch.from_numpy(reference).long(), num_labels=4, average="macro"
        )
    assert float(foreign) == pytest.approx(sum(area) / 4, abs=1e-6)


def test_a_tag_that_all_items_have_is_left_out_of_the_area_alone() -> None:
    reference, scores = _draw(9, tags=3)
    reference[:, 2] = True
    assert np.isnan(per_tag_roc_auc(reference, scores)).tolist() == [False, False, True]
    assert per_tag_average_precision(reference, scores)[2] == 1.0
    assert roc_auc(reference, scores) == pytest.approx(roc_auc(reference[:, :2], scores[:, :2]))


def test_each_row_of_weights_has_its_own_tags() -> None:
    reference = np.array([[1, 0], [0, 1], [0, 0]])
    scores = np.array([[0.5, 0.1], [0.1, 0.5], [0.9, 0.2]])
    rows = [[1, 1, 1], [1, 0, 1], [0, 1, 1], [0, 0, 3]]
    # The first tag's positive beats one of two negatives, the second's beats both.
    expected = [(0.5 + 1) / 2, 0.0, 1.0, np.nan]
    np.testing.assert_allclose(roc_auc(reference, scores, weights=rows), expected)
    expected = [(1 / 2 + 1) / 2, 1 / 2, 1.0, np.nan]
    np.testing.assert_allclose(average_precision(reference, scores, weights=rows), expected)


@pytest.mark.parametrize("share", [0.1, 1.0])
def test_items_of_no_weight_leave_no_trace_of_a_tag(share: float) -> None:
    """Sums of fractions must not leave a little weight where there is none."""
    reference = np.tile(np.array([[1], [0], [1]]), (30, 1))
    scores = np.random.default_rng(0).random((90, 1))
    weights = np.stack([reference[:, 0], 1 - reference[:, 0]]) * share
    assert np.isnan(roc_auc(reference, scores, weights=weights)).all()
    found = average_precision(reference, scores, weights=weights)
    assert found[0] == pytest.approx(1.0) and np.isnan(found[1])


@pytest.mark.parametrize("metric", [roc_auc, average_precision])
def test_weights_of_one_change_nothing(metric: Callable[..., Any]) -> None:
    reference, scores = _draw(10, decimals=1)
    once = metric(reference, scores)
    assert isinstance(once, float)
    weighted = metric(reference, scores, weights=np.ones((2, 3, 120)))
    np.testing.assert_allclose(weighted, np.full((2, 3), once), rtol=1e-12)
    assert metric(reference, scores, weights=np.ones(120)).shape == ()


@pytest.mark.parametrize("metric", [roc_auc, average_precision])
def test_a_weight_of_two_is_an_item_that_occurs_twice(metric: Callable[..., Any]) -> None:
    reference, scores = _draw(11, decimals=1)
    weights = np.random.default_rng(1).integers(0, 3, size=120)
    twice = np.repeat(reference, weights, axis=0), np.repeat(scores, weights, axis=0)
    assert metric(reference, scores, weights=weights) == pytest.approx(metric(*twice), abs=1e-12)


@pytest.mark.parametrize("metric", [per_tag_roc_auc, per_tag_average_precision])
def test_only_the_order_of_the_scores_matters(metric: Callable[..., Array]) -> None:
    reference, scores = _draw(12, decimals=2)
    np.testing.assert_array_equal(metric(reference, scores), metric(reference, np.exp(scores) - 7))
    shuffled = np.random.default_rng(2).permutation(120)
    np.testing.assert_allclose(
        metric(reference, scores), metric(reference[shuffled], scores[shuffled]), rtol=1e-12
    )
    np.testing.assert_allclose(
        metric(reference, scores), metric(reference.astype(np.int8), scores), rtol=0
    )


@pytest.mark.parametrize("metric", [roc_auc, average_precision])
def test_blocks_change_nothing(metric: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    reference, scores = _draw(13)
    weights = np.random.default_rng(3).integers(0, 3, size=(50, 120))
    whole = metric(reference, scores), metric(reference, scores, weights=weights)
    monkeypatch.setattr(ranking, "_BLOCK", 300)  # two tags, two rows at a time
    assert metric(reference, scores) == whole[0]
    np.testing.assert_array_equal(metric(reference, scores, weights=weights), whole[1])


def test_a_thousand_resamples_need_little_memory() -> None:
    reference, scores = _draw(14, items=2000, tags=8)
    weights = np.random.default_rng(4).integers(0, 3, size=(1000, 2000)).astype(np.float64)
    tracemalloc.start()
    try:
        roc_auc(reference, scores, weights=weights)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2.5 * weights.nbytes  # one array for all tags would be 8 times that


@pytest.mark.parametrize("metric", [roc_auc, average_precision])
def test_no_score_comes_from_nothing(metric: Callable[..., Any]) -> None:
    with pytest.raises(ValueError, match="at least one item and tag"):
        metric(np.zeros((0, 3), dtype=int), np.zeros((0, 3)))
    with pytest.raises(ValueError, match="at least one item and tag"):
        metric(np.zeros((3, 0), dtype=int), np.zeros((3, 0)))
    with pytest.raises(ValueError, match=r"at least one tag must have .*\. Got none of 2"):
        metric(np.zeros((3, 2), dtype=int), np.zeros((3, 2)))


@pytest.mark.parametrize(
    ("reference", "scores", "complaint"),
    [
        ([0, 1], [0.1, 0.2], r"one shape \(n, tags\)\. Got \(2,\)"),
        ([[0], [1]], [[0.1, 0.2]], r"Got \(2, 1\) and \(1, 2\)"),
        ([[0], [2]], [[0.1], [0.2]], "must be integers 0 and 1"),
        ([[0.0], [1.0]], [[0.1], [0.2]], r"must be integers 0 and 1, or bool\. Got float64"),
        ([[0], [1]], [[0.1], [np.nan]], "finite floats"),
        ([[0], [1]], [[0.1], [np.inf]], "finite floats"),
        ([[0], [1]], [[0], [1]], r"finite floats\. Got int64"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(
    reference: list[Any], scores: list[Any], complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint):
        roc_auc(np.array(reference), np.array(scores))
    with pytest.raises(ValueError, match=complaint):
        average_precision(np.array(reference), np.array(scores), weights=[1, 1])


def test_weights_of_other_items_are_refused() -> None:
    reference, scores = _draw(15)
    with pytest.raises(ValueError, match=r"weights must have shape \(\.\.\., 120\)"):
        roc_auc(reference, scores, weights=np.ones(119))
