"""A task with an estimate for every frame: encode, train from disk, decode, score.

Frames of all layers can be more than a disk should hold. Then, if it is asked for,
some layers are encoded, trained on and deleted before the next ones; a probe depends
on nothing but its layer and seed, so the scores are the same.
"""

from __future__ import annotations

import shutil
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from marble_eval.data.annotations import SLACK_SECONDS, end_of
from marble_eval.probes.grid import check_serves
from marble_eval.probes.grid.frame_split import FrameSource, FrameSplit
from marble_eval.probes.grid.frames import FrameLayer, train_frame_grid
from marble_eval.results import Cost, Notes
from marble_eval.runs.budget import turns
from marble_eval.runs.encoding import encode_tracks
from marble_eval.runs.pooled_run import Worked, grid_plan
from marble_eval.runs.run_plan import plan_run
from marble_eval.runs.task_data import check_scorable
from marble_eval.scores.scoring import ChosenEvents, score_frames
from marble_eval.spec import SPLITS, FrameRules

if TYPE_CHECKING:
    from pathlib import Path

    from marble_eval.probes.grid import Trial
    from marble_eval.progress import Progress
    from marble_eval.runs.run_plan import RunPlan


_MARK = "in-turn"  # a file in a store that is deleted after its turn
_NAMED = 10  # tracks named in a remark; the others are counted


def run_frames(prepared: RunPlan, progress: Progress) -> Worked:
    """Run a task with an estimate for every frame.

    Parameters
    ----------
    prepared : RunPlan
        A run that could start, within its budget.
    progress : Progress
        Who is told.

    Returns
    -------
    Worked
        Its scores.

    Raises
    ------
    SpecError
        If the probe is not trained by gradient descent.
    MissingError
        If files turn out to be unusable and the run is not to go on.
    ValidationError
        If a split is left without references.
    MarbleError
        If encoding or training fails.
    """
    check_serves(prepared.settings.probe, prepared.task)
    whole, of_turns = prepared, turns(prepared)
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
        is_ours = len(of_turns) > 1 and _claimed(prepared.plan.store.folder)
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
        if is_ours:
            shutil.rmtree(prepared.plan.store.folder)
    if best is None or events is None:
        raise ValueError("a run must have at least one layer.")
    trials.sort(key=lambda each: whole.seeds.index(each.seed))  # as if trained in one turn
    scores = score_frames(trials, layers, best, events, data)
    notes += Notes(remarks=(*_ended_early(data), *scores.remarks))
    clips = _clips(prepared)
    return Worked(replace(whole, survey=prepared.survey), scores, cost, clips, notes)


def frame_data(prepared: RunPlan) -> dict[str, FrameSplit]:
    """Find the frames of each split.

    Parameters
    ----------
    prepared : RunPlan
        A run whose features are stored.

    Returns
    -------
    dict of str to FrameSplit
        By name of the split.
    """
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


def _claimed(folder: Path) -> bool:
    """Mark a store as one of a turn, unless it was there for another run; say if it is one.

    The mark outlives a run that is killed, so that the next one deletes the store too.
    """
    mark = folder / _MARK
    if folder.exists() and not mark.exists():
        return False
    folder.mkdir(parents=True, exist_ok=True)
    mark.touch()
    return True


def _ended_early(data: dict[str, FrameSplit]) -> list[str]:
    """Say which tracks end before what is annotated in them, which counts as not found."""
    early = []
    for split in data.values():
        for at, (each, frames) in enumerate(zip(split.tracks, split.frames, strict=True)):
            if end_of(split.annotation(at)) > frames / split.source.rate + SLACK_SECONDS:
                early.append(each.id)
    if not early:
        return []
    more = f" and {len(early) - _NAMED} more" if len(early) > _NAMED else ""
    return [f"audio that ends before its annotation: {', '.join(early[:_NAMED])}{more}"]


def _clips(prepared: RunPlan) -> int:
    """Count the clips of all tracks."""
    digests, store = prepared.survey.digests, prepared.plan.store
    audio = {digests[each.id] for each in prepared.survey.usable}
    return max(1, sum(store.clip_count(each) or 1 for each in audio))


def _added(
    cost: Cost, prepared: RunPlan, encoded: int, extract_seconds: float, started: float
) -> Cost:
    """Add what a turn took."""
    store, digests = prepared.plan.store, prepared.survey.digests
    audio = {digests[each.id] for each in prepared.survey.usable}
    clips = sum(store.clip_count(each) or 0 for each in audio)
    rows = sum(store.rows(each) for each in audio)
    return Cost(
        extract_seconds=cost.extract_seconds + extract_seconds,
        train_seconds=cost.train_seconds + time.perf_counter() - started,
        clips_encoded=cost.clips_encoded + encoded,
        clips_cached=cost.clips_cached + max(0, clips - encoded),
        feature_bytes=cost.feature_bytes + rows * store.row_bytes,
    )
