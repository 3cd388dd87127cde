"""The grid over frames: layers × learning rates × seeds, its tracks decoded at the end.

As for pooled features, every layer is trained with every learning rate on the first
seed, and with the best one on the others. Epoch and learning rate are chosen by the
stand-in that is computed once an epoch; then whole tracks are decoded as the
protocol asks, and the layer is chosen by the main metric of validation.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from marble_eval.errors import MarbleError
from marble_eval.metrics.counts import ratio
from marble_eval.probes import Member, TrainedMember
from marble_eval.probes.grid.frame_training import frame_outputs, side_by_side, train_on_frames
from marble_eval.probes.grid.outcome import GridPlan, Trial
from marble_eval.probes.grid.trained import training_rules
from marble_eval.probes.grid.trials import best_of, divergences, left_out, mean_shares, trial_of
from marble_eval.probes.matrix_products import fast_products
from marble_eval.results import Notes, divergence_sentences

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from marble_eval.probes.grid.frame_split import FrameSplit
    from marble_eval.progress import Progress


@dataclass(frozen=True)
class FrameLayer:
    """A layer with its best learning rate.

    Attributes
    ----------
    layer : str
        Layer, or the learned sum.
    setting : float
        Learning rate, chosen on validation.
    seeds : tuple of int
        Seeds trained.
    valid : float
        Main metric on validation, averaged over the seeds.
    valid_counts, test_counts : np.ndarray [shape=(seed, track, 1, 2)]
        Numerator and denominator of the main metric for each track.
    sum_weights : mapping of str to float, or None
        Shares of the layers in the learned sum, averaged over the seeds.
    members : tuple of TrainedMember
        The probes, one for each seed.
    """

    layer: str
    setting: float
    seeds: tuple[int, ...]
    valid: float
    valid_counts: np.ndarray
    test_counts: np.ndarray
    sum_weights: Mapping[str, float] | None
    members: tuple[TrainedMember, ...]


def train_frame_grid(
    plan: GridPlan, data: Mapping[str, FrameSplit], progress: Progress
) -> tuple[list[Trial], list[FrameLayer], Notes]:
    """Train the grid and decode every layer.

    Parameters
    ----------
    plan : GridPlan
        What is to be trained.
    data : mapping of str to FrameSplit
        The splits "train", "valid" and "test".
    progress : Progress
        Who is told.

    Returns
    -------
    trials : list of Trial
        Every probe that has a score, which is that of the stand-in.
    layers : list of FrameLayer
        Every layer with its best learning rate.
    notes : Notes
        Which probes diverged, and what was left out because of it.

    Raises
    ------
    SpecError
        If the probe is not trained by gradient descent.
    MarbleError
        If every probe diverged before it had a score.
    """
    rates = plan.rules.learning_rates or plan.protocol.learning_rates
    rules = training_rules(plan)

    def train(members: Sequence[Member]) -> list[TrainedMember]:
        if not members:
            return []
        progress.begin(f"epochs of {len(members)} probes", rules.patience.max_epochs)
        try:
            return train_on_frames(
                members, rules, data["train"], data["valid"], device=plan.device, progress=progress
            )
        finally:
            progress.end()

    found = train(
        [
            Member(layer, reads, rate, plan.seeds[0])
            for layer, reads in plan.layers.items()
            for rate in rates
        ]
    )
    best = {
        layer: best_of([each for each in found if each.member.layer == layer])
        for layer in plan.layers
    }
    scored = [each for each in best.values() if each.scored]
    again = [train([replace(each.member, seed=seed) for each in scored]) for seed in plan.seeds[1:]]
    repeated = [each for of_seed in again for each in of_seed]
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
    progress.begin("decode", len(whole))
    try:
        layers = []
        for layer in whole:
            layers.append(_decoded(of_layers[layer], plan, data))
            progress.advance()
    finally:
        progress.end()
    return (
        [trial_of(each) for each in trained if each.scored],
        layers,
        Notes(divergences(trained), left_out(plan.layers, whole)),
    )


def estimates(
    members: Sequence[TrainedMember], split: FrameSplit, device: torch.device
) -> list[list[Any]]:
    """Decode every track of a split with the probes of one layer.

    Parameters
    ----------
    members : sequence of TrainedMember
        Probes that read the same, one for each seed.
    split : FrameSplit
        The split.
    device : torch.device
        Where to compute.

    Returns
    -------
    list of list
        Events, by seed and track.
    """
    source, reads = split.source, members[0].member.reads
    stack = {
        name: torch.stack([each.parameters[name] for each in members]).to(device)
        for name in members[0].parameters
    }

    def decode(track: int) -> list[Any]:
        outputs = frame_outputs(stack, reads, split, track, device)
        task = source.task
        return [
            task.frame_kind.decode(each, source.rate, task.spec, source.rules) for each in outputs
        ]

    with fast_products(device), side_by_side(device) as each_of:
        by_track = each_of(decode, range(len(split)))
    return [list(each) for each in zip(*by_track, strict=True)]


def counts_of(
    found: Sequence[Sequence[Any]], split: FrameSplit, metrics: tuple[str, ...]
) -> np.ndarray:
    """Hold the events of every track against its reference.

    Parameters
    ----------
    found : sequence of sequence
        Events, by seed and track.
    split : FrameSplit
        Whose annotations are the references.
    metrics : tuple of str
        What is to be computed.

    Returns
    -------
    np.ndarray [shape=(seed, track, metric, 2)]
        Numerators and denominators.
    """
    source = split.source
    spec = replace(source.task.spec, metrics=metrics)
    counts = np.empty((len(found), len(split), len(metrics), 2))
    for track in range(len(split)):
        reference = split.annotation(track)
        for seed, of_seed in enumerate(found):
            counts[seed, track] = source.task.frame_kind.score(
                reference, of_seed[track], spec, source.rules
            )
    return counts


def _decoded(
    trained: Sequence[TrainedMember], plan: GridPlan, data: Mapping[str, FrameSplit]
) -> FrameLayer:
    main = (plan.task.spec.main_metric,)
    valid, test = (
        counts_of(estimates(trained, data[split], plan.device), data[split], main)
        for split in ("valid", "test")
    )
    member = trained[0].member
    return FrameLayer(
        layer=member.layer,
        setting=member.learning_rate,
        seeds=tuple(each.member.seed for each in trained),
        valid=float(ratio(valid.sum(axis=1)).mean()),
        valid_counts=valid,
        test_counts=test,
        sum_weights=mean_shares(trained, plan.layer_names),
        members=tuple(trained),
    )
