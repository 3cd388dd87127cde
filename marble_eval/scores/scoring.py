"""From what the grid found to scores with intervals, ties and predictions.

The test split is scored as a whole. A score is the mean over the seeds of the chosen
layer; its interval resamples the tracks (by group where they share one), with the same
resamples for every layer. Ties between layers are decided on validation, where the
choice was made. Tracks with an estimate each are scored by the task's kind; tracks with
an estimate for every frame are decoded into events and counted, and their ceiling is
the score of the references rounded to the encoder's frames.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from marble_eval.metrics.counts import ratio
from marble_eval.metrics.metric import by_recording
from marble_eval.probes.examples import larger_units
from marble_eval.probes.grid.frames import counts_of, estimates
from marble_eval.results import (
    Chosen,
    GridPoint,
    LabelScore,
    LayerScore,
    MetricScore,
    ScoreRange,
    output_columns,
)
from marble_eval.scores.split_scores import (
    LEVEL,
    RESAMPLES,
    SEED,
    EventCounts,
    ItemEstimates,
    SplitScores,
    intervals_of,
    label_scores,
    metric_scores,
    recording_outputs,
)
from marble_eval.scores.statistics import bootstrap_weights, tied_with_best

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import torch

    from marble_eval.probes.grid import GridOutcome, LayerOutcome, Trial
    from marble_eval.probes.grid.frame_split import FrameSplit
    from marble_eval.probes.grid.frames import FrameLayer
    from marble_eval.registry import Task
    from marble_eval.spec import TaskRules, Track

_RARE = 60  # positives; of fewer, a label's AUC or AP varies widely from one test set to another
_NAMED = 10  # labels named in a remark; the others are counted


@dataclass(frozen=True)
class Scores:
    """The part of a result that comes from outputs; `predictions` has both splits, every seed."""

    grid: tuple[GridPoint, ...]
    layers: tuple[LayerScore, ...]
    chosen: Chosen
    metrics: dict[str, MetricScore]
    labels: tuple[LabelScore, ...]
    confusion: tuple[tuple[int, ...], ...]
    predictions: pd.DataFrame
    remarks: list[str]


def score_grid(
    task: Task,
    outcome: GridOutcome,
    items: Mapping[str, Sequence[Track]],
    rules: TaskRules,
) -> Scores:
    """Score one estimate per item; `items` are those of "valid" and "test", in output order."""
    chosen, spec, encode = outcome.chosen, task.spec, task.track_kind.encode
    targets = {name: np.asarray(encode(items[name], spec)) for name in ("valid", "test")}

    def found(layer: LayerOutcome | FrameLayer, split: str) -> SplitScores:
        return ItemEstimates(task, targets[split], getattr(layer, f"{split}_outputs"))

    test = ItemEstimates(task, targets["test"], chosen.test_outputs)
    labels, table = label_scores(task, test)
    metrics = _item_metrics(task, test, items["test"])
    if rules.also_scored:
        recordings, of_item = larger_units(items["test"])
        whole = ItemEstimates(
            task,
            np.asarray(encode(recordings, spec)),
            recording_outputs(chosen.test_outputs, of_item),
        )
        known = task.kind.metrics_of(spec)
        for name, score in _item_metrics(task, whole, recordings).items():
            metric = by_recording(known[name])
            metrics[metric.name] = replace(score, written=metric.written)
    return Scores(
        grid=_grid_points(outcome.trials),
        layers=_layer_scores(
            outcome.layers,
            spec.main_metric,
            found,
            items,
            higher_is_better=metrics[spec.main_metric].higher_is_better,
        ),
        chosen=Chosen(chosen.layer, chosen.setting, chosen.seeds, chosen.sum_weights),
        metrics=metrics,
        labels=labels,
        confusion=table,
        predictions=_item_predictions(task, chosen, items),
        remarks=[*_left_out(labels), *_rare(task, labels)],
    )


class ChosenEvents:
    """What the probes of one layer found in every track, and how it scores.

    Of all metrics on test: `counts` (seed, track, metric, 2), `ceilings` (metric,), and
    `scorable` (metric,), the tracks whose reference has something to be found.
    `predictions` is the table of both splits.
    """

    def __init__(
        self, layer: FrameLayer, data: Mapping[str, FrameSplit], device: torch.device
    ) -> None:
        test = data["test"]
        source, metrics = test.source, test.source.task.spec.metrics
        found = {name: estimates(layer.members, data[name], device) for name in ("valid", "test")}
        self.counts = counts_of(found["test"], test, metrics)
        references = [test.annotation(track) for track in range(len(test))]
        rounded = [
            source.task.frame_kind.quantised(
                reference, frames, source.rate, source.task.spec, source.rules
            )
            for reference, frames in zip(references, test.frames, strict=True)
        ]
        perfect, held = counts_of([references, rounded], test, metrics)
        self.scorable = (perfect[..., 1] > 0).sum(axis=0)
        self.ceilings = ratio(held.sum(axis=0))
        self.predictions = pd.concat(
            [
                _predictions(name, data[name].tracks, layer.seeds, _event_texts(data[name], events))
                for name, events in found.items()
            ],
            ignore_index=True,
        )


def score_frames(
    trials: Sequence[Trial],
    layers: Sequence[FrameLayer],
    chosen: FrameLayer,
    events: ChosenEvents,
    data: Mapping[str, FrameSplit],
) -> Scores:
    """Score events found in tracks."""
    task = data["test"].source.task
    main = task.spec.main_metric
    tracks = {name: data[name].tracks for name in ("valid", "test")}

    def found(layer: LayerOutcome | FrameLayer, split: str) -> SplitScores:
        return EventCounts((main,), getattr(layer, f"{split}_counts"))

    counts = EventCounts(task.spec.metrics, events.counts)
    known = task.kind.metrics_of(task.spec)
    held = {name: known[name] for name in task.spec.metrics if counts.scorable[name]}
    ceilings = dict(zip(task.spec.metrics, events.ceilings.tolist(), strict=True))
    return Scores(
        grid=_grid_points(trials),
        layers=_layer_scores(
            layers, main, found, tracks, higher_is_better=known[main].higher_is_better
        ),
        chosen=Chosen(chosen.layer, chosen.setting, chosen.seeds, chosen.sum_weights),
        metrics=metric_scores(counts, _groups(tracks["test"]), held, ceilings),
        labels=(),
        confusion=(),
        predictions=events.predictions,
        remarks=_event_remarks(events, task),
    )


def _grid_points(trials: Sequence[Trial]) -> tuple[GridPoint, ...]:
    return tuple(
        GridPoint(t.layer, t.setting, t.seed, t.epochs, t.best_epoch, t.valid) for t in trials
    )


def _layer_scores(
    layers: Sequence[LayerOutcome | FrameLayer],
    main: str,
    found: Callable[[LayerOutcome | FrameLayer, str], SplitScores],
    tracks: Mapping[str, Sequence[Track]],
    *,
    higher_is_better: bool,
) -> tuple[LayerScore, ...]:
    """Score every layer on test, and find those tied with the best one on validation."""
    groups = {name: _groups(tracks[name]) for name in ("valid", "test")}
    weights = bootstrap_weights(groups["valid"], resamples=RESAMPLES, seed=SEED)
    valid = [found(each, "valid") for each in layers]
    sign = 1.0 if higher_is_better else -1.0
    tied = tied_with_best(
        sign * np.array([each.values((main,))[main].mean() for each in valid]),
        sign * np.stack([each.resampled((main,), weights)[main] for each in valid]),
        groups=len(np.unique(groups["valid"])),
        level=LEVEL,
    )
    return tuple(
        LayerScore(
            layer=each.layer,
            setting=each.setting,
            valid=each.valid,
            test=_score_range(found(each, "test"), main, groups["test"]),
            tied=bool(is_tied),
        )
        for each, is_tied in zip(layers, tied, strict=True)
    )


def _score_range(split: SplitScores, metric: str, groups: np.ndarray) -> ScoreRange:
    values = split.values((metric,))
    interval = intervals_of(split, values, groups)[metric]
    return ScoreRange(float(values[metric].mean()), interval.low, interval.high)


def _groups(tracks: Sequence[Track]) -> np.ndarray:
    return np.array([each.group for each in tracks])


def _item_metrics(
    task: Task, found: ItemEstimates, items: Sequence[Track]
) -> dict[str, MetricScore]:
    known = task.kind.metrics_of(task.spec)
    wanted = {name: known[name] for name in task.spec.metrics}
    return metric_scores(found, _groups(items), wanted, {})


def _left_out(labels: Sequence[LabelScore]) -> list[str]:
    """Name the labels without a positive on test, which have no score."""
    without = [each.name for each in labels if None in each.scores.values()]
    if not without:
        return []
    more = f" and {len(without) - _NAMED} more" if len(without) > _NAMED else ""
    named = ", ".join(without[:_NAMED]) + more
    return [f"{len(without)} of {len(labels)} labels have no score on test: {named}"]


def _rare(task: Task, labels: Sequence[LabelScore]) -> list[str]:
    """Say what the interval of a mean over rare tags is of."""
    known = task.kind.metrics_of(task.spec)
    ranked = [name for name in task.spec.metrics if known[name].ranked]
    rare = sum(0 < each.n < _RARE for each in labels)
    if not ranked or not rare:
        return []
    return [
        f"intervals of {', '.join(ranked)} are of the score expected on other tracks with as few "
        f"positives: {rare} of {len(labels)} labels have fewer than {_RARE}"
    ]


def _event_remarks(events: ChosenEvents, task: Task) -> list[str]:
    """Say how epochs were chosen, and which metrics have nothing to count."""
    remarks = [
        f"epoch and learning rate chosen by {task.frame_kind.draft} on validation, the layer by "
        f"{task.spec.main_metric}"
    ]
    without = [name for name, n in zip(task.spec.metrics, events.scorable, strict=True) if not n]
    if without:
        remarks.append(f"no test track has a reference for {', '.join(without)}: left out")
    return remarks


def _item_predictions(
    task: Task, chosen: LayerOutcome, items: Mapping[str, Sequence[Track]]
) -> pd.DataFrame:
    parts, kind, spec = [], task.track_kind, task.spec
    for split, outputs in (("valid", chosen.valid_outputs), ("test", chosen.test_outputs)):
        reference = kind.texts(kind.encode(items[split], spec), spec)
        names = output_columns(outputs.shape[2])
        columns = [
            {
                "reference": reference,
                "estimate": kind.texts(kind.decode(of_seed, spec), spec),
                **dict(zip(names, of_seed.T.astype(np.float32), strict=True)),
            }
            for of_seed in outputs
        ]
        parts.append(_predictions(split, items[split], chosen.seeds, columns))
    return pd.concat(parts, ignore_index=True)


def _event_texts(split: FrameSplit, events: Sequence[Sequence[Any]]) -> list[dict[str, Any]]:
    text_of = split.source.task.frame_kind.text_of
    reference = [str(each.label) for each in split.tracks]
    return [
        {"reference": reference, "estimate": [text_of(each) for each in of_seed]}
        for of_seed in events
    ]


def _predictions(
    split: str, tracks: Sequence[Track], seeds: Sequence[int], columns: Sequence[dict[str, Any]]
) -> pd.DataFrame:
    """Make the rows of one split: tracks, and the columns of each seed."""
    rows = [
        pd.DataFrame(
            {
                "split": split,
                "id": [each.id for each in tracks],
                "recording": [each.recording for each in tracks],
                "group": [each.group for each in tracks],
                "seed": seed,
                **of_seed,
            }
        )
        for seed, of_seed in zip(seeds, columns, strict=True)
    ]
    return pd.concat(rows, ignore_index=True)
