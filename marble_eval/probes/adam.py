"""Adam for a stack of probes, each with its own learning rate.

Kingma and Ba (arXiv 1412.6980), without weight decay. On a CPU a member at a
time goes through PyTorch's fused kernel, which keeps its state in the cache; on
a GPU the whole stack is updated by a few element-wise kernels, since one launch
a member would take longer than the arithmetic.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    import numpy as np

    from marble_eval.probes.heads import Parameters

_BETAS = (0.9, 0.999)
_EPSILON = 1e-8


class StackedAdam:
    """Adam's state for a stack of probes, whose parameters are updated in place.

    The gradients of the next step are to be written into `gradients`, which has their shapes.
    """

    def __init__(self, parameters: Parameters, *, fused: bool) -> None:
        self._fused = fused
        self._steps = 0
        first, second = (
            {name: torch.zeros_like(each) for name, each in parameters.items()} for _ in range(2)
        )
        self._hold(parameters, first, second)

    def step(self, rates: np.ndarray) -> None:
        """Update every parameter by the gradients written, at rates (member,)."""
        self._steps += 1
        if self._fused:
            self._step_fused(rates)
        else:
            self._step_stack(rates)

    def keep(self, parameters: Parameters, kept: torch.Tensor) -> None:
        """Go on with the members at positions `kept` (remaining,)."""
        first, second = (
            {name: each[kept] for name, each in moment.items()}
            for moment in (self._first, self._second)
        )
        self._hold(parameters, first, second)

    def _hold(self, parameters: Parameters, first: Parameters, second: Parameters) -> None:
        self._parameters, self._first, self._second = parameters, first, second
        self.gradients = {name: torch.empty_like(each) for name, each in parameters.items()}
        # Each member's own slices, as the fused kernel takes them: four lists of tensors.
        states = (parameters, self.gradients, first, second)
        members = len(next(iter(parameters.values())))
        self._slices = [
            [[each[member] for each in state.values()] for state in states]
            for member in range(members)
        ]

    def _step_fused(self, rates: np.ndarray) -> None:
        # torch.optim.Adam(fused=True) calls this very kernel, after bookkeeping
        # that costs a fifth of a training step. The kernel wants one step tensor each.
        steps = [torch.tensor(float(self._steps))] * len(self._parameters)
        for rate, (values, gradients, first, second) in zip(rates, self._slices, strict=True):
            torch._fused_adam_(
                values,
                gradients,
                first,
                second,
                [],
                steps,
                lr=float(rate),
                beta1=_BETAS[0],
                beta2=_BETAS[1],
                weight_decay=0.0,
                eps=_EPSILON,
                amsgrad=False,
                maximize=False,
            )

    def _step_stack(self, rates: np.ndarray) -> None:
        first_share, second_share = (1 - beta**self._steps for beta in _BETAS)
        device = next(iter(self._parameters.values())).device
        sizes = torch.as_tensor(rates / first_share, dtype=torch.float32, device=device)
        for name, values in self._parameters.items():
            first, second, gradient = self._first[name], self._second[name], self.gradients[name]
            first.lerp_(gradient, 1 - _BETAS[0])
            second.mul_(_BETAS[1]).addcmul_(gradient, gradient, value=1 - _BETAS[1])
            divisor = (second / second_share).sqrt_().add_(_EPSILON)
            divisor.div_(sizes.view(-1, *[1] * (values.dim() - 1)))
            values.addcdiv_(first, divisor, value=-1)
