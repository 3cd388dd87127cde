"""Results that agree with themselves, their protocol and their card: only the outputs are made up.

Everything else is computed by the code that a run uses, with the sizes and classes that the
card publishes, so that a validation finds nothing until a test changes something.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from marble_eval.features.audio_check import Unusable
from marble_eval.files.fingerprint import digest_of
from marble_eval.probes.grid import GridOutcome, LayerOutcome, Trial
from marble_eval.registry import Task, load_probe, load_task, probe_record
from marble_eval.registry.configuration import load_protocol
from marble_eval.results import (
    Choices,
    Chosen,
    Counts,
    FeatureRecord,
    GridPoint,
    LayerScore,
    Missing,
    ProtocolRecord,
    Result,
    ScoreRange,
    TaskRecord,
    read_result,
    result_folder,
    write_result,
)
from marble_eval.runs.identity import deviations_of, track_of, unit_of
from marble_eval.scores.scoring import score_grid
from marble_eval.scores.split_scores import EventCounts, metric_scores
from marble_eval.spec import ProtocolSpec, TaskRules, Track

EXAMPLE = Path(__file__).parents[1] / "results" / "example_result.json"
SEEDS = (1234, 1235, 1236)
CLEARNESS = {"0": 0.5, "1": 2.0, "2": 1.0, "sum": 1.5}  # layer "1" is the best by far
BEST = 1e-3


def labels_of(task: Task, split: str, count: int, rng: np.random.Generator) -> list[Any]:
    """Draw labels; as many of each as the card publishes, where it does."""
    labels, published = task.spec.labels, task.spec.label_counts.get(split)
    if task.spec.kind == "tagging":
        return [tuple(each for each in labels if rng.random() < 0.3) for _ in range(count)]
    if task.spec.kind == "regression":
        return [tuple(float(each) for each in rng.normal(size=len(labels))) for _ in range(count)]
    if published:
        return [name for name, n in zip(labels, published, strict=True) for _ in range(n)]
    return [labels[each] for each in rng.integers(len(labels), size=count)]


def tracks_of(task: Task, split: str, count: int) -> list[Track]:
    """Make the tracks of a split; those that the card excuses are there too."""
    rng = np.random.default_rng(len(split))
    labels = labels_of(task, split, count, rng)
    tracks = [
        Track(f"{split}/{at:04}", Path(f"{at}.wav"), split, label, f"{split}/artist {at // 2}")
        for at, label in enumerate(labels)
    ]
    for each in task.spec.may_lack:
        if each.split == split:
            at = labels.index(each.label) if each.label else 0
            tracks[at] = dataclasses.replace(tracks[at], id=each.id)
    return tracks


def items_of(tracks: list[Track], rules: TaskRules) -> list[Track]:
    """Make what has an estimate: tracks, or two clips of each."""
    if rules.scored != "clip":
        return tracks
    return [
        dataclasses.replace(each, id=f"{each.id}#{at}", recording=each.id)
        for each in tracks
        for at in range(2)
    ]


def outputs_of(task: Task, items: list[Track], clearness: float, seed: int) -> np.ndarray:
    """Make outputs (seed, item, output) that are right the more often the clearer they are."""
    rng = np.random.default_rng(seed)
    targets = np.asarray(task.track_kind.encode(items, task.spec))
    ideal = np.eye(len(task.spec.labels))[targets] if targets.ndim == 1 else targets
    noise = rng.normal(size=(len(SEEDS), *ideal.shape))
    if task.spec.kind == "regression":
        return np.asarray(ideal + noise / clearness)
    return np.asarray(clearness * ideal + noise).astype(np.float32)


def outcome_of(
    task: Task, items: dict[str, list[Track]], protocol: ProtocolSpec, encoder: str
) -> GridOutcome:
    """Make a whole grid; its validation scores are those of its outputs."""
    layers, trials, again = [], [], []
    start = int(digest_of(encoder)[:8], 16)
    for at, (name, clearness) in enumerate(CLEARNESS.items(), start):
        valid, test = (outputs_of(task, items[s], clearness, at) for s in ("valid", "test"))
        targets = task.track_kind.encode(items["valid"], task.spec)
        scores = [
            float(
                task.track_kind.score(targets, task.track_kind.decode(each, task.spec), task.spec)[
                    task.spec.metrics[0]
                ]
            )
            for each in valid
        ]
        shares = {"1": 0.75, "2": 0.25} if name == "sum" else None
        layer = LayerOutcome(name, BEST, SEEDS, float(np.mean(scores)), valid, test, shares)
        layers.append(layer)
        for rate in protocol.learning_rates:
            score = scores[0] if rate == BEST else scores[0] - 0.1
            trials.append(Trial(name, rate, SEEDS[0], 30, 10, score))
        for seed, score in zip(SEEDS[1:], scores[1:], strict=True):
            again.append(Trial(name, BEST, seed, 30, 10, score))
    chosen = max(layers, key=lambda each: each.valid)
    return GridOutcome([*trials, *again], layers, chosen)


def true_result(
    root: Path,
    name: str = "GTZAN",
    *,
    encoder: str = "toy-encoder",
    lost: int = 0,
    sizes: dict[str, int] | None = None,
    **otherwise: Any,
) -> Path:
    """Write a result; return its path.

    ``lost`` test tracks are missing, and ``otherwise`` is done than the protocol says.
    """
    task = load_task(name)
    preset = load_protocol("marble-v1")
    protocol = dataclasses.replace(preset, **otherwise)
    rules = task.rules(protocol.rules)
    counts = sizes or dict(task.spec.sizes)
    tracks = {split: tracks_of(task, split, counts[split]) for split in ("valid", "test")}
    # One that is not excused, so the last ones.
    gone = tracks["test"][len(tracks["test"]) - lost :]
    used = {"valid": tracks["valid"], "test": tracks["test"][: len(tracks["test"]) - lost]}
    record = _record(task, protocol, counts, gone, encoder)
    if task.kind.estimate == "frame":
        record, table = _events(task, record, used)
    else:
        items = {split: items_of(each, rules) for split, each in used.items()}
        scores = score_grid(task, outcome_of(task, items, protocol, encoder), items, rules)
        found = {each.name: getattr(scores, each.name) for each in dataclasses.fields(scores)}
        table = found.pop("predictions")
        record = dataclasses.replace(record, **{**found, "remarks": tuple(scores.remarks)})
    folder = result_folder(
        root,
        encoder=encoder,
        revision=record.encoder.revision,
        task=name,
        version=task.spec.version,
        variant="marble-v1" if record.protocol.conforms else "marble-v1,deviates=123abc",
    )
    return write_result(folder, record, table)


def _record(
    task: Task, protocol: ProtocolSpec, sizes: dict[str, int], gone: list[Track], encoder: str
) -> Result:
    """Fill in all but the scores, as `marble_eval.runs.record` does."""
    spec, rules, probe = task.spec, task.rules(protocol.rules), load_probe("mlp")
    example = read_result(EXAMPLE)
    unusable = [Unusable(each, "missing") for each in gone]
    deviations = deviations_of(protocol, unusable, task, rules.frames)
    data = digest_of([spec.name, "data", [each.id for each in gone]])
    split = digest_of([spec.name, "split"])
    layers = tuple(CLEARNESS)
    features = digest_of([encoder, rules])
    unit = unit_of(
        task,
        digest_of((data, split)),
        features,
        protocol,
        rules,
        probe,
        {"layers": list(layers), "seeds": SEEDS},
    )
    return dataclasses.replace(
        example,
        unit=unit,
        task=TaskRecord(
            name=spec.name,
            version=spec.version,
            kind=spec.kind,
            column=spec.column,
            embedded=spec.embedded,
            licence=spec.licence,
            card_digest=digest_of(spec),
            data_digest=data,
            split_digest=split,
            sizes={**sizes, "test": sizes["test"] - len(gone)},
            provider=task.provider,
            folder="",
        ),
        encoder=dataclasses.replace(
            example.encoder,
            name=encoder,
            fingerprint=digest_of(encoder),
            layers=("0", "1", "2"),
            licence="cc-by-nc-4.0",
            citation="somebody 2025",
        ),
        features=FeatureRecord(
            fingerprint=features,
            windowing=protocol.windowing(rules),
            pooling="clip mean",
            dtype="float16",
            clips=sum(sizes.values()),
            frame_rate=75.0 if task.kind.estimate == "frame" else None,
        ),
        protocol=ProtocolRecord(
            name=protocol.name,
            version=protocol.version,
            track=track_of(probe, protocol),
            conforms=not deviations,
            deviations=deviations,
            frames=rules.frames,
        ),
        probe=probe_record(probe),
        choices=Choices(layers, SEEDS),
        counts=Counts(
            sizes["test"], sizes["test"] - len(gone), tuple(Missing(e.id, "missing") for e in gone)
        ),
        labels=(),
        confusion=(),
        remarks=(),
        predictions=None,
    )


def _events(
    task: Task, record: Result, tracks: dict[str, list[Track]]
) -> tuple[Result, pd.DataFrame]:
    """Score beats found by one layer, some of them 0.1 s beside their place."""
    spec, rules = task.spec, record.protocol.frames
    assert rules is not None
    rng = np.random.default_rng(0)
    rows = []
    for split, of_split in tracks.items():
        for seed in SEEDS:
            for each in of_split:
                times = 0.5 * np.arange(1, 30)
                found = times + np.where(rng.random(29) < 0.3, 0.1, 0.0)
                reference, estimate = (_beats(given) for given in (times, found))
                rows.append((split, each.id, "", each.group, seed, reference, estimate))
    names = ("split", "id", "recording", "group", "seed", "reference", "estimate")
    table = pd.DataFrame(rows, columns=list(names))

    def counts(split: str) -> EventCounts:
        return EventCounts(
            spec.metrics,
            np.array(
                [
                    [
                        task.frame_kind.score(
                            task.frame_kind.annotation_of(row.reference),
                            task.frame_kind.annotation_of(row.estimate),
                            spec,
                            rules,
                        )
                        for row in table[(table.split == split) & (table.seed == seed)].itertuples()
                    ]
                    for seed in SEEDS
                ]
            ),
        )

    test, main = counts("test"), spec.metrics[0]
    groups = np.array([each.group for each in tracks["test"]])
    known = task.kind.metrics_of(spec)
    metrics = metric_scores(
        test, groups, {name: known[name] for name in spec.metrics if test.scorable[name]}, {}
    )
    valid = float(counts("valid").values((main,))[main].mean())
    score = metrics[main]
    rates = load_protocol("marble-v1").learning_rates
    grid = [GridPoint(n, r, SEEDS[0], 9, 4, 0.7 - (r != BEST)) for n in CLEARNESS for r in rates]
    grid += [GridPoint(n, BEST, seed, 9, 4, 0.6) for n in CLEARNESS for seed in SEEDS[1:]]
    beside = ScoreRange(score.value, score.low, score.high)
    layers = tuple(
        LayerScore(n, BEST, valid if n == "1" else valid - 0.1, beside, n == "1") for n in CLEARNESS
    )
    chosen = Chosen("1", BEST, SEEDS, None)
    return dataclasses.replace(
        record, chosen=chosen, grid=tuple(grid), layers=layers, metrics=metrics
    ), table


def _beats(times: np.ndarray) -> str:
    return json.dumps({"beats": [float(each) for each in times], "downbeats": []})
