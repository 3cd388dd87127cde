"""What every task must be, whatever it is; a new folder is tested without a line here.

Cards and READMEs are read as they lie. The functions of a task are run on tracks made up
from its card, and compared with scikit-learn and mir_eval. A task on real data has a
`fixture/` folder: a few rows in the layout of its release, with empty audio files, which
are read, filled with tones and run from end to end.
"""

from __future__ import annotations

import dataclasses
import math
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mir_eval
import numpy as np
import pytest
import soundfile
import torch
import yaml
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    f1_score,
    r2_score,
    roc_auc_score,
)

import marble_eval
from marble_eval import kinds
from marble_eval.data.tracks import groups_astride
from marble_eval.leaderboard import published_scores
from marble_eval.probes.grid.plan import validation_score
from marble_eval.registry import Task, load_task, read_card, task_names
from marble_eval.registry.configuration import config_names, load_protocol
from marble_eval.results import find_results
from marble_eval.scores.rescoring import relabelled, stored_scores
from marble_eval.spec import SPLITS, Label, TaskSpec, Track

TASKS = task_names()
RATE = 8000


def of_keys(metric: Callable[[str, str], float], spec: TaskSpec) -> Callable[..., float]:
    def mean(reference: np.ndarray, estimate: np.ndarray) -> float:
        pairs = zip(reference, estimate, strict=True)
        return float(np.mean([metric(spec.labels[r], spec.labels[e]) for r, e in pairs]))

    return mean


def both_fifths(reference: str, estimate: str) -> float:
    """Score as MIREX: a fifth below counts as a fifth above does."""
    return float(
        max(
            mir_eval.key.weighted_score(reference, estimate),
            0.5 * (mir_eval.key.weighted_score(estimate, reference) == 0.5),
        )
    )


def numbers(spec: TaskSpec, classes: np.ndarray) -> np.ndarray:
    return np.array([int(spec.labels[each]) for each in classes])


def foreign(spec: TaskSpec) -> dict[str, Callable[[np.ndarray, np.ndarray], float]]:
    """Say what others make of targets and estimates, by the names of our metrics."""
    known: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {
        "accuracy": accuracy_score,
        "macro_f1": lambda r, e: f1_score(r, e, average="macro", zero_division=0),
        "weighted_score": of_keys(mir_eval.key.weighted_score, spec),
        "mirex_score": of_keys(both_fifths, spec),
        "chroma_accuracy": lambda r, e: accuracy_score(
            numbers(spec, r) % 12, numbers(spec, e) % 12
        ),
        "roc_auc": lambda r, e: roc_auc_score(r, e, average="macro"),
        "average_precision": lambda r, e: average_precision_score(r, e, average="macro"),
        "r2": r2_score,
    }
    for at, label in enumerate(spec.labels):
        known[f"r2_{label}"] = lambda r, e, at=at: r2_score(r[:, at], e[:, at])  # type: ignore[misc]
    return known


@pytest.fixture(scope="module", params=TASKS)
def task(request: pytest.FixtureRequest) -> Task:
    return load_task(request.param)


@pytest.fixture(
    scope="module", params=[name for name in TASKS if load_task(name).kind.estimate != "frame"]
)
def whole(request: pytest.FixtureRequest) -> Task:
    """A task with one estimate a track; the others are in `test_frame_contract.py`."""
    return load_task(request.param)


def readme(task: Task) -> str:
    return (task.folder / "README.md").read_text(encoding="utf-8")


def labels_of(spec: TaskSpec) -> list[Label]:
    """Make up labels: two of the first class, three of the second, then two, three, …"""
    if spec.kind == "tagging":
        tags = spec.labels
        return [
            tuple(tags[(at + step) % len(tags)] for step in (0, 1)) for at in range(len(tags) + 3)
        ]
    if spec.kind == "regression":
        rng = np.random.default_rng(3)
        return [tuple(map(float, row)) for row in rng.normal(5, 2, size=(12, len(spec.labels)))]
    return [label for at, label in enumerate(spec.labels) for _ in range(at % 2 + 2)]


def tracks_of(task: Task) -> list[Track]:
    return [
        Track(f"{at}", Path(f"{at}.wav"), "test", label, f"{at}")
        for at, label in enumerate(labels_of(task.spec))
    ]


def perfect_outputs(task: Task, targets: np.ndarray) -> np.ndarray:
    """Outputs of a probe that knows the answer."""
    if targets.ndim == 2:
        return np.asarray(targets * 1.0)
    return np.asarray(np.eye(task.kind.outputs(task.spec))[targets] * 9 - 4)


def test_there_are_tasks() -> None:
    assert "GTZAN" in TASKS


def test_every_module_of_a_kind_can_be_named_in_a_card() -> None:
    modules = {path.stem for path in Path(str(kinds.__file__)).parent.glob("*.py")}
    assert modules - {"__init__", "example", "kind"} == set(kinds.KINDS)


@pytest.mark.parametrize("name", kinds.KINDS)
def test_a_kind_has_all_that_its_protocol_asks_for(name: str) -> None:
    kind = kinds.load_kind(name)
    protocol = {"track": kinds.TrackKind, "frame": kinds.FrameKind}[kind.estimate]
    members = {
        each
        for part in protocol.__mro__
        for each in (*vars(part), *vars(part).get("__annotations__", ()))
        if not each.startswith("_")
    }
    assert kind.name == name and protocol in type(kind).__mro__
    assert [each for each in members if not hasattr(kind, each)] == []
    assert kind.metrics and kind.loss and kind.aggregations
    assert (kind.rules.frames is not None) == (kind.estimate == "frame")


def test_the_card_leaves_out_what_is_the_default(task: Task) -> None:
    """What a card says is what is particular about its task; the version is always there."""
    card = task.folder / "task.yaml"
    read, values = read_card(card), yaml.safe_load(card.read_text(encoding="utf-8"))
    blocks: list[tuple[Any, dict[str, Any]]] = [(read, values)]
    blocks += [(read.protocols[name], block) for name, block in values["protocols"].items()]
    blocks += [
        (rules.frames, values["protocols"][name]["frames"])
        for name, rules in read.protocols.items()
        if rules.frames is not None
    ]
    for spec, given in blocks:
        for each in dataclasses.fields(spec):
            if each.name in given and each.name not in ("version", "frames"):
                assert getattr(spec, each.name) != each.default, each.name
    assert values["version"] == task.spec.version
    filled = dataclasses.replace(read, labels=task.spec.labels, metrics=task.spec.metrics)
    assert filled == task.spec
    assert task.spec.summary and "\n" not in task.spec.summary and len(task.spec.summary) <= 80
    assert task.spec.licence and task.spec.licence != "not stated"
    assert task.spec.embedded or task.spec.citation.lstrip().startswith("@")


def test_labels_are_named_once(task: Task) -> None:
    labels = task.spec.labels
    assert len(set(labels)) == len(labels) >= (1 if task.spec.kind == "regression" else 2)
    assert all(label == label.strip() and label for label in labels)


def test_sizes_are_known_or_the_readme_says_that_they_are_not(task: Task) -> None:
    if not task.spec.sizes:
        assert "not published" in readme(task)
        assert not task.spec.label_counts
        return
    assert set(task.spec.sizes) == set(SPLITS)
    for split, counts in task.spec.label_counts.items():
        assert len(counts) == len(task.spec.labels)
        if task.spec.kind != "tagging":
            assert sum(counts) == task.spec.sizes[split]


def test_metrics_are_those_of_the_kind_and_the_main_one_is_first(task: Task) -> None:
    known = task.kind.metrics_of(task.spec)
    assert set(task.spec.metrics) <= set(known)
    assert task.spec.main_metric == task.spec.metrics[0]
    assert task.spec.higher_is_better == known[task.spec.main_metric].higher_is_better


def test_both_versions_of_the_protocol_have_a_block_and_no_block_is_strange(task: Task) -> None:
    blocks = {load_protocol(name).rules for name in config_names("protocol")}
    assert {"marble-v1", "marble-v2"} <= set(task.spec.protocols) <= blocks
    for name in config_names("protocol"):
        protocol = load_protocol(name)
        rules = task.rules(protocol.rules)
        assert rules is not None
        protocol.windowing(rules)


def test_real_data_has_sources_over_https_and_a_way_to_get_it(task: Task) -> None:
    assert task.spec.embedded or task.spec.sources
    assert task.spec.embedded or task.spec.downloads or task.spec.instructions
    for each in task.spec.sources:
        assert each.what and re.match("https?://", each.address)


def test_split_lists_are_pinned_to_a_revision_and_to_their_bytes(task: Task) -> None:
    if not task.spec.split_lists:
        assert task.spec.split_source == ""
        return
    assert re.fullmatch(r"https://\S+/[0-9a-f]{40}(/\S*)?", task.spec.split_source)
    digests = [each.sha256 for each in task.spec.split_lists.values()]
    assert len(set(digests)) == len(digests)


def test_tasks_on_the_same_audio_cut_it_alike() -> None:
    """Tasks of these data sets share every clip, so that none is encoded twice."""
    blocks: dict[tuple[str, str], set[tuple[object, ...]]] = {}
    for name in TASKS:
        spec = load_task(name).spec
        for protocol, rules in spec.protocols.items():
            cut = (rules.crop_seconds, rules.clip_seconds, rules.hop_seconds)
            tail = (rules.tail, rules.tail_seconds)
            blocks.setdefault((spec.dataset, protocol), set()).add((*cut, *tail))
    for (dataset, protocol), cuts in blocks.items():
        # MARBLE v2 cuts GTZAN into 30.2 s for genres and 10 s for beats.
        if dataset in ("MTG", "NSynth", "VocalSet") or (dataset, protocol) == (
            "GTZAN",
            "marble-v1",
        ):
            assert len(cuts) == 1, f"{dataset} under {protocol}: {cuts}"


def test_the_column_is_one_that_is_published(task: Task) -> None:
    assert task.spec.column in {"", *(each.task for each in published_scores())}
    assert not (task.spec.embedded and task.spec.column), "embedded data is never ranked"


def test_the_readme_tells_what_licence_sizes_and_how_to_run(task: Task) -> None:
    text = readme(task)
    assert text.startswith("# ")
    assert len(text.split()) >= 100
    assert "licence" in text.lower()
    assert f"task={task.spec.name}" in text or task.spec.embedded
    if task.spec.kind not in ("pitch", "frames"):  # notes are told by their range
        for label in task.spec.labels:
            assert label in text
    for size in task.spec.sizes.values():
        assert re.search(rf"\b{size:,}\b|\b{size}\b", text), f"{size} is not in the README"
    for name in task.spec.metrics:
        assert f"`{name}`" in text
    for each in task.spec.may_lack:
        assert each.id.split("/")[-1] in text


def test_the_readme_gives_the_citation(task: Task) -> None:
    titles = re.findall(r"title\s*=\s*[{\"]+(.+?)[}\"]+,?\s*$", task.spec.citation, re.MULTILINE)
    assert titles or task.spec.embedded
    for title in titles:
        assert title in readme(task)


def test_targets_follow_the_order_of_the_card_s_labels(whole: Task) -> None:
    tracks, spec = tracks_of(whole), whole.spec
    targets = whole.track_kind.encode(tracks, spec)
    if spec.kind == "regression":
        assert targets.tolist() == [list(each.label) for each in tracks]
    elif spec.kind == "tagging":
        assert targets.shape == (len(tracks), len(spec.labels))
        for row, each in zip(targets, tracks, strict=True):
            assert {spec.labels[at] for at in np.flatnonzero(row)} == set(each.label)
    else:
        assert [spec.labels[target] for target in targets] == [each.label for each in tracks]
    assert whole.kind.outputs(spec) == len(spec.labels)


def test_a_perfect_prediction_scores_one(whole: Task) -> None:
    targets = whole.track_kind.encode(tracks_of(whole), whole.spec)
    outputs = perfect_outputs(whole, targets)
    scores = whole.track_kind.score(
        targets, whole.track_kind.decode(outputs, whole.spec), whole.spec
    )
    assert list(scores) == list(whole.spec.metrics)
    assert {name: float(value) for name, value in scores.items()} == dict.fromkeys(scores, 1.0)
    assert validation_score(whole, targets)(outputs) == 1.0
    of_labels = whole.track_kind.label_scores(
        targets, whole.track_kind.decode(outputs, whole.spec), whole.spec
    )
    assert all((values == 1).all() for values in of_labels.values())


def test_a_constant_prediction_scores_what_others_say(whole: Task) -> None:
    targets = whole.track_kind.encode(tracks_of(whole), whole.spec)
    outputs = np.zeros((len(targets), whole.kind.outputs(whole.spec)))
    outputs[:, -1] = 1.0
    scores = whole.track_kind.score(
        targets, whole.track_kind.decode(outputs, whole.spec), whole.spec
    )
    for name, value in scores.items():
        expected = foreign(whole.spec)[name](targets, whole.track_kind.decode(outputs, whole.spec))
        assert float(value) == pytest.approx(expected)
        assert float(value) < 0.6, "to say always the same must not pay"
    if whole.spec.kind == "tagging":
        assert float(scores["roc_auc"]) == pytest.approx(0.5)


def test_the_worst_prediction_scores_worst(whole: Task) -> None:
    spec = whole.spec
    targets = whole.track_kind.encode(tracks_of(whole), spec)
    if spec.kind in ("tagging", "regression"):
        # Every tag the other way round; every dimension far on the other side.
        outputs = -targets if spec.kind == "tagging" else 2 * targets.mean(axis=0) - targets
    else:
        # The next class; a key a tritone away, which no rule gives credit; a semitone up.
        step = 6 if spec.kind == "key" else 1
        outputs = perfect_outputs(whole, (targets + step) % len(spec.labels))
        if spec.kind == "key":
            outputs = perfect_outputs(whole, targets // 12 * 12 + (targets + 6) % 12)
    estimate = whole.track_kind.decode(outputs, spec)
    for name, value in whole.track_kind.score(targets, estimate, spec).items():
        assert float(value) == pytest.approx(foreign(spec)[name](targets, estimate))
        if name.startswith("r2"):
            assert float(value) == pytest.approx(-3.0)
        elif name != "average_precision":
            assert float(value) == 0.0


def test_random_predictions_score_what_others_say(whole: Task) -> None:
    rng = np.random.default_rng(0)
    targets = whole.track_kind.encode(tracks_of(whole), whole.spec)
    outputs = rng.standard_normal((len(targets), whole.kind.outputs(whole.spec)))
    estimate = whole.track_kind.decode(outputs, whole.spec)
    for name, value in whole.track_kind.score(targets, estimate, whole.spec).items():
        assert float(value) == pytest.approx(foreign(whole.spec)[name](targets, estimate))


def test_scores_can_be_resampled(whole: Task) -> None:
    """A row of weights that drops a fifth of the tracks scores like the tracks left."""
    rng = np.random.default_rng(0)
    targets = whole.track_kind.encode(tracks_of(whole), whole.spec)
    outputs = perfect_outputs(whole, targets)
    estimate = whole.track_kind.decode(outputs + 4 * rng.standard_normal(outputs.shape), whole.spec)
    kept = np.arange(len(targets)) % 5 != 0
    weights = np.stack([np.ones(len(targets)), kept.astype(float)])
    scores = whole.track_kind.score(targets, estimate, whole.spec, weights=weights)
    left = whole.track_kind.score(targets[kept], estimate[kept], whole.spec)
    for name, values in scores.items():
        complete, some = (float(each) for each in values)
        assert complete == pytest.approx(foreign(whole.spec)[name](targets, estimate))
        assert math.isnan(some) or some == pytest.approx(float(left[name]))


class Listener:
    """An encoder that hears loudness and pitch, roughly, and counts its clips."""

    name, sample_rate, frame_rate, layers, width = "listener", RATE, 10.0, ("0", "1"), 3

    def __init__(self) -> None:
        self.clips = 0

    def hidden_states(self, audio: torch.Tensor) -> torch.Tensor:
        self.clips += len(audio)
        pieces = audio[:, : audio.shape[1] // 800 * 800].reshape(len(audio), -1, 800)
        crossings = (pieces[..., 1:] * pieces[..., :-1] < 0).float().mean(-1)
        heard = torch.stack([pieces.std(-1), crossings, crossings**2], dim=-1)
        return torch.stack([heard, heard + 1], dim=1)

    def fingerprint(self) -> str:
        return "0" * 32


def test_the_release_s_own_layout_is_read_and_runs(task: Task, tmp_path: Path) -> None:
    """From the rows of a release to a result, with nothing but the audio made up."""
    fixture = task.folder / "fixture"
    if task.spec.embedded:
        assert not fixture.exists(), "embedded data is made by its own generator"
        return
    root = tmp_path / "data"
    shutil.copytree(fixture / "data", root)

    def lists(name: str) -> bytes:
        return (fixture / "lists" / name).read_bytes()

    spec = dataclasses.replace(task.spec, sizes={}, label_counts={})
    tracks = task.kind.read_tracks(root, spec, lists)
    assert {each.split for each in tracks} == set(SPLITS)
    assert len({each.id for each in tracks}) == len(tracks), "no track is in two splits"
    assert groups_astride(tracks) == [], "no artist, song or instrument is in two splits"
    for at, each in enumerate(tracks):
        time = np.arange((3 if task.kind.estimate == "frame" else 1) * RATE) / RATE
        each.path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(
            each.path, 0.1 * np.sin(2 * np.pi * (200 + 9 * at) * time), RATE, format="WAV"
        )
    tried = dataclasses.replace(task, spec=spec).overriding(
        read_tracks=lambda root, spec, _: task.kind.read_tracks(root, spec, lists)
    )
    encoder = Listener()
    result = marble_eval.evaluate(
        encoder,  # type: ignore[arg-type]
        tried,
        root=root,
        protocol=dataclasses.replace(load_protocol("quick"), max_epochs=2),
        seeds=1,
        results=tmp_path / "results",
    )
    (path,) = find_results(tmp_path / "results")
    stored = stored_scores(path)
    assert stored.scored(tuple(result.metrics)) == result.metrics, "scored again without a model"
    assert relabelled(stored) == (result.labels, result.confusion)
    assert list(result.metrics)[: len(spec.metrics)] == list(spec.metrics)
    assert all(math.isfinite(each.value) for each in result.metrics.values())
    assert result.counts.scored == result.counts.expected > 0
    assert len(result.labels) == (0 if task.kind.estimate == "frame" else len(spec.labels))
    assert all(
        (each.ceiling is not None) == (task.kind.estimate == "frame")
        for each in result.metrics.values()
    )
    assert result.cost.clips_encoded == result.features.clips
