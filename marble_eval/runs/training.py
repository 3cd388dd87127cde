"""From a planned run to its scores: encode, train the grid, score what was chosen.

Pooled features of the whole data set are held in memory, which pooling makes small: 13 layers
of 768 numbers are 20 kB a clip. Frames stay on disk, where those of all layers can be more than
it should hold. Then, if it is asked for, some layers are encoded, trained on and deleted before
the next ones; a probe depends on nothing but its layer and seed, so the scores are the same.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from marble_eval.data.annotations import SLACK_SECONDS, end_of
from marble_eval.probes import ProbeData
from marble_eval.probes.examples import examples_of, target_scale, training_unit
from marble_eval.probes.grid import GridPlan, check_serves, run_grid
from marble_eval.probes.grid.frame_split import FrameSource, FrameSplit
from marble_eval.probes.grid.frames import FrameLayer, train_frame_grid
from marble_eval.results import Cost, Notes
from marble_eval.runs.budget import turns
from marble_eval.runs.encoding import StoredFeatures, encode_tracks
from marble_eval.runs.run_plan import plan_run
from marble_eval.runs.task_data import check_scorable
from marble_eval.scores.scoring import ChosenEvents, Scores, score_frames, score_grid
from marble_eval.spec import SPLITS, FrameRules

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from marble_eval.probes.grid import Trial
    from marble_eval.progress import Progress
    from marble_eval.runs.run_plan import RunPlan
    from marble_eval.spec import Track


_MARK = "in-turn"  # a file in a store that is deleted after its turn
_NAMED = 10  # tracks named in a remark; the others are counted


@dataclass(frozen=True)
class Worked:
    """A run with its scores; `prepared` is without the tracks that could not be decoded."""

    prepared: RunPlan
    scores: Scores
    cost: Cost
    clips: int
    notes: Notes


def grid_plan(prepared: RunPlan) -> GridPlan:
    """Take from a run what its grid needs."""
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


def train_and_score(prepared: RunPlan, progress: Progress) -> Worked:
    """Encode what is missing, train the grid, and score the chosen layer."""
    check_serves(prepared.settings.probe, prepared.task)
    work = _on_frames if prepared.task.kind.estimate == "frame" else _on_clips
    return work(prepared, progress)


def _on_clips(prepared: RunPlan, progress: Progress) -> Worked:
    encoded = encode_tracks(prepared, progress)
    prepared = encoded.prepared
    data, items, scale = _clip_data(prepared, encoded.features)
    started = time.perf_counter()
    outcome = run_grid(grid_plan(prepared), data, progress)
    train_seconds = time.perf_counter() - started
    scores = score_grid(prepared.task, outcome.rescaled(*scale), items, prepared.rules)
    clips = sum(each.features.shape[1] for each in data.values())
    cost = Cost(
        extract_seconds=encoded.seconds,
        train_seconds=train_seconds,
        clips_encoded=encoded.clips_encoded,
        clips_cached=max(0, clips - encoded.clips_encoded),
        feature_bytes=clips * prepared.plan.store.row_bytes,
    )
    return Worked(prepared, scores, cost, clips, outcome.notes + Notes(remarks=(*scores.remarks,)))


def _clip_data(
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


def _on_frames(whole: RunPlan, progress: Progress) -> Worked:
    prepared, of_turns = whole, turns(whole)
    trials: list[Trial] = []
    layers: list[FrameLayer] = []
    notes = Notes()
    cost = Cost(0.0, 0.0, 0, 0, 0)
    best: FrameLayer | None = None
    events: ChosenEvents | None = None
    data: dict[str, FrameSplit] = {}
    for number, names in enumerate(of_turns, start=1):
        if len(of_turns) > 1:
            progress.say(f"turn {number} of {len(of_turns)}: layers {', '.join(names)}")
            some = replace(whole.settings, layers=names)
            prepared = plan_run(whole.task, whole.encoder, some, progress)
        with _removed(prepared.plan.store.folder, in_turn=len(of_turns) > 1):
            encoded = encode_tracks(prepared, progress)
            prepared = encoded.prepared
            # Once more: the only references may be of tracks that could not be decoded.
            check_scorable(prepared.survey.usable, prepared.task, prepared.rules)
            data = frame_data(prepared)
            started = time.perf_counter()
            found, of_turn, said = train_frame_grid(grid_plan(prepared), data, progress)
            trials, layers, notes = [*trials, *found], [*layers, *of_turn], notes + said
            ahead = max(of_turn, key=lambda each: each.valid)  # of equals the first
            if best is None or ahead.valid > best.valid:
                best, events = ahead, ChosenEvents(ahead, data, prepared.device)
            cost = _added(cost, prepared, encoded.clips_encoded, encoded.seconds, started)
    if best is None or events is None:
        raise ValueError("a run must have at least one layer.")
    trials.sort(key=lambda each: whole.seeds.index(each.seed))  # as if trained in one turn
    scores = score_frames(trials, layers, best, events, data)
    notes += Notes(remarks=(*_ended_early(data), *scores.remarks))
    store = prepared.plan.store
    clips = max(1, sum(store.clip_count(each) or 1 for each in _audio(prepared)))
    return Worked(replace(whole, survey=prepared.survey), scores, cost, clips, notes)


@contextmanager
def _removed(folder: Path, *, in_turn: bool) -> Iterator[None]:
    """Delete a store after its turn, unless it was there before for another run.

    A mark outlives a run that is killed, so that the next one deletes the store too.
    """
    mark = folder / _MARK
    if not in_turn or (folder.exists() and not mark.exists()):
        yield
        return
    folder.mkdir(parents=True, exist_ok=True)
    mark.touch()
    yield
    shutil.rmtree(folder)


def frame_data(prepared: RunPlan) -> dict[str, FrameSplit]:
    """Find the stored frames of each split."""
    plan = prepared.plan
    if plan.cuts.grid is None:
        raise TypeError("the features of this run are pooled.")
    source = FrameSource(
        task=prepared.task,
        rules=prepared.rules.frames or FrameRules(),
        store=plan.store,
        kept=plan.cuts.layers,
        rate=plan.cuts.grid.rate,
    )
    found = {}
    for split in SPLITS:
        tracks = [each for each in prepared.survey.usable if each.split == split]
        audio = [prepared.survey.digests[each.id] for each in tracks]
        found[split] = FrameSplit(tracks, audio, source)
    return found


def _ended_early(data: dict[str, FrameSplit]) -> list[str]:
    """Name tracks that end before what is annotated in them, which counts as not found."""
    early = []
    for split in data.values():
        for at, (each, frames) in enumerate(zip(split.tracks, split.frames, strict=True)):
            if end_of(split.annotation(at)) > frames / split.source.rate + SLACK_SECONDS:
                early.append(each.id)
    if not early:
        return []
    more = f" and {len(early) - _NAMED} more" if len(early) > _NAMED else ""
    return [f"audio that ends before its annotation: {', '.join(early[:_NAMED])}{more}"]


def _audio(prepared: RunPlan) -> set[str]:
    return {prepared.survey.digests[each.id] for each in prepared.survey.usable}


def _added(
    cost: Cost, prepared: RunPlan, encoded: int, extract_seconds: float, started: float
) -> Cost:
    """Add what a turn took."""
    store, audio = prepared.plan.store, _audio(prepared)
    clips = sum(store.clip_count(each) or 0 for each in audio)
    rows = sum(store.rows(each) for each in audio)
    return Cost(
        extract_seconds=cost.extract_seconds + extract_seconds,
        train_seconds=cost.train_seconds + time.perf_counter() - started,
        clips_encoded=cost.clips_encoded + encoded,
        clips_cached=cost.clips_cached + max(0, clips - encoded),
        feature_bytes=cost.feature_bytes + rows * store.row_bytes,
    )
