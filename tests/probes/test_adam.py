"""Both forms of the stacked Adam, against `torch.optim.Adam` on each member by itself."""

import numpy as np
import pytest
import torch

from marble_eval.probes.adam import StackedAdam

SHAPES = {"hidden": (6, 5), "hidden_bias": (1, 5), "weights": (4,)}
RATES = np.array([1e-3, 3e-2, 0.5])


def numbers(members: int, generator: torch.Generator) -> dict[str, torch.Tensor]:
    return {
        name: torch.randn(members, *shape, generator=generator) for name, shape in SHAPES.items()
    }


def official(values: torch.Tensor, rate: float) -> tuple[torch.Tensor, torch.optim.Adam]:
    leaf = values.clone().requires_grad_()
    return leaf, torch.optim.Adam([leaf], lr=rate)


@pytest.mark.parametrize("fused", [True, False])
def test_every_member_moves_as_under_torch_s_adam(fused: bool) -> None:
    draws = torch.Generator().manual_seed(0)
    values = numbers(len(RATES), draws)
    theirs = {
        (name, member): official(each[member], RATES[member])
        for name, each in values.items()
        for member in range(len(RATES))
    }
    adam = StackedAdam(values, fused=fused)
    for step in range(30):
        rates = RATES * (0.5 if step >= 20 else 1.0)  # a plateau
        for name, gradient in numbers(len(RATES), draws).items():
            # Far apart in size, as gradients are; some exactly 0.
            adam.gradients[name].copy_(gradient * 10.0 ** (step % 5 - 4) * (gradient > -1))
        for (name, member), (leaf, optimiser) in theirs.items():
            leaf.grad = adam.gradients[name][member].clone()
            optimiser.param_groups[0]["lr"] = float(rates[member])
            optimiser.step()
        adam.step(rates)
    for (name, member), (leaf, _) in theirs.items():
        torch.testing.assert_close(values[name][member], leaf.detach(), atol=2e-6, rtol=2e-6)


@pytest.mark.parametrize("fused", [True, False])
def test_members_that_stay_go_on_as_if_the_others_had_never_been(fused: bool) -> None:
    draws = torch.Generator().manual_seed(1)
    all_gradients = [numbers(3, draws) for _ in range(6)]
    start = numbers(3, draws)
    alone = {name: each[2:].clone() for name, each in start.items()}
    lonely = StackedAdam(alone, fused=fused)
    values = {name: each.clone() for name, each in start.items()}
    adam = StackedAdam(values, fused=fused)
    for step, given in enumerate(all_gradients):
        if step == 3:
            left = torch.tensor([0, 2])
            values = {name: each[left] for name, each in values.items()}
            adam.keep(values, left)
        here = [0, 1, 2] if step < 3 else [0, 2]
        for name, gradient in given.items():
            adam.gradients[name].copy_(gradient[here])
            lonely.gradients[name].copy_(gradient[2:])
        adam.step(RATES[here])
        lonely.step(RATES[2:])
    for name, each in alone.items():
        torch.testing.assert_close(values[name][-1:], each, atol=1e-7, rtol=0)


def test_a_rate_of_nothing_leaves_a_member_where_it_is() -> None:
    values = {"output": torch.ones(2, 3, 1)}
    adam = StackedAdam(values, fused=False)
    adam.gradients["output"].fill_(1.0)
    adam.step(np.array([0.0, 0.1]))
    assert torch.equal(values["output"][0], torch.ones(3, 1))
    torch.testing.assert_close(values["output"][1], torch.full((3, 1), 0.9))
