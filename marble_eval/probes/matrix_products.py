"""Faster fp32 matrix products on CPUs, where they are as accurate.

``torch.set_float32_matmul_precision("medium")`` hands fp32 products to oneDNN,
which on AMD processors is nearly twice as fast as MKL. On a processor with AMX
the same switch computes in bfloat16, so it is used only where a small product
agrees with double precision, and it is always given back.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Iterator

# fp32 products of 256 terms of size 1 are off by about 1e-5; bfloat16 ones by 0.05.
_TOLERANCE = 1e-4


@contextmanager
def fast_products(device: torch.device) -> Iterator[bool]:
    """Use oneDNN for fp32 matrix products on a CPU while the block runs.

    Yields false, and leaves all as it is, where that would cost accuracy or there is no CPU.
    """
    before = torch.get_float32_matmul_precision()
    if device.type != "cpu":
        yield False
        return
    try:
        torch.set_float32_matmul_precision("medium")
        accurate = _is_accurate()
        if not accurate:
            torch.set_float32_matmul_precision(before)
        yield accurate
    finally:
        torch.set_float32_matmul_precision(before)


def _is_accurate() -> bool:
    generator = torch.Generator().manual_seed(0)
    left = torch.randn(64, 256, generator=generator)
    right = torch.randn(256, 64, generator=generator)
    exact = left.double() @ right.double()
    return bool((left @ right - exact).abs().max() < _TOLERANCE)
