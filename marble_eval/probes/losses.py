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
    """A loss.

    Attributes
    ----------
    goals : callable
        From targets and the number of outputs to what the outputs are compared
        with, (track, output); made once, before training.
    gradient : callable
        From outputs (member, rows, output) and goals (rows, output) to the
        gradient of the mean loss for the outputs.
    """

    goals: Callable[[torch.Tensor, int], torch.Tensor]
    gradient: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def one_hot(targets: torch.Tensor, outputs: int) -> torch.Tensor:
    """Write class indices as probabilities.

    Parameters
    ----------
    targets : torch.Tensor [shape=(track,), int64]
        Classes, 0 to ``outputs`` - 1.
    outputs : int
        Number of classes.

    Returns
    -------
    torch.Tensor [shape=(track, class), float32]
        1 for the track's class, 0 elsewhere.

    Raises
    ------
    RuntimeError
        If a class is out of range.

    Examples
    --------
    >>> one_hot(torch.tensor([1]), 3)
    tensor([[0., 1., 0.]])
    """
    return torch.nn.functional.one_hot(targets, outputs).float()


def cross_entropy_gradient(outputs: torch.Tensor, goals: torch.Tensor) -> torch.Tensor:
    """Compute the gradient of the mean cross-entropy for the logits.

    Parameters
    ----------
    outputs : torch.Tensor [shape=(member, rows, class)]
        Logits.
    goals : torch.Tensor [shape=(rows, class)]
        The class of each row; see `one_hot`.

    Returns
    -------
    torch.Tensor [shape=(member, rows, class)]
        Softmax minus goal, over the number of rows.

    Examples
    --------
    >>> cross_entropy_gradient(torch.zeros(1, 1, 2), torch.tensor([[0.0, 1.0]])).tolist()
    [[[0.5, -0.5]]]
    """
    return torch.softmax(outputs, dim=2).sub_(goals).div_(len(goals))


#: By the name that a kind's ``LOSS`` gives.
LOSSES = {"cross-entropy": Loss(one_hot, cross_entropy_gradient)}
