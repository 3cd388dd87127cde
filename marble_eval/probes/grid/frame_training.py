"""Train all probes of one seed side by side on frames that are read from disk.

Every probe sees the same windows in the same order, which the seed alone decides,
so the features of a part are read once for the whole grid, and a probe trained alone
is the same probe. On validation an epoch is scored by a stand-in of the main metric
that is quick to compute (`draft_counts` of the kind), over the whole split.
"""

from __future__ import annotations

import time
from contextlib import closing, contextmanager
from functools import partial
from threading import Event
from typing import TYPE_CHECKING

import numpy as np
import torch

from marble_eval.one_thread import arithmetic_pool, one_thread
from marble_eval.probes import TrainedMember
from marble_eval.probes.grid.frame_batches import ROWS, parts_of_epoch, read_ahead
from marble_eval.probes.group import ProbeGroup
from marble_eval.probes.heads import Parameters, mixed, outputs_of
from marble_eval.probes.losses import LOSSES
from marble_eval.probes.matrix_products import fast_products
from marble_eval.probes.schedule import Schedule
from marble_eval.probes.training import trained_members

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from marble_eval.probes import Member
    from marble_eval.probes.grid.frame_batches import Part
    from marble_eval.probes.grid.frame_split import FrameSplit
    from marble_eval.probes.training import TrainingRules
    from marble_eval.progress import Progress

# Rows at once on a CPU: what the probes of a layer make of them stays in its cache, and in
# memory that need not be asked for anew.
_SLICE = 512
_FEW = 3  # learned sums side by side on a CPU: each has all layers in memory as float32


def train_on_frames(
    members: Sequence[Member],
    rules: TrainingRules,
    train: FrameSplit,
    valid: FrameSplit,
    *,
    device: torch.device,
    progress: Progress,
) -> list[TrainedMember]:
    """Train probes of one seed, of any layers; each is returned as at its best epoch."""
    if not members:
        return []
    if len({each.seed for each in members}) != 1:
        raise ValueError("probes that are trained side by side must share their seed.")
    of_groups = _by_layer(members, device)
    groups = [
        ProbeGroup(
            each,
            rules.probe,
            loss=rules.loss,
            width=train.source.store.shape[1],
            outputs=rules.outputs,
            device=device,
            sum_start=rules.sum_start,
        )
        for each in of_groups
    ]
    schedules = [
        Schedule([each.learning_rate for each in group], rules.patience) for group in of_groups
    ]
    windows, loss = train.windows(), LOSSES[rules.loss]
    draws = torch.Generator().manual_seed(
        int(np.random.SeedSequence(members[0].seed).generate_state(3)[2])
    )
    told = False
    with fast_products(device), side_by_side(device) as each_of, _until_left() as left:
        while running := [at for at, each in enumerate(schedules) if each.active.any()]:
            began = time.perf_counter()
            order = torch.randperm(len(windows), generator=draws).tolist()
            layers = sorted({at for group in running for at in groups[group].reads.tolist()})
            with closing(read_ahead(parts_of_epoch(train, windows, order, layers, loss))) as parts:
                for part in parts:
                    learn = partial(_learn_from, groups, schedules, part, device)
                    each_of(learn, running)
            each_of(lambda at: _judge(groups[at], valid, schedules[at], device, left), running)
            progress.advance()
            if not told:
                told = True
                most = (time.perf_counter() - began) * rules.patience.max_epochs / 60
                progress.say(f"at most {most:.1f} min for {rules.patience.max_epochs} epochs")
    found: dict[Member, TrainedMember] = {}
    for of_group, group, schedule in zip(of_groups, groups, schedules, strict=True):
        found.update(zip(of_group, trained_members(of_group, group, schedule), strict=True))
    return [found[each] for each in members]


@torch.inference_mode()
def frame_outputs(
    parameters: Parameters,
    reads: Sequence[int],
    split: FrameSplit,
    track: int,
    device: torch.device,
) -> np.ndarray:
    """Compute the outputs of a stack of probes for a whole track: (member, frame, output)."""
    pieces, frames = [], split.frames[track]
    members = len(parameters["output"])
    for some in _slices(frames, device):
        read = (split.read(track, layer, some.start, some.stop) for layer in reads)
        rows = _as_float(read, len(reads), device)
        summed = "weights" in parameters
        inputs = mixed(parameters, rows) if summed else _for_each(rows[0], members)
        pieces.append(outputs_of(parameters, inputs).cpu())
    return np.asarray(torch.cat(pieces, dim=1))


@contextmanager
def side_by_side(
    device: torch.device,
) -> Iterator[Callable[[Callable[[int], object], Sequence[int]], list[object]]]:
    """Apply a function to numbers: one a core on a CPU, one after the other on a GPU."""
    with one_thread() as threads:
        pool = arithmetic_pool(threads if device.type == "cpu" else 1, "probe")
        try:
            yield lambda function, numbers: list(pool.map(function, numbers))
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


@contextmanager
def _until_left() -> Iterator[Event]:
    """Tell threads when the block has been left, also by an error."""
    left = Event()
    try:
        yield left
    finally:
        left.set()


def _by_layer(members: Sequence[Member], device: torch.device) -> list[list[Member]]:
    """Group the probes that read the same; learned sums, which take longest, first."""
    alike: dict[tuple[int, ...], list[Member]] = {}
    for each in members:
        alike.setdefault(each.reads, []).append(each)
    groups = []
    for reads, same in alike.items():
        size = _FEW if len(reads) > 1 and device.type == "cpu" else len(same)
        groups += [same[start : start + size] for start in range(0, len(same), size)]
    return sorted(groups, key=lambda group: -len(group[0].reads))


def _slices(rows: int, device: torch.device) -> Iterator[slice]:
    """Divide rows into what is computed at once."""
    size = _SLICE if device.type == "cpu" else ROWS
    for start in range(0, rows, size):
        yield slice(start, min(rows, start + size))


def _as_float(layers: Iterable[torch.Tensor], count: int, device: torch.device) -> torch.Tensor:
    """Stack layers (layer, rows, width), each converted straight into its place."""
    found = torch.empty(0)
    for place, each in enumerate(layers):
        if not place:
            found = torch.empty(count, *each.shape, device=device)
        found[place] = each
    return found


def _for_each(rows: torch.Tensor, members: int) -> torch.Tensor:
    """Show the same rows (rows, width) to every member, without a copy."""
    return rows.expand(members, *rows.shape)


@torch.inference_mode()
def _learn_from(
    groups: Sequence[ProbeGroup],
    schedules: Sequence[Schedule],
    part: Part,
    device: torch.device,
    at: int,
) -> None:
    group, reads, rows = groups[at], groups[at].members[0].reads, len(part.goals)
    for some in _slices(rows, device):
        features = _as_float((part.features[layer][some] for layer in reads), len(reads), device)
        if "weights" not in group.parameters:
            features = _for_each(features[0], len(group.members))
        goals = part.goals[some].to(device)
        share = part.share if isinstance(part.share, float) else part.share[some].to(device)
        group.add(features, goals, share * (len(goals) / rows))
    if part.is_last:
        group.step(schedules[at].rates)


def _judge(
    group: ProbeGroup, valid: FrameSplit, schedule: Schedule, device: torch.device, left: Event
) -> None:
    """Score an epoch of a group on validation, and drop the probes that have stopped."""
    source = valid.source
    task, counts = source.task, np.zeros((len(group.members), 2))
    finite = np.ones(len(group.members), dtype=bool)
    for track in range(len(valid)):
        if left.is_set():  # after Ctrl-C nobody waits for the score
            return
        outputs = frame_outputs(group.parameters, group.members[0].reads, valid, track, device)
        finite &= np.isfinite(outputs).all(axis=(1, 2))
        annotation = valid.annotation(track)
        for member in np.flatnonzero(finite):
            counts[member] += task.frame_kind.draft_counts(
                outputs[member], annotation, source.rate, task.spec, source.rules
            )
    scores = np.full(len(schedule.rates), -np.inf)
    of_members = np.divide(
        counts[:, 0], counts[:, 1], out=np.zeros(len(counts)), where=counts[:, 1] > 0
    )
    scores[group.places[finite]] = of_members[finite]
    group.remember(schedule.update(scores))
    group.drop(schedule.active)
