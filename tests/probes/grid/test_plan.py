"""What is trained: layers, groups of members, training rules, and the score that chooses."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, f1_score

from marble_eval.errors import SpecError
from marble_eval.probes import Member
from marble_eval.probes.grid import GridPlan, layer_choices
from marble_eval.probes.grid.clips import groups_of
from marble_eval.probes.grid.plan import validation_score
from marble_eval.registry import load_probe, load_task
from marble_eval.registry.configuration import load_engine, load_protocol

NAMES = tuple(str(layer) for layer in range(13))
V1 = load_protocol("marble-v1")


def test_all_layers_of_mert_are_thirteen_and_a_sum_without_the_input() -> None:
    found = layer_choices(NAMES, "all", V1)
    assert list(found) == [*NAMES, "sum"]
    assert [found[name] for name in NAMES] == [(at,) for at in range(13)]
    assert found["sum"] == tuple(range(1, 13))


def test_the_protocol_says_where_the_sum_begins() -> None:
    assert layer_choices(NAMES, "all", replace(V1, sum_from_layer=0))["sum"] == tuple(range(13))


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ([7], ["7"]),
        (["7"], ["7"]),
        ([12, 3, "sum", 3], ["3", "12", "sum"]),
        ("sum", ["sum"]),
        ((0,), ["0"]),
    ],
)
def test_layers_are_given_by_number_or_name_and_come_in_order(
    wanted: str | list[int | str], expected: list[str]
) -> None:
    assert list(layer_choices(NAMES, wanted, V1)) == expected


def test_layers_with_names_of_their_own_are_also_found_by_number() -> None:
    names = ("mean", "deviation", "delta")
    assert layer_choices(names, [2, "mean"], V1) == {"mean": (0,), "delta": (2,)}


@pytest.mark.parametrize("names", [("mean",), ("mean", "deviation")])
def test_a_sum_of_fewer_than_two_layers_is_none(names: tuple[str, ...]) -> None:
    assert list(layer_choices(names, "all", V1)) == list(names)
    with pytest.raises(SpecError, match="layers: 'sum' must be a layer of the encoder"):
        layer_choices(names, ["sum"], V1)


@pytest.mark.parametrize("wrong", [13, -1, "twelve", "3.0"])
def test_a_layer_that_is_not_there_is_refused_with_those_that_are(wrong: int | str) -> None:
    with pytest.raises(SpecError, match=rf"layers: {wrong!r} must be .* It has 0, 1, .*, sum\."):
        layer_choices(NAMES, [3, wrong], V1)


def test_no_layer_at_all_is_refused() -> None:
    with pytest.raises(SpecError, match="at least one layer"):
        layer_choices(NAMES, [], V1)


def plan(protocol: str = "marble-v1") -> GridPlan:
    task, rules, names = load_task("GTZAN"), load_protocol(protocol), ("0", "1", "2")
    return GridPlan(
        task=task,
        layers=layer_choices(names, "all", rules),
        layer_names=names,
        probe=load_probe("mlp"),
        protocol=rules,
        rules=task.spec.protocols[rules.rules],
        seeds=(0, 1),
        engine=load_engine("local"),
        device=torch.device("cpu"),
    )


def members() -> list[Member]:
    return [
        Member(layer, reads, rate, seed)
        for seed in (0, 1)
        for layer, reads in (("0", (0,)), ("1", (1,)), ("2", (2,)), ("sum", (1, 2)))
        for rate in (1e-3, 1e-2)
    ]


@pytest.mark.parametrize("size", [1, 4, 100])
def test_a_group_has_one_seed_and_one_form_and_nobody_is_left_out(size: int) -> None:
    groups = groups_of(members(), size)
    assert sorted(repr(each) for group in groups for each in group) == sorted(map(repr, members()))
    for group in groups:
        assert len({(each.seed, len(each.reads)) for each in group}) == 1
        assert 1 <= len(group) <= size


def test_groups_are_as_large_as_they_may_and_sums_come_first() -> None:
    # Of each seed 6 single members and 2 sums: at most 4 together.
    groups = groups_of(members(), 4)
    assert [(group[0].seed, group[0].layer, len(group)) for group in groups] == [
        (0, "sum", 2),
        (1, "sum", 2),
        (0, "0", 4),
        (0, "2", 2),
        (1, "0", 4),
        (1, "2", 2),
    ]


def test_gtzan_under_marble_v1_is_trained_as_published() -> None:
    rules = plan().training_rules()
    # MARBLE's GTZAN_base_config.yaml, v1: 100 epochs, plateau 6, factor 0.5, stop 20, batch 64.
    assert (rules.patience.max_epochs, rules.patience.plateau) == (100, 6)
    assert (rules.patience.factor, rules.patience.stop) == (0.5, 20)
    assert (rules.batch_tracks, rules.outputs, rules.loss) == (64, 10, "cross-entropy")
    assert (rules.probe.hidden, rules.probe.dropout) == (512, 0.2)
    assert rules.aggregation == "mean-logits"


def test_the_protocol_can_only_shorten_the_training() -> None:
    assert plan("quick").training_rules().patience.max_epochs == 30
    given = plan()
    longer = replace(given, protocol=replace(given.protocol, max_epochs=1000))
    assert longer.training_rules().patience.max_epochs == 100


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
