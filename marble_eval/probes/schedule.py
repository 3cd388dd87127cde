"""When a probe's learning rate falls, when it stops, and which epoch was best.

One `Schedule` follows a stack of probes, each by itself. The rules are those of
`torch.optim.lr_scheduler.ReduceLROnPlateau` (relative threshold 1e-4) and of an
early stop without tolerance, on the validation score, which is to rise; MARBLE's
v1 code uses both on the same score (arXiv 2306.10548; protocol of 2023).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# ReduceLROnPlateau's defaults: a relative gain below the one is none, and a rate that
# would fall by no more than the other stays.
_THRESHOLD = 1e-4
_SMALLEST_FALL = 1e-8


@dataclass(frozen=True, slots=True)
class Patience:
    """Epochs without improvement before the rate is reduced, and before training stops."""

    max_epochs: int
    plateau: int
    factor: float
    stop: int


class Schedule:
    """The learning rates, best scores and stops of a stack of probes, each (member,).

    `active` says which go on, `diverged` which stopped because an epoch left them without a score.
    """

    def __init__(self, rates: list[float], patience: Patience) -> None:
        members = len(rates)
        self.patience = patience
        self.rates = np.array(rates, dtype=np.float64)
        self.best_scores = np.full(members, -np.inf)
        self.best_epochs = np.zeros(members, dtype=np.int64)
        self.epochs = np.zeros(members, dtype=np.int64)
        self.active = np.ones(members, dtype=bool)
        self.diverged = np.zeros(members, dtype=bool)
        self._plateau_best = np.full(members, -np.inf)
        self._since_plateau = np.zeros(members, dtype=np.int64)

    def update(self, scores: np.ndarray) -> np.ndarray:
        """Take the validation scores (member,) of an epoch; return who is now at its best.

        Minus infinity is the score of a probe that has diverged, and stops it; those of stopped
        probes are ignored.
        """
        if not (scores[self.active] < np.inf).all():
            raise ValueError(f"validation scores must be finite. Got {scores[self.active]!r}.")
        self.epochs[self.active] += 1
        improved = self.active & (scores > self.best_scores)
        self.best_scores[improved] = scores[improved]
        self.best_epochs[improved] = self.epochs[improved]
        self._reduce_on_plateau(scores)
        self.diverged |= self.active & np.isneginf(scores)
        waited = self.epochs - self.best_epochs
        self.active &= (waited < self.patience.stop) & (self.epochs < self.patience.max_epochs)
        self.active &= ~self.diverged
        return improved

    def _reduce_on_plateau(self, scores: np.ndarray) -> None:
        # mode "max", threshold_mode "rel": best * (1 + threshold), also for scores below 0.
        better = self.active & (scores > self._plateau_best * (1 + _THRESHOLD))
        self._plateau_best[better] = scores[better]
        self._since_plateau[self.active] += 1
        self._since_plateau[better] = 0
        stuck = self.active & (self._since_plateau > self.patience.plateau)
        self._since_plateau[stuck] = 0
        lower = self.rates * self.patience.factor
        falls = stuck & (self.rates - lower > _SMALLEST_FALL)
        self.rates[falls] = lower[falls]
