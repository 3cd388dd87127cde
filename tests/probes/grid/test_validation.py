"""The score that chooses is the task's own."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score

from marble_eval.probes.grid.validation import validation_score
from marble_eval.registry import load_task

REFERENCE = np.random.default_rng(0).integers(10, size=50)
OUTPUTS = np.random.default_rng(1).normal(size=(50, 10)) + np.eye(10)[REFERENCE]


def test_the_kind_s_main_metric_chooses() -> None:
    found = validation_score(load_task("GTZAN"), REFERENCE)(OUTPUTS)
    assert found == pytest.approx(accuracy_score(REFERENCE, OUTPUTS.argmax(1)))


def test_another_main_metric_chooses_where_the_card_has_one() -> None:
    task = load_task("GTZAN")
    task = replace(task, spec=replace(task.spec, metrics=("macro_f1", "accuracy")))
    found = validation_score(task, REFERENCE)(OUTPUTS)
    assert found == pytest.approx(f1_score(REFERENCE, OUTPUTS.argmax(1), average="macro"))


def test_a_folder_s_own_decoding_and_score_choose() -> None:
    def second_best(outputs: np.ndarray, spec: object) -> np.ndarray:
        return np.asarray(outputs.argsort(axis=-1)[..., -2])

    def hits(reference: np.ndarray, estimate: np.ndarray, spec: Any) -> dict[str, np.ndarray]:
        return {"accuracy": np.asarray((reference == estimate).sum())}

    task = load_task("GTZAN").overriding(decode=second_best, score=hits)
    expected = sum(
        sorted(range(10), key=lambda at: row[at])[-2] == label
        for row, label in zip(OUTPUTS, REFERENCE, strict=True)
    )
    assert validation_score(task, REFERENCE)(OUTPUTS) == expected > 0
