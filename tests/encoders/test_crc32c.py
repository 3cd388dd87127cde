"""CRC-32C against published values, and bit by bit."""

from __future__ import annotations

import numpy as np
import pytest

from marble_eval.encoders.crc32c import crc32c


def _bit_by_bit(data: bytes) -> int:
    state = 0xFFFFFFFF
    for byte in data:
        state ^= byte
        for _ in range(8):
            state = state >> 1 ^ (0x82F63B78 if state & 1 else 0)
    return state ^ 0xFFFFFFFF


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", 0),
        (b"123456789", 0xE3069283),  # the usual check value
        (bytes(32), 0x8A9136AA),  # this and those below: RFC 3720, B.4
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
        (bytes(range(31, -1, -1)), 0x113FDB5C),
    ],
)
def test_published_values(data: bytes, expected: int) -> None:
    assert crc32c(data) == expected


@pytest.mark.parametrize("size", [1, 1023, 1024, 1025, 2048, 5000])
def test_bytes_worked_side_by_side_are_those_worked_one_by_one(size: int) -> None:
    data = np.random.default_rng(size).bytes(size)
    assert crc32c(data) == _bit_by_bit(data)


def test_every_bit_counts() -> None:
    data = bytearray(np.random.default_rng(0).bytes(3000))
    sums = {crc32c(bytes(data))}
    for at in (0, 1023, 1024, 2047, 2048, 2999):
        data[at] ^= 16
        sums.add(crc32c(bytes(data)))
    assert len(sums) == 7
