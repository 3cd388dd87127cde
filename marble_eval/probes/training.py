"""Train a group of probes side by side on features held in memory.

A batch is a number of tracks with all their clips (MARBLE v1); every member follows
its own schedule, and one that has stopped, or whose outputs are no longer finite,
leaves the computation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from marble_eval.probes import TrainedMember
from marble_eval.probes.batches import batches
from marble_eval.probes.group import ProbeGroup, reads_of
from marble_eval.probes.heads import Parameters, mixed, outputs_of, track_means
from marble_eval.probes.losses import LOSSES
from marble_eval.probes.schedule import Patience, Schedule

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from marble_eval.probes import Member, ProbeData
    from marble_eval.spec import Aggregation, SumStart, TrainedProbe

_ROWS = 2048  # clips in one piece when a whole split is predicted, to bound memory


@dataclass(frozen=True, slots=True)
class TrainingRules:
    """What is the same for every member of a grid."""

    probe: TrainedProbe
    outputs: int
    loss: str
    patience: Patience
    batch_tracks: int
    aggregation: Aggregation
    sum_start: SumStart = "normal"


def train_group(
    members: Sequence[Member],
    rules: TrainingRules,
    train: ProbeData,
    valid: ProbeData,
    *,
    monitor: Callable[[np.ndarray], float],
    device: torch.device,
) -> list[TrainedMember]:
    """Train probes of one seed and form together; the monitor scores outputs (track, output).

    A probe whose outputs have become infinite or nan stops there, with what it had before.
    """
    group = ProbeGroup(
        members,
        rules.probe,
        loss=rules.loss,
        width=train.features.shape[2],
        outputs=rules.outputs,
        device=device,
        sum_start=rules.sum_start,
    )
    goals = LOSSES[rules.loss].goals(train.targets, rules.outputs)
    schedule = Schedule([each.learning_rate for each in members], rules.patience)
    while schedule.active.any():
        _train_epoch(group, schedule.rates, train, goals, rules.batch_tracks)
        scores = np.full(len(members), -np.inf)
        predicted = predict(group.parameters, group.members, valid, rules.aggregation).cpu().numpy()
        for place, output in zip(group.places, predicted, strict=True):
            if np.isfinite(output).all():
                scores[place] = monitor(output)
        group.remember(schedule.update(scores))
        group.drop(schedule.active)
    return trained_members(members, group, schedule)


def trained_members(
    members: Sequence[Member], group: ProbeGroup, schedule: Schedule
) -> list[TrainedMember]:
    """Collect the probes of a group as they were at their best."""
    return [
        TrainedMember(
            member=member,
            parameters={name: each[place].cpu() for name, each in group.best.items()},
            valid_score=float(schedule.best_scores[place]),
            best_epoch=int(schedule.best_epochs[place]),
            epochs=int(schedule.epochs[place]),
            diverged=bool(schedule.diverged[place]),
        )
        for place, member in enumerate(members)
    ]


@torch.inference_mode()
def _train_epoch(
    group: ProbeGroup, rates: np.ndarray, train: ProbeData, goals: torch.Tensor, tracks: int
) -> None:
    """Go once through the training tracks, in a new order."""
    order = group.order(len(goals))
    for features, of_rows in batches(train, goals, group.reads, order, tracks):
        group.add(features, of_rows, 1.0)
        group.step(rates)


@torch.inference_mode()
def predict(
    parameters: Parameters,
    members: Sequence[Member],
    data: ProbeData,
    aggregation: Aggregation,
) -> torch.Tensor:
    """Compute the outputs of every track from those of its clips: (member, track, output)."""
    reads = reads_of(members, data.features.device)
    pieces = []
    for rows in torch.split(data.features, _ROWS, dim=1):
        inputs = rows.index_select(0, reads).float()
        if "weights" in parameters:
            inputs = mixed(parameters, inputs)
        pieces.append(outputs_of(parameters, inputs))
    return track_means(torch.cat(pieces, dim=1), data.clips, aggregation)
