"""The gradients that losses send back, against automatic differentiation."""

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
