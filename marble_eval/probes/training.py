"""Train a group of probes side by side on features held in memory.

The members of a group share a seed and a form (single layers, or learned sums);
a seed alone decides the initial parameters, the order of the tracks and what
dropout drops, so a member's result is the same in any group, also alone. A batch
is a number of tracks with all their clips (MARBLE v1); every member follows its
own schedule, and one that has stopped leaves the computation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from marble_eval.probes import TrainedMember
from marble_eval.probes.adam import StackedAdam
from marble_eval.probes.heads import (
    Parameters,
    gradients,
    hidden_activations,
    initial_parameters,
    kept_units,
    mixed,
    outputs_of,
    track_means,
)
from marble_eval.probes.losses import LOSS_GRADIENTS
from marble_eval.probes.schedule import Patience, Schedule

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from marble_eval.probes import Member, ProbeData
    from marble_eval.spec import Aggregation, ProbeSpec

_ROWS = 8192  # clips in one piece when a whole split is predicted, to bound memory


@dataclass(frozen=True, slots=True)
class TrainingRules:
    """What is the same for every member of a grid.

    Attributes
    ----------
    probe : ProbeSpec
        Shape of the probes.
    outputs : int
        Number of outputs.
    loss : str
        A name in `marble_eval.probes.losses.LOSS_GRADIENTS`.
    patience : Patience
        Rules of the schedule.
    batch_tracks : int
        Tracks in a batch.
    aggregation : {"mean-logits", "mean-probabilities"}
        How the outputs of a track's clips become the track's.
    """

    probe: ProbeSpec
    outputs: int
    loss: str
    patience: Patience
    batch_tracks: int
    aggregation: Aggregation


def train_group(
    members: Sequence[Member],
    rules: TrainingRules,
    train: ProbeData,
    valid: ProbeData,
    *,
    monitor: Callable[[np.ndarray], float],
    device: torch.device,
) -> list[TrainedMember]:
    """Train probes of one seed and form together.

    Parameters
    ----------
    members : sequence of Member
        Of one seed; all of single layers, or all learned sums of the same layers.
    rules : TrainingRules
        Shape, loss and schedule.
    train, valid : ProbeData
        Features and targets, on ``device``.
    monitor : callable
        Score of one probe's validation outputs (track, output); to rise.
    device : torch.device
        Where to compute.

    Returns
    -------
    list of TrainedMember
        In the order of ``members``, each as at its best epoch.

    Raises
    ------
    ValueError
        If the members cannot be trained together, or a score is not finite.
    """
    if len({(each.seed, len(each.reads)) for each in members}) != 1:
        raise ValueError("the members of a group must share their seed and their form.")
    group = _Group(members, rules, train, device)
    schedule = Schedule([each.learning_rate for each in members], rules.patience)
    while schedule.active.any():
        group.train_epoch(train, schedule.rates)
        scores = np.full(len(members), -np.inf)
        predicted = predict(group.parameters, group.members, valid, rules.aggregation).cpu().numpy()
        for place, output in zip(group.places, predicted, strict=True):
            scores[place] = monitor(output)
        group.remember(schedule.update(scores))
        group.drop(schedule.active)
    return [
        TrainedMember(
            member=member,
            parameters={name: each[place].cpu() for name, each in group.best.items()},
            valid_score=float(schedule.best_scores[place]),
            best_epoch=int(schedule.best_epochs[place]),
            epochs=int(schedule.epochs[place]),
        )
        for place, member in enumerate(members)
    ]


@torch.inference_mode()
def predict(
    parameters: Parameters,
    members: Sequence[Member],
    data: ProbeData,
    aggregation: Aggregation,
) -> torch.Tensor:
    """Compute the outputs of every track from those of its clips.

    Parameters
    ----------
    parameters : dict of str to torch.Tensor
        A stack's parameters, on the device of the features.
    members : sequence of Member
        The stack's members, which say what is read.
    data : ProbeData
        The split.
    aggregation : {"mean-logits", "mean-probabilities"}
        What is averaged over a track's clips.

    Returns
    -------
    torch.Tensor [shape=(member, track, output)]
        Mean logits or mean probabilities.
    """
    pieces = []
    for start in range(0, data.features.shape[1], _ROWS):
        rows = torch.arange(
            start, min(start + _ROWS, data.features.shape[1]), device=data.features.device
        )
        inputs, _ = _read(parameters, members, data.features, rows)
        pieces.append(outputs_of(parameters, inputs))
    return track_means(torch.cat(pieces, dim=1), data.clips, aggregation)


def _read(
    parameters: Parameters, members: Sequence[Member], features: torch.Tensor, rows: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Gather what each member reads, and the layers of the sum if there is one."""
    layers, clips, width = features.shape
    reads = members[0].reads if "weights" in parameters else [each.reads[0] for each in members]
    places = torch.as_tensor(reads, device=rows.device)[:, None] * clips + rows
    gathered = features.reshape(layers * clips, width).index_select(0, places.flatten())
    gathered = gathered.view(len(reads), len(rows), width).float()
    if "weights" in parameters:
        return mixed(parameters, gathered), gathered
    return gathered, None


class _Group:
    """The parameters of the members still in training, and everyone's best."""

    def __init__(
        self,
        members: Sequence[Member],
        rules: TrainingRules,
        train: ProbeData,
        device: torch.device,
    ) -> None:
        self.members = list(members)
        self.places = np.arange(len(members))
        self._rules = rules
        self._draws = torch.Generator().manual_seed(members[0].seed)
        first = initial_parameters(
            rules.probe,
            width=train.features.shape[2],
            outputs=rules.outputs,
            layers=len(members[0].reads),
            members=len(members),
            generator=self._draws,
        )
        self.parameters = {name: each.to(device) for name, each in first.items()}
        self.best = {name: each.clone() for name, each in self.parameters.items()}
        self._optimiser = StackedAdam(self.parameters, fused=device.type == "cpu")
        self._starts = torch.cumsum(train.clips, 0) - train.clips
        # Dropout is drawn where it is used: copying masks would cost more than making them.
        self._drops = torch.Generator(device=device).manual_seed(members[0].seed)

    @torch.inference_mode()
    def train_epoch(self, train: ProbeData, rates: np.ndarray) -> None:
        """Go once through the training tracks, in a new order."""
        scale = 1 / (1 - self._rules.probe.dropout)
        loss_gradient = LOSS_GRADIENTS[self._rules.loss]
        size = self._rules.batch_tracks
        order = torch.randperm(len(train.clips), generator=self._draws).to(train.clips.device)
        for start in range(0, len(order), size):
            tracks = order[start : start + size]
            rows, track_of_row = self._rows_of(train, tracks)
            inputs, layers = _read(self.parameters, self.members, train.features, rows)
            units = self._hidden(inputs)
            if units is None:
                output = outputs_of(self.parameters, inputs)
            else:
                weight, bias = self.parameters["output"], self.parameters["output_bias"]
                output = torch.baddbmm(bias[:, None], units, weight, alpha=scale)
            sent_back = loss_gradient(output, train.targets[track_of_row])
            found = gradients(self.parameters, inputs, layers, units, scale, sent_back)
            self._optimiser.step(found, rates[self.places])

    def remember(self, improved: np.ndarray) -> None:
        """Copy the parameters of the members that have just been best."""
        for position, place in enumerate(self.places):
            if improved[place]:
                for name, each in self.parameters.items():
                    self.best[name][place].copy_(each[position])

    def drop(self, active: np.ndarray) -> None:
        """Leave out the members that have stopped."""
        stay = np.flatnonzero(active[self.places])
        if len(stay) == len(self.places):
            return
        kept = torch.as_tensor(stay, device=next(iter(self.parameters.values())).device)
        self.parameters = {name: each[kept] for name, each in self.parameters.items()}
        self._optimiser.keep(self.parameters, kept)
        self.members = [self.members[position] for position in stay]
        self.places = self.places[stay]

    def _hidden(self, inputs: torch.Tensor) -> torch.Tensor | None:
        if "hidden" not in self.parameters:
            return None
        kept, probe = None, self._rules.probe
        if probe.dropout:
            kept = kept_units(inputs.shape[1], probe.hidden, probe.dropout, self._drops)
        return hidden_activations(self.parameters, inputs, kept)

    def _rows_of(self, train: ProbeData, tracks: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Find the clips of a batch's tracks: their rows and their tracks."""
        counts = train.clips[tracks]
        track_of_row = torch.repeat_interleave(tracks, counts)
        before = torch.cumsum(counts, 0) - counts
        within = torch.arange(len(track_of_row), device=tracks.device)
        within = within - torch.repeat_interleave(before, counts)
        return self._starts[track_of_row] + within, track_of_row
