"""Small supervised read-outs of frozen features.

`training` trains a group of probes side by side (linear, or one hidden layer),
`heads` holds their arithmetic, `schedule` their learning rates and stopping,
`logistic` scikit-learn's logistic regression. Which probes make up a grid, and
which one wins, is decided in `marble_eval.probes.grid`.

Features are ``(layer, clip, width)``; the clips of a track lie together, and the
output of a track is the mean over its clips.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from marble_eval.spec import Fit, FittedProbe, Probe, TrainedProbe

if TYPE_CHECKING:
    import torch

__all__ = [
    "LEARNED_SUM",
    "Fit",
    "FittedProbe",
    "Member",
    "Probe",
    "ProbeData",
    "TrainedMember",
    "TrainedProbe",
]

#: Name of the learned softmax-weighted sum of layers, where a layer's name stands.
LEARNED_SUM = "sum"


@dataclass(frozen=True)
class ProbeData:
    """The features and targets of one split.

    Features are (layer, clip, width), in any float type, the clips of a track together; clips
    (track,) count those of each track; targets are classes (track,) or values (track, output).
    """

    features: torch.Tensor
    clips: torch.Tensor
    targets: torch.Tensor

    def __post_init__(self) -> None:
        if not len(self.clips):
            raise ValueError("a split must have at least one track. Got none.")
        if int(self.clips.sum()) != self.features.shape[1] or bool((self.clips < 1).any()):
            raise ValueError(
                f"every track must have one or more clips, {self.features.shape[1]} in all. "
                f"Got {int(self.clips.sum())} in {len(self.clips)} tracks."
            )
        if len(self.targets) != len(self.clips):
            raise ValueError(
                f"there must be one target a track. Got {len(self.targets)} targets "
                f"for {len(self.clips)} tracks."
            )


@dataclass(frozen=True, slots=True)
class Member:
    """One probe of the grid, with the positions of the layers it reads."""

    layer: str
    reads: tuple[int, ...]
    learning_rate: float
    seed: int


@dataclass(frozen=True)
class TrainedMember:
    """A probe as it was at its best validation score; parameters on the CPU.

    Epochs count from 1; the best one is 0, and the score minus infinity, if outputs were not
    finite after the first.
    """

    member: Member
    parameters: dict[str, torch.Tensor]
    valid_score: float
    best_epoch: int
    epochs: int
    diverged: bool

    @property
    def scored(self) -> bool:
        """Return whether there is a best epoch, and with it a score."""
        return self.best_epoch > 0
