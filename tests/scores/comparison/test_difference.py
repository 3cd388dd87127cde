"""The test of a difference: against SciPy, and where it must be found or not."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import permutation_test
from sklearn.metrics import accuracy_score

from marble_eval.results import read_predictions, read_result, write_result
from marble_eval.scores.comparison import adjusted, difference_of, item_changes, on_common_items
from tests.stored_results import stored_result


def test_a_result_does_not_differ_from_itself(tmp_path: Path) -> None:
    path = stored_result(tmp_path)
    first, second, _ = on_common_items(path, path)
    found = difference_of(first, second, "accuracy")
    assert (found.difference, found.low, found.high) == (0.0, 0.0, 0.0)
    assert found.p_permutation == found.p_bootstrap == 1.0
    assert found.verdict == "no difference shown"
    assert item_changes(first, second, "accuracy").empty


def test_the_difference_is_that_of_the_two_scores_and_p_that_of_scipy(tmp_path: Path) -> None:
    paths = [
        stored_result(tmp_path / name, clearness=clearness, seed=seed, seeds=(0,))
        for name, clearness, seed in (("a", 1.0, 1), ("b", 1.6, 2))
    ]
    rows = [read_predictions(path).query("split == 'test'") for path in paths]
    scores = [accuracy_score(each["reference"], each["estimate"]) for each in rows]
    first, second, _ = on_common_items(*paths)
    found = difference_of(first, second, "accuracy", permutations=4000)
    assert found.difference == pytest.approx(scores[1] - scores[0])
    assert found.low < found.difference < found.high
    right = [(each["reference"] == each["estimate"]).to_numpy(float) for each in rows]
    foreign = permutation_test(
        (right[1], right[0]),
        lambda x, y, axis: np.mean(x, axis=axis) - np.mean(y, axis=axis),
        permutation_type="samples",
        n_resamples=4000,
        vectorized=True,
        rng=np.random.default_rng(0),
    )
    assert found.p_permutation == pytest.approx(foreign.pvalue, abs=0.03)
    assert found.p_bootstrap == pytest.approx(foreign.pvalue, abs=0.12)


@pytest.mark.parametrize("name", ["GTZAN", "MTT", "EMO", "GS"])
def test_a_clearly_better_encoder_is_found_in_every_kind(name: str, tmp_path: Path) -> None:
    worse = stored_result(tmp_path / "a", name, clearness=0.5, seed=1)
    better = stored_result(tmp_path / "b", name, clearness=3.0, seed=2)
    first, second, _ = on_common_items(worse, better)
    metric = next(iter(first.result.metrics))
    found = difference_of(first, second, metric, permutations=500)
    assert found.low > 0 and found.p_permutation < 0.01 and found.p_bootstrap < 0.01
    assert found.verdict == "second is better"
    back = difference_of(second, first, metric, permutations=500)
    assert back.difference == pytest.approx(-found.difference)
    assert back.verdict == "first is better"


def test_items_of_one_artist_are_one_piece_of_evidence(tmp_path: Path) -> None:
    alone, together = (
        [
            stored_result(tmp_path / f"{name}{size}", clearness=clearness, seed=seed, together=size)
            for name, clearness, seed in (("a", 1.0, 1), ("b", 1.6, 2))
        ]
        for size in (1, 10)
    )
    free, held = (
        difference_of(*on_common_items(*paths)[:2], "accuracy") for paths in (alone, together)
    )
    assert free.difference == held.difference
    assert (free.groups, held.groups, held.items) == (60, 6, 60)
    assert held.p_permutation >= 2 / 2**6, "six groups have 64 ways to be swapped"
    assert free.p_permutation < held.p_permutation


def test_several_tests_are_adjusted_by_holm(tmp_path: Path) -> None:
    found = []
    for name in ("GTZAN", "GS", "NSynthI"):
        paths = [
            stored_result(tmp_path / f"{name}{seed}", name, seed=seed, clearness=0.5 + seed)
            for seed in (1, 2)
        ]
        first, second, _ = on_common_items(*paths)
        found.append(difference_of(first, second, next(iter(first.metrics)), permutations=500))
    values = sorted(each.p_permutation for each in found)
    expected = np.minimum(1, np.maximum.accumulate([3 * values[0], 2 * values[1], values[2]]))
    assert sorted(each.p_holm for each in adjusted(found)) == pytest.approx(list(expected))


def test_items_that_flipped_are_those_whose_estimate_turned_right_or_wrong(tmp_path: Path) -> None:
    paths = [stored_result(tmp_path / str(seed), seed=seed, seeds=(0,)) for seed in (1, 2)]
    first, second, _ = on_common_items(*paths)
    changes = item_changes(first, second, "accuracy")
    rows = [read_predictions(path).query("split == 'test'").set_index("id") for path in paths]
    right = [each["reference"] == each["estimate"] for each in rows]
    assert set(changes["id"]) == set(right[0].index[right[0] != right[1]])
    gained = set(changes.loc[changes["change"] == 1.0, "id"])
    assert gained == set(right[0].index[~right[0] & right[1]])


@pytest.mark.parametrize(
    ("name", "metric"),
    [
        ("GS", "weighted_score"),
        ("GS", "mirex_score"),
        ("GS", "accuracy"),
        ("NSynthP", "accuracy"),
        ("NSynthP", "chroma_accuracy"),
        ("GTZAN", "accuracy"),
    ],
)
def test_changes_of_items_add_up_to_the_difference_of_a_mean(
    name: str, metric: str, tmp_path: Path
) -> None:
    paths = [stored_result(tmp_path / str(seed), name, seed=seed) for seed in (1, 2)]
    first, second, _ = on_common_items(*paths)
    found = difference_of(first, second, metric, permutations=10)
    changes = item_changes(first, second, metric)
    assert changes["change"].sum() / 60 == pytest.approx(found.difference)


def test_items_of_one_dimension_are_told_by_its_errors_alone(tmp_path: Path) -> None:
    first = stored_result(tmp_path / "a", "EMO")
    table, result = read_predictions(first), read_result(first)
    moved = table.assign(output_1=table["output_1"] + 1.0)  # arousal; valence stays
    second = write_result(tmp_path / "b", dataclasses.replace(result, predictions=None), moved)
    stored = on_common_items(first, second)[:2]
    names = [each.name for each in result.labels]
    assert item_changes(*stored, f"r2_{names[0]}").empty
    assert len(item_changes(*stored, f"r2_{names[1]}")) == 60
    assert len(item_changes(*stored, "r2")) == 60


def test_pieces_are_listed_where_whole_recordings_are_compared(tmp_path: Path) -> None:
    paths = [
        stored_result(tmp_path / str(seed), seed=seed, pieces=3, together=3) for seed in (1, 2)
    ]
    first, second, _ = on_common_items(*paths)
    found = difference_of(first, second, "accuracy_by_recording", permutations=10)
    assert (found.items, found.groups) == (20, 20)
    pieces = item_changes(first, second, "accuracy_by_recording")
    assert pieces.equals(item_changes(first, second, "accuracy"))


def test_resamples_without_a_value_are_counted(tmp_path: Path) -> None:
    paths = []
    for seed in (1, 2):
        path = stored_result(tmp_path / f"whole {seed}", "EMO", seed=seed)
        two = read_predictions(path).query("split == 'valid' or id in ('test-000', 'test-001')")
        result = dataclasses.replace(read_result(path), predictions=None)
        paths.append(write_result(tmp_path / str(seed), result, two))
    first, second, _ = on_common_items(*paths)
    found = difference_of(first, second, "r2", permutations=10)
    # One of two items twice, half of all draws, has no variance to be explained.
    assert found.undefined == pytest.approx(500, abs=60)
