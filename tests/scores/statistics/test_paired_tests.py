"""Two systems on the same items: ties, bootstrap and permutation tests.

Against scipy, the sign test by hand, and false alarms counted by simulation.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import scipy.stats

from marble_eval.metrics.classification import accuracy
from marble_eval.metrics.tagging import roc_auc
from marble_eval.scores.statistics import (
    bootstrap_interval,
    bootstrap_p,
    bootstrap_weights,
    permutation_p,
    swaps,
    tied_with_best,
)

Reals = npt.NDArray[np.float64]


def _tied(*resampled: Reals) -> list[Any]:
    """Find the ties of estimates whose scores are the means of their resamples."""
    draws = np.stack(resampled)
    return list(tied_with_best(draws.mean(axis=1), draws, groups=300).tolist())


def test_an_estimate_ties_with_itself() -> None:
    values = np.random.default_rng(0).random(100)
    assert _tied(values, values) == [True, True]


def test_pairing_finds_a_difference_that_two_intervals_hide() -> None:
    # 300 items; the second estimate errs where the first does, and on 12 more.
    reference = np.ones(300, dtype=np.int64)
    first = (np.arange(300) < 225).astype(np.int64)
    second = (np.arange(300) < 213).astype(np.int64)
    weights = bootstrap_weights(range(300), seed=8)
    ours = accuracy(reference, first, weights=weights)
    theirs = accuracy(reference, second, weights=weights)
    low = bootstrap_interval(ours, 0.95, groups=300, observed=0.75).low
    assert low < bootstrap_interval(theirs, 0.95, groups=300, observed=0.71).high
    assert _tied(ours, theirs) == [True, False]
    assert _tied(theirs, ours) == [False, True]


def test_errors_on_different_items_that_balance_are_a_tie() -> None:
    reference = np.ones(300, dtype=np.int64)
    first, second = reference.copy(), reference.copy()
    first[:40], second[40:82] = 0, 0
    weights = bootstrap_weights(range(300), seed=8)
    ours = accuracy(reference, first, weights=weights)
    assert _tied(ours, accuracy(reference, second, weights=weights)) == [True, True]


def test_a_mean_added_up_in_another_order_is_a_tie() -> None:
    ours, theirs = np.full(50, (0.1 + 0.2 + 0.3) / 3), np.full(50, (0.3 + 0.2 + 0.1) / 3)
    assert (ours != theirs).all()
    assert _tied(ours, theirs) == [True, True]


@pytest.mark.parametrize("items", [48, 197])
def test_all_of_fourteen_equal_layers_are_tied(items: int) -> None:
    # Layers err on the same hard items (correlation 1/2); compared with the largest alone and
    # one by one, all 14 were tied in 22 of 100 data sets, and each in 84.
    generator = np.random.default_rng(9)
    weights = bootstrap_weights(range(items), resamples=500, seed=1)
    tied = []
    for _ in range(200):
        hard = generator.standard_normal((items, 1)) + generator.standard_normal((items, 14))
        hits = (hard < 0.75).astype(float)
        found = tied_with_best(hits.mean(axis=0), (weights @ hits).T / items, groups=items)
        tied.append(found.all())
    assert np.mean(tied) >= 0.91  # 0.945; a standard error is 0.016


def test_worse_layers_leave_the_tie_and_the_best_ones_stay() -> None:
    generator = np.random.default_rng(10)
    weights = bootstrap_weights(range(400), resamples=300, seed=1)
    chances = np.repeat([0.8, 0.6], 5)
    best, worse = [], []
    for _ in range(60):
        hits = (generator.random((400, 10)) < chances).astype(float)
        tied = tied_with_best(hits.mean(axis=0), (weights @ hits).T / 400, groups=400)
        best.append(tied[:5].all())
        worse.append(tied[5:].mean())
    assert np.mean(best) > 0.85
    assert np.mean(worse) < 0.02


def test_resamples_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match=r"shapes \(estimate,\) and \(estimate, resample\)"):
        tied_with_best([0.1], [[0.1, 0.2], [0.1, 0.3]], groups=9)
    with pytest.raises(ValueError, match="on which every estimate has a score"):
        tied_with_best([0.1, 0.2], [[np.nan], [0.2]], groups=9)


@pytest.mark.parametrize(
    ("differences", "expected"),
    [
        # Of 39 resamples none lies beyond 0: 2 x (1 + 0) / (1 + 39).
        ([0.1] * 39, 0.05),
        ([-0.1] * 39, 0.05),
        # Three of 39 do: 2 x (1 + 3) / 40.
        ([0.1] * 36 + [-0.1] * 3, 0.2),
        # A difference of 0 counts against both directions, be it rounded or not.
        ([0.1] * 36 + [0.0] * 3, 0.2),
        ([0.1] * 36 + [1e-17, -1e-17, 0.0], 0.2),
        ([0.0] * 39, 1.0),
        # A resample without a value is no resample.
        ([0.1] * 39 + [np.nan] * 10, 0.05),
    ],
)
def test_hand_worked_bootstrap_tests(differences: list[float], expected: float) -> None:
    assert bootstrap_p(differences) == pytest.approx(expected)


def test_the_bootstrap_test_says_what_its_interval_says() -> None:
    # The one added to both sides of the fraction moves p by no more than 2 of 1001 parts.
    generator, agreed = np.random.default_rng(0), []
    for centre in np.linspace(1.5, 2.5, 400):
        differences = centre + generator.standard_normal(1000)
        interval = bootstrap_interval(differences, 0.95, groups=10**6, observed=differences.mean())
        outside, value = interval.low > 0 or interval.high < 0, bootstrap_p(differences)
        assert outside or value >= 0.05
        assert not outside or value < 0.05 + 2 / 1001
        assert bootstrap_p(-differences) == value
        agreed.append(outside == (value < 0.05))
    assert 0.9 < np.mean(agreed) < 1


def test_few_groups_make_a_difference_less_sure() -> None:
    # Of 999 resamples 24 lie beyond 0: z = 1.96; of 8 groups t = 1.96 / sqrt(8 / 7) = 1.83.
    differences = [0.1] * 975 + [-0.1] * 24
    assert bootstrap_p(differences) == pytest.approx(0.05)
    expected = 2 * scipy.stats.t.sf(1.95996 * np.sqrt(7 / 8), 7)
    assert bootstrap_p(differences, groups=8) == pytest.approx(expected, rel=1e-4)


def _swapped_means(differences: Reals, drawn: Reals) -> Reals:
    """Give the mean difference after each row of swaps; differences are (..., item)."""
    return np.asarray(differences @ (1 - 2 * drawn).T / differences.shape[-1])


def test_every_way_to_swap_gives_the_binomial_sign_test() -> None:
    # The first alone is right on 7 items, the second alone on 1, both on 3: of 8 fair coins
    # 0, 1, 7 or 8 fall on one side, 2 x (1 + 8) / 256. Items that both have right say nothing.
    differences = np.array([1.0] * 7 + [-1.0] + [0.0] * 3)
    drawn = swaps(range(11), permutations=5000, seed=0)
    assert drawn.shape == (2048, 11)
    assert len(np.unique(drawn, axis=0)) == 2048
    found = permutation_p(differences.mean(), _swapped_means(differences, drawn), exact=True)
    assert found == pytest.approx(18 / 256, abs=1e-15)
    assert found == pytest.approx(scipy.stats.binomtest(1, 8).pvalue)


def test_groups_give_the_sign_test_of_groups() -> None:
    # Four artists with 5, 4, 2 and 1 songs, all for the first: 2 of 16 ways are as extreme.
    artists = np.repeat(["a", "b", "c", "d"], [5, 4, 2, 1])
    drawn = swaps(artists, permutations=100, seed=0)
    assert drawn.shape == (16, 12)
    for artist in "abcd":
        of_artist = drawn[:, artists == artist]
        assert (of_artist == of_artist[:, :1]).all()
    found = permutation_p(1.0, _swapped_means(np.ones(12), drawn), exact=True)
    assert found == 2 / 16


@pytest.mark.parametrize("shift", [0.0, 0.4, 1.0])
def test_every_way_to_swap_agrees_with_scipy(shift: float) -> None:
    generator = np.random.default_rng(1)
    first, second = generator.standard_normal((2, 10)) + np.array([[shift], [0.0]])
    drawn = swaps(range(10), permutations=1024, seed=0)
    found = permutation_p(
        (first - second).mean(), _swapped_means(first - second, drawn), exact=True
    )
    theirs = scipy.stats.permutation_test(
        (first, second),
        lambda a, b, axis: np.mean(a - b, axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=np.inf,
    )
    assert found == pytest.approx(theirs.pvalue, abs=1e-12)


def test_drawn_swaps_agree_with_scipy() -> None:
    first, second = np.random.default_rng(2).standard_normal((2, 80)) + np.array([[0.22], [0.0]])
    drawn = swaps(range(80), permutations=4000, seed=0)
    assert drawn.shape == (4000, 80)
    found = permutation_p((first - second).mean(), _swapped_means(first - second, drawn))
    theirs = scipy.stats.permutation_test(
        (first, second),
        lambda a, b, axis: np.mean(a - b, axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=4000,
        rng=np.random.default_rng(3),
    )
    # Two draws: each has a standard error of at most 0.008.
    assert found == pytest.approx(theirs.pvalue, abs=0.03)
    assert 0.02 < found < 0.5


def _alarms(differences: Reals, drawn: Reals) -> float:
    """Say how often the permutation test finds a difference; differences are (data set, item)."""
    swapped, observed = _swapped_means(differences, drawn), differences.mean(axis=1)
    values = [permutation_p(*each) for each in zip(observed, swapped, strict=True)]
    return float(np.mean(np.array(values) < 0.05))


def test_false_alarms_are_as_rare_as_they_should_be() -> None:
    differences = np.random.default_rng(4).laplace(size=(2000, 60))
    assert 0.035 <= _alarms(differences, swaps(range(60), permutations=999, seed=0)) <= 0.065


def test_a_true_difference_is_found() -> None:
    # Half a standard deviation on 60 items; a t test finds it in 97 % of data sets.
    differences = np.random.default_rng(5).standard_normal((500, 60)) + 0.5
    drawn = swaps(range(60), permutations=999, seed=0)
    tested = scipy.stats.ttest_1samp(differences, 0, axis=1).pvalue < 0.05
    assert _alarms(differences, drawn) == pytest.approx(tested.mean(), abs=0.02)
    assert tested.mean() > 0.9


def test_songs_of_an_artist_swapped_one_by_one_raise_false_alarms() -> None:
    artists = np.repeat(np.arange(40), 5)
    generator = np.random.default_rng(6)
    differences = generator.standard_normal((1000, 40))[:, artists]
    differences = differences + 0.5 * generator.standard_normal((1000, 200))
    assert 0.03 <= _alarms(differences, swaps(artists, permutations=999, seed=0)) <= 0.07
    assert _alarms(differences, swaps(range(200), permutations=999, seed=0)) > 0.25


def test_weights_of_items_that_stand_there_twice_swap_them() -> None:
    generator = np.random.default_rng(7)
    reference = generator.random((50, 3)) < 0.4
    first, second = generator.standard_normal((2, 50, 3)) + reference
    drawn = swaps(range(50), permutations=20, seed=0)
    found = roc_auc(
        np.concatenate([reference, reference]),
        np.concatenate([first, second]),
        weights=np.concatenate([1 - drawn, drawn], axis=1),
    )
    expected = [roc_auc(reference, np.where(row[:, None] == 1, second, first)) for row in drawn]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


def test_swaps_follow_groups_seed_and_not_the_order_of_items() -> None:
    names = np.array([f"track{number}" for number in range(70)])
    order = np.random.default_rng(8).permutation(70)
    drawn = swaps(names, permutations=300, seed=1)
    assert set(np.unique(drawn)) == {0.0, 1.0}
    assert drawn.mean() == pytest.approx(0.5, abs=0.02)  # 21,000 coins: 6 standard errors
    np.testing.assert_array_equal(swaps(names[order], permutations=300, seed=1), drawn[:, order])
    np.testing.assert_array_equal(swaps(names, permutations=300, seed=1), drawn)
    assert (swaps(names, permutations=300, seed=2) != drawn).any()


def test_one_item_cannot_show_a_difference() -> None:
    drawn = swaps(["only"], permutations=10, seed=0)
    assert permutation_p(0.7, _swapped_means(np.array([0.7]), drawn), exact=True) == 1.0


def test_drawn_swaps_count_the_observed_one_besides() -> None:
    assert permutation_p(0.5, [0.1] * 19) == 1 / 20
    assert permutation_p(-0.5, [0.1] * 18 + [0.5, np.nan]) == 2 / 20
    # The same difference, its sum rounded in another order.
    assert permutation_p(0.1 + 0.2, [0.3] * 19) == 1.0


def test_what_cannot_be_tested_is_refused() -> None:
    with pytest.raises(ValueError, match=r"groups must have shape \(n,\) with n > 0"):
        swaps([], permutations=10, seed=0)
    with pytest.raises(ValueError, match="groups must have shape"):
        swaps([["a"]], permutations=10, seed=0)
    with pytest.raises(ValueError, match="permutations must be at least 1"):
        swaps(["a"], permutations=0, seed=0)
    with pytest.raises(ValueError, match="Got none"):
        permutation_p(0.1, [np.nan])
    with pytest.raises(ValueError, match=r"observed must be a finite number\. Got nan"):
        permutation_p(float("nan"), [0.1, 0.2])
    with pytest.raises(ValueError, match="Got none"):
        bootstrap_p([np.nan, np.nan])
