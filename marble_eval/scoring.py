"""From the outputs of the grid to scores with intervals.

The test split is scored as a whole. A score is the mean over the seeds of the
chosen layer; its interval resamples the tracks (by group where they share one),
the same resamples for every layer. A layer is tied with the chosen one if the
two cannot be told apart on validation, where the choice was made. What a score is,
and what is said of each label, the task's kind knows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from marble_eval.examples import larger_units
from marble_eval.results import (
    Chosen,
    GridPoint,
    LabelScore,
    LayerScore,
    MetricScore,
    ScoreRange,
    output_columns,
)
from marble_eval.statistics import bootstrap_weights, paired_tie, percentile_interval

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from marble_eval.grid import GridOutcome, LayerOutcome
    from marble_eval.registry import Task
    from marble_eval.spec import TaskRules, Track

LEVEL = 0.95
RESAMPLES = 1000
_NAMED = 10  # labels named in a remark; the others are counted
SEED = 20230618  # of the resamples; fixed, so that a result can be recomputed


@dataclass(frozen=True)
class Scores:
    """What stands in a result, as far as it comes from outputs.

    Attributes
    ----------
    grid, layers, chosen, metrics, labels, confusion
        As in `marble_eval.results.Result`.
    predictions : pandas.DataFrame
        Validation and test outputs of the chosen layer, every seed.
    remarks : list of str
        What a reader of the scores should know.
    """

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
    """Score what the grid gave.

    Parameters
    ----------
    task : Task
        Metrics and labels.
    outcome : GridOutcome
        Outputs of every layer, and the choice.
    items : mapping of str to sequence of Track
        What was scored in "valid" and "test", in the order of the outputs.
    rules : TaskRules
        Says whether a larger unit is scored besides.

    Returns
    -------
    Scores
        Scores, intervals, ties and predictions.
    """
    test, valid = (_Split(task, items[name]) for name in ("test", "valid"))
    chosen = outcome.chosen
    main = task.spec.main_metric
    resampled = {
        each.layer: valid.resampled(each.valid_outputs, main)[main] for each in outcome.layers
    }
    layers = tuple(
        LayerScore(
            layer=each.layer,
            setting=each.setting,
            valid=each.valid,
            test=_range(test, each.test_outputs, main),
            tied=paired_tie(resampled[chosen.layer], resampled[each.layer], LEVEL),
        )
        for each in outcome.layers
    )
    labels, table = _by_label(task, test, chosen)
    metrics = _metrics(task, test, chosen.test_outputs)
    if rules.also_scored:
        metrics.update(_of_recordings(task, chosen.test_outputs, items["test"]))
    return Scores(
        grid=tuple(
            GridPoint(t.layer, t.setting, t.seed, t.epochs, t.best_epoch, t.valid)
            for t in outcome.trials
        ),
        layers=layers,
        chosen=Chosen(chosen.layer, chosen.setting, chosen.seeds, chosen.sum_weights),
        metrics=metrics,
        labels=labels,
        confusion=table,
        predictions=_predictions(task, chosen, items),
        remarks=_left_out(labels),
    )


class _Split:
    """The references of a split, and the resamples all its scores share."""

    def __init__(self, task: Task, tracks: Sequence[Track]) -> None:
        self._task = task
        self.reference = np.asarray(task.encode(tracks, task.spec))
        groups = np.array([each.group for each in tracks])
        self._weights = bootstrap_weights(groups, resamples=RESAMPLES, seed=SEED)

    def estimates(self, outputs: np.ndarray) -> list[np.ndarray]:
        """Decode the outputs (seed, track, output) of each seed."""
        return [self._task.decode(each, self._task.spec) for each in outputs]

    def values(self, outputs: np.ndarray, *metrics: str) -> dict[str, list[float]]:
        """Score each seed by these metrics."""
        spec = replace(self._task.spec, metrics=metrics)
        scored = [self._task.score(self.reference, each, spec) for each in self.estimates(outputs)]
        return {name: [float(each[name]) for each in scored] for name in scored[0]}

    def resampled(self, outputs: np.ndarray, *metrics: str) -> dict[str, np.ndarray]:
        """Score each resample by these metrics, as the mean over the seeds."""
        spec = replace(self._task.spec, metrics=metrics)
        scored = [
            self._task.score(self.reference, each, spec, weights=self._weights)
            for each in self.estimates(outputs)
        ]
        return {name: np.mean([each[name] for each in scored], axis=0) for name in scored[0]}


def _range(split: _Split, outputs: np.ndarray, metric: str) -> ScoreRange:
    interval = percentile_interval(split.resampled(outputs, metric)[metric], LEVEL)
    value = float(np.mean(split.values(outputs, metric)[metric]))
    return ScoreRange(value, interval.low, interval.high)


def _metrics(task: Task, test: _Split, outputs: np.ndarray) -> dict[str, MetricScore]:
    metrics = task.spec.metrics
    values, resampled = test.values(outputs, *metrics), test.resampled(outputs, *metrics)
    directions = task.kind.metrics_of(task.spec)
    scores = {}
    for name in task.spec.metrics:
        interval = percentile_interval(resampled[name], LEVEL)
        scores[name] = MetricScore(
            value=float(np.mean(values[name])),
            low=interval.low,
            high=interval.high,
            level=LEVEL,
            higher_is_better=directions[name],
            n=len(test.reference),
            seed_values=tuple(values[name]),
            seed_spread=float(np.std(values[name], ddof=1)) if len(values[name]) > 1 else 0.0,
            ceiling=None,
        )
    return scores


def _of_recordings(
    task: Task, outputs: np.ndarray, items: Sequence[Track]
) -> dict[str, MetricScore]:
    """Score whole recordings by the mean of their items' outputs."""
    recordings, of_item = larger_units(items)
    belongs = of_item[None] == np.arange(len(recordings))[:, None]
    means = (belongs @ outputs) / belongs.sum(axis=1)[:, None]
    scores = _metrics(task, _Split(task, recordings), means)
    return {f"{name}_by_recording": score for name, score in scores.items()}


def _by_label(
    task: Task, test: _Split, chosen: LayerOutcome
) -> tuple[tuple[LabelScore, ...], tuple[tuple[int, ...], ...]]:
    """Score each label as the mean over the seeds, and count confusions over all seeds."""
    kind, spec = task.kind, task.spec
    estimates = test.estimates(chosen.test_outputs)
    by_seed = [kind.label_scores(test.reference, each, spec) for each in estimates]
    means = {name: np.mean([each[name] for each in by_seed], axis=0) for name in by_seed[0]}
    counts = kind.label_counts(test.reference, spec)
    scores = tuple(
        LabelScore(
            label,
            int(counts[at]),
            {
                name: None if np.isnan(values[at]) else float(values[at])
                for name, values in means.items()
            },
        )
        for at, label in enumerate(spec.labels)
    )
    tables = [kind.confusion_of(test.reference, each, spec) for each in estimates]
    if tables[0] is None:
        return scores, ()
    table = np.sum(tables, axis=0)
    return scores, tuple(tuple(int(cell) for cell in row) for row in table)


def _left_out(labels: Sequence[LabelScore]) -> list[str]:
    """Say which labels of the test split have no score, for want of a positive."""
    without = [each.name for each in labels if None in each.scores.values()]
    if not without:
        return []
    more = f" and {len(without) - _NAMED} more" if len(without) > _NAMED else ""
    named = ", ".join(without[:_NAMED]) + more
    return [f"{len(without)} of {len(labels)} labels have no score on test: {named}"]


def _predictions(
    task: Task, chosen: LayerOutcome, items: Mapping[str, Sequence[Track]]
) -> pd.DataFrame:
    parts, spec = [], task.spec
    for split, outputs in (("valid", chosen.valid_outputs), ("test", chosen.test_outputs)):
        of_split = items[split]
        reference = task.kind.texts(task.encode(of_split, spec), spec)
        names = output_columns(outputs.shape[2])
        for seed, of_seed in zip(chosen.seeds, outputs, strict=True):
            parts.append(
                pd.DataFrame(
                    {
                        "split": split,
                        "id": [each.id for each in of_split],
                        "recording": [each.recording for each in of_split],
                        "group": [each.group for each in of_split],
                        "seed": seed,
                        "reference": reference,
                        "estimate": task.kind.texts(task.decode(of_seed, spec), spec),
                        **dict(zip(names, of_seed.T.astype(np.float32), strict=True)),
                    }
                )
            )
    return pd.concat(parts, ignore_index=True)
