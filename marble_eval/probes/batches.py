"""The batches of an epoch: whole tracks with all their clips (MARBLE v1).

What is known of an epoch is worked out once, before its first batch: a batch
then costs little more than the copy of its features.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from marble_eval.probes import ProbeData


class Batch(NamedTuple):
    """The clips of some tracks.

    Features (read, rows, width), and each clip's goal (rows, output).
    """

    features: torch.Tensor
    goals: torch.Tensor


def _clips_in_order(
    clips: torch.Tensor, order: torch.Tensor, tracks: int
) -> tuple[torch.Tensor, torch.Tensor, list[int]]:
    """Give the clips' rows, their tracks, and how many there are in each batch of tracks."""
    counts_of_all, chosen = clips.cpu().numpy(), order.numpy()
    counts = counts_of_all[chosen]
    # From a clip's position in this order to its row: the same shift for a whole track.
    starts = np.cumsum(counts_of_all) - counts_of_all
    shifts = starts[chosen] - (np.cumsum(counts) - counts)
    rows = np.arange(counts.sum()) + np.repeat(shifts, counts)
    sizes = np.add.reduceat(counts, np.arange(0, len(chosen), tracks))
    return torch.from_numpy(rows), torch.from_numpy(np.repeat(chosen, counts)), sizes.tolist()


def batches(
    data: ProbeData, goals: torch.Tensor, reads: torch.Tensor, order: torch.Tensor, tracks: int
) -> Iterator[Batch]:
    """Go through the tracks of a split in an order (track,), each with all its clips.

    Goals are (track, output) and reads (read,), on the device of the features.
    """
    device, (layers, all_rows, width) = goals.device, data.features.shape
    rows, track_of_row, sizes = _clips_in_order(data.clips, order, tracks)
    places = reads[:, None] * all_rows + rows.to(device)
    in_order = goals[track_of_row.to(device)]
    of_layers = data.features.reshape(layers * all_rows, width)
    parts = zip(torch.split(places, sizes, dim=1), torch.split(in_order, sizes), strict=True)
    for place, goal in parts:
        features = of_layers.index_select(0, place.flatten()).float()
        yield Batch(features.view(*place.shape, width), goal)
