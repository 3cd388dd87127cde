"""Logistic regression by scikit-learn, as a second read-out without a schedule.

Features are standardised on the training clips and clipped to ±5 standard
deviations: a unit that is nearly dead in training can be huge elsewhere, and one
such unit has thrown a whole split.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch

from marble_eval.errors import MarbleError
from marble_eval.spec import Fit

if TYPE_CHECKING:
    from sklearn.linear_model import LogisticRegression

_CLIP = 5.0  # standard deviations
_ITERATIONS = 2000


@dataclass(frozen=True, slots=True)
class LogisticProbe:
    """Logistic regression; ``inverse_penalties`` are the values of C tried."""

    inverse_penalties: tuple[float, ...]

    name: ClassVar[str] = "logreg"
    setting: ClassVar[str] = "C"
    losses: ClassVar[tuple[str, ...]] = ("cross-entropy",)
    serves_frames: ClassVar[bool] = False
    reads_sum: ClassVar[bool] = False
    is_seeded: ClassVar[bool] = False
    description: ClassVar[str] = "logistic regression"
    citation: ClassVar[str] = "pedregosa2011scikit"

    def __post_init__(self) -> None:
        if not self.inverse_penalties or any(not each > 0 for each in self.inverse_penalties):
            raise ValueError(
                f"'inverse_penalties' must be positive numbers, at least one. "
                f"Got {self.inverse_penalties!r}."
            )

    @property
    def settings(self) -> tuple[float, ...]:
        """Return the values of C."""
        return self.inverse_penalties

    def fit(self, features: np.ndarray, targets: np.ndarray, outputs: int) -> Iterator[Fit]:
        """Fit with each penalty; each clip carries its track's class."""
        from sklearn.exceptions import ConvergenceWarning  # noqa: PLC0415 - scikit-learn: 1 s
        from sklearn.linear_model import LogisticRegression  # noqa: PLC0415

        if len(np.unique(targets)) < 2:
            raise MarbleError(
                f"probe=logreg must have two or more classes in training. Got one in "
                f"{len(targets)} clips. Give more data, or probe=mlp."
            )
        raw = torch.from_numpy(features)
        known = standardise(raw, raw).numpy()
        for penalty in self.inverse_penalties:
            model = LogisticRegression(C=penalty, max_iter=_ITERATIONS)
            with warnings.catch_warnings():
                # Reported by the remark instead.
                warnings.simplefilter("ignore", ConvergenceWarning)
                model.fit(known, targets)

            def scores(unseen: np.ndarray, model: LogisticRegression = model) -> np.ndarray:
                rows = standardise(torch.from_numpy(unseen), raw).numpy()
                return _all_classes(model, rows, outputs).numpy()

            converged = model.n_iter_.max() < _ITERATIONS
            yield Fit(penalty, scores, "" if converged else "the fit did not converge")


def standardise(features: torch.Tensor, of: torch.Tensor) -> torch.Tensor:
    """Standardise features (clip, width) by the statistics of others, and clip them to ±5.

    A unit that never varies becomes 0.
    """
    # Both in one pass: its running mean of a constant is that constant, to the last bit.
    deviation, mean = torch.std_mean(of.float(), dim=0, correction=0)
    safe = torch.where(deviation > 0, deviation, torch.inf)
    return ((features.float() - mean) / safe).clamp_(-_CLIP, _CLIP)


def _all_classes(model: LogisticRegression, features: np.ndarray, outputs: int) -> torch.Tensor:
    """Return log-probabilities; of classes that training lacks, minus infinity's stand-in."""
    logits = torch.as_tensor(model.decision_function(features), dtype=torch.float64)
    if logits.dim() == 1:  # two classes: the second against the first
        logits = torch.stack([torch.zeros_like(logits), logits], dim=1)
    scores = torch.full((len(features), outputs), -1e9, dtype=torch.float64)
    # Not predict_log_proba, which takes the logarithm of what may have become 0.
    scores[:, torch.as_tensor(model.classes_)] = torch.log_softmax(logits, dim=1)
    return scores
