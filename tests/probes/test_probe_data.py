"""What is refused as the features of a split."""

import pytest
import torch

from marble_eval.probes import ProbeData


@pytest.mark.parametrize("counts", [[2, 2], [3, 0], [4, -1]])
def test_the_clips_of_all_tracks_must_be_those_of_the_features(counts: list[int]) -> None:
    with pytest.raises(ValueError, match="every track must have one or more clips, 3 in all"):
        ProbeData(torch.zeros(1, 3, 2), torch.tensor(counts), torch.zeros(2))


def test_every_track_must_have_a_target() -> None:
    with pytest.raises(ValueError, match="Got 3 targets for 2 tracks"):
        ProbeData(torch.zeros(1, 3, 2), torch.tensor([2, 1]), torch.zeros(3))


def test_a_split_must_have_a_track() -> None:
    with pytest.raises(ValueError, match="at least one track"):
        ProbeData(torch.zeros(1, 0, 2), torch.zeros(0, dtype=torch.int64), torch.zeros(0))
