"""A writer of TensorFlow's checkpoints, in as many ways as the tests need them."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from marble_eval.encoders.checkpoints.tensorflow_bundle import crc32c

if TYPE_CHECKING:
    import numpy as np

HEADER = b"\x08\x01"  # one data file
TYPES = {"float32": 1, "float64": 2, "int32": 3}


def varint(value: int) -> bytes:
    low, rest = value & 127, value >> 7
    return bytes([low | 128]) + varint(rest) if rest else bytes([low])


def masked(data: bytes) -> bytes:
    crc = crc32c(data)
    return struct.pack("<I", (((crc >> 15) | (crc << 17)) + 0xA282EAD8) % 2**32)


def field(number: int, value: int | bytes) -> bytes:
    """Write a field of a protocol buffer."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def block(entries: Sequence[tuple[bytes, bytes]], compression: int = 0) -> bytes:
    """Write a block, each name without what it shares with the one before."""
    content, before = b"", b""
    for name, value in entries:
        shared = 0
        while shared < min(len(name), len(before)) and name[shared] == before[shared]:
            shared += 1
        content += varint(shared) + varint(len(name) - shared) + varint(len(value))
        content += name[shared:] + value
        before = name
    content += struct.pack("<II", 0, 1) + bytes([compression])
    return content + masked(content)


def table(blocks: Sequence[bytes], order: Sequence[int] | None = None) -> bytes:
    """Write a table of blocks; `order` is how its own index lists them."""
    content, handles = b"", []
    for each in blocks:
        handles.append(varint(len(content)) + varint(len(each) - 5))
        content += each
    listed = [handles[at] for at in (range(len(blocks)) if order is None else order)]
    parts = [block([]), block([(bytes([97 + at]), each) for at, each in enumerate(listed)])]
    footer = b""
    for part in parts:
        footer += varint(len(content)) + varint(len(part) - 5)
        content += part
    return content + footer.ljust(40, b"\0") + struct.pack("<Q", 0xDB4775248B80FB57)


def entry(array: np.ndarray, offset: int) -> bytes:
    shape = b"".join(field(2, field(1, size) if size else b"") for size in array.shape)
    checksum = varint(6 << 3 | 5) + masked(array.tobytes())
    message = field(1, TYPES[array.dtype.name]) + field(2, shape)
    return message + field(4, offset) + field(5, array.nbytes) + checksum


def bundle(arrays: Mapping[str, np.ndarray]) -> tuple[bytes, bytes]:
    """Write arrays as a checkpoint of two blocks; return the index and the data."""
    entries, data = [(b"", HEADER)], b""
    for name in sorted(arrays):
        entries.append((name.encode(), entry(arrays[name], len(data))))
        data += arrays[name].tobytes()
    middle = len(entries) // 2
    return table([block(entries[:middle]), block(entries[middle:])]), data
