"""The grid of scikit-learn's logistic regression: single layers × C, without seeds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from marble_eval.errors import MarbleError, SpecError
from marble_eval.probes import ProbeData
from marble_eval.probes.grid.outcome import GridPlan, LayerOutcome, Trial
from marble_eval.probes.grid.validation import validation_score
from marble_eval.probes.logistic import logistic_outputs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from marble_eval.progress import Progress


def fit_grid(
    plan: GridPlan, data: Mapping[str, ProbeData], progress: Progress
) -> tuple[list[Trial], list[LayerOutcome], list[str]]:
    """Fit every single layer with every penalty, once.

    Parameters
    ----------
    plan : GridPlan
        What is to be fitted.
    data : mapping of str to ProbeData
        The three splits.
    progress : Progress
        Who is told.

    Returns
    -------
    trials : list of Trial
        Every fit.
    outcomes : list of LayerOutcome
        Every layer with the C that is best on validation.
    remarks : list of str
        What was left out, and fits that did not converge.

    Raises
    ------
    SpecError
        If only the learned sum was asked for.
    MarbleError
        If all training tracks are of one class.
    """
    singles = {layer: reads[0] for layer, reads in plan.layers.items() if len(reads) == 1}
    if plan.task.kind.LOSS != "cross-entropy":
        raise SpecError(
            f"probe=logreg solves tasks with one class a track. Got the kind "
            f"{plan.task.spec.kind}. Take probe=linear or probe=mlp."
        )
    if not singles:
        raise SpecError("probe=logreg reads single layers. Got only the learned sum in 'layers'.")
    splits = {name: _on_cpu(each) for name, each in data.items()}
    if len(torch.unique(splits["train"].targets)) < 2:
        raise MarbleError(
            f"probe=logreg must have two or more classes in training. Got one in "
            f"{len(splits['train'].targets)} tracks. Give more data, or probe=mlp."
        )
    remarks = []
    if len(singles) < len(plan.layers):
        remarks.append("logistic regression has no learned sum of layers")
    trials, outcomes = [], []
    progress.begin("fit", len(singles))
    try:
        for layer, position in singles.items():
            fitted, outcome, unconverged = _fit_layer(plan, splits, layer, position)
            trials += fitted
            outcomes.append(outcome)
            remarks += unconverged
            progress.advance()
    finally:
        progress.end()
    return trials, outcomes, remarks


def _fit_layer(
    plan: GridPlan, splits: Mapping[str, ProbeData], layer: str, position: int
) -> tuple[list[Trial], LayerOutcome, list[str]]:
    seed, monitor = plan.seeds[0], validation_score(plan.task, splits["valid"].targets.numpy())
    trials, fits, remarks = [], [], []
    for penalty, converged, predictions in logistic_outputs(
        splits["train"],
        [splits["valid"], splits["test"]],
        position,
        plan.probe.inverse_penalties,
        outputs=plan.task.kind.outputs(plan.task.spec),
        aggregation=plan.rules.aggregation,
    ):
        valid = monitor(predictions[0])
        trials.append(Trial(layer, penalty, seed, 0, 0, valid))
        fits.append((valid, penalty, predictions))
        if not converged:
            remarks.append(f"layer {layer}, C={penalty:g}: the fit did not converge")
    valid, penalty, (of_valid, of_test) = max(fits, key=lambda each: each[0])
    outcome = LayerOutcome(
        layer, penalty, (seed,), valid, of_valid[None], of_test[None], sum_weights=None
    )
    return trials, outcome, remarks


def _on_cpu(data: ProbeData) -> ProbeData:
    return ProbeData(data.features.cpu(), data.clips.cpu(), data.targets.cpu())
