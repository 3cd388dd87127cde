"""The grid of fitted probes: single layers × values of their setting, without seeds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from marble_eval.errors import MarbleError, SpecError
from marble_eval.probes import FittedProbe, ProbeData
from marble_eval.probes.grid.plan import GridPlan, LayerOutcome, Trial, validation_score
from marble_eval.probes.heads import track_means
from marble_eval.results import LayerLeftOut, Notes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy as np

    from marble_eval.progress import Progress


def fit_grid(
    plan: GridPlan, data: Mapping[str, ProbeData], progress: Progress
) -> tuple[list[Trial], list[LayerOutcome], Notes]:
    """Fit every single layer with every value, once; of equals the first value wins."""
    probe = plan.probe
    if not isinstance(probe, FittedProbe):
        raise TypeError(f"probe={probe.name} is not fitted.")
    singles = {layer: reads[0] for layer, reads in plan.layers.items() if len(reads) == 1}
    if not singles:
        raise SpecError(
            f"probe={probe.name} reads single layers. Got only the learned sum in 'layers'."
        )
    splits = {name: _on_cpu(each) for name, each in data.items()}
    sums = tuple(
        LayerLeftOut(each, "no learned sum") for each in plan.layers if each not in singles
    )
    remarks: list[str] = []
    trials, outcomes = [], []
    progress.begin("fit", len(singles))
    try:
        for layer, position in singles.items():
            fitted, outcome, said = _fit_layer(plan, probe, splits, layer, position)
            trials += fitted
            outcomes.append(outcome)
            remarks += said
            progress.advance()
    finally:
        progress.end()
    return trials, outcomes, Notes(left_out=sums, remarks=tuple(remarks))


def _fit_layer(
    plan: GridPlan, probe: FittedProbe, splits: Mapping[str, ProbeData], layer: str, position: int
) -> tuple[list[Trial], LayerOutcome, list[str]]:
    seed, train = plan.seeds[0], splits["train"]
    monitor = validation_score(plan.task, splits["valid"].targets.numpy())
    trials, fits, remarks = [], [], []
    fitted = probe.fit(
        train.features[position].float().numpy(),
        torch.repeat_interleave(train.targets, train.clips, dim=0).numpy(),
        plan.task.kind.outputs(plan.task.spec),
    )
    for setting, outputs_of, remark in fitted:
        predictions = [
            _of_tracks(outputs_of, splits[name], position, plan) for name in ("valid", "test")
        ]
        valid = monitor(predictions[0])
        trials.append(Trial(layer, setting, seed, 0, 0, valid))
        fits.append((valid, setting, predictions))
        if remark:
            remarks.append(f"layer {layer}, {probe.setting}={setting:g}: {remark}")
    tried = tuple(each.setting for each in trials)
    if tried != probe.settings:
        raise MarbleError(
            f"probe={probe.name} must fit each of its settings {probe.settings}. Got {tried}."
        )
    valid, setting, (of_valid, of_test) = max(fits, key=lambda each: each[0])
    outcome = LayerOutcome(
        layer, setting, (seed,), valid, of_valid[None], of_test[None], sum_weights=None
    )
    return trials, outcome, remarks


def _of_tracks(
    outputs_of: Callable[[np.ndarray], np.ndarray], data: ProbeData, layer: int, plan: GridPlan
) -> np.ndarray:
    """Average the outputs of each track's clips: (track, output)."""
    of_clips = torch.from_numpy(outputs_of(data.features[layer].float().numpy()))
    found = track_means(of_clips[None], data.clips, plan.rules.aggregation)[0].numpy()
    if not (found.ndim == 2 and torch.isfinite(of_clips).all()):
        raise MarbleError(
            f"probe={plan.probe.name} must give finite outputs (clip, output). "
            f"Got {tuple(of_clips.shape)}. Look at the size of the features."
        )
    return found


def _on_cpu(data: ProbeData) -> ProbeData:
    return ProbeData(data.features.cpu(), data.clips.cpu(), data.targets.cpu())
