"""A group of probes in training: parameters, gradients, and each one's best so far.

The members of a group share a seed and a form (single layers, or learned sums); a
seed alone decides the initial parameters, the order of the tracks and what dropout
drops, so a member's result is the same in any group, also alone. Two generators
are seeded with the first two words of NumPy's SeedSequence of the seed: one draws
the initial parameters and then the order of each epoch, the other what is dropped.
A batch that is too large for the memory is sent in parts, whose gradients add up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from marble_eval.probes.adam import StackedAdam
from marble_eval.probes.dropout import Dropout
from marble_eval.probes.heads import (
    gradients,
    hidden_activations,
    initial_parameters,
    mixed,
    outputs_of,
)
from marble_eval.probes.losses import LOSSES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from marble_eval.probes import Member
    from marble_eval.spec import SumStart, TrainedProbe


def reads_of(members: Sequence[Member], device: torch.device) -> torch.Tensor:
    """Return the layers a group reads (read,): one a member, or all those of its sum."""
    first = members[0].reads
    of_group = first if len(first) > 1 else [each.reads[0] for each in members]
    return torch.as_tensor(of_group, device=device)


class ProbeGroup:
    """The parameters of the members still in training, and everyone's best.

    `places` (remaining,) are their positions among all, `reads` (read,) the layers they read, and
    `best` has the parameters of all members at their best epoch.
    """

    def __init__(
        self,
        members: Sequence[Member],
        probe: TrainedProbe,
        *,
        loss: str,
        width: int,
        outputs: int,
        device: torch.device,
        sum_start: SumStart = "normal",
    ) -> None:
        if len({(each.seed, len(each.reads)) for each in members}) != 1:
            raise ValueError("the members of a group must share their seed and their form.")
        self.members = list(members)
        self.places = np.arange(len(members))
        self.reads = reads_of(members, device)
        self._device, self._loss = device, LOSSES[loss]
        self._scale = 1 / (1 - probe.dropout)
        draws, drops = np.random.SeedSequence(members[0].seed).generate_state(2).tolist()
        self._draws = torch.Generator().manual_seed(draws)
        self._dropout = None
        if probe.hidden and probe.dropout:
            # On the device: copying masks would cost more than making them.
            generator = torch.Generator(device).manual_seed(drops)
            self._dropout = Dropout(probe.hidden, probe.dropout, generator)
        first = initial_parameters(
            probe,
            width=width,
            outputs=outputs,
            layers=len(members[0].reads),
            members=len(members),
            generator=self._draws,
            sum_start=sum_start,
        )
        self.parameters = {name: each.to(device) for name, each in first.items()}
        self.best = {name: each.clone() for name, each in self.parameters.items()}
        self._optimiser = StackedAdam(self.parameters, fused=device.type == "cpu")
        self._has_part = False

    def order(self, count: int) -> torch.Tensor:
        """Draw the order of an epoch (count,), on the CPU."""
        return torch.randperm(count, generator=self._draws)

    def add(self, features: torch.Tensor, goals: torch.Tensor, share: torch.Tensor | float) -> None:
        """Send a part of a batch forward and back; gradients add up until `step`.

        Features are (read, rows, width), goals (rows, output). The share, a number or (rows,
        output), is what the gradient of the part's mean loss is multiplied with, so that the parts
        add up to the mean of the batch; 0 for an output without a goal.
        """
        self._find_gradients(features, goals, share)
        self._has_part = True

    def step(self, rates: np.ndarray) -> None:
        """Change the parameters by the gradients found, at the rates (member,) of all members."""
        self._optimiser.step(rates[self.places])
        self._has_part = False

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
        self.reads = reads_of(self.members, self._device) if self.members else self.reads[:0]

    def _find_gradients(
        self,
        features: torch.Tensor,
        goals: torch.Tensor,
        share: torch.Tensor | float,
    ) -> None:
        parameters, dropout = self.parameters, self._dropout
        layers = features if "weights" in parameters else None
        inputs = features if layers is None else mixed(parameters, layers)
        units, scale = None, 1.0
        if "hidden" not in parameters:
            output = outputs_of(parameters, inputs)
        else:
            scale = self._scale
            kept = None if dropout is None else dropout.kept(inputs.shape[1])
            units = hidden_activations(parameters, inputs, kept)
            weight, bias = parameters["output"], parameters["output_bias"]
            output = torch.baddbmm(bias, units, weight, alpha=scale)
        sent_back = self._loss.gradient(output, goals)
        if not isinstance(share, float) or share != 1.0:
            sent_back.mul_(share)
        gradients(
            parameters,
            inputs,
            layers,
            units,
            scale,
            sent_back,
            into=self._optimiser.gradients,
            kept=1.0 if self._has_part else 0.0,
        )
