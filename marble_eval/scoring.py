"""From the outputs of the grid to scores with intervals.

The test split is scored as a whole. A score is the mean over the seeds of the
chosen layer; its interval resamples the tracks (by group where they share one),
the same resamples for every layer. A layer is tied with the chosen one if the
two cannot be told apart on validation, where the choice was made.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from marble_eval.metrics.classification import confusion, per_label_f1
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
    from marble_eval.spec import Track

LEVEL = 0.95
_RESAMPLES = 1000
_SEED = 20230618  # of the resamples; fixed, so that a result can be recomputed


@dataclass(frozen=True)
class Scores:
    """What stands in a result, as far as it comes from outputs.

    Attributes
    ----------
    grid, layers, chosen, metrics, labels, confusion
        As in `marble_eval.results.Result`.
    predictions : pandas.DataFrame
        Validation and test outputs of the chosen layer, every seed.
    """

    grid: tuple[GridPoint, ...]
    layers: tuple[LayerScore, ...]
    chosen: Chosen
    metrics: dict[str, MetricScore]
    labels: tuple[LabelScore, ...]
    confusion: tuple[tuple[int, ...], ...]
    predictions: pd.DataFrame


def score_grid(task: Task, outcome: GridOutcome, tracks: Mapping[str, Sequence[Track]]) -> Scores:
    """Score what the grid gave.

    Parameters
    ----------
    task : Task
        Metrics and labels.
    outcome : GridOutcome
        Outputs of every layer, and the choice.
    tracks : mapping of str to sequence of Track
        Tracks of "valid" and "test", in the order of the outputs.

    Returns
    -------
    Scores
        Scores, intervals, ties and predictions.
    """
    test, valid = (_Split(task, tracks[name]) for name in ("test", "valid"))
    chosen = outcome.chosen
    main = task.spec.main_metric
    resampled = {each.layer: valid.resampled(each.valid_outputs)[main] for each in outcome.layers}
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
    return Scores(
        grid=tuple(
            GridPoint(t.layer, t.setting, t.seed, t.epochs, t.best_epoch, t.valid)
            for t in outcome.trials
        ),
        layers=layers,
        chosen=Chosen(chosen.layer, chosen.setting, chosen.seeds, chosen.sum_weights),
        metrics=_metrics(task, test, chosen),
        labels=labels,
        confusion=table,
        predictions=_predictions(task, chosen, tracks),
    )


class _Split:
    """The references of a split, and the resamples all its scores share."""

    def __init__(self, task: Task, tracks: Sequence[Track]) -> None:
        self._task = task
        self.reference = np.asarray(task.encode(tracks, task.spec))
        groups = np.array([each.group for each in tracks])
        self._weights = bootstrap_weights(groups, resamples=_RESAMPLES, seed=_SEED)

    def estimates(self, outputs: np.ndarray) -> list[np.ndarray]:
        """Decode the outputs (seed, track, output) of each seed."""
        return [self._task.decode(each, self._task.spec) for each in outputs]

    def values(self, outputs: np.ndarray) -> dict[str, list[float]]:
        """Score each seed."""
        scored = [
            self._task.score(self.reference, each, self._task.spec)
            for each in self.estimates(outputs)
        ]
        return {name: [float(each[name]) for each in scored] for name in scored[0]}

    def resampled(self, outputs: np.ndarray) -> dict[str, np.ndarray]:
        """Score each resample, as the mean over the seeds."""
        scored = [
            self._task.score(self.reference, each, self._task.spec, weights=self._weights)
            for each in self.estimates(outputs)
        ]
        return {name: np.mean([each[name] for each in scored], axis=0) for name in scored[0]}


def _range(split: _Split, outputs: np.ndarray, metric: str) -> ScoreRange:
    interval = percentile_interval(split.resampled(outputs)[metric], LEVEL)
    value = float(np.mean(split.values(outputs)[metric]))
    return ScoreRange(value, interval.low, interval.high)


def _metrics(task: Task, test: _Split, chosen: LayerOutcome) -> dict[str, MetricScore]:
    values, resampled = test.values(chosen.test_outputs), test.resampled(chosen.test_outputs)
    scores = {}
    for name in task.spec.metrics:
        interval = percentile_interval(resampled[name], LEVEL)
        scores[name] = MetricScore(
            value=float(np.mean(values[name])),
            low=interval.low,
            high=interval.high,
            level=LEVEL,
            higher_is_better=task.kind.METRICS[name],
            n=len(test.reference),
            seed_values=tuple(values[name]),
            seed_spread=float(np.std(values[name], ddof=1)) if len(values[name]) > 1 else 0.0,
        )
    return scores


def _by_label(
    task: Task, test: _Split, chosen: LayerOutcome
) -> tuple[tuple[LabelScore, ...], tuple[tuple[int, ...], ...]]:
    """Score each class, and count confusions, over all seeds."""
    labels = task.spec.labels
    estimates = test.estimates(chosen.test_outputs)
    by_seed = [per_label_f1(test.reference, each, labels=len(labels)) for each in estimates]
    counts = np.bincount(test.reference, minlength=len(labels))
    scores = tuple(
        LabelScore(name, int(n), float(f1) if n else None)
        for name, n, f1 in zip(labels, counts, np.mean(by_seed, axis=0), strict=True)
    )
    table = sum(confusion(test.reference, each, len(labels)) for each in estimates)
    return scores, tuple(tuple(int(cell) for cell in row) for row in np.asarray(table))


def _predictions(
    task: Task, chosen: LayerOutcome, tracks: Mapping[str, Sequence[Track]]
) -> pd.DataFrame:
    parts = []
    for split, outputs in (("valid", chosen.valid_outputs), ("test", chosen.test_outputs)):
        of_split = tracks[split]
        names = output_columns(outputs.shape[2])
        for seed, of_seed in zip(chosen.seeds, outputs, strict=True):
            parts.append(
                pd.DataFrame(
                    {
                        "split": split,
                        "id": [each.id for each in of_split],
                        "group": [each.group for each in of_split],
                        "seed": seed,
                        "reference": [each.label for each in of_split],
                        "estimate": [
                            task.spec.labels[at] for at in task.decode(of_seed, task.spec)
                        ],
                        **dict(zip(names, of_seed.T.astype(np.float32), strict=True)),
                    }
                )
            )
    return pd.concat(parts, ignore_index=True)
