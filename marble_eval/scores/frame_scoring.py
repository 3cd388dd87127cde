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

from marble_eval.metrics.counts import ratio
from marble_eval.probes.grid.frames import counts_of, estimates
from marble_eval.results import Chosen, GridPoint, LayerScore, MetricScore
from marble_eval.scores.scoring import Scores, score_range
from marble_eval.scores.split_scores import LEVEL, RESAMPLES, SEED, EventCounts, metric_scores
from marble_eval.scores.statistics import bootstrap_weights, paired_tie

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import torch

    from marble_eval.probes.grid import Trial
    from marble_eval.probes.grid.frame_split import FrameSplit
    from marble_eval.probes.grid.frames import FrameLayer


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
        name: bootstrap_weights(_groups(data[name]), resamples=RESAMPLES, seed=SEED)
        for name in ("valid", "test")
    }
    main = data["test"].source.task.spec.main_metric
    of_valid = {
        each.layer: EventCounts((main,), each.valid_counts).resampled((main,), weights["valid"])
        for each in layers
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
                test=score_range(EventCounts((main,), each.test_counts), main, weights["test"]),
                tied=paired_tie(of_valid[chosen.layer][main], of_valid[each.layer][main], LEVEL),
            )
            for each in layers
        ),
        chosen=Chosen(chosen.layer, chosen.setting, chosen.seeds, chosen.sum_weights),
        metrics=_metrics(events, data["test"]),
        labels=(),
        confusion=(),
        predictions=events.predictions,
        remarks=_remarks(events, data["test"]),
    )


def _metrics(events: ChosenEvents, test: FrameSplit) -> dict[str, MetricScore]:
    task = test.source.task
    counts = EventCounts(task.spec.metrics, events.counts)
    known = task.kind.metrics_of(task.spec)
    held = {name: known[name] for name in task.spec.metrics if counts.scorable[name]}
    ceilings = dict(zip(task.spec.metrics, events.ceilings.tolist(), strict=True))
    return metric_scores(counts, _groups(test), held, ceilings)


def _groups(split: FrameSplit) -> np.ndarray:
    return np.array([each.group for each in split.tracks])


def _references(split: FrameSplit) -> list[Any]:
    return [split.annotation(track) for track in range(len(split))]


def _quantised(split: FrameSplit) -> list[Any]:
    source = split.source
    return [
        source.task.frame_kind.quantised(
            split.annotation(track), frames, source.rate, source.task.spec, source.rules
        )
        for track, frames in enumerate(split.frames)
    ]


def _remarks(events: ChosenEvents, test: FrameSplit) -> list[str]:
    """Say by what epochs were chosen, and which metrics have nothing to count."""
    task = test.source.task
    remarks = [
        f"epoch and learning rate chosen by {task.frame_kind.draft} on validation, the layer by "
        f"{task.spec.main_metric}"
    ]
    without = [name for name, n in zip(task.spec.metrics, events.scorable, strict=True) if not n]
    if without:
        remarks.append(f"no test track has a reference for {', '.join(without)}: left out")
    return remarks


def _table(
    split: FrameSplit, name: str, seeds: Sequence[int], events: Sequence[Sequence[Any]]
) -> pd.DataFrame:
    text_of = split.source.task.frame_kind.text_of
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
