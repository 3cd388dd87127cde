"""Results on disk that a real scoring made, for tests that read them: outputs are made up."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np

from marble_eval.probes.grid import GridOutcome, LayerOutcome, Trial
from marble_eval.registry import Task, load_task
from marble_eval.results import Choices, Counts, Result, read_result, write_result
from marble_eval.scores.scoring import score_grid
from marble_eval.spec import Label, TaskRules, Track

EXAMPLE = Path(__file__).parent / "results" / "example_result.json"
SIZES = {"valid": 40, "test": 60}
SEEDS = (0, 1, 2)


def label_of(task: Task, rng: np.random.Generator) -> Label:
    """Draw a label of the task's kind."""
    labels = task.spec.labels
    if task.spec.kind == "tagging":
        return tuple(each for each in labels if rng.random() < 0.2)
    if task.spec.kind == "regression":
        return tuple(float(each) for each in rng.normal(size=len(labels)))
    return labels[rng.integers(len(labels))]


def tracks_of(task: Task, split: str, *, together: int = 1, pieces: int = 1) -> list[Track]:
    """Make a split: ``together`` tracks share a group, ``pieces`` of them a recording."""
    rng = np.random.default_rng(len(split))
    drawn = [label_of(task, rng) for _ in range(SIZES[split])]
    return [
        Track(
            id=f"{split}-{at:03}",
            path=Path(f"{at}.wav"),
            split=split,
            label=drawn[at // pieces],
            group=f"artist {at // max(together, pieces)}",
            recording=f"{split} recording {at // pieces}" if pieces > 1 else "",
        )
        for at in range(SIZES[split])
    ]


def outputs_of(
    task: Task, tracks: list[Track], clearness: float, seed: int, seeds: int
) -> np.ndarray:
    """Make outputs (seed, track, output) that are right the more often the clearer they are."""
    rng = np.random.default_rng(seed)
    targets = np.asarray(task.track_kind.encode(tracks, task.spec))
    ideal = np.eye(len(task.spec.labels))[targets] if targets.ndim == 1 else targets
    noise = rng.normal(size=(seeds, *ideal.shape))
    if task.spec.kind == "regression":  # whose scale counts
        return np.asarray(ideal + noise / clearness)
    return np.asarray(clearness * ideal + noise)


def stored_result(
    folder: Path,
    name: str = "GTZAN",
    *,
    encoder: str = "toy-encoder",
    clearness: float = 1.5,
    seed: int = 0,
    seeds: tuple[int, ...] = SEEDS,
    together: int = 1,
    pieces: int = 1,
) -> Path:
    """Write a result of a task with one estimate a track, truly scored; return its path."""
    task = load_task(name)
    items = {split: tracks_of(task, split, together=together, pieces=pieces) for split in SIZES}
    valid, test = (
        outputs_of(task, items[split], clearness, seed, len(seeds)) for split in ("valid", "test")
    )
    chosen = LayerOutcome("5", 1e-3, seeds, 0.5, valid, test, None)
    trials = [Trial("5", 1e-3, each, 9, 4, 0.5) for each in seeds]
    rules = TaskRules(also_scored="recording" if pieces > 1 else "")
    scores = score_grid(task, GridOutcome(trials, [chosen], chosen), items, rules)
    record = dataclasses.replace(
        read_result(EXAMPLE),
        **{
            each.name: getattr(scores, each.name)
            for each in dataclasses.fields(scores)
            if each.name not in ("predictions", "remarks")
        },
        choices=Choices(("5",), seeds),
        counts=Counts(len(items["test"]), len(items["test"]), ()),
        predictions=None,
    )
    return write_result(folder, _of(record, task, encoder), scores.predictions)


def _of(record: Result, task: Task, encoder: str) -> Result:
    spec = task.spec
    return dataclasses.replace(
        record,
        task=dataclasses.replace(
            record.task,
            name=spec.name,
            version=spec.version,
            kind=spec.kind,
            column=spec.column,
            embedded=spec.embedded,
            provider=task.provider,
        ),
        encoder=dataclasses.replace(record.encoder, name=encoder),
    )
