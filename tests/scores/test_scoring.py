"""From outputs to scores: intervals, ties, labels, and a table that re-scores to the same."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, roc_auc_score

from marble_eval.probes.grid import GridOutcome, LayerOutcome, Trial
from marble_eval.registry import load_task
from marble_eval.scores.scoring import Scores, score_grid
from marble_eval.spec import TaskRules, Track

TASK = load_task("GTZAN")
LABELS = TASK.spec.labels
RULES = TaskRules()
TRACKS, SEEDS = {"valid": 60, "test": 90}, (0, 1, 2)


def tracks(split: str, *, together: int = 1) -> list[Track]:
    """Make tracks of random labels; every ``together`` of them share a group."""
    drawn = np.random.default_rng(len(split)).integers(10, size=TRACKS[split])
    return [
        Track(f"{split}/{at}", Path(f"{at}.wav"), split, LABELS[label], f"{at // together}")
        for at, label in enumerate(drawn)
    ]


def splits(*, together: int = 1) -> dict[str, list[Track]]:
    return {split: tracks(split, together=together) for split in TRACKS}


def classes(of: list[Track]) -> np.ndarray:
    return np.array([LABELS.index(each.label) for each in of])


def layer(name: str, clearness: float, seed: int) -> LayerOutcome:
    """Make outputs that are right the more often the clearer they are."""
    rng = np.random.default_rng(seed)
    outputs = {
        split: clearness * np.eye(10)[classes(tracks(split))] + rng.normal(size=(3, count, 10))
        for split, count in TRACKS.items()
    }
    valid = (outputs["valid"].argmax(-1) == classes(tracks("valid"))).mean()
    return LayerOutcome(name, 1e-3, SEEDS, float(valid), outputs["valid"], outputs["test"], None)


def outcome() -> GridOutcome:
    """Make three layers: the second best by far on validation, the third the same again."""
    first, second = layer("0", 0.5, 0), layer("1", 3.0, 1)
    layers = [first, second, replace(second, layer="2")]
    trials = [
        Trial(each.layer, each.setting, seed, 9, 4, each.valid) for each in layers for seed in SEEDS
    ]
    return GridOutcome(trials, layers, second)


@pytest.fixture(scope="module")
def scores() -> Scores:
    return score_grid(TASK, outcome(), splits(), RULES)


def test_a_score_is_the_mean_over_the_seeds_and_the_spread_is_theirs(scores: Scores) -> None:
    reference, outputs = classes(tracks("test")), outcome().chosen.test_outputs
    of_seeds = {
        "accuracy": [accuracy_score(reference, each.argmax(1)) for each in outputs],
        "macro_f1": [f1_score(reference, each.argmax(1), average="macro") for each in outputs],
    }
    assert list(scores.metrics) == list(of_seeds)
    for name, values in of_seeds.items():
        found = scores.metrics[name]
        assert found.seed_values == pytest.approx(values)
        assert found.value == pytest.approx(np.mean(values))
        assert found.seed_spread == pytest.approx(pd.Series(values).std())
        assert len(set(values)) > 1
        assert (found.n, found.level, found.higher_is_better) == (90, 0.95, True)


def test_one_seed_has_no_spread() -> None:
    given = outcome()
    lonely = replace(
        given.chosen,
        seeds=(0,),
        valid_outputs=given.chosen.valid_outputs[:1],
        test_outputs=given.chosen.test_outputs[:1],
    )
    found = score_grid(TASK, GridOutcome([], [lonely], lonely), splits(), RULES)
    assert found.metrics["accuracy"].seed_spread == 0
    assert len(found.metrics["accuracy"].seed_values) == 1


def test_intervals_hold_their_value_and_are_as_wide_as_theory_says(scores: Scores) -> None:
    for each in scores.metrics.values():
        assert each.low < each.value < each.high
    for layer_score in scores.layers:
        assert layer_score.test.low < layer_score.test.value < layer_score.test.high
    # The normal interval of a mean over 90 tracks, each with its mean over the seeds.
    hits = (outcome().chosen.test_outputs.argmax(-1) == classes(tracks("test"))).mean(0)
    found = scores.metrics["accuracy"]
    assert found.high - found.low == pytest.approx(2 * 1.96 * hits.std() / np.sqrt(90), rel=0.15)


def test_tracks_of_one_group_widen_the_interval() -> None:
    given = outcome()
    # Whole groups of six are right or wrong together.
    right = np.repeat(np.random.default_rng(5).random(15) < 0.6, 6)
    reference = classes(tracks("test"))
    outputs = np.eye(10)[np.where(right, reference, (reference + 1) % 10)]
    chosen = replace(given.chosen, test_outputs=np.stack([outputs] * 3))
    widths = []
    for together in (1, 6):
        found = score_grid(
            TASK, GridOutcome([], [chosen], chosen), splits(together=together), RULES
        ).metrics["accuracy"]
        widths.append(found.high - found.low)
    assert widths[1] == pytest.approx(widths[0] * np.sqrt(6), rel=0.2)


def test_the_chosen_layer_is_tied_with_itself_and_its_like_but_not_with_a_bad_one(
    scores: Scores,
) -> None:
    assert [(each.layer, each.tied) for each in scores.layers] == [
        ("0", False),
        ("1", True),
        ("2", True),
    ]


def test_ties_are_told_on_validation_not_on_test() -> None:
    given = outcome()
    good, bad = given.layers[1], given.layers[0]
    worse_on_test = replace(good, layer="3", test_outputs=bad.test_outputs)
    worse_on_valid = replace(good, layer="4", valid_outputs=bad.valid_outputs)
    found = score_grid(
        TASK, GridOutcome([], [good, worse_on_test, worse_on_valid], good), splits(), RULES
    )
    assert [each.tied for each in found.layers] == [True, True, False]


def test_labels_and_confusions_are_scikit_learn_s(scores: Scores) -> None:
    reference, outputs = classes(tracks("test")), outcome().chosen.test_outputs
    each_f1 = [f1_score(reference, each.argmax(1), average=None) for each in outputs]
    assert [label.name for label in scores.labels] == list(LABELS)
    assert [label.n for label in scores.labels] == np.bincount(reference).tolist()
    assert [label.scores["f1"] for label in scores.labels] == pytest.approx(
        np.mean(each_f1, axis=0)
    )
    table = sum(confusion_matrix(reference, each.argmax(1), labels=range(10)) for each in outputs)
    assert np.array_equal(scores.confusion, table)


def test_a_label_without_test_tracks_has_no_score() -> None:
    lacking = splits()
    lacking["test"] = [
        replace(each, label="blues" if each.label == "rock" else each.label)
        for each in lacking["test"]
    ]
    found = score_grid(TASK, outcome(), lacking, RULES)
    assert (found.labels[-1].name, found.labels[-1].n, found.labels[-1].scores["f1"]) == (
        "rock",
        0,
        None,
    )
    assert all(label.scores["f1"] is not None for label in found.labels[:-1])


def test_the_predictions_re_score_to_the_same_values(scores: Scores) -> None:
    table = scores.predictions
    assert table.groupby(["split", "seed"]).size().to_dict() == {
        (split, seed): count for split, count in TRACKS.items() for seed in SEEDS
    }
    test = table[table["split"] == "test"]
    for seed, value in zip(SEEDS, scores.metrics["accuracy"].seed_values, strict=True):
        of_seed = test[test["seed"] == seed]
        assert accuracy_score(of_seed["reference"], of_seed["estimate"]) == pytest.approx(value)
        # Also from the outputs alone.
        names = [name for name in table.columns if table[name].dtype == np.float32]
        assert len(names) == 10
        again = np.array(LABELS)[of_seed[names].to_numpy().argmax(1)]
        assert (again == of_seed["estimate"]).all()
    assert test["id"].tolist() == [each.id for each in tracks("test")] * 3
    assert test["reference"].tolist() == [each.label for each in tracks("test")] * 3


def test_the_grid_and_the_choice_are_handed_on(scores: Scores) -> None:
    given = outcome()
    assert [(p.layer, p.setting, p.seed, p.valid) for p in scores.grid] == [
        (t.layer, t.setting, t.seed, t.valid) for t in given.trials
    ]
    assert {(p.epochs, p.best_epoch) for p in scores.grid} == {(9, 4)}
    assert (scores.chosen.layer, scores.chosen.setting, scores.chosen.seeds) == ("1", 1e-3, SEEDS)
    assert scores.chosen.sum_weights is None
    assert [each.valid for each in scores.layers] == [each.valid for each in given.layers]
    for found, expected in zip(scores.layers, given.layers, strict=True):
        hits = expected.test_outputs.argmax(-1) == classes(tracks("test"))
        assert found.test.value == pytest.approx(hits.mean())


def test_the_same_outputs_give_the_same_intervals(scores: Scores) -> None:
    again = score_grid(TASK, outcome(), splits(), RULES)
    assert again.metrics == scores.metrics
    assert again.layers == scores.layers


def test_recordings_are_scored_besides_by_the_mean_of_their_pieces() -> None:
    """Three pieces a recording, two of them wrong: the sure right one outweighs them."""
    recordings = 30
    truth = np.repeat(np.arange(recordings) % 10, 3)
    items = [
        Track(f"{at}", Path("x.wav"), "test", LABELS[label], f"{at // 3}", f"song-{at // 3}")
        for at, label in enumerate(truth)
    ]
    outputs = np.zeros((1, len(items), 10))
    for at, label in enumerate(truth):
        outputs[0, at, label if at % 3 == 0 else (label + 1) % 10] = 9.0 if at % 3 == 0 else 1.0
    given = layer("0", 3.0, 1)
    chosen = replace(given, seeds=(0,), valid_outputs=given.valid_outputs[:1], test_outputs=outputs)
    rules = TaskRules(scored="clip", also_scored="recording")
    found = score_grid(
        TASK,
        GridOutcome([], [chosen], chosen),
        {"valid": tracks("valid"), "test": items},
        rules,
    )
    assert list(found.metrics) == [
        "accuracy", "macro_f1", "accuracy_by_recording", "macro_f1_by_recording"
    ]  # fmt: skip
    assert found.metrics["accuracy"].value == pytest.approx(1 / 3)
    assert found.metrics["accuracy_by_recording"].value == 1.0
    assert (found.metrics["accuracy"].n, found.metrics["accuracy_by_recording"].n) == (90, 30)
    of_test = found.predictions[found.predictions["split"] == "test"]
    assert of_test["recording"].tolist() == [each.recording for each in items]


def test_tags_without_a_positive_are_left_out_and_named() -> None:
    task = load_task("MTGMood")
    tags = task.spec.labels
    rng = np.random.default_rng(0)
    items = {
        split: [
            Track(f"{split}{at}", Path("x.wav"), split, tuple(tags[:2]) if at % 2 else (), f"{at}")
            for at in range(20)
        ]
        for split in ("valid", "test")
    }
    shape = (1, 20, len(tags))
    chosen = LayerOutcome(
        "0", 1e-3, (0,), 0.5, rng.normal(size=shape), rng.normal(size=shape), None
    )
    found = score_grid(task, GridOutcome([], [chosen], chosen), items, TaskRules())
    reference = np.array([bool(each.label) for each in items["test"]])
    outputs = chosen.test_outputs[0]
    expected = np.mean([roc_auc_score(reference, outputs[:, at]) for at in (0, 1)])
    assert found.metrics["roc_auc"].value == pytest.approx(expected)
    assert found.labels[0].scores["roc_auc"] == pytest.approx(
        roc_auc_score(reference, outputs[:, 0])
    )
    assert found.labels[2].scores == {"roc_auc": None, "average_precision": None}
    assert [each.n for each in found.labels[:3]] == [10, 10, 0]
    assert found.confusion == ()
    remark, rare = found.remarks
    assert rare == (
        "intervals of roc_auc, average_precision are of the score expected on other tracks with as "
        "few positives: 2 of 56 labels have fewer than 60"
    )
    assert remark.startswith(f"54 of 56 labels have no score on test: {tags[2]}, {tags[3]}, ")
    assert remark.endswith(" and 44 more")
    assert set(found.predictions["reference"]) == {";".join(tags[:2]), ""}
