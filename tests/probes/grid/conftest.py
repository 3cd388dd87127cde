"""Splits of frames that several tests train on: small stores on disk, with annotations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from marble_eval.data.annotations.beat_files import Beats
from marble_eval.data.annotations.chord_files import Chords
from marble_eval.features.stores import ClipName, FrameStore
from marble_eval.probes.grid import GridPlan, layer_choices
from marble_eval.probes.grid.frame_split import FrameSource, FrameSplit
from marble_eval.registry import Task, load_task
from marble_eval.registry.configuration import load_engine, load_protocol
from marble_eval.spec import FrameRules, TaskRules, Track, TrainedProbe

RATE, WIDTH, LAYERS = 20.0, 6, 3
NAMES = tuple(str(layer) for layer in range(LAYERS))
LINEAR, MLP = TrainedProbe("linear", 0, 0.0), TrainedProbe("mlp", 8, 0.0)
#: Windows of 20 frames, four to a batch.
RULES = FrameRules(window_seconds=1.0, batch_windows=4, rate=40.0, decoder="peaks")
BEAT_METRICS = ("beat_f1", "downbeat_f1", "beat_f1_pooled")
_TASKS = {"beat": "GTZANBeat", "chord": "Chords1217"}


def frame_task(kind: str, metrics: tuple[str, ...] = ()) -> Task:
    """Take the task of a kind, without its own lists and counts."""
    task = load_task(_TASKS[kind])
    wanted = metrics or (BEAT_METRICS if kind == "beat" else task.spec.metrics)
    return replace(task, spec=replace(task.spec, metrics=wanted))


def annotation(kind: str, seconds: float, rng: np.random.Generator, number: int) -> Any:
    """Make up events; every third track of beats has no downbeats, every chord an X before it."""
    if kind == "beat":
        beats = np.arange(rng.uniform(0.1, 0.5), seconds, rng.uniform(0.4, 0.6))
        return Beats(beats, np.empty(0) if number % 3 == 2 else beats[1::3])
    edges = np.arange(0, seconds, 0.5)
    names = tuple(str(rng.choice(["C:maj", "A:min", "F#:maj", "N", "X"])) for _ in edges[1:])
    return Chords(np.stack([edges[:-1], edges[1:]], axis=1), names)


def frames_split(
    root: Path,
    task: Task,
    *,
    name: str = "train",
    lengths: Sequence[int] = (90, 47, 30, 75, 60),
    seed: int = 0,
    rules: FrameRules = RULES,
    layers: int = LAYERS,
    annotations: Sequence[Any] | None = None,
    clearness: float = 2.0,
    spoilt: int | None = None,
    dtype: str = "float32",
) -> FrameSplit:
    """Write tracks of some lengths; what sounds in a frame is clearer from layer to layer."""
    rng = np.random.default_rng(seed)
    directions = np.random.default_rng(99).normal(size=(layers, 25, WIDTH))
    store = FrameStore(root / "frames", layers=layers, width=WIDTH, dtype=dtype)
    tracks, audio = [], []
    for number, frames in enumerate(lengths):
        events = (
            annotations[number]
            if annotations is not None
            else annotation(task.spec.kind, frames / RATE, rng, number)
        )
        goals = task.frame_kind.encode(events, frames, RATE, task.spec, rules, widened=False)
        goals = np.nan_to_num(goals)
        features = rng.normal(size=(layers, frames, WIDTH)).astype(np.float32)
        for at in range(layers):
            features[at] += clearness * at * goals @ directions[at, : goals.shape[1]]
        if spoilt is not None:
            features[spoilt] = np.inf
        digest = f"{number:02d}{name}{seed}"
        store.append([ClipName(digest, 0, 1)], [features])
        text = task.frame_kind.text_of(events)
        path = Path(f"{number}.wav")
        tracks.append(Track(f"{name}/{number}", path, name, text, f"{name}/{number}"))
        audio.append(digest)
    source = FrameSource(task, rules, store, tuple(range(layers)), RATE)
    return FrameSplit(tracks, audio, source)


def like(split: FrameSplit, **changes: Any) -> FrameSplit:
    """Return a split with other tracks, or another source; what it knows is forgotten."""
    tracks, source = changes.pop("tracks", split.tracks), replace(split.source, **changes)
    return FrameSplit(tracks, split._audio, source)


def frames_splits(root: Path, task: Task, **options: Any) -> dict[str, FrameSplit]:
    """Write the three splits, drawn alike."""
    return {
        name: frames_split(root, task, name=name, seed=seed, **options)
        for seed, name in enumerate(("train", "valid", "test"))
    }


def frames_plan(task: Task, *, rates: tuple[float, ...] = (1e-2, 5e-2), **changes: Any) -> GridPlan:
    """Ask for every layer, the sum, two rates and two seeds, for a few epochs."""
    protocol = replace(load_protocol("marble-v1"), learning_rates=rates)
    given = GridPlan(
        task=task,
        layers=layer_choices(NAMES, "all", protocol),
        layer_names=NAMES,
        probe=LINEAR,
        protocol=protocol,
        rules=TaskRules(max_epochs=8, plateau_patience=1, stop_patience=4, frames=RULES),
        seeds=(0, 1),
        engine=load_engine("local"),
        device=torch.device("cpu"),
    )
    return replace(given, **changes)
