"""Batches hold whole tracks, each clip once, with its track's goal."""

import pytest
import torch

from marble_eval.probes import ProbeData
from marble_eval.probes.batches import Batch, batches

COUNTS = [2, 1, 4, 3, 1]


def split() -> ProbeData:
    """Two layers in which a clip's numbers are 100 * layer + 10 * track + its place."""
    clips = [10 * track + place for track, count in enumerate(COUNTS) for place in range(count)]
    one = torch.tensor(clips, dtype=torch.float16)[:, None].repeat(1, 3)
    return ProbeData(torch.stack([one, 100 + one]), torch.tensor(COUNTS), torch.arange(len(COUNTS)))


def drawn(order: list[int], tracks: int, reads: tuple[int, ...] = (0,)) -> list[Batch]:
    goals = torch.arange(len(COUNTS), dtype=torch.float32)[:, None]
    return list(batches(split(), goals, torch.tensor(reads), torch.tensor(order), tracks))


def test_a_batch_holds_all_clips_of_its_tracks_in_their_order() -> None:
    found = drawn([2, 0, 4, 3, 1], tracks=2)
    assert [each.features[0, :, 0].tolist() for each in found] == [
        [20, 21, 22, 23, 0, 1],
        [40, 30, 31, 32],
        [10],
    ]
    assert [each.goals.flatten().tolist() for each in found] == [
        [2, 2, 2, 2, 0, 0],
        [4, 3, 3, 3],
        [1],
    ]


def test_every_layer_that_is_read_comes_as_asked_in_single_precision() -> None:
    for batch in drawn([4, 3, 2, 1, 0], tracks=3, reads=(1, 0, 1)):
        assert batch.features.dtype == torch.float32
        assert torch.equal(batch.features[0], batch.features[1] + 100)
        assert torch.equal(batch.features[0], batch.features[2])


@pytest.mark.parametrize("tracks", [5, 64])
def test_a_batch_that_is_larger_than_the_data_holds_all_of_it(tracks: int) -> None:
    (whole,) = drawn([0, 1, 2, 3, 4], tracks)
    assert torch.equal(whole.features[0], split().features[0].float())


def test_features_that_do_not_lie_together_give_the_same() -> None:
    data = split()
    apart = data.features.transpose(0, 1).contiguous().transpose(0, 1)
    goals, order = torch.zeros(len(COUNTS), 1), torch.tensor([3, 1, 0, 2, 4])
    for one, other in zip(
        batches(data, goals, torch.tensor([1]), order, 2),
        batches(ProbeData(apart, data.clips, data.targets), goals, torch.tensor([1]), order, 2),
        strict=True,
    ):
        assert torch.equal(one.features, other.features)
