"""Ridge regression as a probe: its members, and a fit for each strength of the penalty."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from sklearn import linear_model

from marble_eval.probes import Fit

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Ridge:
    """scikit-learn's ridge regression; ``alphas`` are the penalties tried."""

    alphas: tuple[float, ...] = (0.1, 10.0, 1000.0)

    name: ClassVar[str] = "ridge"
    setting: ClassVar[str] = "alpha"
    losses: ClassVar[tuple[str, ...]] = ("squared-error",)
    serves_frames: ClassVar[bool] = False
    reads_sum: ClassVar[bool] = False
    is_seeded: ClassVar[bool] = False
    description: ClassVar[str] = "ridge regression"
    citation: ClassVar[str] = "@article{hoerl1970, title = {Ridge Regression}, year = {1970}}"

    @property
    def settings(self) -> tuple[float, ...]:
        """Return the penalties."""
        return self.alphas

    def fit(self, features: np.ndarray, targets: np.ndarray, outputs: int) -> Iterator[Fit]:
        """Fit with each penalty."""
        for alpha in self.alphas:
            model = linear_model.Ridge(alpha=alpha).fit(features, targets)
            yield Fit(alpha, model.predict)
