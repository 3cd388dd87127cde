"""The grid of logistic regression: what is fitted, chosen and told."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from marble_eval.errors import MarbleError, SpecError
from marble_eval.probes import ProbeData
from marble_eval.probes.grid import GridPlan, layer_choices, run_grid
from marble_eval.probes.logistic import LogisticProbe
from marble_eval.progress import Silence
from marble_eval.registry import load_task
from marble_eval.registry.configuration import load_engine, load_protocol
from marble_eval.results.caveats import note_sentences

NAMES = ("0", "1", "2")
PENALTIES = (1e-4, 1e-2, 1.0)


def split(tracks: int, seed: int) -> ProbeData:
    rng = np.random.default_rng(seed)
    classes = rng.integers(10, size=tracks)
    centres = np.random.default_rng(99).normal(size=(10, 8))
    noise = rng.normal(size=(3, tracks, 8)) * np.array([9.0, 1.5, 1.5])[:, None, None]
    return ProbeData(
        torch.from_numpy(centres[classes] + noise).half(),
        torch.ones(tracks, dtype=torch.int64),
        torch.from_numpy(classes),
    )


def splits() -> dict[str, ProbeData]:
    return {"train": split(90, 0), "valid": split(40, 1), "test": split(30, 2)}


def plan() -> GridPlan:
    task, protocol = load_task("GTZAN"), load_protocol("marble-v1")
    return GridPlan(
        task=task,
        layers=layer_choices(NAMES, "all", protocol),
        layer_names=NAMES,
        probe=LogisticProbe(PENALTIES),
        protocol=protocol,
        rules=task.spec.protocols["marble-v1"],
        seeds=(0,),
        engine=load_engine("local"),
        device=torch.device("cpu"),
    )


def test_every_single_layer_meets_every_penalty_and_the_best_is_chosen() -> None:
    data = splits()
    outcome = run_grid(plan(), data, Silence())
    assert [(each.layer, each.setting) for each in outcome.trials] == [
        (layer, penalty) for layer in NAMES for penalty in PENALTIES
    ]
    assert note_sentences(outcome.notes) == ["layer sum is left out: the probe reads single layers"]
    for at, trial in enumerate(outcome.trials):
        position, penalty = at // 3, PENALTIES[at % 3]
        scaler = StandardScaler().fit(data["train"].features[position].double().numpy())
        official = LogisticRegression(C=penalty, max_iter=2000).fit(
            scaler.transform(data["train"].features[position].double().numpy()).clip(-5, 5),
            data["train"].targets.numpy(),
        )
        expected = official.score(
            scaler.transform(data["valid"].features[position].double().numpy()).clip(-5, 5),
            data["valid"].targets.numpy(),
        )
        assert trial.valid == pytest.approx(expected)
        assert (trial.seed, trial.epochs, trial.best_epoch) == (0, 0, 0)
    for layer in outcome.layers:
        assert layer.valid == max(t.valid for t in outcome.trials if t.layer == layer.layer)
        assert (layer.valid_outputs.shape, layer.test_outputs.shape) == ((1, 40, 10), (1, 30, 10))
        targets = data["valid"].targets.numpy()
        assert layer.valid == pytest.approx((layer.valid_outputs[0].argmax(1) == targets).mean())
    assert outcome.chosen.layer in ("1", "2")


def test_layers_that_are_alike_leave_the_choice_to_the_lower_one() -> None:
    data = splits()
    for each in data.values():
        each.features[2] = each.features[1]
    assert run_grid(plan(), data, Silence()).chosen.layer == "1"


def test_a_fit_that_does_not_converge_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("marble_eval.probes.logistic._ITERATIONS", 2)
    remarks = run_grid(plan(), splits(), Silence()).notes.remarks
    assert "layer 2, C=1: the fit did not converge" in remarks


def test_the_learned_sum_alone_cannot_be_fitted() -> None:
    with pytest.raises(SpecError, match="reads single layers"):
        run_grid(replace(plan(), layers={"sum": (1, 2)}), splits(), Silence())


def test_training_tracks_of_one_class_are_refused() -> None:
    data = splits()
    data["train"].targets[:] = 3
    with pytest.raises(MarbleError, match=r"two or more classes in training\. Got one in 90 clips"):
        run_grid(plan(), data, Silence())
