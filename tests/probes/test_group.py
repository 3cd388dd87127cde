"""A group of probes against autograd and torch.optim.Adam, its batches whole and in parts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from torch.nn import functional

from marble_eval.probes import LEARNED_SUM, Member
from marble_eval.probes.group import ProbeGroup, reads_of
from marble_eval.spec import TrainedProbe

LAYERS, WIDTH, OUTPUTS, ROWS = 3, 6, 4, 21
CPU = torch.device("cpu")
LINEAR, MLP = TrainedProbe("linear", 0, 0.0), TrainedProbe("mlp", 8, 0.0)
DROPPING = TrainedProbe("mlp", 8, 0.5)
SUM = tuple(range(LAYERS))


def members(kind: str, seed: int = 3) -> list[Member]:
    if kind == "sums":
        return [Member(LEARNED_SUM, SUM, rate, seed) for rate in (1e-2, 5e-2)]
    return [Member("1", (1,), rate, seed) for rate in (1e-2, 5e-2)]


def group_of(
    some: Sequence[Member], probe: TrainedProbe, loss: str = "binary-cross-entropy"
) -> ProbeGroup:
    return ProbeGroup(some, probe, loss=loss, width=WIDTH, outputs=OUTPUTS, device=CPU)


def batch(seed: int, loss: str) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Draw features (layer, row, width), targets, and which of them are known."""
    draws = torch.Generator().manual_seed(seed)
    features = torch.randn(LAYERS, ROWS, WIDTH, generator=draws)
    if loss == "cross-entropy":
        classes = torch.randint(OUTPUTS, (ROWS,), generator=draws)
        return features, functional.one_hot(classes, OUTPUTS).float(), torch.ones(ROWS, OUTPUTS)
    goals = (torch.rand(ROWS, OUTPUTS, generator=draws) < 0.3).float()
    return features, goals, (torch.rand(ROWS, OUTPUTS, generator=draws) < 0.7).float()


def read_by(group: ProbeGroup, features: torch.Tensor) -> torch.Tensor:
    """Give the group what its members read, as the grid does."""
    if "weights" in group.parameters:
        return features
    return features[group.reads]


def share_of(known: torch.Tensor, rows: slice, loss: str) -> torch.Tensor | float:
    """Say what a part has in the mean of the batch: of its rows, or its known cells."""
    part = known[rows]
    if loss == "cross-entropy":
        return len(part) / len(known)
    return part * part.numel() / float(known.sum())


def official_outputs(parameters: dict[str, torch.Tensor], features: torch.Tensor) -> torch.Tensor:
    """Compute one probe's outputs with PyTorch's own functions."""
    values = features[1]
    if "weights" in parameters:
        shares = torch.softmax(parameters["weights"], 0)
        values = (shares[:, None, None] * features).sum(0)
    for name in ("hidden", "output"):
        if name in parameters:
            values = functional.linear(values, parameters[name].T, parameters[f"{name}_bias"][0])
            values = torch.relu(values) if name == "hidden" else values
    return values


def official_loss(
    outputs: torch.Tensor, goals: torch.Tensor, known: torch.Tensor, loss: str
) -> torch.Tensor:
    if loss == "cross-entropy":
        return functional.cross_entropy(outputs, goals.argmax(1))
    there = known.bool()
    return functional.binary_cross_entropy_with_logits(outputs[there], goals[there])


@pytest.mark.parametrize("size", [ROWS, 8, 1], ids=["whole", "parts of 8", "row by row"])
@pytest.mark.parametrize("loss", ["binary-cross-entropy", "cross-entropy"])
@pytest.mark.parametrize("probe", [LINEAR, MLP], ids=["linear", "mlp"])
@pytest.mark.parametrize("kind", ["singles", "sums"])
def test_parts_add_up_to_the_steps_of_autograd_and_adam(
    kind: str, probe: TrainedProbe, loss: str, size: int
) -> None:
    some = members(kind)
    group = group_of(some, probe, loss)
    rates = np.array([each.learning_rate for each in some])
    alone = [
        {name: value[at].clone().requires_grad_() for name, value in group.parameters.items()}
        for at in range(len(some))
    ]
    adams = [
        torch.optim.Adam(each.values(), lr=rate) for each, rate in zip(alone, rates, strict=True)
    ]
    for step in range(4):
        features, goals, known = batch(step, loss)
        with torch.inference_mode():
            for first in range(0, ROWS, size):
                rows = slice(first, first + size)
                given = read_by(group, features[:, rows])
                group.add(given, goals[rows], share_of(known, rows, loss))
            group.step(rates)
        for parameters, adam in zip(alone, adams, strict=True):
            adam.zero_grad()
            outputs = official_outputs(parameters, features)
            torch.autograd.backward(official_loss(outputs, goals, known, loss))
            adam.step()
    for at, parameters in enumerate(alone):
        assert set(parameters) == set(group.parameters)
        for name, value in parameters.items():
            found = group.parameters[name][at]
            torch.testing.assert_close(found, value.detach(), atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize("probe", [LINEAR, MLP, DROPPING], ids=["linear", "mlp", "dropout"])
@pytest.mark.parametrize("kind", ["singles", "sums"])
def test_a_part_without_rows_changes_nothing(kind: str, probe: TrainedProbe) -> None:
    """Of a batch whose last part has frames without a target alone."""
    features, goals, _ = batch(0, "cross-entropy")
    groups = [group_of(members(kind), probe) for _ in range(3)]
    with torch.inference_mode():
        for group, parts in zip(groups, ([ROWS], [0, ROWS], [ROWS, 0]), strict=True):
            for rows in parts:
                group.add(read_by(group, features[:, :rows]), goals[:rows], rows / ROWS)
            group.step(np.array([1e-2, 5e-2]))
    for other in groups[1:]:
        for name, value in groups[0].parameters.items():
            assert value.isfinite().all()
            torch.testing.assert_close(other.parameters[name], value)


def test_a_cell_without_a_target_sends_nothing_back() -> None:
    """The column of the last output is nowhere known: its weights stay as they were drawn."""
    features, goals, _ = batch(0, "binary-cross-entropy")
    group = group_of(members("singles"), LINEAR)
    before = {name: value.clone() for name, value in group.parameters.items()}
    known = torch.ones(ROWS, OUTPUTS)
    known[:, -1] = 0
    with torch.inference_mode():
        group.add(read_by(group, features), goals, known * ROWS * OUTPUTS / known.sum())
        group.step(np.array([1e-2, 5e-2]))
    for name in ("output", "output_bias"):
        moved = group.parameters[name] != before[name]
        assert not moved[..., -1].any()
        assert moved[..., :-1].all()


@pytest.mark.parametrize("probe", [LINEAR, DROPPING], ids=["linear", "dropout"])
@pytest.mark.parametrize("kind", ["singles", "sums"])
def test_a_member_alone_is_the_member_in_its_group(kind: str, probe: TrainedProbe) -> None:
    some = members(kind)
    together, alone = group_of(some, probe), group_of(some[1:], probe)
    with torch.inference_mode():
        for step in range(3):
            features, goals, _ = batch(step, "binary-cross-entropy")
            for group, rates in ((together, [1e-2, 5e-2]), (alone, [5e-2])):
                for rows in (slice(0, 9), slice(9, ROWS)):
                    share = len(goals[rows]) / ROWS
                    group.add(read_by(group, features[:, rows]), goals[rows], share)
                group.step(np.array(rates))
    for name, value in alone.parameters.items():
        torch.testing.assert_close(together.parameters[name][1], value[0], atol=1e-6, rtol=1e-6)


def test_dropout_leaves_out_other_units_in_each_part() -> None:
    """The same rows in two halves of a batch are not trained on with the same mask twice."""
    features, goals, _ = batch(0, "binary-cross-entropy")
    once, twice = (group_of(members("singles"), DROPPING) for _ in range(2))
    with torch.inference_mode():
        once.add(read_by(once, features), goals, 1.0)
        for _ in range(2):
            twice.add(read_by(twice, features), goals, 0.5)
        for group in (once, twice):
            group.step(np.array([1e-2, 5e-2]))
    assert not torch.allclose(once.parameters["hidden"], twice.parameters["hidden"])


def test_those_that_stopped_leave_and_the_others_go_on_as_if_alone() -> None:
    some = [Member("1", (1,), rate, 3) for rate in (1e-2, 2e-2, 5e-2)]
    rates = np.array([each.learning_rate for each in some])
    group, alone = group_of(some, LINEAR), group_of(some[2:], LINEAR)

    def epoch(number: int) -> None:
        features, goals, _ = batch(number, "binary-cross-entropy")
        group.add(read_by(group, features), goals, 1.0)
        group.step(rates)
        alone.add(read_by(alone, features), goals, 1.0)
        alone.step(rates[2:])

    with torch.inference_mode():
        epoch(0)
        group.remember(np.array([True, True, False]))
        kept = {name: value[:2].clone() for name, value in group.parameters.items()}
        group.drop(np.array([False, True, True]))
        assert (group.members, group.places.tolist()) == (some[1:], [1, 2])
        epoch(1)
        group.remember(np.array([False, False, True]))
        group.drop(np.array([False, False, True]))
        epoch(2)
        group.drop(np.zeros(3, dtype=bool))
    assert group.members == [] and group.reads.tolist() == []
    for name, value in kept.items():
        assert torch.equal(group.best[name][:2], value)
        # After its second epoch, in which `alone` was one epoch behind of its own end.
        assert not torch.equal(group.best[name][2], alone.parameters[name][0])
    with torch.inference_mode():
        again = group_of(some[2:], LINEAR)
        for number in range(2):
            features, goals, _ = batch(number, "binary-cross-entropy")
            again.add(read_by(again, features), goals, 1.0)
            again.step(rates[2:])
    for name, value in again.parameters.items():
        torch.testing.assert_close(group.best[name][2], value[0], atol=1e-6, rtol=1e-6)


def test_a_seed_alone_decides_where_probes_start_and_in_which_order() -> None:
    first, second, other = (group_of(members("singles", seed), MLP) for seed in (3, 3, 4))
    assert first.order(50).tolist() == second.order(50).tolist()
    assert sorted(other.order(50).tolist()) == list(range(50))
    for name, value in first.parameters.items():
        assert torch.equal(value, second.parameters[name])
        assert torch.equal(value[0], value[1]), "the members of a group start from one point"
        assert not torch.equal(value, other.parameters[name])
        bound = 1 / np.sqrt(WIDTH if name.startswith("hidden") else 8)
        assert value.abs().max() <= bound


def test_a_group_reads_a_layer_each_or_those_of_its_sum() -> None:
    singles = [Member("2", (2,), 1e-3, 0), Member("0", (0,), 1e-3, 0)]
    assert reads_of(singles, CPU).tolist() == [2, 0]
    assert reads_of(members("sums"), CPU).tolist() == list(SUM)


@pytest.mark.parametrize(
    "some",
    [
        [Member("1", (1,), 1e-3, 0), Member("1", (1,), 1e-3, 1)],
        [Member("1", (1,), 1e-3, 0), Member(LEARNED_SUM, SUM, 1e-3, 0)],
        [],
    ],
    ids=["two seeds", "two forms", "none"],
)
def test_members_that_do_not_go_together_are_refused(some: list[Member]) -> None:
    with pytest.raises(ValueError, match="must share their seed and their form"):
        group_of(some, LINEAR)
