"""What a grid is asked for, and what it gives."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from marble_eval.errors import SpecError
from marble_eval.probes import LEARNED_SUM, TrainedProbe
from marble_eval.probes.schedule import Patience
from marble_eval.probes.training import TrainingRules
from marble_eval.results import Notes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy as np
    import torch

    from marble_eval.registry import Task
    from marble_eval.spec import EngineSpec, Probe, ProtocolSpec, TaskRules


@dataclass(frozen=True)
class GridPlan:
    """What is to be trained; `layers` has the positions that each probe reads, by layer name.

    The first of the `seeds` sees the whole grid; `layer_names` are those of the encoder.
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

    def training_rules(self) -> TrainingRules:
        """Join what protocol, card and kind say of training by gradient descent."""
        rules = self.rules
        if not isinstance(self.probe, TrainedProbe):
            raise TypeError(f"probe={self.probe.name} is not trained by gradient descent.")
        return TrainingRules(
            probe=self.probe,
            outputs=self.task.kind.outputs(self.task.spec),
            loss=self.task.kind.loss,
            patience=Patience(
                max_epochs=min(rules.max_epochs, self.protocol.max_epochs or rules.max_epochs),
                plateau=rules.plateau_patience,
                factor=rules.plateau_factor,
                stop=rules.stop_patience,
            ),
            batch_tracks=self.protocol.batch_tracks,
            aggregation=rules.aggregation,
            sum_start=self.protocol.sum_start,
        )


@dataclass(frozen=True, slots=True)
class Trial:
    """One probe as a result lists it; epochs are 0 for a fitted one."""

    layer: str
    setting: float
    seed: int
    epochs: int
    best_epoch: int
    valid: float


@dataclass(frozen=True)
class LayerOutcome:
    """A layer, or the learned sum, with its best setting.

    `valid` is the validation score averaged over the seeds; outputs are (seed, track, output).
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
    """All trials, every layer at its best, and the layer chosen on validation."""

    trials: list[Trial]
    layers: list[LayerOutcome]
    chosen: LayerOutcome
    notes: Notes = Notes()  # noqa: RUF009 - it is frozen

    def rescaled(self, mean: np.ndarray, deviation: np.ndarray) -> GridOutcome:
        """Return the outputs of standardised targets in the targets' own unit.

        `mean` and `deviation` are (output,) or (1,); 0 and 1 leave all as it is.
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


def check_serves(probe: Probe, task: Task) -> None:
    """Refuse a probe that does not serve the task's kind, before anything is encoded."""
    of_frames = task.kind.estimate == "frame"
    if task.kind.loss in probe.losses and (probe.serves_frames or not of_frames):
        return
    each = "" if probe.serves_frames else " and one estimate per track"
    got = f"{task.kind.loss}{', an estimate per frame' if of_frames else ''}"
    raise SpecError(
        f"probe={probe.name} serves kinds with the loss {' or '.join(probe.losses)}{each}. Got the "
        f"kind {task.spec.kind} ({got}). Take probe=linear or probe=mlp."
    )


def validation_score(task: Task, reference: np.ndarray) -> Callable[[np.ndarray], float]:
    """Return what scores outputs (item, output) by the main metric, on the whole split; to rise."""
    main = task.spec.main_metric
    spec = replace(task.spec, metrics=(main,))  # asked once an epoch, so for nothing else

    def score(outputs: np.ndarray) -> float:
        return float(
            task.track_kind.score(reference, task.track_kind.decode(outputs, spec), spec)[main]
        )

    return score


def layer_choices(
    names: Sequence[str], wanted: str | Sequence[int | str], protocol: ProtocolSpec
) -> dict[str, tuple[int, ...]]:
    """Return the positions read by each probe, by name of its layer; the learned sum last.

    The sum is left out of "all" when it would have fewer than two layers.
    """
    singles: dict[str, tuple[int, ...]] = {name: (at,) for at, name in enumerate(names)}
    summed = tuple(range(protocol.sum_from_layer, len(names)))
    everything = dict(singles)
    if len(summed) > 1:
        everything[LEARNED_SUM] = summed
    if wanted == "all":
        return everything
    listed = [wanted] if isinstance(wanted, str | int) else list(wanted)
    chosen = {}
    for each in listed:
        name = names[each] if isinstance(each, int) and 0 <= each < len(names) else str(each)
        if name not in everything:
            raise SpecError(
                f"layers: {each!r} must be a layer of the encoder. It has "
                f"{', '.join(everything)}. Give numbers, names or 'all'."
            )
        chosen[name] = everything[name]
    if not chosen:
        raise SpecError("layers: at least one layer must be named. Got an empty list.")
    return {name: reads for name, reads in everything.items() if name in chosen}
