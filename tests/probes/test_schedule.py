"""Rates and stops, against `ReduceLROnPlateau` and stops worked out by hand."""

import numpy as np
import pytest
import torch

from marble_eval.probes.schedule import Patience, Schedule

ENDLESS = 10**6


def follow(scores: list[float], patience: Patience, rate: float = 1.0) -> Schedule:
    schedule = Schedule([rate], patience)
    for score in scores:
        if schedule.active.any():
            schedule.update(np.array([score]))
    return schedule


@pytest.mark.parametrize("seed", range(12))
def test_rates_fall_as_under_reduce_on_plateau(seed: int) -> None:
    rng = np.random.default_rng(seed)
    members, epochs = 4, 60
    plateau, factor = int(rng.integers(0, 5)), float(rng.choice([0.1, 0.5, 0.9]))
    # Noise on a rise, around -1 to 1: R² goes below 0; rounding makes ties.
    scores = rng.normal(np.linspace(-1, 1, epochs)[:, None], 0.5, (epochs, members)).round(1)
    if seed % 3 == 0:  # gains near the relative threshold of 1e-4
        scores = 0.5 + np.cumsum(rng.choice([0, 2e-5, 6e-5], (epochs, members)), axis=0)
    elif seed % 3 == 1:
        scores = -np.abs(scores)
    rates = [1e-7, 5e-3, 1e-2, 1.0]
    schedule = Schedule(rates, Patience(ENDLESS, plateau, factor, ENDLESS))
    optimisers = [torch.optim.Adam([torch.nn.Parameter(torch.zeros(1))], lr=r) for r in rates]
    theirs = [
        torch.optim.lr_scheduler.ReduceLROnPlateau(
            each, mode="max", factor=factor, patience=plateau
        )
        for each in optimisers
    ]
    falls = 0
    for epoch in scores:
        before = schedule.rates.copy()
        schedule.update(epoch)
        falls += int((schedule.rates < before).sum())
        for scheduler, score in zip(theirs, epoch, strict=True):
            scheduler.step(float(score))
        official = [each.param_groups[0]["lr"] for each in optimisers]
        np.testing.assert_allclose(schedule.rates, official, rtol=1e-12)
    assert falls > 0


def test_a_probe_stops_after_its_patience_and_keeps_its_best_epoch() -> None:
    # Best 0.5 at epoch 2; 0.5 again at 4 is no gain; three epochs later, after 5, it stops.
    scores = [0.2, 0.5, 0.4, 0.5, 0.3, 0.9]
    schedule = follow(scores, Patience(max_epochs=100, plateau=ENDLESS, factor=0.5, stop=3))
    assert not schedule.active[0]
    assert (schedule.best_epochs[0], schedule.epochs[0], schedule.best_scores[0]) == (2, 5, 0.5)


def test_a_gain_starts_the_patience_anew() -> None:
    # 0.2, then two without a gain, 0.3 just in time, then three without: stops after 7.
    scores = [0.2, 0.1, 0.1, 0.3, 0.3, 0.3, 0.3, 0.9]
    schedule = follow(scores, Patience(100, ENDLESS, 0.5, stop=3))
    assert (schedule.best_epochs[0], schedule.epochs[0]) == (4, 7)


def test_training_ends_at_the_last_epoch_at_the_latest() -> None:
    schedule = follow([0.1 * each for each in range(9)], Patience(4, 2, 0.5, 20))
    assert (schedule.best_epochs[0], schedule.epochs[0]) == (4, 4)


def test_a_stopped_probe_takes_no_part_any_more() -> None:
    schedule = Schedule([1.0, 1.0], Patience(100, 0, 0.5, stop=2))
    for epoch in ([0.5, 0.1], [0.5, 0.2], [0.5, 0.3], [np.nan, 0.4], [0.9, 0.5]):
        improved = schedule.update(np.array(epoch))
    assert schedule.active.tolist() == [False, True]
    assert schedule.best_epochs.tolist() == [1, 5]
    assert schedule.epochs.tolist() == [3, 5]
    assert schedule.best_scores.tolist() == [0.5, 0.5]
    assert improved.tolist() == [False, True]
    assert schedule.rates.tolist() == [0.25, 1.0]  # epochs 2 and 3 without a gain


@pytest.mark.parametrize("score", [np.nan, np.inf])
def test_a_score_that_is_no_number_is_refused(score: float) -> None:
    with pytest.raises(ValueError, match="validation scores must be finite"):
        follow([0.1, score], Patience(100, 2, 0.5, 20))


def test_a_probe_that_diverges_stops_with_its_best_epoch() -> None:
    schedule = Schedule([1.0, 1.0, 1.0], Patience(100, 2, 0.5, 20))
    for epoch in ([0.1, -np.inf, -2.0], [0.2, 0.0, -1.0], [-np.inf, 0.0, -3.0]):
        schedule.update(np.array(epoch))
    assert schedule.active.tolist() == [False, False, True]
    assert schedule.diverged.tolist() == [True, True, False]
    assert schedule.best_epochs.tolist() == [2, 0, 2]
    assert schedule.epochs.tolist() == [3, 1, 3]
    assert schedule.best_scores.tolist() == [0.2, -np.inf, -1.0]
