"""A task with one estimate a track: encode, train on pooled features, score.

Features of the whole data set are held in memory, which pooling makes small: 13
layers of 768 numbers are 20 kB a clip.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from marble_eval.probes import ProbeData
from marble_eval.probes.examples import examples_of, target_scale, training_unit
from marble_eval.probes.grid import GridPlan, check_serves, run_grid
from marble_eval.results import Cost, Notes
from marble_eval.runs.encoding import StoredFeatures, encode_tracks
from marble_eval.scores.scoring import Scores, score_grid
from marble_eval.spec import SPLITS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from marble_eval.progress import Progress
    from marble_eval.runs.run_plan import RunPlan
    from marble_eval.spec import Track


@dataclass(frozen=True)
class Worked:
    """A run that has come to its scores.

    Attributes
    ----------
    prepared : RunPlan
        Without the tracks that could not be decoded.
    scores : Scores
        What it scored.
    cost : Cost
        What it took.
    clips : int
        Clips of all splits.
    notes : Notes
        What a reader should know.
    """

    prepared: RunPlan
    scores: Scores
    cost: Cost
    clips: int
    notes: Notes


def grid_plan(prepared: RunPlan) -> GridPlan:
    """Say what is to be trained.

    Parameters
    ----------
    prepared : RunPlan
        The run.

    Returns
    -------
    GridPlan
        Layers, probes, rules and device.
    """
    return GridPlan(
        task=prepared.task,
        layers=prepared.layers,
        layer_names=tuple(prepared.encoder.layers),
        probe=prepared.settings.probe,
        protocol=prepared.settings.protocol,
        rules=prepared.rules,
        seeds=prepared.seeds,
        engine=prepared.settings.engine,
        device=prepared.device,
    )


def run_pooled(prepared: RunPlan, progress: Progress) -> Worked:
    """Run a task with one estimate a track.

    Parameters
    ----------
    prepared : RunPlan
        A run that could start.
    progress : Progress
        Who is told.

    Returns
    -------
    Worked
        Its scores.

    Raises
    ------
    MissingError
        If files turn out to be unusable and the run is not to go on.
    MarbleError
        If encoding or training fails.
    """
    check_serves(prepared.settings.probe, prepared.task)
    encoded = encode_tracks(prepared, progress)
    prepared = encoded.prepared
    data, items, scale = _probe_data(prepared, encoded.features)
    started = time.perf_counter()
    outcome = run_grid(grid_plan(prepared), data, progress)
    train_seconds = time.perf_counter() - started
    outcome = outcome.rescaled(*scale)
    scores = score_grid(prepared.task, outcome, items, prepared.rules)
    clips = sum(each.features.shape[1] for each in data.values())
    cost = Cost(
        extract_seconds=encoded.seconds,
        train_seconds=train_seconds,
        clips_encoded=encoded.clips_encoded,
        clips_cached=max(0, clips - encoded.clips_encoded),
        feature_bytes=clips * prepared.plan.store.row_bytes,
    )
    notes = outcome.notes + Notes(remarks=tuple(scores.remarks))
    return Worked(prepared, scores, cost, clips, notes)


def _probe_data(
    prepared: RunPlan, stored: StoredFeatures
) -> tuple[dict[str, ProbeData], dict[str, Sequence[Track]], tuple[np.ndarray, np.ndarray]]:
    """Arrange the examples of each split, on the device; targets standardised if need be."""
    task, digests, rules = prepared.task, prepared.survey.digests, prepared.rules
    data: dict[str, ProbeData] = {}
    items: dict[str, Sequence[Track]] = {}
    mean, deviation = np.zeros(1), np.ones(1)
    for split in SPLITS:  # training first: its targets give the scale
        of_split = [each for each in prepared.survey.usable if each.split == split]
        clips = {each.id: stored.clips(digests[each.id]) for each in of_split}
        unit = training_unit(rules) if split == "train" else rules.scored
        examples = examples_of(of_split, clips, lambda each: stored[digests[each.id]], unit)
        targets = task.track_kind.encode(examples.items, task.spec)
        if task.kind.scaled:
            if split == "train":
                mean, deviation = target_scale(targets, task.spec.labels)
            targets = (targets - mean) / deviation
        data[split] = ProbeData(
            features=torch.from_numpy(examples.features).to(prepared.device),
            clips=torch.from_numpy(examples.clips).to(prepared.device),
            targets=torch.from_numpy(targets).to(prepared.device),
        )
        items[split] = examples.items
    return data, items, (mean, deviation)
