"""What a grid is asked for, and what it gives."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from marble_eval.results import Notes

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    import torch

    from marble_eval.registry import Task
    from marble_eval.spec import EngineSpec, Probe, ProtocolSpec, TaskRules


@dataclass(frozen=True)
class GridPlan:
    """What is to be trained.

    Attributes
    ----------
    task : Task
        Loss, validation score and number of outputs.
    layers : mapping of str to tuple of int
        What each probe reads, by name of its layer; see `layer_choices`.
    layer_names : tuple of str
        Layers of the encoder.
    probe : Probe
        Shape of the probes.
    protocol, rules
        Learning rates, batch, schedule, aggregation.
    seeds : tuple of int
        The first one sees the whole grid.
    engine : EngineSpec
        Size of the groups.
    device : torch.device
        Where to train.
    """

    task: Task
    layers: Mapping[str, tuple[int, ...]]
    layer_names: tuple[str, ...]
    probe: Probe
    protocol: ProtocolSpec
    rules: TaskRules
    seeds: tuple[int, ...]
    engine: EngineSpec
    device: torch.device


@dataclass(frozen=True, slots=True)
class Trial:
    """One trained probe, as it stands in the result.

    Attributes
    ----------
    layer : str
        Layer, or the learned sum.
    setting : float
        Learning rate, or C of logistic regression.
    seed : int
        Seed; the first of the run for probes without randomness.
    epochs, best_epoch : int
        Epochs trained, and the best one; 0 for logistic regression.
    valid : float
        Validation score at the best epoch.
    """

    layer: str
    setting: float
    seed: int
    epochs: int
    best_epoch: int
    valid: float


@dataclass(frozen=True)
class LayerOutcome:
    """A layer with its best setting.

    Attributes
    ----------
    layer : str
        Layer, or the learned sum.
    setting : float
        Learning rate or C, chosen on validation.
    seeds : tuple of int
        Seeds trained.
    valid : float
        Validation score, averaged over the seeds.
    valid_outputs, test_outputs : np.ndarray [shape=(seed, track, output)]
        Outputs for each track.
    sum_weights : mapping of str to float, or None
        Shares of the layers in the learned sum, averaged over the seeds.
    """

    layer: str
    setting: float
    seeds: tuple[int, ...]
    valid: float
    valid_outputs: np.ndarray
    test_outputs: np.ndarray
    sum_weights: Mapping[str, float] | None


@dataclass(frozen=True)
class GridOutcome:
    """What the grid gave.

    Attributes
    ----------
    trials : list of Trial
        Every probe trained.
    layers : list of LayerOutcome
        Every layer with its best setting, in order.
    chosen : LayerOutcome
        The layer chosen on validation.
    notes : Notes
        What a reader of the result should know.
    """

    trials: list[Trial]
    layers: list[LayerOutcome]
    chosen: LayerOutcome
    notes: Notes = Notes()  # noqa: RUF009 - it is frozen

    def rescaled(self, mean: np.ndarray, deviation: np.ndarray) -> GridOutcome:
        """Return the outputs of standardised targets in the targets' own unit.

        Parameters
        ----------
        mean, deviation : np.ndarray [shape=(output,) or (1,)]
            What the targets were standardised with; 0 and 1 to leave all as it is.

        Returns
        -------
        GridOutcome
            The same but for the outputs.
        """
        layers = [
            replace(
                each,
                valid_outputs=each.valid_outputs * deviation + mean,
                test_outputs=each.test_outputs * deviation + mean,
            )
            for each in self.layers
        ]
        at = [each.layer for each in layers].index(self.chosen.layer)
        return replace(self, layers=layers, chosen=layers[at])
