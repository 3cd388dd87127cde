"""The batches of an epoch over frames: windows from all over the split, read ahead.

A batch goes through the grid in parts, so that the features of all layers of a part
fit into memory; their gradients add up to those of the batch. While one part is
trained on, the next is read.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from marble_eval.probes.grid.frame_split import FrameSplit, Window
    from marble_eval.probes.losses import Loss

_Item = TypeVar("_Item")

#: Frames that are in memory at once, of every layer.
ROWS = 4096


@dataclass(frozen=True)
class Part:
    """Some windows of a batch: features (row, width) by layer, goals (row, output).

    The share, a number or (row, output), is the part's in the mean of the batch, 0 where there is
    no target.
    """

    features: dict[int, torch.Tensor]
    goals: torch.Tensor
    share: torch.Tensor | float
    is_last: bool


def parts_of_epoch(
    split: FrameSplit,
    windows: Sequence[Window],
    order: Sequence[int],
    layers: Sequence[int],
    loss: Loss,
) -> Iterator[Part]:
    """Go once through the windows of a split, in order.

    Batches in which no frame has a target are left out, since there is nothing to learn from them.
    """
    size = split.source.rules.batch_windows
    for start in range(0, len(order), size):
        batch = [windows[at] for at in order[start : start + size]]
        goals = [split.targets(each) for each in batch]
        terms = sum(_terms(each, loss) for each in goals)
        if not terms:
            continue
        groups = _by_rows(batch, goals)
        for number, (some, their_goals) in enumerate(groups):
            yield _part(
                split, some, their_goals, layers, loss, terms, is_last=number == len(groups) - 1
            )


def _terms(goals: np.ndarray, loss: Loss) -> int:
    """Count what the loss is the mean of: known cells, or rows."""
    known = np.isfinite(goals)
    return int(known.any(axis=1).sum() if loss.is_of_rows else known.sum())


def _by_rows(
    batch: Sequence[Window], goals: Sequence[np.ndarray]
) -> list[tuple[list[Window], list[np.ndarray]]]:
    """Join windows to parts of at most `ROWS` frames; a longer window is a part by itself."""
    parts: list[tuple[list[Window], list[np.ndarray]]] = []
    rows = 0
    for window, goal in zip(batch, goals, strict=True):
        if not parts or rows + len(goal) > ROWS:
            parts.append(([], []))
            rows = 0
        parts[-1][0].append(window)
        parts[-1][1].append(goal)
        rows += len(goal)
    return parts


def _part(
    split: FrameSplit,
    windows: Sequence[Window],
    goals: Sequence[np.ndarray],
    layers: Sequence[int],
    loss: Loss,
    terms: int,
    *,
    is_last: bool,
) -> Part:
    wanted = np.concatenate(goals)
    known = np.isfinite(wanted)
    rows = torch.from_numpy(np.flatnonzero(known.any(axis=1)))
    features = _read(split, windows, layers, rows)
    wanted, known = wanted[rows.numpy()], known[rows.numpy()]
    in_part = len(rows) if loss.is_of_rows else known.size
    share: torch.Tensor | float = in_part / terms
    if not known.all():
        share = torch.from_numpy(known.astype(np.float32)) * share
    goals_known = torch.from_numpy(np.where(known, wanted, np.float32(0)).astype(np.float32))
    return Part(features, goals_known, share, is_last)


def _read(
    split: FrameSplit, windows: Sequence[Window], layers: Sequence[int], rows: torch.Tensor
) -> dict[int, torch.Tensor]:
    """Read some rows of the windows, all layers into one piece of memory.

    A piece of a few MB would come from the heap, which the many sizes of many parts
    fragment; a large one is given back whole.
    """
    room = torch.empty(0)
    for place, layer in enumerate(layers):
        found = torch.cat([split.read(each.track, layer, *each[1:]) for each in windows])
        if not place:
            room = found.new_empty(len(layers), len(rows), found.shape[1])
        room[place] = found if len(rows) == len(found) else found[rows]
    return dict(zip(layers, room, strict=True))


def read_ahead(items: Iterable[_Item]) -> Generator[_Item, None, None]:
    """Make the next item, in a thread, while the last one is used."""
    iterator = iter(items)
    nothing = object()
    with ThreadPoolExecutor(1, thread_name_prefix="frames") as pool:
        ahead = pool.submit(next, iterator, nothing)
        while (item := ahead.result()) is not nothing:
            ahead = pool.submit(next, iterator, nothing)
            yield item  # type: ignore[misc]
