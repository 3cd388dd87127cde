"""One encoder on one task: the order of work, and nothing else.

Tracks are read and checked, missing features encoded, the grid trained, the
choice scored, and one result written. `evaluate` is safe inside a training loop:
it keeps no state, gives back train mode and random state, and never exits.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch

from marble_eval.configuration import settings_of
from marble_eval.encoding import StoredFeatures, encode_tracks
from marble_eval.errors import MarbleError, MissingError, ValidationError
from marble_eval.examples import examples_of, target_scale, training_unit
from marble_eval.grid import GridPlan, run_grid
from marble_eval.preparation import Preparation, prepare
from marble_eval.probes import ProbeData
from marble_eval.progress import Silence
from marble_eval.record import make_result
from marble_eval.registry import Task, check_encoder, load_encoder, load_task
from marble_eval.results import Cost, Result, read_result, write_result
from marble_eval.results.folder import FILE
from marble_eval.scoring import score_grid
from marble_eval.spec import SPLITS, Settings
from marble_eval.undisturbed import undisturbed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from marble_eval.encoders import Encoder
    from marble_eval.progress import Progress
    from marble_eval.spec import EngineSpec, ProbeSpec, ProtocolSpec, Track


class Finished(NamedTuple):
    """A run's result, and where it lies.

    Attributes
    ----------
    result : Result
        The record.
    path : Path or None
        Its file; None if it was not to be written.
    was_there : bool
        True if an earlier run had written it.
    """

    result: Result
    path: Path | None
    was_there: bool


def evaluate(
    encoder: Encoder | str,
    task: Task | str,
    *,
    root: str | Path | None = None,
    protocol: ProtocolSpec | str = "marble-v1",
    probe: ProbeSpec | str = "mlp",
    engine: EngineSpec | str = "local",
    results: str | Path | None = None,
    progress: Progress | None = None,
    **choices: Any,
) -> Result:
    """Evaluate an encoder on a task.

    Parameters
    ----------
    encoder : Encoder or str
        An object with the members of `marble_eval.encoders.Encoder`, or a name.
    task : Task or str
        A task or its name.
    root : path, optional
        Your copy of the data; the task's folder in the data home otherwise.
    protocol, probe, engine : spec or str
        A spec, or the name of a preset in `configs/`.
    results : path, optional
        Folder of all results; nothing is written otherwise.
    progress : Progress, optional
        Who is told how far it has got; nobody otherwise.
    **choices : object
        ``layers``, ``seeds``, ``seed``, ``missing``, ``features``, ``force`` and
        ``splits``, as on the command line; defaults in `configs/run.yaml`.

    Returns
    -------
    Result
        Scores with intervals, the layer curve, the grid, and what was run.

    Raises
    ------
    SpecError
        If a name, option or card breaks a rule.
    MissingError
        If data or weights are missing or unusable.
    ValidationError
        If the data does not follow the card.

    Examples
    --------
    >>> import marble_eval
    >>> marble_eval.evaluate("mel", task="GTZAN", root="/data/gtzan")  # doctest: +SKIP
    """
    settings = settings_of(
        root=root, protocol=protocol, probe=probe, engine=engine, results=results, **choices
    )
    loaded = load_task(task) if isinstance(task, str) else task
    if isinstance(encoder, str):
        encoder = load_encoder(encoder, device=settings.engine.device)
    check_encoder(encoder, "encoder")
    return run(loaded, encoder, settings, progress or Silence()).result


def run(task: Task, encoder: Encoder, settings: Settings, progress: Progress) -> Finished:
    """Run a task, or find its result.

    Parameters
    ----------
    task : Task
        What is to be solved.
    encoder : Encoder
        What is evaluated.
    settings : Settings
        How.
    progress : Progress
        Who is told.

    Returns
    -------
    Finished
        The result, new or from an earlier run that would give the same.
    """
    with undisturbed(encoder):
        try:
            prepared = prepare(task, encoder, settings, progress)
            there = _finished(prepared)
            return there or _run(prepared, progress)
        except MarbleError as error:
            error.add_note(f"in {task.spec.name} with {encoder.name}")
            raise


def forecast(task: Task, encoder: Encoder, settings: Settings, progress: Progress) -> str:
    """Say what a run would do, after checking all it can check.

    Parameters
    ----------
    task, encoder, settings, progress
        As `run`.

    Returns
    -------
    str
        Tracks, clips, bytes, probes, licence, conformity and where the result goes.
    """
    with undisturbed(encoder):
        prepared = prepare(task, encoder, settings, progress)
    rates = prepared.rules.learning_rates or settings.protocol.learning_rates
    settings_each = settings.probe.inverse_penalties or rates
    probes = len(prepared.layers) * (len(settings_each) + len(prepared.seeds) - 1)
    sizes = ", ".join(
        f"{split} {sum(each.split == split for each in prepared.survey.usable)}" for split in SPLITS
    )
    lines = [
        f"{task.spec.name}@{task.spec.version}: {sizes}; licence: {task.spec.licence}",
        f"{encoder.name} ({getattr(encoder, 'revision', 'unversioned')}): {len(encoder.layers)} "
        f"layers of width {encoder.width}; licence: {getattr(encoder, 'licence', 'not stated')}",
        *_announcements(prepared),
        f"{probes} probes ({len(prepared.layers)} layers, seeds {prepared.seeds})",
        f"{settings.protocol.name}: "
        + ("; ".join(prepared.deviations) if prepared.deviations else "conforms"),
    ]
    if prepared.folder is not None:
        there = "is there already" if _finished(prepared) else "is to be made"
        lines.append(f"{prepared.folder / FILE} {there}")
    return "\n".join(lines)


def _finished(prepared: Preparation) -> Finished | None:
    """Find the result of an earlier run that would give the same scores."""
    if prepared.folder is None or prepared.settings.force:
        return None
    path = prepared.folder / FILE
    try:
        result = read_result(path)
    except (MissingError, ValidationError):
        return None  # absent, or not whole: it is made anew
    return Finished(result, path, was_there=True) if result.unit == prepared.unit else None


def _run(prepared: Preparation, progress: Progress) -> Finished:
    for sentence in _announcements(prepared):
        progress.say(sentence)
    encoded = encode_tracks(prepared, progress)
    prepared = encoded.prepared
    data, items, scale = _probe_data(prepared, encoded.features)
    started = time.perf_counter()
    outcome = run_grid(
        GridPlan(
            task=prepared.task,
            layers=prepared.layers,
            layer_names=tuple(prepared.encoder.layers),
            probe=prepared.settings.probe,
            protocol=prepared.settings.protocol,
            rules=prepared.rules,
            seeds=prepared.seeds,
            engine=prepared.settings.engine,
            device=prepared.device,
        ),
        data,
        progress,
    )
    train_seconds = time.perf_counter() - started
    outcome = outcome.rescaled(*scale)
    scores = score_grid(prepared.task, outcome, items, prepared.rules)
    clips = sum(each.features.shape[1] for each in data.values())
    cost = Cost(
        extract_seconds=encoded.seconds,
        train_seconds=train_seconds,
        clips_encoded=encoded.clips_encoded,
        clips_cached=max(0, clips - encoded.clips_encoded),
        feature_bytes=clips * prepared.store.record_bytes,
    )
    remarks = [*prepared.remarks, *outcome.remarks, *scores.remarks]
    result = make_result(prepared, scores, cost, clips, remarks)
    if prepared.folder is None:
        return Finished(result, None, was_there=False)
    path = write_result(prepared.folder, result, scores.predictions)
    return Finished(read_result(path), path, was_there=False)


def _announcements(prepared: Preparation) -> list[str]:
    """Say what is about to be encoded, and what is odd about the data."""
    found = prepared.survey
    megabytes = found.new_clips * prepared.store.record_bytes / 1e6
    return [
        *prepared.remarks,
        f"{len(found.usable)} tracks: {found.cached_clips} clips from the cache, {found.new_clips}"
        f" to encode, {megabytes:.1f} MB to write",
    ]


def _probe_data(
    prepared: Preparation, stored: StoredFeatures
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
        targets = task.encode(examples.items, task.spec)
        if task.kind.SCALED:
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
