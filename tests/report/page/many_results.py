"""As many results as a large board has, made from the example with varied numbers.

Every score is drawn at random, so that nothing packs better than real results would:
14 or 26 layers and their learned sum, six learning rates, three seeds; tasks of 50 tags,
of ten classes, of 112 pitches, of two dimensions, and of beats.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from marble_eval.results import (
    Choices,
    Chosen,
    Counts,
    GridPoint,
    LabelScore,
    LayerScore,
    MetricScore,
    ProtocolRecord,
    Result,
    ScoreRange,
)
from marble_eval.results.caveats import OtherDeviation
from marble_eval.results.schema import from_json

if TYPE_CHECKING:
    from numpy.typing import NDArray

EXAMPLE = Path(__file__).parents[2] / "results" / "example_result.json"

RATES = (5e-05, 1e-04, 5e-04, 1e-03, 5e-03, 1e-02)
SEEDS = (1234, 1235, 1236)
TAGGING, BEATS = ("roc_auc", "average_precision"), ("beat_f1", "downbeat_f1")
CLASSES, REGRESSION = ("accuracy", "macro_f1"), ("r2", "r2_valence", "r2_arousal")
TASKS = {
    **dict.fromkeys(("MTT", "MTGInstrument", "MTGMood", "MTGGenre", "MTGTop50"), TAGGING),
    **dict.fromkeys(("TagsA", "TagsB", "TagsC"), TAGGING),
    **dict.fromkeys(("NSynthP", "NSynthI", "GTZAN", "GS", "VocalSetT", "VocalSetS"), CLASSES),
    **dict.fromkeys(("GenresA", "GenresB", "GenresC"), CLASSES),
    **dict.fromkeys(("EMO", "EMOB"), REGRESSION),
    "GTZANBeat": BEATS,
}
LICENCES = ("CC-BY-NC-4.0", "MIT", "Apache-2.0")


def example() -> Result:
    return from_json(EXAMPLE.read_text(encoding="utf-8"), str(EXAMPLE))


def deviating(result: Result) -> Result:
    protocol = result.protocol
    deviations = (OtherDeviation("another batch"),)
    record = ProtocolRecord(
        protocol.name, protocol.version, protocol.track, False, deviations, protocol.frames
    )
    return replace(result, protocol=record)


def many_results(encoders: int, tasks: int = len(TASKS), *, seed: int = 0) -> list[Result]:
    """Make results of so many encoders on the first so many tasks."""
    rng = np.random.default_rng(seed)
    collects = gc.isenabled()
    gc.disable()  # a million probes are made and none thrown away: looking for waste takes half
    try:
        return [
            result
            for number in range(encoders)
            for result in _of_encoder(number, list(TASKS)[:tasks], rng)
        ]
    finally:
        if collects:
            gc.enable()


def _of_encoder(number: int, tasks: Sequence[str], rng: np.random.Generator) -> Iterator[Result]:
    base = example()
    layers = tuple(str(each) for each in range(25 if number % 4 == 3 else 13))
    choices = (*layers, "learned-sum")
    encoder = replace(
        base.encoder,
        name=f"encoder-{number:03d}",
        revision=rng.bytes(5).hex(),
        fingerprint=rng.bytes(16).hex(),
        layers=layers,
        licence=LICENCES[number % len(LICENCES)],
        parameters=int(rng.integers(10**6, 4 * 10**8)),
    )
    skill = 0.7 + rng.normal(0, 0.05)
    for name in tasks:
        scores = np.clip(skill + rng.normal(0, 0.04, len(choices)), 0.1, 0.95)
        chosen = int(scores.argmax())
        weights = dict(zip(layers, rng.dirichlet(np.ones(len(layers))).tolist(), strict=True))
        labels, confusion = _labels(name, rng)
        yield replace(
            base,
            unit=rng.bytes(16).hex(),
            task=replace(base.task, name=name, column=name),
            encoder=encoder,
            features=replace(base.features, fingerprint=rng.bytes(16).hex()),
            choices=Choices(choices, SEEDS),
            grid=_grid(choices, scores, rng),
            layers=_curve(choices, scores, rng),
            chosen=Chosen(choices[chosen], 1e-3, SEEDS, weights if chosen == len(layers) else None),
            metrics={metric: _score(scores[chosen], rng) for metric in TASKS[name]},
            counts=Counts(290, 290, ()),
            cost=replace(base.cost, extract_seconds=float(rng.uniform(5, 500))),
            divergences=(),
            left_out=(),
            remarks=(),
            written_under=5,
            labels=labels,
            confusion=confusion,
        )


def _grid(
    choices: Sequence[str], scores: NDArray[np.float64], rng: np.random.Generator
) -> tuple[GridPoint, ...]:
    shape = (len(choices), len(RATES), len(SEEDS))
    rates = rng.normal(0, 0.03, (1, len(RATES), 1))
    valid = np.clip(scores[:, None, None] + rates + rng.normal(0, 0.01, shape), 0, 1).tolist()
    epochs = rng.integers(20, 100, shape).tolist()
    return tuple(
        GridPoint(layer, rate, seed, epochs[i][j][k], epochs[i][j][k] - 10, valid[i][j][k])
        for i, layer in enumerate(choices)
        for j, rate in enumerate(RATES)
        for k, seed in enumerate(SEEDS)
    )


def _curve(
    choices: Sequence[str], scores: NDArray[np.float64], rng: np.random.Generator
) -> tuple[LayerScore, ...]:
    below, above = rng.uniform(0.02, 0.05, (2, len(choices)))
    valid = scores + rng.normal(0, 0.02, len(choices))
    return tuple(
        LayerScore(
            layer,
            RATES[rng.integers(len(RATES))],
            float(valid[i]),
            ScoreRange(float(scores[i]), float(scores[i] - below[i]), float(scores[i] + above[i])),
            bool(rng.random() < 0.3),
        )
        for i, layer in enumerate(choices)
    )


def _score(value: float, rng: np.random.Generator) -> MetricScore:
    below, above = rng.uniform(0.02, 0.05, 2).tolist()
    seeds = value + rng.normal(0, 0.01, len(SEEDS))
    spread = float(seeds.std(ddof=1))
    return MetricScore(
        float(value), float(value - below), float(value + above), 0.95, True, 290,
        tuple(seeds.tolist()), spread, None, "percent", "score", "",
    )  # fmt: skip


def _labels(
    name: str, rng: np.random.Generator
) -> tuple[tuple[LabelScore, ...], tuple[tuple[int, ...], ...]]:
    """Draw labels and, of classes, their confusion; 112 of them are pitches, few far off."""
    metrics = TASKS[name]
    if metrics == CLASSES:
        classes = 112 if name == "NSynthP" else 10
        right = np.arange(classes).repeat(4096 // classes)
        wide = classes if classes == 10 else 12
        wrong = np.clip(right + rng.integers(-wide, wide, right.size), 0, classes - 1)
        estimate = np.where(rng.random(right.size) < 0.7, right, wrong)
        table = np.zeros((classes, classes), dtype=int)
        np.add.at(table, (right, estimate), 1)
        labels = [
            LabelScore(f"class {i}", 290 // classes, {"f1": rng.random()}) for i in range(classes)
        ]
        return tuple(labels), tuple(map(tuple, table.tolist()))
    if metrics == BEATS:
        return (), ()
    names = [f"tag {i}" for i in range(50)] if metrics == TAGGING else ["valence", "arousal"]
    measured = TAGGING if metrics == TAGGING else ("r2",)
    draws = rng.random((len(names), len(measured))).tolist()
    scores = [
        LabelScore(label, 10 + 3 * i, dict(zip(measured, draws[i], strict=True)))
        for i, label in enumerate(names)
    ]
    return tuple(scores), ()
