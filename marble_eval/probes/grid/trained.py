"""The grid of probes trained by gradient descent: layers × learning rates × seeds."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from marble_eval.errors import MarbleError
from marble_eval.probes import Member, ProbeData, TrainedMember, TrainedProbe
from marble_eval.probes.grid.outcome import GridPlan, LayerOutcome, Trial
from marble_eval.probes.grid.trials import best_of, divergences, left_out, mean_shares, trial_of
from marble_eval.probes.grid.validation import validation_score
from marble_eval.probes.matrix_products import fast_products
from marble_eval.probes.schedule import Patience
from marble_eval.probes.training import TrainingRules, predict, train_group
from marble_eval.results import Notes, divergence_sentences

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from marble_eval.progress import Progress

# Members side by side on a CPU: three share the calls of a step, a third of its time, and
# the layers a sum reads. More would gain little and leave cores idle at the end.
_FEW = 3


def train_grid(
    plan: GridPlan, data: Mapping[str, ProbeData], progress: Progress
) -> tuple[list[Trial], list[LayerOutcome], Notes]:
    """Train every layer with every rate, then the best rates on the other seeds.

    Parameters
    ----------
    plan : GridPlan
        What is to be trained.
    data : mapping of str to ProbeData
        The three splits, on the plan's device.
    progress : Progress
        Who is told.

    Returns
    -------
    trials : list of Trial
        Every probe that has a score.
    outcomes : list of LayerOutcome
        Every layer with the learning rate that is best on validation.
    notes : Notes
        Which probes diverged, and what was left out because of it.

    Raises
    ------
    MarbleError
        If every probe diverged before it had a score.
    """
    rates = plan.rules.learning_rates or plan.protocol.learning_rates
    first = [
        Member(layer, reads, rate, plan.seeds[0])
        for layer, reads in plan.layers.items()
        for rate in rates
    ]
    progress.begin("train", len(first) + len(plan.layers) * (len(plan.seeds) - 1))
    try:
        found = _train(first, plan, data, progress)
        best = {
            layer: best_of([each for each in found if each.member.layer == layer])
            for layer in plan.layers
        }
        again = [
            replace(best[layer].member, seed=seed)
            for seed in plan.seeds[1:]
            for layer in plan.layers
            if best[layer].scored
        ]
        repeated = _train(again, plan, data, progress)
    finally:
        progress.end()
    of_layers = {
        layer: [best[layer], *(each for each in repeated if each.member.layer == layer)]
        for layer in plan.layers
    }
    whole = [layer for layer, seeds in of_layers.items() if all(each.scored for each in seeds)]
    trained = [*found, *repeated]
    if not whole:
        said = "; ".join(divergence_sentences(divergences(trained)))
        raise MarbleError(
            f"the grid must have a layer whose probes give finite outputs. Got none: {said}. "
            f"Look at the size of the features, or give smaller learning rates."
        )
    return (
        [trial_of(each) for each in trained if each.scored],
        [_outcome(of_layers[layer], plan, data) for layer in whole],
        Notes(divergences(trained), left_out(plan.layers, whole)),
    )


def training_rules(plan: GridPlan) -> TrainingRules:
    """Join what protocol, card and kind say of training.

    Parameters
    ----------
    plan : GridPlan
        What is to be trained.

    Returns
    -------
    TrainingRules
        The same for every member.
    """
    rules = plan.rules
    if not isinstance(plan.probe, TrainedProbe):
        raise TypeError(f"probe={plan.probe.name} is not trained by gradient descent.")
    return TrainingRules(
        probe=plan.probe,
        outputs=plan.task.kind.outputs(plan.task.spec),
        loss=plan.task.kind.loss,
        patience=Patience(
            max_epochs=min(rules.max_epochs, plan.protocol.max_epochs or rules.max_epochs),
            plateau=rules.plateau_patience,
            factor=rules.plateau_factor,
            stop=rules.stop_patience,
        ),
        batch_tracks=plan.protocol.batch_tracks,
        aggregation=rules.aggregation,
    )


def groups_of(members: Sequence[Member], size: int) -> list[list[Member]]:
    """Divide members into groups that can be trained together.

    Parameters
    ----------
    members : sequence of Member
        In any order.
    size : int
        Members in a group at most.

    Returns
    -------
    list of list of Member
        Each of one seed and form; learned sums, which take longest, first, so
        that they do not leave a core idle at the end.
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
    members: Sequence[Member], plan: GridPlan, data: Mapping[str, ProbeData], progress: Progress
) -> list[TrainedMember]:
    """Train groups side by side: one for each of PyTorch's threads on a CPU, one on a GPU."""
    on_cpu = plan.device.type == "cpu"
    size = plan.engine.group_members or (_FEW if on_cpu else max(1, len(members)))
    groups, rules = groups_of(members, size), training_rules(plan)
    monitor = validation_score(plan.task, data["valid"].targets.cpu().numpy())
    threads_before, abandoned = torch.get_num_threads(), threading.Event()

    def score(outputs: np.ndarray) -> float:
        # Asked once an epoch: after Ctrl-C nobody waits for a probe to be finished.
        if abandoned.is_set():
            raise _Abandoned
        return monitor(outputs)

    def train(group: list[Member]) -> list[TrainedMember]:
        if on_cpu:
            torch.set_num_threads(1)
        return train_group(
            group,
            rules,
            data["train"],
            data["valid"],
            monitor=score,
            device=plan.device,
        )

    found: dict[Member, TrainedMember] = {}
    pool = ThreadPoolExecutor(threads_before if on_cpu else 1, thread_name_prefix="probe")
    try:
        with fast_products(plan.device):
            for group, trained in zip(groups, pool.map(train, groups), strict=True):
                found.update(zip(group, trained, strict=True))
                progress.advance(len(group))
    finally:
        abandoned.set()
        pool.shutdown(wait=True, cancel_futures=True)
        torch.set_num_threads(threads_before)
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
