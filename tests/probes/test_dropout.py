"""Dropout drops the share it is asked for, evenly, and the same for the same seed."""

import math

import pytest
import torch

from marble_eval.probes.dropout import Dropout


def masks(units: int, share: float, rows: int, count: int, seed: int = 0) -> torch.Tensor:
    dropout = Dropout(units, share, torch.Generator().manual_seed(seed))
    return torch.stack([dropout.kept(rows).clone() for _ in range(count)])


@pytest.mark.parametrize("share", [0.1, 0.2, 0.5, 0.9])
def test_the_share_kept_is_the_one_asked_for(share: float) -> None:
    drawn = masks(512, share, 64, 40)
    assert set(drawn.unique().tolist()) == {0.0, 1.0}  # type: ignore[no-untyped-call]
    # Within five standard errors of a binomial share.
    error = 5 * math.sqrt(share * (1 - share) / drawn.numel())
    assert drawn.mean().item() == pytest.approx(1 - share, abs=error)


def test_every_unit_and_every_row_is_dropped_alike() -> None:
    drawn = masks(64, 0.2, 32, 500)
    for axes, count in (((0, 1), 500 * 32), ((0, 2), 500 * 64)):
        error = 5 * math.sqrt(0.2 * 0.8 / count)
        assert (drawn.mean(axes) - 0.8).abs().max() < error


def test_neighbours_are_dropped_independently() -> None:
    drawn = masks(64, 0.3, 64, 200)
    both = (drawn[..., 1:] * drawn[..., :-1]).mean().item()
    assert both == pytest.approx(0.7**2, abs=0.003)
    between_rows = (drawn[:, 1:] * drawn[:, :-1]).mean().item()
    assert between_rows == pytest.approx(0.7**2, abs=0.003)


def test_a_seed_gives_the_same_masks_and_another_seed_others() -> None:
    assert torch.equal(masks(16, 0.2, 8, 3), masks(16, 0.2, 8, 3))
    assert not torch.equal(masks(16, 0.2, 8, 3), masks(16, 0.2, 8, 3, seed=1))


def test_nothing_is_dropped_at_share_zero() -> None:
    assert masks(16, 0.0, 8, 20).min() == 1


def test_a_last_batch_with_fewer_rows_fits() -> None:
    dropout = Dropout(5, 0.5, torch.Generator().manual_seed(0))
    assert [tuple(dropout.kept(rows).shape) for rows in (8, 8, 3, 1)] == [
        (8, 5),
        (8, 5),
        (3, 5),
        (1, 5),
    ]
