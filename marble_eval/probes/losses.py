"""Losses, as the gradient they send back into a probe's outputs.

The mean is over the rows of the batch: every clip carries its track's target
and counts once, as in MARBLE v1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Callable


def cross_entropy_gradient(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Compute the gradient of the mean cross-entropy for the logits.

    Parameters
    ----------
    outputs : torch.Tensor [shape=(member, rows, class)]
        Logits.
    targets : torch.Tensor [shape=(rows,), int64]
        Class of each row.

    Returns
    -------
    torch.Tensor [shape=(member, rows, class)]
        Softmax minus the target's one-hot vector, over the number of rows.

    Examples
    --------
    >>> cross_entropy_gradient(torch.zeros(1, 1, 2), torch.tensor([1])).tolist()
    [[[0.5, -0.5]]]
    """
    gradient = torch.softmax(outputs, dim=2)
    gradient[:, torch.arange(len(targets), device=targets.device), targets] -= 1
    return gradient.div_(len(targets))


LOSS_GRADIENTS: dict[str, Callable[[torch.Tensor, torch.Tensor], torch.Tensor]] = {
    "cross-entropy": cross_entropy_gradient,
}
