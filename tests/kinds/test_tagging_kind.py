"""Tagging, from cells to scores, against scikit-learn."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.preprocessing import MultiLabelBinarizer

from marble_eval.kinds.tagging import KIND as tagging
from marble_eval.probes.losses import LOSSES
from marble_eval.spec import TaskSpec, Track

TAGS = ("slow", "piano", "loud", "vocal")
SPEC = TaskSpec(name="Mine", kind="tagging", labels=TAGS, metrics=("roc_auc", "average_precision"))
RNG = np.random.default_rng(0)
REFERENCE = (RNG.random((60, 4)) < [0.5, 0.2, 0.1, 0.7]).astype(np.int64)
OUTPUTS = (RNG.normal(size=(60, 4)) + REFERENCE).astype(np.float32)


def tracks_of(*labels: tuple[str, ...]) -> list[Track]:
    return [Track(str(at), Path("x"), "test", label, str(at)) for at, label in enumerate(labels)]


def test_tags_become_ones_in_the_card_s_order() -> None:
    tracks = tracks_of(("loud", "slow"), (), ("vocal",), TAGS)
    encoded = tagging.encode(tracks, SPEC)
    official = MultiLabelBinarizer(classes=list(TAGS)).fit_transform([t.label for t in tracks])
    assert encoded.tolist() == official.tolist()
    assert tagging.outputs(SPEC) == 4


def test_targets_are_what_the_loss_and_the_metrics_take() -> None:
    """The gradient of the mean binary cross-entropy over rows, as autograd has it."""
    loss = LOSSES[tagging.loss]
    encoded = tagging.encode(tracks_of(("loud", "slow"), ("piano",), ()), SPEC)
    goals = loss.goals(torch.from_numpy(encoded), 4)
    outputs = torch.from_numpy(OUTPUTS[:3]).unsqueeze(0).requires_grad_()
    official = torch.nn.functional.binary_cross_entropy_with_logits(outputs[0], goals)
    official.backward()  # type: ignore[no-untyped-call]
    assert outputs.grad is not None
    found = loss.gradient(outputs.detach().clone(), goals)
    ratio = found / outputs.grad
    assert torch.allclose(ratio, ratio.flatten()[0].expand_as(ratio))
    assert tagging.score(REFERENCE, OUTPUTS, SPEC).keys() == {"roc_auc", "average_precision"}


@pytest.mark.parametrize("main", ["roc_auc", "average_precision"])
def test_the_first_metric_is_the_main_one(main: str) -> None:
    other = ({"roc_auc", "average_precision"} - {main}).pop()
    spec = replace(SPEC, metrics=(main, other))
    official = {
        "roc_auc": roc_auc_score(REFERENCE, OUTPUTS, average="macro"),
        "average_precision": average_precision_score(REFERENCE, OUTPUTS, average="macro"),
    }
    assert float(
        tagging.score(REFERENCE, tagging.decode(OUTPUTS, spec), spec)[main]
    ) == pytest.approx(official[main])
    scores = tagging.score(REFERENCE, tagging.decode(OUTPUTS, spec), spec)
    assert {name: pytest.approx(float(each)) for name, each in scores.items()} == official
    assert list(scores) == [main, other]


def test_weights_count_a_track_as_often_as_it_was_drawn() -> None:
    drawn = RNG.integers(60, size=(3, 60))
    weights = np.stack([np.bincount(each, minlength=60) for each in drawn])
    scores = tagging.score(REFERENCE, OUTPUTS, SPEC, weights=weights)
    for at, rows in enumerate(drawn):
        for name, official in (
            ("roc_auc", roc_auc_score),
            ("average_precision", average_precision_score),
        ):
            expected = official(REFERENCE[rows], OUTPUTS[rows], average="macro")
            assert scores[name][at] == pytest.approx(expected), name


def test_a_tag_without_a_positive_has_no_score_and_does_not_lower_the_mean() -> None:
    reference = REFERENCE.copy()
    reference[:, 2] = 0
    others = [0, 1, 3]
    scores = tagging.score(reference, OUTPUTS, SPEC)
    assert float(scores["roc_auc"]) == pytest.approx(
        roc_auc_score(reference[:, others], OUTPUTS[:, others], average="macro")
    )
    of_tags = tagging.label_scores(reference, OUTPUTS, SPEC)
    for name, official in (
        ("roc_auc", roc_auc_score),
        ("average_precision", average_precision_score),
    ):
        assert np.isnan(of_tags[name][2])
        for tag in others:
            assert of_tags[name][tag] == pytest.approx(official(reference[:, tag], OUTPUTS[:, tag]))
    assert tagging.label_counts(reference, SPEC).tolist() == reference.sum(axis=0).tolist()


def test_a_perfect_estimate_scores_one_and_a_constant_one_half() -> None:
    perfect = tagging.score(REFERENCE, REFERENCE, SPEC)
    assert [float(each) for each in perfect.values()] == [1.0, 1.0]
    constant = tagging.score(REFERENCE, np.zeros_like(OUTPUTS), SPEC)
    assert float(constant["roc_auc"]) == 0.5
    assert float(constant["average_precision"]) == pytest.approx(REFERENCE.mean(axis=0).mean())


@pytest.mark.parametrize(
    ("value", "label"),
    [
        ("piano;slow", ("piano", "slow")),
        (" piano ; slow;", ("piano", "slow")),
        ("slow;piano;slow", ("slow", "piano")),
        ("rock, pop", ("rock, pop",)),
        ("", ()),
        (";", ()),
        (["piano", "slow"], ("piano", "slow")),
        ([], ()),
    ],
)
def test_tags_are_divided_by_semicolons_or_listed(value: object, label: tuple[str, ...]) -> None:
    assert tagging.label_of({"tags": value}, "tags", SPEC) == label


@pytest.mark.parametrize("value", [None, 5, [5], {"a": 1}, ["a", None]])
def test_what_are_no_tags_is_told(value: object) -> None:
    with pytest.raises(
        ValueError, match=r"^'tags' must be tags, divided by ';' or in a list\. Got"
    ):
        tagging.label_of({"tags": value}, "tags", SPEC)


def test_tags_are_named_and_written() -> None:
    assert tagging.labels_of(tracks_of(("b", "a"), (), ("c", "a")), SPEC) == ("a", "b", "c")
    assert tagging.texts(np.array([[1, 0, 0, 1], [0, 0, 0, 0]]), SPEC) == ["slow;vocal", ""]
    assert tagging.texts(np.array([[-1.0, 0.5, 0.0, 2.0]]), SPEC) == ["piano;vocal"]
    assert tagging.columns_of(SPEC) == ()
