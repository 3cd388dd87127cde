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
    """Adam's state for a stack of probes.

    Parameters
    ----------
    parameters : dict of str to torch.Tensor
        Updated in place; each has a leading axis of members.
    fused : bool
        Member by member through the fused kernel, or the stack at once.
    """

    def __init__(self, parameters: Parameters, *, fused: bool) -> None:
        self._parameters = parameters
        self._fused = fused
        self._first = {name: torch.zeros_like(each) for name, each in parameters.items()}
        self._second = {name: torch.zeros_like(each) for name, each in parameters.items()}
        self._step = 0

    def step(self, gradients: Parameters, rates: np.ndarray) -> None:
        """Update every parameter.

        Parameters
        ----------
        gradients : dict of str to torch.Tensor
            Same names and shapes as the parameters.
        rates : np.ndarray [shape=(member,)]
            Learning rate of each member.
        """
        self._step += 1
        if self._fused:
            for member, rate in enumerate(rates):
                self._step_fused(gradients, member, float(rate))
        else:
            self._step_stack(gradients, rates)

    def keep(self, parameters: Parameters, kept: torch.Tensor) -> None:
        """Go on with some of the members only.

        Parameters
        ----------
        parameters : dict of str to torch.Tensor
            The remaining members' parameters.
        kept : torch.Tensor [shape=(remaining,), int64]
            Their positions before.
        """
        self._parameters = parameters
        self._first = {name: each[kept] for name, each in self._first.items()}
        self._second = {name: each[kept] for name, each in self._second.items()}

    def _step_fused(self, gradients: Parameters, member: int, rate: float) -> None:
        names = list(self._parameters)
        # torch.optim.Adam(fused=True) calls this very kernel, after bookkeeping
        # that costs a fifth of a training step. The kernel wants one step tensor each.
        step = torch.tensor(float(self._step))
        torch._fused_adam_(
            [self._parameters[name][member] for name in names],
            [gradients[name][member] for name in names],
            [self._first[name][member] for name in names],
            [self._second[name][member] for name in names],
            [],
            [step] * len(names),
            lr=rate,
            beta1=_BETAS[0],
            beta2=_BETAS[1],
            weight_decay=0.0,
            eps=_EPSILON,
            amsgrad=False,
            maximize=False,
        )

    def _step_stack(self, gradients: Parameters, rates: np.ndarray) -> None:
        first_share, second_share = (1 - beta**self._step for beta in _BETAS)
        for name, values in self._parameters.items():
            first, second, gradient = self._first[name], self._second[name], gradients[name]
            first.lerp_(gradient, 1 - _BETAS[0])
            second.mul_(_BETAS[1]).addcmul_(gradient, gradient, value=1 - _BETAS[1])
            sizes = torch.as_tensor(
                rates / first_share, dtype=values.dtype, device=values.device
            ).view(-1, *[1] * (values.dim() - 1))
            divisor = (second / second_share).sqrt_().add_(_EPSILON)
            values.sub_(sizes * first / divisor)
