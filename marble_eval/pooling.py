"""From the frames of a clip to one embedding a layer."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def clip_means(hidden_states: torch.Tensor) -> torch.Tensor:
    """Average the frames of each clip.

    Parameters
    ----------
    hidden_states : torch.Tensor [shape=(batch, layer, frame, width)]
        What an encoder returns.

    Returns
    -------
    torch.Tensor [shape=(batch, layer, width), float32]
        Mean over the frames, as MARBLE v1 pools (``reduction: mean``).

    Raises
    ------
    ValueError
        If the shape has not four axes or there is no frame.

    Examples
    --------
    >>> import torch
    >>> clip_means(torch.tensor([[[[1.0], [3.0]]]])).tolist()
    [[[2.0]]]
    """
    if hidden_states.dim() != 4 or hidden_states.shape[2] == 0:
        raise ValueError(
            "hidden states must have the shape (batch, layer, frame, width) with a frame or "
            f"more. Got {tuple(hidden_states.shape)}."
        )
    return hidden_states.float().mean(dim=2)
