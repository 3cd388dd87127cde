"""What is told of trained probes: trials, the best of a layer, and what went wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from marble_eval.probes.grid.outcome import Trial
from marble_eval.results import Divergence, LayerLeftOut

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from marble_eval.probes import TrainedMember


def best_of(candidates: Sequence[TrainedMember]) -> TrainedMember:
    """Choose among the probes of a layer; of equals the first, the earlier rate.

    Parameters
    ----------
    candidates : sequence of TrainedMember
        One or more.

    Returns
    -------
    TrainedMember
        The best on validation.
    """
    return max(candidates, key=lambda each: each.valid_score)


def divergences(trained: Sequence[TrainedMember]) -> tuple[Divergence, ...]:
    """Name the probes whose outputs were no longer finite."""
    return tuple(
        Divergence(each.member.layer, each.member.learning_rate, each.member.seed, each.scored)
        for each in trained
        if each.diverged
    )


def left_out(layers: Iterable[str], whole: Sequence[str]) -> tuple[LayerLeftOut, ...]:
    """Name the layers that have no score on every seed."""
    return tuple(LayerLeftOut(each, "diverged") for each in layers if each not in whole)


def trial_of(trained: TrainedMember) -> Trial:
    """Give what a result says of a probe."""
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
    """Average the shares of the layers in a learned sum over its seeds.

    Parameters
    ----------
    trained : sequence of TrainedMember
        Of one layer or sum, one for each seed.
    layer_names : sequence of str
        Layers of the encoder.

    Returns
    -------
    dict of str to float, or None
        By name of the layer; None for a single one.
    """
    first = trained[0]
    if "weights" not in first.parameters:
        return None
    shares = [torch.softmax(each.parameters["weights"], dim=0).numpy() for each in trained]
    names = [layer_names[at] for at in first.member.reads]
    return dict(zip(names, np.mean(shares, axis=0).astype(float).tolist(), strict=True))
