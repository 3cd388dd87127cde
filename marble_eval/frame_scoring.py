"""From decoded tracks to scores with intervals, for tasks with an estimate for every frame.

Every metric is a sum of numerators over a sum of denominators, one pair a track, so a
resample is two weighted sums. A score is the mean over the seeds of the chosen layer;
the ceiling beside it is what the references themselves score when they are rounded to
frames, which no encoder of this frame rate can be asked to exceed by much.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from marble_eval.grid.frames import counts_of, estimates, ratio
from marble_eval.results import Chosen, GridPoint, LayerScore, MetricScore, ScoreRange
from marble_eval.scoring import LEVEL, RESAMPLES, SEED, Scores
from marble_eval.statistics import bootstrap_weights, paired_tie, percentile_interval

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import torch

    from marble_eval.grid import Trial
    from marble_eval.grid.frame_split import FrameSplit
    from marble_eval.grid.frames import FrameLayer


class ChosenEvents:
    """What the probes of one layer found in every track, and how it scores.

    Parameters
    ----------
    layer : FrameLayer
        The layer.
    data : mapping of str to FrameSplit
        The splits; "valid" and "test" are decoded.
    device : torch.device
        Where to compute.

    Attributes
    ----------
    counts : np.ndarray [shape=(seed, track, metric, 2)]
        Of all metrics on test.
    ceilings : np.ndarray [shape=(metric,)]
        What the references score at the frame rate of the features.
    scorable : np.ndarray [shape=(metric,)]
        Test tracks whose reference has something to be found.
    predictions : pandas.DataFrame
        The table of both splits, as in `marble_eval.results.predictions`.
    """

    def __init__(
        self, layer: FrameLayer, data: Mapping[str, FrameSplit], device: torch.device
    ) -> None:
        test = data["test"]
        metrics = test.source.task.spec.metrics
        found = {name: estimates(layer.members, data[name], device) for name in ("valid", "test")}
        self.counts = counts_of(found["test"], test, metrics)
        perfect, held = counts_of([_references(test), _quantised(test)], test, metrics)
        self.scorable = (perfect[..., 1] > 0).sum(axis=0)
        self.ceilings = ratio(held.sum(axis=0))
        self.predictions = pd.concat(
            [_table(data[name], name, layer.seeds, events) for name, events in found.items()],
            ignore_index=True,
        )


def score_frames(
    trials: Sequence[Trial],
    layers: Sequence[FrameLayer],
    chosen: FrameLayer,
    events: ChosenEvents,
    data: Mapping[str, FrameSplit],
) -> Scores:
    """Score what the grid gave.

    Parameters
    ----------
    trials : sequence of Trial
        Every probe.
    layers : sequence of FrameLayer
        Every layer at its best.
    chosen : FrameLayer
        The one with the best validation score.
    events : ChosenEvents
        What it found.
    data : mapping of str to FrameSplit
        The splits.

    Returns
    -------
    Scores
        Scores, intervals, ties and predictions.
    """
    weights = {
        name: bootstrap_weights(
            np.array([each.group for each in data[name].tracks]), resamples=RESAMPLES, seed=SEED
        )
        for name in ("valid", "test")
    }
    of_valid = {
        each.layer: _resampled(each.valid_counts, weights["valid"])[:, 0] for each in layers
    }
    return Scores(
        grid=tuple(
            GridPoint(t.layer, t.setting, t.seed, t.epochs, t.best_epoch, t.valid) for t in trials
        ),
        layers=tuple(
            LayerScore(
                layer=each.layer,
                setting=each.setting,
                valid=each.valid,
                test=_range(each.test_counts, weights["test"]),
                tied=paired_tie(of_valid[chosen.layer], of_valid[each.layer], LEVEL),
            )
            for each in layers
        ),
        chosen=Chosen(chosen.layer, chosen.setting, chosen.seeds, chosen.sum_weights),
        metrics=_metrics(events, data["test"], weights["test"]),
        labels=(),
        confusion=(),
        predictions=events.predictions,
        remarks=_remarks(events, data["test"]),
    )


def _metrics(events: ChosenEvents, test: FrameSplit, weights: np.ndarray) -> dict[str, MetricScore]:
    task = test.source.task
    directions = task.kind.metrics_of(task.spec)
    of_seeds = ratio(events.counts.sum(axis=1))
    resampled = _resampled(events.counts, weights)
    scores = {}
    for at, name in enumerate(task.spec.metrics):
        if not events.scorable[at]:
            continue
        interval = percentile_interval(resampled[:, at], LEVEL)
        values = of_seeds[:, at]
        scores[name] = MetricScore(
            value=float(values.mean()),
            low=interval.low,
            high=interval.high,
            level=LEVEL,
            higher_is_better=directions[name],
            n=int(events.scorable[at]),
            seed_values=tuple(values.tolist()),
            seed_spread=float(values.std(ddof=1)) if len(values) > 1 else 0.0,
            ceiling=float(events.ceilings[at]),
        )
    return scores


def _resampled(counts: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Score each resample (resample, metric), as the mean over the seeds; nan where it has none."""
    sums = np.einsum("rt,stmk->srmk", weights, counts, optimize=True)
    # No track with a reference may have been drawn: that is no score of 0.
    return np.asarray(np.where(sums[..., 1] > 0, ratio(sums), np.nan).mean(axis=0))


def _range(counts: np.ndarray, weights: np.ndarray) -> ScoreRange:
    interval = percentile_interval(_resampled(counts, weights)[:, 0], LEVEL)
    return ScoreRange(float(ratio(counts.sum(axis=1)).mean()), interval.low, interval.high)


def _references(split: FrameSplit) -> list[Any]:
    return [split.annotation(track) for track in range(len(split))]


def _quantised(split: FrameSplit) -> list[Any]:
    source = split.source
    return [
        source.task.kind.quantised(
            split.annotation(track), frames, source.rate, source.task.spec, source.rules
        )
        for track, frames in enumerate(split.frames)
    ]


def _remarks(events: ChosenEvents, test: FrameSplit) -> list[str]:
    """Say by what epochs were chosen, and which metrics have nothing to count."""
    task = test.source.task
    remarks = [
        f"epoch and learning rate chosen by {task.kind.DRAFT} on validation, the layer by "
        f"{task.spec.main_metric}"
    ]
    without = [name for name, n in zip(task.spec.metrics, events.scorable, strict=True) if not n]
    if without:
        remarks.append(f"no test track has a reference for {', '.join(without)}: left out")
    return remarks


def _table(
    split: FrameSplit, name: str, seeds: Sequence[int], events: Sequence[Sequence[Any]]
) -> pd.DataFrame:
    text_of = split.source.task.kind.text_of
    return pd.concat(
        [
            pd.DataFrame(
                {
                    "split": name,
                    "id": [each.id for each in split.tracks],
                    "recording": [each.recording for each in split.tracks],
                    "group": [each.group for each in split.tracks],
                    "seed": seed,
                    "reference": [str(each.label) for each in split.tracks],
                    "estimate": [text_of(each) for each in of_seed],
                }
            )
            for seed, of_seed in zip(seeds, events, strict=True)
        ],
        ignore_index=True,
    )
