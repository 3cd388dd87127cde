"""A caller's modules, random numbers and threads are as they were."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from marble_eval.runs.preserved_state import preserved_state


@pytest.fixture(autouse=True)
def _threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


class Wrapper:
    """An encoder that holds its model."""

    def __init__(self, model: torch.nn.Module) -> None:
        self.model = model
        self.name = "wrapped"


class Slotted:
    """An encoder without a dictionary of attributes."""

    __slots__ = ("name",)

    def __init__(self) -> None:
        self.name = "slotted"


def model() -> torch.nn.Sequential:
    """A model in training, but for a part that is frozen in evaluation mode."""
    frozen = torch.nn.Sequential(torch.nn.BatchNorm1d(4), torch.nn.Dropout()).eval()
    frozen[1].train()
    return torch.nn.Sequential(torch.nn.Linear(4, 4), frozen, torch.nn.Dropout())


def modes(of: torch.nn.Module) -> dict[str, bool]:
    return {name: each.training for name, each in of.named_modules()}


@pytest.mark.parametrize("wrapped", [False, True])
@pytest.mark.parametrize("fails", [False, True])
def test_every_submodule_gets_its_own_mode_back(wrapped: bool, fails: bool) -> None:
    encoder = model()
    before = modes(encoder)
    assert set(before.values()) == {True, False}
    try:
        with preserved_state(Wrapper(encoder) if wrapped else encoder):
            assert not any(modes(encoder).values())
            if fails:
                raise RuntimeError("out of memory")
    except RuntimeError:
        assert fails
    assert modes(encoder) == before


def test_several_encoders_and_those_without_modules_are_taken() -> None:
    first, second = model(), model()
    with preserved_state(first, Wrapper(second), Slotted(), None, 3):
        assert not any([*modes(first).values(), *modes(second).values()])
    assert modes(first) == modes(second) == modes(model())


def test_a_training_loop_draws_the_numbers_it_would_have_drawn() -> None:
    encoder = model()
    torch.manual_seed(3)
    undisturbed_draws = [torch.rand(2) for _ in range(2)]
    torch.manual_seed(3)
    drawn = [torch.rand(2)]
    with preserved_state(encoder):
        torch.manual_seed(99)
        torch.rand(1000)
    drawn.append(torch.rand(2))
    for ours, theirs in zip(drawn, undisturbed_draws, strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize("fails", [False, True])
def test_the_number_of_threads_is_given_back(fails: bool) -> None:
    torch.set_num_threads(3)
    try:
        with preserved_state():
            torch.set_num_threads(1)
            if fails:
                raise RuntimeError("out of memory")
    except RuntimeError:
        assert fails
    assert torch.get_num_threads() == 3


def test_gradients_and_weights_are_untouched() -> None:
    encoder = model()
    torch.autograd.backward(encoder(torch.ones(2, 4)).sum())
    before = {name: each.clone() for name, each in encoder.state_dict().items()}
    gradient = encoder[0].weight.grad
    with preserved_state(encoder), torch.no_grad():
        encoder(torch.ones(2, 4) * 100)  # in training mode, batch norm would take this in
    assert encoder[0].weight.grad is gradient
    for name, each in encoder.state_dict().items():
        assert torch.equal(each, before[name])
