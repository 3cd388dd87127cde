"""The grid: every layer and the learned sum × learning rates × seeds.

On the first seed every layer is trained with every learning rate; the rate that
is best on validation is then trained on the other seeds. The layer is the one
whose validation score, averaged over the seeds, is best; of equals the lower one.
Nothing here looks at the test split before the choice: its outputs are computed
from parameters that validation has already chosen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from marble_eval.errors import MarbleError, SpecError
from marble_eval.probes.grid.fitted import fit_grid
from marble_eval.probes.grid.layers import layer_choices
from marble_eval.probes.grid.outcome import GridOutcome, GridPlan, LayerOutcome, Trial
from marble_eval.probes.grid.trained import train_grid
from marble_eval.spec import FittedProbe

if TYPE_CHECKING:
    from collections.abc import Mapping

    from marble_eval.probes import ProbeData
    from marble_eval.progress import Progress
    from marble_eval.registry import Task
    from marble_eval.spec import Probe

__all__ = [
    "GridOutcome",
    "GridPlan",
    "LayerOutcome",
    "Trial",
    "check_serves",
    "layer_choices",
    "run_grid",
]


def run_grid(plan: GridPlan, data: Mapping[str, ProbeData], progress: Progress) -> GridOutcome:
    """Train the grid and choose.

    Parameters
    ----------
    plan : GridPlan
        What is to be trained.
    data : mapping of str to ProbeData
        The splits "train", "valid" and "test", on the plan's device.
    progress : Progress
        Who is told.

    Returns
    -------
    GridOutcome
        All trials, every layer at its best, and the choice.

    Raises
    ------
    SpecError
        If the probe cannot read any of the layers asked for.
    MarbleError
        If features are not finite, or no probe could be trained on them.
    """
    for split, each in data.items():
        _check_finite(split, each, plan)
    check_serves(plan.probe, plan.task)
    run = fit_grid if isinstance(plan.probe, FittedProbe) else train_grid
    trials, outcomes, notes = run(plan, data, progress)
    chosen = max(outcomes, key=lambda each: each.valid)  # of equals the first: the lower layer
    return GridOutcome(trials, outcomes, chosen, notes)


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


def _check_finite(split: str, data: ProbeData, plan: GridPlan) -> None:
    """Refuse features that would make a score out of nan."""
    for layer in sorted({at for reads in plan.layers.values() for at in reads}):
        finite = torch.isfinite(data.features[layer]).all(dim=1)
        if not finite.all():
            raise MarbleError(
                f"features of layer {plan.layer_names[layer]} must be finite. Got infinity or nan "
                f"in {int((~finite).sum())} of {len(finite)} {split} clips. Look at what the "
                f"encoder gives for them."
            )
