"""Scores from stored predictions: as the run made them, by other metrics, and what is refused."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from sklearn.metrics import f1_score, r2_score, roc_auc_score

from marble_eval.errors import MissingError, SpecError, ValidationError
from marble_eval.results import read_predictions, read_result, write_result
from marble_eval.scores.rescoring import NOT_INSTALLED, relabelled, rescored, stored_scores
from tests.stored_results import stored_result

if TYPE_CHECKING:
    import pandas as pd

KINDS = ("GTZAN", "MTT", "EMO", "GS", "NSynthP")


@pytest.mark.parametrize("name", KINDS)
def test_scores_come_out_as_the_run_made_them(name: str, tmp_path: Path) -> None:
    path = stored_result(tmp_path, name, together=2)
    result = read_result(path)
    assert rescored(path) == result.metrics
    assert relabelled(stored_scores(path)) == (result.labels, result.confusion)


def test_pieces_of_recordings_are_scored_by_recording_besides(tmp_path: Path) -> None:
    path = stored_result(tmp_path, "VocalSetT", pieces=4)
    result = read_result(path)
    assert "accuracy_by_recording" in result.metrics
    assert rescored(path) == result.metrics
    assert len(stored_scores(path).groups_of("accuracy_by_recording")) == 15


def test_a_metric_that_the_run_did_not_compute_is_that_of_scikit_learn(tmp_path: Path) -> None:
    path = stored_result(tmp_path, "GTZAN")
    result = read_result(path)
    older = dataclasses.replace(
        result, metrics={"accuracy": result.metrics["accuracy"]}, predictions=None
    )
    path = write_result(tmp_path / "older", older, read_predictions(path))
    (score,) = rescored(path, ["macro_f1"]).values()
    rows = read_predictions(path).query("split == 'test'")
    expected = [
        f1_score(each["reference"], each["estimate"], average="macro")
        for _, each in rows.groupby("seed")
    ]
    assert score.value == pytest.approx(np.mean(expected))
    assert score.low < score.value < score.high


def test_tags_and_numbers_are_read_back_exactly(tmp_path: Path) -> None:
    tags, numbers = (stored_result(tmp_path / name, name) for name in ("MTT", "EMO"))
    for path, metric in ((tags, "roc_auc"), (numbers, "r2")):
        rows = read_predictions(path).query("split == 'test' and seed == 0")
        outputs = rows[[each for each in rows if each.startswith("output_")]].to_numpy(float)
        if metric == "r2":
            reference = np.array([each.split(";") for each in rows["reference"]], dtype=float)
            expected = r2_score(reference, outputs)
        else:
            labels = [each.name for each in read_result(path).labels]
            reference = np.array(
                [[tag in text.split(";") for tag in labels] for text in rows["reference"]]
            )
            held = reference.any(axis=0)
            expected = roc_auc_score(reference[:, held], outputs[:, held], average="macro")
        assert stored_scores(path).values(metric)[0] == pytest.approx(expected)


def test_resamples_are_paired_whatever_the_order_of_the_items(tmp_path: Path) -> None:
    path = stored_result(tmp_path, "GTZAN", together=3)
    stored = stored_scores(path)
    turned = stored_scores(path, items=stored.items[::-1])
    np.testing.assert_allclose(
        stored.bootstrap("accuracy"), turned.bootstrap("accuracy"), rtol=1e-12
    )
    assert turned.groups == stored.groups[::-1]


def test_no_items_swapped_is_the_difference_and_all_swapped_its_opposite(tmp_path: Path) -> None:
    for name, metric in (("GTZAN", "macro_f1"), ("MTT", "roc_auc"), ("EMO", "r2")):
        first = stored_scores(stored_result(tmp_path / f"{name}-a", name, seed=1))
        second = stored_scores(
            stored_result(tmp_path / f"{name}-b", name, seed=2, clearness=2.0, seeds=(4, 5))
        )
        swaps = np.stack([np.zeros(60), np.ones(60)])
        expected = first.values(metric).mean() - second.values(metric).mean()
        assert first.swapped(second, metric, swaps) == pytest.approx([expected, -expected])


def test_one_item_swapped_is_scored_as_if_it_were_the_other_s(tmp_path: Path) -> None:
    swaps = np.zeros((1, 60))
    swaps[0, :20] = 1
    one_seed = [
        stored_scores(stored_result(tmp_path / f"one-{seed}", "GTZAN", seed=seed, seeds=(7,)))
        for seed in (1, 2)
    ]
    estimates = [np.array(each.estimates[0]) for each in one_seed]
    reference = np.array(one_seed[0].references)
    halves = [np.concatenate([estimates[1 - side][:20], estimates[side][20:]]) for side in (0, 1)]
    expected = np.mean(halves[0] == reference) - np.mean(halves[1] == reference)
    assert one_seed[0].swapped(one_seed[1], "accuracy", swaps) == pytest.approx([expected])


def _edited(path: Path, folder: Path, edit: Callable[[pd.DataFrame], pd.DataFrame]) -> Path:
    result = dataclasses.replace(read_result(path), predictions=None)
    return write_result(folder, result, edit(read_predictions(path)))


def test_a_seed_that_lacks_an_item_is_named(tmp_path: Path) -> None:
    path = stored_result(tmp_path / "a", "GTZAN")
    lacking = _edited(path, tmp_path / "b", lambda table: table.iloc[:-1])
    with pytest.raises(ValidationError, match=r"every seed must have the same items.*Seed 2"):
        stored_scores(lacking)


def test_a_seed_that_is_not_there_is_named(tmp_path: Path) -> None:
    path = stored_result(tmp_path / "a", "GTZAN")
    lacking = _edited(path, tmp_path / "b", lambda table: table[table["seed"] != 1])
    with pytest.raises(ValidationError, match=r"must have items of 'test' for seed 1"):
        stored_scores(lacking)


def test_a_reference_of_no_label_is_named(tmp_path: Path) -> None:
    for name in ("GTZAN", "MTT", "EMO"):
        path = stored_result(tmp_path / name, name)
        strange = _edited(path, tmp_path / f"{name}-b", lambda table: table.assign(reference="x"))
        with pytest.raises(ValidationError, match=r"predictions\.parquet: references of 'test' "):
            stored_scores(strange)


def test_an_infinite_output_is_refused(tmp_path: Path) -> None:
    path = stored_result(tmp_path / "a", "GTZAN")
    strange = _edited(path, tmp_path / "b", lambda table: table.assign(output_3=np.float32(np.inf)))
    with pytest.raises(ValidationError, match=r"must have finite outputs"):
        stored_scores(strange)


def test_an_unknown_metric_is_told_with_near_misses(tmp_path: Path) -> None:
    path = stored_result(tmp_path, "GTZAN")
    with pytest.raises(SpecError, match=r"no metric 'macro_f2'.*Did you mean 'macro_f1'"):
        rescored(path, ["macro_f2"])


def test_a_task_that_is_not_installed_is_scored_by_its_kind_and_says_so(tmp_path: Path) -> None:
    path = stored_result(tmp_path / "a", "GTZAN")
    result = read_result(path)
    foreign = dataclasses.replace(
        result,
        task=dataclasses.replace(result.task, name="Theirs", provider="their-tasks 1.0"),
        predictions=None,
    )
    path = write_result(tmp_path / "b", foreign, read_predictions(path))
    assert stored_scores(path).task.provider == NOT_INSTALLED
    assert rescored(path) == result.metrics


@pytest.mark.parametrize("name", ["a b", "../x"])
def test_a_task_of_an_impossible_name_is_refused(name: str, tmp_path: Path) -> None:
    path = stored_result(tmp_path / "a", "GTZAN")
    result = read_result(path)
    strange = dataclasses.replace(
        result, task=dataclasses.replace(result.task, name=name), predictions=None
    )
    path = write_result(tmp_path / "b", strange, read_predictions(path))
    with pytest.raises(ValidationError, match=r"'name' and 'aliases' must be made of letters"):
        stored_scores(path)


def test_a_kind_that_is_not_known_here_is_refused(tmp_path: Path) -> None:
    path = stored_result(tmp_path / "a", "GTZAN")
    result = read_result(path)
    strange = dataclasses.replace(
        result, task=dataclasses.replace(result.task, kind="melody"), predictions=None
    )
    path = write_result(tmp_path / "b", strange, read_predictions(path))
    with pytest.raises(ValidationError, match=r"'kind' must be one of .* Got 'melody'"):
        stored_scores(path)


def test_a_result_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match=r"no such result file"):
        rescored(tmp_path / "result.json")
