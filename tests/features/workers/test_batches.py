"""Batches: who shares one, how long a clip waits, and how large one should be."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pytest

from marble_eval.features.workers.batches import BatchSizes, bucketed, paying_size


class Clip(NamedTuple):
    number: int
    samples: int


def _clips(*lengths: int) -> list[Clip | None]:
    return [Clip(number, samples) for number, samples in enumerate(lengths)]


def _numbers(clips: list[Clip | None], size: int) -> list[list[int] | None]:
    found: list[list[int] | None] = []
    for batch in bucketed(clips, lambda _: size):
        found.append(None if batch is None else [clip.number for clip in batch])
    return found


def test_batches_of_one_keep_the_order() -> None:
    assert _numbers(_clips(5, 9, 5, 7), 1) == [[0], [1], [2], [3]]


def test_clips_of_a_length_meet_although_others_are_between() -> None:
    assert _numbers(_clips(5, 9, 5, 9, 5, 9), 3) == [[0, 2, 4], [1, 3, 5]]


def test_a_lone_clip_lets_two_batches_pass_and_no_more() -> None:
    # The third clip is alone in its length; with 4 others behind it, it goes.
    assert _numbers(_clips(9, 9, 5, 9, 9, 9, 9, 9, 9), 2) == [[0, 1], [3, 4], [5, 6], [2], [7, 8]]


@pytest.mark.parametrize("size", [1, 2, 3, 8])
def test_nothing_is_lost_and_no_batch_mixes_lengths(size: int) -> None:
    rng = np.random.default_rng(size)
    clips = _clips(*rng.choice([5, 7, 9, 11], 100, p=[0.7, 0.1, 0.1, 0.1]).tolist())
    seen, waited = [], 0
    for batch in bucketed(clips, lambda _: size):
        assert batch is not None
        assert len({clip.samples for clip in batch}) == 1
        assert len(batch) <= size
        seen += [clip.number for clip in batch]
        waited = max(waited, max(seen) - batch[0].number)
    assert sorted(seen) == list(range(100))
    assert waited <= 2 * size + 4  # one of each length may be due at once


def test_when_no_more_can_be_had_the_oldest_goes_first() -> None:
    clips = [*_clips(5, 9, 9), None, None, None, *_clips(7)]
    assert _numbers(clips, 4) == [[0], [1, 2], None, [0]]


def _pace(fixed_s: float, each_s: float, most: int = 10**9) -> Callable[[int], float | None]:
    """A device with a fixed cost for a call and one for a clip."""
    return lambda clips: clips / (fixed_s + clips * each_s) if clips <= most else None


@pytest.mark.parametrize(
    ("fixed_s", "each_s", "found"),
    [
        (0.0, 1.0, 1),  # nothing is gained
        # 8 clips in 9 + 8 = 17: 0.471; 16 in 25: 0.64; 32 in 41: 0.78; 64 in 73: 0.877
        (9.0, 1.0, 64),
        # 1 in 1.1, 2 in 2.1: + 4.8 %
        (0.1, 1.0, 1),
        # 1 in 1.3: 0.769; 2 in 2.3: 0.870; 4 in 4.3: 0.930; 8 in 8.3: 0.964, + 3.6 %
        (0.3, 1.0, 4),
    ],
)
def test_a_batch_is_doubled_while_that_gains_five_percent(
    fixed_s: float, each_s: float, found: int
) -> None:
    assert paying_size(_pace(fixed_s, each_s)) == found


@pytest.mark.parametrize(("most", "found"), [(0, 1), (1, 1), (5, 4), (8, 8), (63, 32)])
def test_a_batch_that_memory_does_not_hold_is_not_taken(most: int, found: int) -> None:
    assert paying_size(_pace(100.0, 1.0, most)) == found


def test_each_length_is_tried_once_and_only_if_enough_clips_came() -> None:
    tried: list[int] = []

    def measure(clips: int) -> float:
        tried.append(clips)
        return min(clips, 2)

    sizes = BatchSizes(0)
    sizes.settle(100, 3, measure)
    assert (tried, sizes.of(100)) == ([], 8)
    sizes.settle(100, 8, measure)
    sizes.settle(100, 8, measure)
    assert (tried, sizes.of(100), sizes.of(200)) == ([1, 2, 4], 2, 8)


def test_a_size_that_was_given_is_not_tried() -> None:
    sizes = BatchSizes(3)
    sizes.settle(100, 8, lambda clips: 1 / 0)
    assert sizes.of(100) == 3
