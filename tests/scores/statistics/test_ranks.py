"""Ranks and their ranges: cases by hand, ties, directions, and a simulation."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from marble_eval.scores.statistics import RankRange, rank_ranges


def test_hand_worked_ranks() -> None:
    # Four resamples. "a" is first, second, first, first; "b" second, first, second, third;
    # "c" third, third, third, second. A level of 0.99 takes in every one of the four.
    resampled = [[0.9, 0.7, 0.8, 0.9], [0.8, 0.8, 0.7, 0.5], [0.1, 0.2, 0.3, 0.6]]
    assert rank_ranges([0.8, 0.75, 0.3], resampled, level=0.99) == [
        RankRange(rank=1, best=1, worst=2, first=0.75),
        RankRange(rank=2, best=1, worst=3, first=0.25),
        RankRange(rank=3, best=2, worst=3, first=0.0),
    ]


def test_a_range_leaves_out_rare_ranks() -> None:
    # "b" beats "a" on one resample of a hundred: outside the central 95 %, but not 99.9 %.
    ours, theirs = np.full(100, 0.8), np.full(100, 0.7)
    theirs[3] = 0.9
    first, second = rank_ranges([0.8, 0.7], [ours, theirs])
    assert (str(first), str(second)) == ("1", "2")
    assert (first.first, second.first) == pytest.approx((0.99, 0.01))
    wide = rank_ranges([0.8, 0.7], [ours, theirs], level=0.999)
    assert [str(each) for each in wide] == ["1-2", "1-2"]


def test_a_range_holds_at_least_its_share_of_the_ranks() -> None:
    generator = np.random.default_rng(0)
    for resamples, level in itertools.product((7, 40, 140, 1000), (0.5, 0.9, 0.95)):
        means = generator.random(8)
        draws = means[:, None] + 0.3 * generator.standard_normal((8, resamples))
        ranks = 1 + (draws[None] > draws[:, None]).sum(axis=1)
        for each, of_system in zip(rank_ranges(means, draws, level=level), ranks, strict=True):
            inside = (of_system >= each.best) & (of_system <= each.worst)
            assert inside.mean() >= level - 1e-12


def test_a_range_always_holds_the_rank_on_the_items_themselves() -> None:
    # Every resample says otherwise.
    found = rank_ranges([0.9, 0.5], [[0.1] * 10, [0.2] * 10])
    assert found == [RankRange(1, 1, 2, 0.0), RankRange(2, 1, 2, 1.0)]


def test_chances_of_being_first_add_up_to_one() -> None:
    generator = np.random.default_rng(1)
    draws = np.round(generator.random((6, 300)), 1)  # with many ties at the top
    chances = [each.first for each in rank_ranges(draws.mean(axis=1), draws)]
    assert sum(chances) == pytest.approx(1)
    assert min(chances) > 0


def test_equal_systems_share_rank_range_and_chance() -> None:
    draws = np.random.default_rng(2).random(100)
    same, again, worse = rank_ranges([0.7, 0.7, 0.1], [draws, draws, draws - 2])
    assert same == again == RankRange(rank=1, best=1, worst=1, first=0.5)
    assert worse.rank == 3 and str(worse) == "3"  # two are before it


def test_where_less_is_better_the_order_turns() -> None:
    generator = np.random.default_rng(3)
    values, draws = generator.random(5), generator.random((5, 200))
    assert rank_ranges(values, draws, higher_is_better=False) == rank_ranges(-values, -draws)
    assert rank_ranges(values, draws, higher_is_better=False) != rank_ranges(values, draws)
    errors = rank_ranges([0.2, 0.1], [[0.2, 0.3], [0.1, 0.1]], higher_is_better=False)
    assert [each.rank for each in errors] == [2, 1]


def test_a_resample_without_a_value_is_left_out_for_all() -> None:
    draws = np.array([[0.9, 0.1, np.nan, 0.9], [0.5, 0.5, 0.5, np.nan]])
    assert rank_ranges([0.9, 0.5], draws) == rank_ranges([0.9, 0.5], draws[:, :2])
    assert [each.first for each in rank_ranges([0.9, 0.5], draws)] == [0.5, 0.5]


def test_the_order_of_the_systems_does_not_matter() -> None:
    generator = np.random.default_rng(4)
    values, draws = generator.random(7), generator.random((7, 150))
    order = generator.permutation(7)
    found = rank_ranges(values, draws)
    assert rank_ranges(values[order], draws[order]) == [found[at] for at in order]


def test_one_system_alone_is_first() -> None:
    assert rank_ranges([0.5], [[0.4, 0.6]]) == [RankRange(1, 1, 1, 1.0)]


def test_ranges_hold_the_true_rank_of_a_system() -> None:
    # Five systems whose true scores are known, measured on items drawn anew each time.
    truth, generator = np.array([0.80, 0.78, 0.75, 0.70, 0.60]), np.random.default_rng(5)
    held = []
    for _ in range(200):
        values = truth + 0.02 * generator.standard_normal(5)
        draws = values[:, None] + 0.02 * generator.standard_normal((5, 400))
        found = rank_ranges(values, draws)
        held.append([each.best <= rank <= each.worst for rank, each in enumerate(found, start=1)])
    assert np.mean(held) >= 0.92


@pytest.mark.parametrize(
    ("values", "resampled", "complaint"),
    [
        ([0.1, 0.2], [[0.1, 0.2]], r"Got \(2,\) and \(1, 2\)"),
        ([0.1], [0.1, 0.2], r"Got \(1,\) and \(2,\)"),
        ([], np.zeros((0, 3)), r"Got \(0,\) and \(0, 3\)"),
        ([np.nan, 0.2], [[0.1], [0.2]], "values must be numbers"),
        ([0.1, 0.2], [[np.nan, 0.1], [0.1, np.nan]], "must have a resample"),
        ([0.1], np.zeros((1, 0)), "must have a resample"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(
    values: list[float], resampled: list[list[float]], complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint):
        rank_ranges(values, resampled)


@pytest.mark.parametrize("level", [0.0, 1.0, 95.0])
def test_a_share_that_is_none_is_refused(level: float) -> None:
    with pytest.raises(ValueError, match="level must lie between 0 and 1"):
        rank_ranges([0.1], [[0.1, 0.2]], level=level)
