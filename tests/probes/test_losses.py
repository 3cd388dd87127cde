"""The gradients that losses send back, against automatic differentiation."""

from collections.abc import Callable

import pytest
import torch

from marble_eval.probes.losses import LOSSES


def test_cross_entropy_sends_back_what_torch_s_loss_does() -> None:
    draws = torch.Generator().manual_seed(0)
    outputs = 5 * torch.randn(3, 9, 4, generator=draws)
    targets = torch.randint(4, (9,), generator=draws)
    loss = LOSSES["cross-entropy"]
    found = loss.gradient(outputs, loss.goals(targets, 4))
    for member in range(3):
        leaf = outputs[member].clone().requires_grad_()
        torch.autograd.backward(torch.nn.functional.cross_entropy(leaf, targets))
        torch.testing.assert_close(found[member], leaf.grad, atol=1e-7, rtol=1e-6)


def test_a_class_out_of_range_is_refused() -> None:
    with pytest.raises(RuntimeError, match="smaller than num_classes"):
        LOSSES["cross-entropy"].goals(torch.tensor([0, 4]), 4)


@pytest.mark.parametrize(
    ("name", "foreign"),
    [
        ("binary-cross-entropy", torch.nn.functional.binary_cross_entropy_with_logits),
        ("squared-error", torch.nn.functional.mse_loss),
    ],
)
def test_losses_of_many_outputs_send_back_what_torch_s_do(
    name: str, foreign: Callable[..., torch.Tensor]
) -> None:
    draws = torch.Generator().manual_seed(0)
    outputs = 5 * torch.randn(3, 9, 4, generator=draws)
    targets = torch.randint(2, (9, 4), generator=draws)
    loss = LOSSES[name]
    found = loss.gradient(outputs, loss.goals(targets, 4))
    for member in range(3):
        leaf = outputs[member].clone().requires_grad_()
        torch.autograd.backward(foreign(leaf, targets.float()))
        torch.testing.assert_close(found[member], leaf.grad, atol=1e-7, rtol=1e-6)


@pytest.mark.parametrize("name", ["binary-cross-entropy", "squared-error"])
def test_targets_of_another_width_are_refused(name: str) -> None:
    with pytest.raises(RuntimeError, match="invalid for input of size"):
        LOSSES[name].goals(torch.zeros(9, 3), 4)
