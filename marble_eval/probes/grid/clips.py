"""The grid over pooled features, held in memory: trained in groups, or fitted layer by layer."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import numpy as np
import torch

from marble_eval.errors import MarbleError
from marble_eval.one_thread import arithmetic_pool, one_thread
from marble_eval.probes.grid.fitted import fit_grid
from marble_eval.probes.grid.plan import GridOutcome, LayerOutcome, check_serves, validation_score
from marble_eval.probes.grid.search import mean_shares, search
from marble_eval.probes.matrix_products import fast_products
from marble_eval.probes.training import predict, train_group
from marble_eval.spec import FittedProbe

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from marble_eval.probes import Member, ProbeData, TrainedMember
    from marble_eval.probes.grid.plan import GridPlan, Trial
    from marble_eval.progress import Progress
    from marble_eval.results import Notes

# Members side by side on a CPU: three share the calls of a step, a third of its time, and
# the layers a sum reads. More would gain little and leave cores idle at the end.
_FEW = 3


def run_grid(plan: GridPlan, data: Mapping[str, ProbeData], progress: Progress) -> GridOutcome:
    """Train or fit the grid on "train", choose on "valid"; data are on the plan's device."""
    for split, each in data.items():
        _check_finite(split, each, plan)
    check_serves(plan.probe, plan.task)
    with one_thread() as probes_at_once:
        if isinstance(plan.probe, FittedProbe):
            trials, outcomes, notes = fit_grid(plan, data, progress)
        else:
            trials, outcomes, notes = _train_grid(plan, data, probes_at_once, progress)
    chosen = max(outcomes, key=lambda each: each.valid)  # of equals the first: the lower layer
    return GridOutcome(trials, outcomes, chosen, notes)


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


def _train_grid(
    plan: GridPlan, data: Mapping[str, ProbeData], at_once: int, progress: Progress
) -> tuple[list[Trial], list[LayerOutcome], Notes]:
    rates = plan.rules.learning_rates or plan.protocol.learning_rates
    progress.begin("train", len(plan.layers) * (len(rates) + len(plan.seeds) - 1))
    try:
        return search(
            plan,
            lambda members: _train(members, plan, data, at_once, progress),
            lambda layers: [_outcome(each, plan, data) for each in layers],
        )
    finally:
        progress.end()


def groups_of(members: Sequence[Member], size: int) -> list[list[Member]]:
    """Divide members into groups of one seed and form, of at most `size`.

    Learned sums, which take longest, come first, so that they leave no core idle at the end.
    """
    alike: dict[tuple[int, int], list[Member]] = {}
    for each in members:
        alike.setdefault((each.seed, len(each.reads)), []).append(each)
    groups = [
        same[start : start + size] for same in alike.values() for start in range(0, len(same), size)
    ]
    return sorted(groups, key=lambda group: -len(group[0].reads))


class _Abandoned(Exception):
    """The grid was given up; nobody asks for this probe any more."""


def _train(
    members: Sequence[Member],
    plan: GridPlan,
    data: Mapping[str, ProbeData],
    at_once: int,
    progress: Progress,
) -> list[TrainedMember]:
    """Train groups side by side: so many at once on a CPU, one on a GPU."""
    on_cpu = plan.device.type == "cpu"
    size = plan.engine.group_members or (_FEW if on_cpu else max(1, len(members)))
    groups, rules = groups_of(members, size), plan.training_rules()
    monitor = validation_score(plan.task, data["valid"].targets.cpu().numpy())
    abandoned = threading.Event()

    def score(outputs: np.ndarray) -> float:
        # Asked once an epoch: after Ctrl-C nobody waits for a probe to be finished.
        if abandoned.is_set():
            raise _Abandoned
        return monitor(outputs)

    def train(group: list[Member]) -> list[TrainedMember]:
        return train_group(
            group,
            rules,
            data["train"],
            data["valid"],
            monitor=score,
            device=plan.device,
        )

    found: dict[Member, TrainedMember] = {}
    pool = arithmetic_pool(at_once if on_cpu else 1, "probe")
    try:
        with fast_products(plan.device):
            for group, trained in zip(groups, pool.map(train, groups), strict=True):
                found.update(zip(group, trained, strict=True))
                progress.advance(len(group))
    finally:
        abandoned.set()
        pool.shutdown(wait=True, cancel_futures=True)
    return [found[each] for each in members]


def _outcome(
    trained: Sequence[TrainedMember], plan: GridPlan, data: Mapping[str, ProbeData]
) -> LayerOutcome:
    """Predict validation and test with each seed's best parameters."""
    predicted: dict[str, list[np.ndarray]] = {"valid": [], "test": []}
    for each in trained:
        stack = {name: value[None].to(plan.device) for name, value in each.parameters.items()}
        for split, kept in predicted.items():
            outputs = predict(stack, [each.member], data[split], plan.rules.aggregation)
            kept.append(outputs[0].cpu().numpy())
    member = trained[0].member
    return LayerOutcome(
        layer=member.layer,
        setting=member.learning_rate,
        seeds=tuple(each.member.seed for each in trained),
        valid=float(np.mean([each.valid_score for each in trained])),
        valid_outputs=np.stack(predicted["valid"]),
        test_outputs=np.stack(predicted["test"]),
        sum_weights=mean_shares(trained, plan.layer_names),
    )
