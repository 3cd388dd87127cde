"""From the hidden states of a clip to what is kept of them: one embedding, or every frame."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Sequence


def clip_means(hidden_states: torch.Tensor) -> torch.Tensor:
    """Average the frames of each clip: (batch, layer, frame, width) -> (batch, layer, width).

    As MARBLE v1 pools (``reduction: mean``); float32.
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
    """Take the kept frames of a piece: (layer, frame, width) -> (kept layer, kept frame, width).

    Kept frame j is at the encoder's frame j × step, and is the mean of ``step`` frames with
    that one in their middle (of an even number, before it), of which those count that the
    encoder gave. A front end without padding gives a frame or so less than the audio is
    long; the last one it gave is then held. ``heard_from`` is the number in the track of the
    piece's first frame; ``first`` and ``count`` are its kept frames, None for all to the end.

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
    """Refuse a tensor that is not (batch, layer, frame, width) with a frame or more."""
    if hidden_states.dim() != 4 or hidden_states.shape[2] == 0:
        raise ValueError(
            "hidden states must have the shape (batch, layer, frame, width) with a frame or "
            f"more. Got {tuple(hidden_states.shape)}."
        )
