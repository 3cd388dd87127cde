"""From the outputs of the grid to scores with intervals.

The test split is scored as a whole. A score is the mean over the seeds of the
chosen layer; its interval resamples the tracks (by group where they share one),
the same resamples for every layer. A layer is tied with the chosen one if the
two cannot be told apart on validation, where the choice was made. What a score is,
and what is said of each label, the task's kind knows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from marble_eval.probes.examples import larger_units
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
    ItemEstimates,
    SplitScores,
    interval_of,
    metric_scores,
)
from marble_eval.scores.statistics import bootstrap_weights, paired_tie

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from marble_eval.probes.grid import GridOutcome, LayerOutcome
    from marble_eval.registry import Task
    from marble_eval.spec import TaskRules, Track

_NAMED = 10  # labels named in a remark; the others are counted


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
        each.layer: valid.scores(each.valid_outputs).resampled((main,), valid.weights)[main]
        for each in outcome.layers
    }
    layers = tuple(
        LayerScore(
            layer=each.layer,
            setting=each.setting,
            valid=each.valid,
            test=score_range(test.scores(each.test_outputs), main, test.weights),
            tied=paired_tie(resampled[chosen.layer], resampled[each.layer], LEVEL),
        )
        for each in outcome.layers
    )
    labels, table = label_scores(task, test.scores(chosen.test_outputs))
    metrics = _metrics(task, test.targets, test.groups, chosen.test_outputs)
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
        self.targets = np.asarray(task.track_kind.encode(tracks, task.spec))
        self.groups = np.array([each.group for each in tracks])
        self.weights = bootstrap_weights(self.groups, resamples=RESAMPLES, seed=SEED)

    def scores(self, outputs: np.ndarray) -> ItemEstimates:
        """Hold outputs (seed, track, output) against the references."""
        return ItemEstimates(self._task, self.targets, outputs)


def score_range(split: SplitScores, metric: str, weights: np.ndarray) -> ScoreRange:
    """Score a split by one metric, with its interval.

    Parameters
    ----------
    split : SplitScores
        What was found.
    metric : str
        Name of the metric.
    weights : np.ndarray [shape=(resample, item)]
        From `marble_eval.scores.statistics.bootstrap_weights`.

    Returns
    -------
    ScoreRange
        The mean over the seeds.
    """
    of_seeds = split.values((metric,))[metric]
    interval = interval_of(split, metric, of_seeds, split.resampled((metric,), weights)[metric])
    return ScoreRange(float(of_seeds.mean()), interval.low, interval.high)


def _metrics(
    task: Task, targets: np.ndarray, groups: np.ndarray, outputs: np.ndarray
) -> dict[str, MetricScore]:
    known = task.kind.metrics_of(task.spec)
    wanted = {name: known[name] for name in task.spec.metrics}
    return metric_scores(ItemEstimates(task, targets, outputs), groups, wanted, {})


def _of_recordings(
    task: Task, outputs: np.ndarray, items: Sequence[Track]
) -> dict[str, MetricScore]:
    """Score whole recordings by the mean of their items' outputs."""
    recordings, of_item = larger_units(items)
    targets = np.asarray(task.track_kind.encode(recordings, task.spec))
    groups = np.array([each.group for each in recordings])
    scores = _metrics(task, targets, groups, recording_outputs(outputs, of_item))
    return {f"{name}_by_recording": score for name, score in scores.items()}


def recording_outputs(outputs: np.ndarray, of_item: np.ndarray) -> np.ndarray:
    """Average the outputs of what was cut from one recording.

    Parameters
    ----------
    outputs : np.ndarray [shape=(seed, item, output)]
        Of a probe.
    of_item : np.ndarray [shape=(item,)]
        Number of each item's recording, from 0.

    Returns
    -------
    np.ndarray [shape=(seed, recording, output)]
        Means.

    Examples
    --------
    >>> recording_outputs(np.array([[[1.0], [3.0], [5.0]]]), np.array([0, 0, 1])).tolist()
    [[[2.0], [5.0]]]
    """
    belongs = of_item[None] == np.arange(of_item.max() + 1)[:, None]
    return np.asarray((belongs @ outputs.astype(np.float32)) / belongs.sum(axis=1)[:, None])


def label_scores(
    task: Task, estimates: ItemEstimates
) -> tuple[tuple[LabelScore, ...], tuple[tuple[int, ...], ...]]:
    """Score each label as the mean over the seeds, and count confusions over all seeds.

    Parameters
    ----------
    task : Task
        Its card has the labels.
    estimates : ItemEstimates
        What was found.

    Returns
    -------
    labels : tuple of LabelScore
        In the card's order.
    confusion : tuple of tuple of int
        Row: reference. Column: estimate. Empty where the kind has no classes.
    """
    kind, spec = task.track_kind, task.spec
    targets = estimates.targets
    by_seed = [kind.label_scores(targets, each, spec) for each in estimates.decoded]
    means = {name: np.mean([each[name] for each in by_seed], axis=0) for name in by_seed[0]}
    counts = kind.label_counts(targets, spec)
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
    tables = [kind.confusion_of(targets, each, spec) for each in estimates.decoded]
    counted = [each for each in tables if each is not None]
    if not counted:
        return scores, ()
    table = np.sum(counted, axis=0)
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
    parts, kind, spec = [], task.track_kind, task.spec
    for split, outputs in (("valid", chosen.valid_outputs), ("test", chosen.test_outputs)):
        of_split = items[split]
        reference = kind.texts(kind.encode(of_split, spec), spec)
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
                        "estimate": kind.texts(kind.decode(of_seed, spec), spec),
                        **dict(zip(names, of_seed.T.astype(np.float32), strict=True)),
                    }
                )
            )
    return pd.concat(parts, ignore_index=True)
