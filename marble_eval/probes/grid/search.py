"""The one loop of the grid: layers × learning rates on one seed, then the best rates on others.

It serves clips held in memory and frames read from disk alike: how probes are trained and how
those of a layer are turned into an outcome is passed in.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import torch

from marble_eval.errors import MarbleError
from marble_eval.probes import Member
from marble_eval.probes.grid.plan import Trial
from marble_eval.results import Divergence, LayerLeftOut, Notes, divergence_sentences

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from marble_eval.probes import TrainedMember
    from marble_eval.probes.grid.plan import GridPlan

_Outcome = TypeVar("_Outcome")


def search(
    plan: GridPlan,
    train: Callable[[Sequence[Member]], list[TrainedMember]],
    outcomes_of: Callable[[list[list[TrainedMember]]], list[_Outcome]],
) -> tuple[list[Trial], list[_Outcome], Notes]:
    """Train the grid; `outcomes_of` is given the seeds of every layer that kept finite outputs.

    Of rates with equal validation scores the earlier wins.
    """
    rates = plan.rules.learning_rates or plan.protocol.learning_rates
    found = train(
        [
            Member(layer, reads, rate, plan.seeds[0])
            for layer, reads in plan.layers.items()
            for rate in rates
        ]
    )
    best = {
        layer: max(
            (each for each in found if each.member.layer == layer),
            key=lambda each: each.valid_score,
        )
        for layer in plan.layers
    }
    repeated = train(
        [
            replace(best[layer].member, seed=seed)
            for seed in plan.seeds[1:]
            for layer in plan.layers
            if best[layer].scored
        ]
    )
    of_layers = {
        layer: [best[layer], *(each for each in repeated if each.member.layer == layer)]
        for layer in plan.layers
    }
    whole = [seeds for seeds in of_layers.values() if all(each.scored for each in seeds)]
    notes = _notes(plan, [*found, *repeated], {seeds[0].member.layer for seeds in whole})
    if not whole:
        said = "; ".join(divergence_sentences(notes.divergences))
        raise MarbleError(
            f"the grid must have a layer whose probes give finite outputs. Got none: {said}. "
            f"Look at the size of the features, or give smaller learning rates."
        )
    trials = [_trial(each) for each in (*found, *repeated) if each.scored]
    return trials, outcomes_of(whole), notes


def _notes(plan: GridPlan, trained: Sequence[TrainedMember], whole: set[str]) -> Notes:
    """Name the probes whose outputs were no longer finite, and the layers left out for it."""
    diverged = tuple(
        Divergence(each.member.layer, each.member.learning_rate, each.member.seed, each.scored)
        for each in trained
        if each.diverged
    )
    return Notes(
        diverged, tuple(LayerLeftOut(each, "diverged") for each in plan.layers if each not in whole)
    )


def _trial(trained: TrainedMember) -> Trial:
    return Trial(
        layer=trained.member.layer,
        setting=trained.member.learning_rate,
        seed=trained.member.seed,
        epochs=trained.epochs,
        best_epoch=trained.best_epoch,
        valid=trained.valid_score,
    )


def mean_shares(
    trained: Sequence[TrainedMember], layer_names: Sequence[str]
) -> dict[str, float] | None:
    """Average the shares of the layers in a learned sum over its seeds; None for one layer."""
    first = trained[0]
    if "weights" not in first.parameters:
        return None
    shares = [torch.softmax(each.parameters["weights"], dim=0).numpy() for each in trained]
    names = [layer_names[at] for at in first.member.reads]
    return dict(zip(names, np.mean(shares, axis=0).astype(float).tolist(), strict=True))
