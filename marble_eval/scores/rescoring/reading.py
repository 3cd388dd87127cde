"""From a result's stored predictions to what can be scored.

Every seed must have the same items with the same references; which of the two files
is at fault is said.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from marble_eval.errors import ValidationError
from marble_eval.metrics.metric import BY_RECORDING, by_recording
from marble_eval.results import read_predictions, read_result
from marble_eval.scores.rescoring.recorded_task import recorded_task
from marble_eval.scores.rescoring.stored import StoredScores
from marble_eval.scores.split_scores import (
    EventCounts,
    ItemEstimates,
    SplitScores,
    label_scores,
    recording_outputs,
)
from marble_eval.spec import FrameRules

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pandas as pd

    from marble_eval.registry import Task
    from marble_eval.results import LabelScore, MetricScore, Result


def stored_scores(
    path: Path, split: str = "test", items: Sequence[str] | None = None
) -> StoredScores:
    """Read what a result's predictions score."""
    result, table = read_result(path), read_predictions(path)
    task = recorded_task(result, path)
    seeds = [_of_seed(table, split, seed, path, items) for seed in result.chosen.seeds]
    first = seeds[0]
    for each in seeds[1:]:
        if not each[["id", "reference", "group", "recording"]].equals(
            first[["id", "reference", "group", "recording"]]
        ):
            raise ValidationError(
                f"{path.with_name('predictions.parquet')}: every seed must have the same items "
                f"with the same references. Seed {each['seed'].iloc[0]} differs from seed "
                f"{first['seed'].iloc[0]} in {split!r}. Take the file from its source."
            )
    if items is None and first["group"].nunique() < 2:
        raise ValidationError(
            f"{path.with_name('predictions.parquet')}: must have items of two groups in {split!r} "
            f"for an interval. Got {len(first)} items of group {first['group'].iloc[0]!r}. "
            f"Take the file from its source."
        )
    try:
        found = (
            _events(task, result, seeds) if task.kind.estimate == "frame" else _items(task, seeds)
        )
    except ValueError as error:
        raise ValidationError(
            f"{path.with_name('predictions.parquet')}: references of {split!r} {error} "
            f"Take the file from its source."
        ) from None
    known = task.kind.metrics_of(task.spec)
    metrics = {name: known[name] for name, n in found.scorable.items() if n}
    recordings, groups = _recordings(task, result, seeds, found)
    if recordings is not None:
        metrics |= {each.name: each for each in map(by_recording, metrics.values())}
    return StoredScores(
        result=result,
        task=task,
        items=tuple(first["id"]),
        groups=tuple(first["group"]),
        references=tuple(first["reference"]),
        estimates=tuple(tuple(each["estimate"]) for each in seeds),
        metrics=metrics,
        split=found,
        recordings=recordings,
        recording_groups=groups,
    )


def rescored(path: Path, metrics: Sequence[str] | None = None) -> dict[str, MetricScore]:
    """Compute a result's metrics anew from its predictions.

    Parameters
    ----------
    path : Path
        The `result.json`.
    metrics : sequence of str, optional
        Which; those of the record otherwise.

    Returns
    -------
    dict of str to MetricScore
        As the run made them.

    Raises
    ------
    SpecError
        If a metric is not known to the task's kind.
    MissingError, ValidationError
        As `stored_scores`.
    """
    stored = stored_scores(path)
    return stored.scored(tuple(stored.result.metrics) if metrics is None else metrics)


def relabelled(
    stored: StoredScores,
) -> tuple[tuple[LabelScore, ...], tuple[tuple[int, ...], ...]]:
    """Compute the scores of labels and the confusion anew; nothing where there are none."""
    if isinstance(stored.split, ItemEstimates):
        return label_scores(stored.task, stored.split)
    return (), ()


def _of_seed(
    table: pd.DataFrame, split: str, seed: int, path: Path, items: Sequence[str] | None
) -> pd.DataFrame:
    rows = table[(table["split"] == split) & (table["seed"] == seed)]
    if rows.empty:
        raise ValidationError(
            f"{path.with_name('predictions.parquet')}: must have items of {split!r} for seed "
            f"{seed}, which {path.name} names. Got none. Take the file from its source."
        )
    if items is not None:
        rows = rows.set_index("id", drop=False).loc[list(items)]
    return rows.reset_index(drop=True)


def _items(task: Task, seeds: Sequence[pd.DataFrame]) -> ItemEstimates:
    columns = [name for name in seeds[0].columns if name.startswith("output_")]
    outputs = np.stack([each[columns].to_numpy() for each in seeds])
    if not np.isfinite(outputs).all():
        raise ValueError("must have finite outputs. Got nan or infinity.")
    kind, spec = task.track_kind, task.spec
    if len(columns) != kind.outputs(spec):
        raise ValueError(f"must have {kind.outputs(spec)} outputs. Got {len(columns)}.")
    return ItemEstimates(task, kind.values_of(list(seeds[0]["reference"]), spec), outputs)


def _events(task: Task, result: Result, seeds: Sequence[pd.DataFrame]) -> EventCounts:
    kind, rules = task.frame_kind, result.protocol.frames or FrameRules()
    spec = replace(task.spec, metrics=tuple(kind.metrics_of(task.spec)))
    references = [kind.annotation_of(each) for each in seeds[0]["reference"]]
    counts = np.array(
        [
            [
                kind.score(reference, kind.annotation_of(text), spec, rules)
                for reference, text in zip(references, each["estimate"], strict=True)
            ]
            for each in seeds
        ]
    )
    return EventCounts(spec.metrics, counts)


def _recordings(
    task: Task, result: Result, seeds: Sequence[pd.DataFrame], items: SplitScores
) -> tuple[SplitScores | None, tuple[str, ...]]:
    """Join the pieces of recordings, if the result scores those too."""
    of_pieces = any(each.endswith(BY_RECORDING) for each in result.metrics)
    if not of_pieces or not isinstance(items, ItemEstimates):
        return None, ()
    table = seeds[0]
    names = table["recording"].where(table["recording"] != "", table["id"])
    of_item, first = names.factorize()[0], ~names.duplicated()
    outputs = recording_outputs(items.outputs, of_item)
    return (
        ItemEstimates(task, items.targets[first.to_numpy()], outputs),
        tuple(table.loc[first, "group"]),
    )
