"""The grid and the choice: each thing that does not follow from the others is named."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from marble_eval.results import Chosen, GridPoint, LayerScore, Result, ScoreRange
from marble_eval.results.caveats import Divergence, LayerLeftOut
from marble_eval.submission.choice import check_choice
from marble_eval.submission.submitted import Submitted
from tests.submission.true_results import BEST, SEEDS


def rules_after(submitted: Submitted, **changes: Any) -> list[str]:
    result = replace(submitted.result, **changes)
    return [each.rule for each in check_choice(replace(submitted, result=result))]


def layers_with(result: Result, layer: str, **changes: Any) -> tuple[LayerScore, ...]:
    return tuple(
        replace(each, **changes) if each.layer == layer else each for each in result.layers
    )


def grid_with(result: Result, layer: str, setting: float, seed: int, **changes: Any) -> Any:
    return tuple(
        replace(each, **changes) if (each.layer, each.setting, each.seed) == (layer, setting, seed)
        else each
        for each in result.grid
    )  # fmt: skip


def test_a_true_result_follows_from_its_grid(submitted: Submitted) -> None:
    assert len(submitted.result.grid) == 4 * (6 + 2)  # layers × (rates + other seeds)
    assert rules_after(submitted) == []


@pytest.mark.parametrize("at", [0, 3, 7, -1])
def test_a_grid_point_that_was_dropped_is_missed(submitted: Submitted, at: int) -> None:
    grid = list(submitted.result.grid)
    gone = grid.pop(at)
    (rule, *_) = rules_after(submitted, grid=tuple(grid))
    assert rule.startswith(f"grid of layer '{gone.layer}' must have each setting once")


def test_a_layer_without_any_point_is_missed(submitted: Submitted) -> None:
    grid = tuple(each for each in submitted.result.grid if each.layer != "2")
    layers = tuple(each for each in submitted.result.layers if each.layer != "2")
    found = rules_after(submitted, grid=grid, layers=layers)
    assert "layers must be those that were asked for, in their order" in found
    assert any(each.startswith("grid of layer '2'") for each in found)


def test_a_probe_that_diverged_may_be_absent_where_the_record_says_so(submitted: Submitted) -> None:
    gone = GridPoint("2", 1e-2, SEEDS[0], 30, 10, 0.0)
    grid = tuple(
        each
        for each in submitted.result.grid
        if (each.layer, each.setting, each.seed) != (gone.layer, gone.setting, gone.seed)
    )
    diverged = Divergence("2", 1e-2, SEEDS[0], scored=False)
    assert rules_after(submitted, grid=grid, divergences=(diverged,)) == []
    for other in ({"setting": 0.1}, {"seed": SEEDS[1]}, {"layer": "1"}, {"scored": True}):
        assert rules_after(submitted, grid=grid, divergences=(replace(diverged, **other),))


def test_a_layer_may_be_left_out_where_the_record_says_so(submitted: Submitted) -> None:
    told: dict[str, Any] = {
        "divergences": (Divergence("0", 1e-3, 1236, scored=False),),
        "left_out": (LayerLeftOut("0", "diverged"),),
    }
    grid = tuple(e for e in submitted.result.grid if (e.layer, e.seed) != ("0", 1236))
    layers = tuple(each for each in submitted.result.layers if each.layer != "0")
    assert rules_after(submitted, grid=grid, layers=layers, **told) == []
    assert rules_after(submitted, grid=grid, layers=layers, divergences=told["divergences"])


def test_a_sum_is_not_left_out_of_probes_that_read_it(submitted: Submitted) -> None:
    left_out = (LayerLeftOut("sum", "no learned sum"),)
    layers = tuple(each for each in submitted.result.layers if each.layer != "sum")
    grid = tuple(each for each in submitted.result.grid if each.layer != "sum")
    (rule, *_) = rules_after(submitted, grid=grid, layers=layers, left_out=left_out)
    assert rule.startswith("left_out must name the learned sum just where")


@pytest.mark.parametrize(
    ("point", "what"),
    [
        (GridPoint("2", 0.02, SEEDS[0], 9, 4, 0.1), "grid of layer '2'"),
        (GridPoint("2", BEST, SEEDS[1], 9, 4, 0.1), "grid of layer '2'"),
        (GridPoint("7", BEST, SEEDS[0], 9, 4, 0.1), "grid must be of the layers and seeds"),
        (GridPoint("2", BEST, 99, 9, 4, 0.1), "grid must be of the layers and seeds"),
    ],
)
def test_a_point_too_many_is_named(submitted: Submitted, point: GridPoint, what: str) -> None:
    found = rules_after(submitted, grid=(*submitted.result.grid, point))
    assert found
    assert found[0].startswith(what)


def test_an_edited_layer_score_is_not_the_mean_of_its_grid(submitted: Submitted) -> None:
    layers = layers_with(submitted.result, "2", valid=0.3)
    assert rules_after(submitted, layers=layers) == [
        "layers: valid of '2' must be the mean of its grid"
    ]


def test_the_best_setting_is_that_of_the_first_seed(submitted: Submitted) -> None:
    better = grid_with(submitted.result, "2", 5e-3, SEEDS[0], valid=0.99)
    found = rules_after(submitted, grid=better)
    assert "layers: setting of '2' must be the best of its grid" in found


@pytest.mark.parametrize("layer", ["2", "sum", "7"])
def test_a_changed_choice_is_named(submitted: Submitted, layer: str) -> None:
    chosen = replace(submitted.result.chosen, layer=layer)
    found = rules_after(submitted, chosen=chosen)
    assert "chosen.layer must be the best of the curve on validation" in found


def test_the_chosen_setting_seeds_and_weights_belong_to_the_choice(submitted: Submitted) -> None:
    for changed, rule in (
        (Chosen("1", 5e-3, SEEDS, None), "chosen.setting must be that of its layer"),
        (Chosen("1", BEST, SEEDS[:2], None), "chosen.seeds must be those that were asked for"),
        (
            Chosen("1", BEST, SEEDS, {"1": 1.0}),
            "chosen.sum_weights must be there for a learned sum alone",
        ),
    ):
        assert rules_after(submitted, chosen=changed) == [rule]


def test_the_chosen_layer_s_test_score_is_the_main_metric(submitted: Submitted) -> None:
    better = ScoreRange(0.9, 0.88, 0.92)
    found = rules_after(submitted, layers=layers_with(submitted.result, "1", test=better))
    assert found == [
        f"layers: test.{end} of the chosen one must be that of accuracy"
        for end in ("value", "low", "high")
    ]


def test_the_chosen_layer_is_tied_with_itself(submitted: Submitted) -> None:
    layers = layers_with(submitted.result, "1", tied=False)
    assert rules_after(submitted, layers=layers) == [
        "layers: the chosen one must be tied with itself"
    ]


def test_weights_of_a_chosen_sum_are_shares(submitted: Submitted) -> None:
    result = submitted.result
    layers = layers_with(result, "sum", valid=result.layers[1].valid + 0.1)
    grid = tuple(
        replace(each, valid=each.valid + layers[3].valid - result.layers[3].valid)
        if each.layer == "sum"
        else each
        for each in result.grid
    )
    test = result.layers[1].test
    layers = layers_with(replace(result, layers=layers), "sum", test=test, tied=True)
    for weights, right in (({"1": 0.75, "2": 0.25}, True), ({"1": 0.75, "2": 0.5}, False)):
        chosen = Chosen("sum", BEST, SEEDS, weights)
        found = rules_after(submitted, layers=layers, grid=grid, chosen=chosen)
        assert (found == []) == right, found


def test_training_longer_than_the_card_allows_is_named(submitted: Submitted) -> None:
    grid = grid_with(submitted.result, "2", 5e-3, SEEDS[0], epochs=101)
    assert rules_after(submitted, grid=grid) == [
        "grid must not be trained longer than protocol and card allow"
    ]
    grid = grid_with(submitted.result, "2", 5e-3, SEEDS[0], best_epoch=31)
    assert rules_after(submitted, grid=grid) == [
        "grid must have its best epoch among those trained"
    ]


def test_without_the_card_the_grid_is_held_against_itself(submitted: Submitted) -> None:
    alone = replace(submitted, task=None, rules=None)
    assert rules_after(alone) == []
    assert rules_after(alone, grid=submitted.result.grid[:-1])
