"""Train a group of probes side by side on features held in memory.

The members of a group share a seed and a form (single layers, or learned sums);
a seed alone decides the initial parameters, the order of the tracks and what
dropout drops, so a member's result is the same in any group, also alone. Two
generators are seeded with the first two words of NumPy's SeedSequence of the
seed: one draws the initial parameters and then the order of each epoch, the
other what is dropped. A batch is a number of tracks with all their clips (MARBLE
v1); every member follows its own schedule, and one that has stopped, or whose
outputs are no longer finite, leaves the computation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from marble_eval.probes import TrainedMember
from marble_eval.probes.adam import StackedAdam
from marble_eval.probes.batches import batches
from marble_eval.probes.dropout import Dropout
from marble_eval.probes.heads import (
    Parameters,
    gradients,
    hidden_activations,
    initial_parameters,
    mixed,
    outputs_of,
    track_means,
)
from marble_eval.probes.losses import LOSSES
from marble_eval.probes.schedule import Patience, Schedule

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from marble_eval.probes import Member, ProbeData
    from marble_eval.spec import Aggregation, ProbeSpec

_ROWS = 2048  # clips in one piece when a whole split is predicted, to bound memory


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
        A name in `marble_eval.probes.losses.LOSSES`.
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
        Score of one probe's validation outputs (track, output); to rise. It is
        only asked about finite outputs.
    device : torch.device
        Where to compute.

    Returns
    -------
    list of TrainedMember
        In the order of ``members``, each as at its best epoch. A probe whose
        outputs have become infinite or nan stops there, with what it had before.

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
        group.train_epoch(schedule.rates)
        scores = np.full(len(members), -np.inf)
        predicted = predict(group.parameters, group.members, valid, rules.aggregation).cpu().numpy()
        for place, output in zip(group.places, predicted, strict=True):
            if np.isfinite(output).all():
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
            diverged=bool(schedule.diverged[place]),
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
    reads = _reads(members, data.features.device)
    pieces = []
    for rows in torch.split(data.features, _ROWS, dim=1):
        inputs = rows.index_select(0, reads).float()
        if "weights" in parameters:
            inputs = mixed(parameters, inputs)
        pieces.append(outputs_of(parameters, inputs))
    return track_means(torch.cat(pieces, dim=1), data.clips, aggregation)


def _reads(members: Sequence[Member], device: torch.device) -> torch.Tensor:
    """Say which layers a group reads: one a member, or all those of its sum."""
    first = members[0].reads
    of_group = first if len(first) > 1 else [each.reads[0] for each in members]
    return torch.as_tensor(of_group, device=device)


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
        self._rules, self._train, self._device = rules, train, device
        self._reads = _reads(members, device)
        self._loss = LOSSES[rules.loss]
        self._goals = self._loss.goals(train.targets, rules.outputs)
        draws, drops = np.random.SeedSequence(members[0].seed).generate_state(2).tolist()
        self._draws = torch.Generator().manual_seed(draws)
        probe, self._dropout = rules.probe, None
        if probe.hidden and probe.dropout:
            # On the device: copying masks would cost more than making them.
            generator = torch.Generator(device).manual_seed(drops)
            self._dropout = Dropout(probe.hidden, probe.dropout, generator)
        first = initial_parameters(
            probe,
            width=train.features.shape[2],
            outputs=rules.outputs,
            layers=len(members[0].reads),
            members=len(members),
            generator=self._draws,
        )
        self.parameters = {name: each.to(device) for name, each in first.items()}
        self.best = {name: each.clone() for name, each in self.parameters.items()}
        self._optimiser = StackedAdam(self.parameters, fused=device.type == "cpu")

    @torch.inference_mode()
    def train_epoch(self, rates: np.ndarray) -> None:
        """Go once through the training tracks, in a new order."""
        order = torch.randperm(len(self._goals), generator=self._draws)
        tracks, rates = self._rules.batch_tracks, rates[self.places]
        for features, goals in batches(self._train, self._goals, self._reads, order, tracks):
            self._find_gradients(features, goals)
            self._optimiser.step(rates)

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
        kept = torch.as_tensor(stay, device=self._device)
        self.parameters = {name: each[kept] for name, each in self.parameters.items()}
        self._optimiser.keep(self.parameters, kept)
        self.members = [self.members[position] for position in stay]
        self.places = self.places[stay]
        self._reads = _reads(self.members, self._device) if self.members else self._reads[:0]

    def _find_gradients(self, features: torch.Tensor, goals: torch.Tensor) -> None:
        """Send one batch forward and back."""
        parameters, dropout = self.parameters, self._dropout
        layers = features if "weights" in parameters else None
        inputs = features if layers is None else mixed(parameters, layers)
        units, scale = None, 1.0
        if "hidden" not in parameters:
            output = outputs_of(parameters, inputs)
        else:
            scale = 1 / (1 - self._rules.probe.dropout)
            kept = None if dropout is None else dropout.kept(inputs.shape[1])
            units = hidden_activations(parameters, inputs, kept)
            weight, bias = parameters["output"], parameters["output_bias"]
            output = torch.baddbmm(bias, units, weight, alpha=scale)
        sent_back = self._loss.gradient(output, goals)
        into = self._optimiser.gradients
        gradients(parameters, inputs, layers, units, scale, sent_back, into=into)
