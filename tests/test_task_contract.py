"""What every task must be, whatever it is; a new folder is tested without a line here.

Cards and READMEs are read as they lie; the functions of the task are run on tracks made
up from the card and compared with scikit-learn.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score

from marble_eval import kinds
from marble_eval.configuration import config_names, load_protocol
from marble_eval.leaderboard import published_scores
from marble_eval.registry import Task, load_task, read_card, task_names
from marble_eval.spec import SPLITS, Track

TASKS = task_names()

#: What scikit-learn makes of class indices, by the names of our metrics.
FOREIGN: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {
    "accuracy": accuracy_score,
    "macro_f1": lambda reference, estimate: f1_score(
        reference, estimate, average="macro", zero_division=0
    ),
}


@pytest.fixture(scope="module", params=TASKS)
def task(request: pytest.FixtureRequest) -> Task:
    return load_task(request.param)


def readme(task: Task) -> str:
    return (task.folder / "README.md").read_text(encoding="utf-8")


def tracks_of(task: Task) -> list[Track]:
    """Make up tracks: two of the first label, three of the second, and so on."""
    return [
        Track(f"{label}-{take}", Path(f"{label}-{take}.wav"), "test", label, f"{label}-{take}")
        for at, label in enumerate(task.spec.labels)
        for take in range(at + 2)
    ]


def test_there_are_tasks() -> None:
    assert "GTZAN" in TASKS


def test_every_module_of_a_kind_can_be_named_in_a_card() -> None:
    modules = {path.stem for path in Path(str(kinds.__file__)).parent.glob("*.py")} - {"__init__"}
    assert modules == set(kinds.KINDS)
    for name in kinds.KINDS:
        kind = import_module(f"marble_eval.kinds.{name}")
        for each in ("read_tracks", "encode", "decode", "score", "outputs", "monitor"):
            assert callable(getattr(kind, each))
        assert kind.METRICS and kind.LOSS


def test_the_card_is_whole(task: Task) -> None:
    """Every field is given by the card itself: the dataclass has no defaults."""
    assert read_card(task.folder / "task.yaml") == task.spec
    assert task.spec.summary and "\n" not in task.spec.summary and len(task.spec.summary) <= 80
    assert task.spec.licence
    assert task.spec.embedded or task.spec.citation.lstrip().startswith("@")


def test_labels_are_named_once(task: Task) -> None:
    labels = task.spec.labels
    assert len(set(labels)) == len(labels) >= 2
    assert all(label == label.strip() and label for label in labels)


def test_sizes_are_known_and_agree_with_the_counts_of_labels(task: Task) -> None:
    assert set(task.spec.sizes) == set(SPLITS)
    for split, counts in task.spec.label_counts.items():
        assert sum(counts) == task.spec.sizes[split]
        assert min(counts) > 0, "a label without a track cannot be scored"


def test_metrics_are_those_of_the_kind_and_the_main_one_is_first(task: Task) -> None:
    assert set(task.spec.metrics) <= set(task.kind.METRICS)
    assert task.spec.main_metric == task.spec.metrics[0]
    assert task.spec.higher_is_better == task.kind.METRICS[task.spec.main_metric]


def test_the_default_protocol_has_a_block_and_no_block_is_strange(task: Task) -> None:
    blocks = {load_protocol(name).rules for name in config_names("protocol")}
    assert "marble-v1" in task.spec.protocols
    assert set(task.spec.protocols) <= blocks
    for name in config_names("protocol"):
        protocol = load_protocol(name)
        if protocol.rules in task.spec.protocols:
            protocol.windowing(task.spec.protocols[protocol.rules])


def test_real_data_has_sources_over_https_and_embedded_data_has_none_to_fetch(task: Task) -> None:
    assert task.spec.embedded or task.spec.sources
    for each in task.spec.sources:
        assert each.what and each.address.startswith("https://")


def test_split_lists_are_pinned_to_a_revision_and_to_their_bytes(task: Task) -> None:
    if not task.spec.split_lists:
        assert task.spec.split_source == ""
        return
    assert re.fullmatch(r"https://\S+/[0-9a-f]{40}(/\S*)?", task.spec.split_source)
    assert set(task.spec.split_lists) == set(SPLITS)
    digests = [each.sha256 for each in task.spec.split_lists.values()]
    assert all(re.fullmatch("[0-9a-f]{64}", each) for each in digests)
    assert len(set(digests)) == len(digests)


def test_the_column_is_one_that_is_published(task: Task) -> None:
    assert task.spec.column in {"", *(each.task for each in published_scores())}
    assert not (task.spec.embedded and task.spec.column), "embedded data is never ranked"


def test_the_readme_tells_what_licence_sizes_and_how_to_run(task: Task) -> None:
    text = readme(task)
    assert text.startswith("# ")
    assert len(text.split()) >= 100
    assert "licence" in text.lower()
    assert f"task={task.spec.name}" in text or task.spec.embedded
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


def test_targets_number_the_labels_in_the_card_s_order(task: Task) -> None:
    assert task.spec.kind == "classification", "write this test for the new kind"
    tracks = tracks_of(task)
    targets = task.encode(tracks, task.spec)
    assert [task.spec.labels[target] for target in targets] == [each.label for each in tracks]
    assert task.kind.outputs(task.spec) == len(task.spec.labels)


def test_a_perfect_prediction_scores_one(task: Task) -> None:
    targets = task.encode(tracks_of(task), task.spec)
    outputs = np.eye(task.kind.outputs(task.spec))[targets] * 9 - 4
    estimate = task.decode(outputs, task.spec)
    scores = task.score(targets, estimate, task.spec)
    assert list(scores) == list(task.spec.metrics)
    assert {name: float(value) for name, value in scores.items()} == dict.fromkeys(scores, 1.0)
    assert task.kind.monitor(targets, outputs, task.spec) == 1.0


def test_a_constant_prediction_scores_what_scikit_learn_says(task: Task) -> None:
    """Of n labels with 2, 3, … n + 1 tracks, always saying the last is right n + 1 times."""
    targets = task.encode(tracks_of(task), task.spec)
    labels = len(task.spec.labels)
    outputs = np.zeros((len(targets), labels))
    outputs[:, -1] = 1.0
    estimate = task.decode(outputs, task.spec)
    assert (estimate == labels - 1).all()
    scores = task.score(targets, estimate, task.spec)
    for name, value in scores.items():
        assert float(value) == pytest.approx(FOREIGN[name](targets, estimate))
    if "accuracy" in scores:
        assert float(scores["accuracy"]) == pytest.approx((labels + 1) / len(targets))
    assert task.kind.monitor(targets, outputs, task.spec) == pytest.approx(
        float(scores[task.spec.main_metric])
    )


def test_random_predictions_score_what_scikit_learn_says(task: Task) -> None:
    rng = np.random.default_rng(0)
    targets = task.encode(tracks_of(task), task.spec)
    outputs = rng.standard_normal((len(targets), len(task.spec.labels)))
    estimate = task.decode(outputs, task.spec)
    for name, value in task.score(targets, estimate, task.spec).items():
        assert float(value) == pytest.approx(FOREIGN[name](targets, estimate))


def test_scores_can_be_resampled(task: Task) -> None:
    """A row of weights that drops every other track scores like the tracks that are left."""
    targets = task.encode(tracks_of(task), task.spec)
    estimate = np.roll(targets, 1)
    kept = np.arange(len(targets)) % 2 == 0
    weights = np.stack([np.ones(len(targets)), kept.astype(float)])
    scores = task.score(targets, estimate, task.spec, weights=weights)
    for name, values in scores.items():
        whole, half = (float(each) for each in values)
        assert whole == pytest.approx(FOREIGN[name](targets, estimate))
        if name == "accuracy":
            assert half == pytest.approx(FOREIGN[name](targets[kept], estimate[kept]))
