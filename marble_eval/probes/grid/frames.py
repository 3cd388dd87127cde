"""The grid over frames read from disk: its tracks are decoded at the end.

Epoch and learning rate are chosen by the stand-in that is computed once an epoch; then whole
tracks are decoded as the protocol asks, and the layer is chosen by the main metric of validation.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from marble_eval.metrics.counts import ratio
from marble_eval.probes import Member, TrainedMember
from marble_eval.probes.grid.frame_training import frame_outputs, side_by_side, train_on_frames
from marble_eval.probes.grid.plan import GridPlan, Trial
from marble_eval.probes.grid.search import mean_shares, search
from marble_eval.probes.matrix_products import fast_products

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from marble_eval.probes.grid.frame_split import FrameSplit
    from marble_eval.progress import Progress
    from marble_eval.results import Notes


@dataclass(frozen=True)
class FrameLayer:
    """A layer with its best learning rate, and its probes, one for each seed.

    `valid` is the main metric averaged over the seeds; counts are (seed, track, 1, 2), its
    numerator and denominator for each track.
    """

    layer: str
    setting: float
    seeds: tuple[int, ...]
    valid: float
    valid_counts: np.ndarray
    test_counts: np.ndarray
    sum_weights: Mapping[str, float] | None
    members: tuple[TrainedMember, ...]


def train_frame_grid(
    plan: GridPlan, data: Mapping[str, FrameSplit], progress: Progress
) -> tuple[list[Trial], list[FrameLayer], Notes]:
    """Train the grid, one seed at a time, and decode every layer; trials have the stand-in."""
    rules = plan.training_rules()

    def train(members: Sequence[Member]) -> list[TrainedMember]:
        found: list[TrainedMember] = []
        for _, of_seed in groupby(members, key=lambda each: each.seed):
            some = list(of_seed)
            progress.begin(f"epochs of {len(some)} probes", rules.patience.max_epochs)
            try:
                found += train_on_frames(
                    some, rules, data["train"], data["valid"], device=plan.device, progress=progress
                )
            finally:
                progress.end()
        return found

    def decode(layers: list[list[TrainedMember]]) -> list[FrameLayer]:
        progress.begin("decode", len(layers))
        try:
            decoded = []
            for each in layers:
                decoded.append(_decoded(each, plan, data))
                progress.advance()
            return decoded
        finally:
            progress.end()

    return search(plan, train, decode)


def estimates(
    members: Sequence[TrainedMember], split: FrameSplit, device: torch.device
) -> list[list[Any]]:
    """Decode every track with probes that read the same: events, by seed and track."""
    source, reads = split.source, members[0].member.reads
    stack = {
        name: torch.stack([each.parameters[name] for each in members]).to(device)
        for name in members[0].parameters
    }

    def decode(track: int) -> list[Any]:
        outputs = frame_outputs(stack, reads, split, track, device)
        task = source.task
        return [
            task.frame_kind.decode(each, source.rate, task.spec, source.rules) for each in outputs
        ]

    with fast_products(device), side_by_side(device) as each_of:
        by_track = each_of(decode, range(len(split)))
    return [list(each) for each in zip(*by_track, strict=True)]


def counts_of(
    found: Sequence[Sequence[Any]], split: FrameSplit, metrics: tuple[str, ...]
) -> np.ndarray:
    """Count events against their references: (seed, track, metric, 2)."""
    source = split.source
    spec = replace(source.task.spec, metrics=metrics)
    counts = np.empty((len(found), len(split), len(metrics), 2))
    for track in range(len(split)):
        reference = split.annotation(track)
        for seed, of_seed in enumerate(found):
            counts[seed, track] = source.task.frame_kind.score(
                reference, of_seed[track], spec, source.rules
            )
    return counts


def _decoded(
    trained: Sequence[TrainedMember], plan: GridPlan, data: Mapping[str, FrameSplit]
) -> FrameLayer:
    main = (plan.task.spec.main_metric,)
    valid, test = (
        counts_of(estimates(trained, data[split], plan.device), data[split], main)
        for split in ("valid", "test")
    )
    member = trained[0].member
    return FrameLayer(
        layer=member.layer,
        setting=member.learning_rate,
        seeds=tuple(each.member.seed for each in trained),
        valid=float(ratio(valid.sum(axis=1)).mean()),
        valid_counts=valid,
        test_counts=test,
        sum_weights=mean_shares(trained, plan.layer_names),
        members=tuple(trained),
    )
