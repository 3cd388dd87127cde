"""Losses, as the gradient they send back into a probe's outputs.

The mean is over the rows of the batch: every clip carries its track's target
and counts once, as in MARBLE v1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch

if TYPE_CHECKING:
    from collections.abc import Callable


class Loss(NamedTuple):
    """A loss: goals (track, output) from targets, made once, and the gradient of the mean loss.

    The gradient is that for the outputs (member, rows, output). The mean is over the rows, or over
    each of their outputs.
    """

    goals: Callable[[torch.Tensor, int], torch.Tensor]
    gradient: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
    is_of_rows: bool


def one_hot(targets: torch.Tensor, outputs: int) -> torch.Tensor:
    """Write class indices (track,) as probabilities (track, class)."""
    return torch.nn.functional.one_hot(targets, outputs).float()


def cross_entropy_gradient(outputs: torch.Tensor, goals: torch.Tensor) -> torch.Tensor:
    """Return softmax minus goal, over the number of rows: (member, rows, class)."""
    return torch.softmax(outputs, dim=2).sub_(goals).div_(len(goals))


def as_they_are(targets: torch.Tensor, outputs: int) -> torch.Tensor:
    """Return targets with one number for each output (track, output) as float32."""
    return targets.float().reshape(len(targets), outputs)


def binary_cross_entropy_gradient(outputs: torch.Tensor, goals: torch.Tensor) -> torch.Tensor:
    """Return sigmoid minus goal, over the number of rows and tags: (member, rows, tag)."""
    return torch.sigmoid(outputs).sub_(goals).div_(goals.numel())


def squared_error_gradient(outputs: torch.Tensor, goals: torch.Tensor) -> torch.Tensor:
    """Return twice the difference, over the number of rows and dimensions."""
    return (outputs - goals).mul_(2 / goals.numel())


#: By the name that a kind's ``LOSS`` gives.
LOSSES = {
    "binary-cross-entropy": Loss(as_they_are, binary_cross_entropy_gradient, is_of_rows=False),
    "cross-entropy": Loss(one_hot, cross_entropy_gradient, is_of_rows=True),
    "squared-error": Loss(as_they_are, squared_error_gradient, is_of_rows=False),
}
