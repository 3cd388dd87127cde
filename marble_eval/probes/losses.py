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
    is_of_rows : bool
        Whether the mean is over the rows, or over each of their outputs.
    """

    goals: Callable[[torch.Tensor, int], torch.Tensor]
    gradient: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
    is_of_rows: bool


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


def as_they_are(targets: torch.Tensor, outputs: int) -> torch.Tensor:
    """Return targets that have one number for each output.

    Parameters
    ----------
    targets : torch.Tensor [shape=(track, output)]
        0 or 1 for each tag, or a number for each dimension.
    outputs : int
        Number of outputs.

    Returns
    -------
    torch.Tensor [shape=(track, output), float32]
        The same.
    """
    return targets.float().reshape(len(targets), outputs)


def binary_cross_entropy_gradient(outputs: torch.Tensor, goals: torch.Tensor) -> torch.Tensor:
    """Compute the gradient of the mean binary cross-entropy for the logits.

    Parameters
    ----------
    outputs : torch.Tensor [shape=(member, rows, tag)]
        Logits.
    goals : torch.Tensor [shape=(rows, tag)]
        0 or 1.

    Returns
    -------
    torch.Tensor [shape=(member, rows, tag)]
        Sigmoid minus goal, over the number of rows and tags.

    Examples
    --------
    >>> binary_cross_entropy_gradient(torch.zeros(1, 1, 2), torch.tensor([[0.0, 1.0]])).tolist()
    [[[0.25, -0.25]]]
    """
    return torch.sigmoid(outputs).sub_(goals).div_(goals.numel())


def squared_error_gradient(outputs: torch.Tensor, goals: torch.Tensor) -> torch.Tensor:
    """Compute the gradient of the mean squared error.

    Parameters
    ----------
    outputs : torch.Tensor [shape=(member, rows, dimension)]
        Values.
    goals : torch.Tensor [shape=(rows, dimension)]
        What they should be.

    Returns
    -------
    torch.Tensor [shape=(member, rows, dimension)]
        Twice the difference, over the number of rows and dimensions.

    Examples
    --------
    >>> squared_error_gradient(torch.ones(1, 1, 2), torch.tensor([[0.0, 1.0]])).tolist()
    [[[1.0, 0.0]]]
    """
    return (outputs - goals).mul_(2 / goals.numel())


#: By the name that a kind's ``LOSS`` gives.
LOSSES = {
    "binary-cross-entropy": Loss(as_they_are, binary_cross_entropy_gradient, is_of_rows=False),
    "cross-entropy": Loss(one_hot, cross_entropy_gradient, is_of_rows=True),
    "squared-error": Loss(as_they_are, squared_error_gradient, is_of_rows=False),
}
