"""How members become groups, and which rules they follow."""

from dataclasses import replace

import pytest
import torch

from marble_eval.configuration import load_engine, load_protocol
from marble_eval.probes import Member
from marble_eval.probes.grid import GridPlan, layer_choices
from marble_eval.probes.grid.trained import groups_of, training_rules
from marble_eval.registry import load_probe, load_task


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
    rules = training_rules(plan())
    # MARBLE's GTZAN_base_config.yaml, v1: 100 epochs, plateau 6, factor 0.5, stop 20, batch 64.
    assert (rules.patience.max_epochs, rules.patience.plateau) == (100, 6)
    assert (rules.patience.factor, rules.patience.stop) == (0.5, 20)
    assert (rules.batch_tracks, rules.outputs, rules.loss) == (64, 10, "cross-entropy")
    assert (rules.probe.hidden, rules.probe.dropout) == (512, 0.2)
    assert rules.aggregation == "mean-logits"


def test_the_protocol_can_only_shorten_the_training() -> None:
    assert training_rules(plan("quick")).patience.max_epochs == 30
    given = plan()
    longer = replace(given, protocol=replace(given.protocol, max_epochs=1000))
    assert training_rules(longer).patience.max_epochs == 100
