"""From the hidden states of a clip to what is kept of them: one embedding, or every frame."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Sequence


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
    >>> clip_means(torch.tensor([[[[1.0], [3.0]]]])).tolist()
    [[[2.0]]]
    """
    check_hidden_states(hidden_states)
    return hidden_states.float().mean(dim=2)


def kept_frames(
    hidden_states: torch.Tensor,
    layers: Sequence[int],
    *,
    heard_from: int,
    first: int,
    count: int | None,
    step: int,
) -> torch.Tensor:
    """Take the frames of a piece of a track, each the mean of the encoder's around it.

    Kept frame j stands at the encoder's frame j × step, and is the mean of ``step``
    frames with that one in their middle (of an even number, before it), of which those
    count that the encoder gave. A front end without padding gives a frame or so less
    than the audio is long; the last one it gave is then held.

    Parameters
    ----------
    hidden_states : torch.Tensor [shape=(layer, frame, width)]
        What an encoder returned for the piece.
    layers : sequence of int
        Positions of the layers that are kept.
    heard_from : int
        Number of its first frame in the track.
    first, count : int, int or None
        The kept frames of the piece, in the track; None for all to the end.
    step : int
        How many of the encoder's frames make one.

    Returns
    -------
    torch.Tensor [shape=(layer, count, width), float32]
        The kept frames.

    Examples
    --------
    >>> frames = torch.arange(7.0).reshape(1, 7, 1)
    >>> kept_frames(frames, [0], heard_from=0, first=0, count=None, step=3).flatten().tolist()
    [0.5, 3.0, 5.5]
    >>> kept_frames(frames, [0], heard_from=10, first=12, count=2, step=1).flatten().tolist()
    [2.0, 3.0]
    """
    there = hidden_states.shape[1]
    if count is None:
        count = max(1, math.ceil((heard_from + there) / step) - first)
    chosen = hidden_states[list(layers)].float()
    starts = torch.arange(first, first + count, device=chosen.device) * step - step // 2
    sums = chosen.new_zeros(len(layers), count, chosen.shape[2])
    of_each = chosen.new_zeros(count)
    for offset in range(step):
        rows = starts + (offset - heard_from)
        within = (rows >= 0) & (rows < there)
        sums += chosen[:, rows.clamp(0, there - 1)] * within[:, None]
        of_each += within
    held = chosen[:, -1:].expand_as(sums)
    return torch.where(of_each[:, None] > 0, sums / of_each.clamp(min=1)[:, None], held)


def check_hidden_states(hidden_states: torch.Tensor) -> None:
    """Refuse what has not the shape of hidden states.

    Parameters
    ----------
    hidden_states : torch.Tensor
        What an encoder returned.

    Raises
    ------
    ValueError
        If the shape has not four axes or there is no frame.
    """
    if hidden_states.dim() != 4 or hidden_states.shape[2] == 0:
        raise ValueError(
            "hidden states must have the shape (batch, layer, frame, width) with a frame or "
            f"more. Got {tuple(hidden_states.shape)}."
        )
