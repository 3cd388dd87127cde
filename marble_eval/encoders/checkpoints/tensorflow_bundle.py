"""TensorFlow's checkpoints read without TensorFlow: the format called TensorBundle.

``NAME.index`` is a sorted string table as LevelDB writes it: blocks of prefix-compressed
entries, which an index block lists, which the footer points to. The entry with the empty
name is a header, each other gives type, shape, place and checksum of a tensor as a
protocol buffer; ``NAME.data-00000-of-00001`` holds the tensors' bytes. Source: TensorFlow's
``core/util/tensor_bundle``, ``core/lib/io/format`` and ``protobuf/tensor_bundle.proto``.
Nothing is used before its CRC-32C agrees.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from functools import cache
from typing import NamedTuple

import numpy as np

_MAGIC = 0xDB4775248B80FB57  # of LevelDB's tables
_FOOTER = 48  # bytes: two handles, padded to 40, and the magic number
_TRAILER = 5  # bytes behind a block: its compression and its checksum
_LONGEST = 1000  # bytes of a name; longer ones would only serve to fill the memory
# By the numbers of tensorflow/core/framework/types.proto.
_TYPES = {
    **{1: "<f4", 2: "<f8", 3: "<i4", 4: "|u1", 5: "<i2", 6: "|i1", 9: "<i8", 10: "|b1"},
    **{17: "<u2", 19: "<f2", 22: "<u4", 23: "<u8"},
}
_LANE = 1024  # bytes whose checksums are worked side by side


class TensorEntry(NamedTuple):
    """What an index says of a tensor.

    Attributes
    ----------
    dtype : int
        TensorFlow's number of the type.
    shape : tuple of int
        Its size.
    shard, offset, size : int
        File, first byte and number of bytes.
    checksum : int
        Masked CRC-32C of the bytes.
    sliced : bool
        The tensor is stored in parts under other names.
    """

    dtype: int = 0
    shape: tuple[int, ...] = ()
    shard: int = 0
    offset: int = 0
    size: int = 0
    checksum: int = 0
    sliced: bool = False


def _fits(data: bytes, checksum: int) -> bool:
    """Say whether bytes have a checksum, which is stored rotated and shifted."""
    crc = crc32c(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF == checksum


def _span(data: bytes, at: int, size: int) -> bytes:
    if at < 0 or size < 0 or at + size > len(data):
        raise ValueError(
            f"must be whole. Got {len(data)} bytes, of which {size} at {at} were to be read."
        )
    return data[at : at + size]


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """Read a number of seven bits a byte; return it and where it ends."""
    value = 0
    for index, byte in enumerate(data[at : at + 10]):
        value |= (byte & 127) << 7 * index
        if byte < 128:
            return value, at + index + 1
    raise ValueError(f"must hold numbers that end. Got none at byte {at} of a block.")


def _fields(message: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Go through the fields of a protocol buffer: number, and value as a number or bytes."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        number, content = 0, b""
        if tag & 7 == 0:
            number, at = _varint(message, at)
        else:
            size = {1: 8, 5: 4}.get(tag & 7)
            if tag & 7 == 2:
                size, at = _varint(message, at)
            if size is None:
                raise ValueError(f"must hold protocol buffers. Got a field of type {tag & 7}.")
            content, at = _span(message, at, size), at + size
            number = int.from_bytes(content, "little") if size <= 8 else 0
        yield tag >> 3, number, content


def _block(index: bytes, offset: int, size: int) -> Iterator[tuple[bytes, bytes]]:
    """Go through the entries of a block."""
    content, trailer = _span(index, offset, size), _span(index, offset + size, _TRAILER)
    if not _fits(content + trailer[:1], int.from_bytes(trailer[1:], "little")):
        raise ValueError(f"must be as it was written. Got another checksum at byte {offset}.")
    if trailer[0]:
        raise ValueError(f"must be stored without compression. Got type {trailer[0]}.")
    restarts = int.from_bytes(_span(content, size - 4, 4), "little")
    content = _span(content, 0, size - 4 * (1 + restarts))
    at, name = 0, b""
    while at < len(content):
        shared, at = _varint(content, at)
        unshared, at = _varint(content, at)
        length, at = _varint(content, at)
        if shared > len(name) or shared + unshared > _LONGEST:
            raise ValueError(f"must hold short names. Got {shared} + {unshared} bytes.")
        name = name[:shared] + _span(content, at, unshared)
        yield name, _span(content, at + unshared, length)
        at += unshared + length


def _entry(message: bytes) -> TensorEntry:
    entry = TensorEntry()
    for field, number, content in _fields(message):
        match field:
            case 1:
                entry = entry._replace(dtype=number)
            case 2:
                dimensions = [dict(_numbers(each)) for at, _, each in _fields(content) if at == 2]
                entry = entry._replace(shape=tuple(each.get(1, 0) for each in dimensions))
            case 3:
                entry = entry._replace(shard=number)
            case 4:
                entry = entry._replace(offset=number)
            case 5:
                entry = entry._replace(size=number)
            case 6:
                entry = entry._replace(checksum=number)
            case 7:
                entry = entry._replace(sliced=True)
    return entry


def _numbers(message: bytes) -> Iterator[tuple[int, int]]:
    return ((field, number) for field, number, _ in _fields(message))


def read_index(index: bytes) -> dict[str, TensorEntry]:
    """Read the index of a checkpoint."""
    if len(index) < _FOOTER or int.from_bytes(index[-8:], "little") != _MAGIC:
        raise ValueError("must be the whole index of a TensorFlow checkpoint. Got another ending.")
    footer = index[-_FOOTER:]
    at = _varint(footer, _varint(footer, 0)[1])[1]  # behind the handle of an empty block
    offset, at = _varint(footer, at)
    size, at = _varint(footer, at)
    entries: dict[bytes, bytes] = {}
    reached = 0
    for _, handle in _block(index, offset, size):
        start, at = _varint(handle, 0)
        length, at = _varint(handle, at)
        if start < reached:
            raise ValueError(f"must hold its blocks in order. Got one at byte {start} again.")
        entries.update(_block(index, start, length))
        reached = start + length
    header = dict(_numbers(entries.pop(b"", b"")))
    if header.get(1) != 1 or header.get(2, 0) != 0:
        raise ValueError(
            f"must name one data file, of little-endian numbers. "
            f"Got {header.get(1, 0)}, of byte order {header.get(2, 0)}."
        )
    # Parts of a sliced tensor have names in binary.
    return {name.decode(errors="backslashreplace"): _entry(each) for name, each in entries.items()}


def read_tensors(
    index: bytes, data: bytes, names: Collection[str] | None = None
) -> dict[str, np.ndarray]:
    """Read tensors of a checkpoint."""
    entries = read_index(index)
    absent = [name for name in names or () if name not in entries]
    if absent:
        raise ValueError(f"must hold {', '.join(absent)}. Got {', '.join(entries) or 'nothing'}.")
    return {name: _tensor(name, entries[name], data) for name in names or entries}


def _tensor(name: str, entry: TensorEntry, data: bytes) -> np.ndarray:
    if entry.sliced or entry.shard or entry.dtype not in _TYPES:
        raise ValueError(
            f"must hold {name} in one piece, as numbers that NumPy knows. "
            f"Got type {entry.dtype} of TensorFlow's{' in parts' if entry.sliced else ''}."
        )
    dtype = np.dtype(_TYPES[entry.dtype])
    if entry.size != dtype.itemsize * math.prod(entry.shape):
        raise ValueError(f"must hold {name} in {entry.shape} {dtype}. Got {entry.size} bytes.")
    content = _span(data, entry.offset, entry.size)
    if not _fits(content, entry.checksum):
        raise ValueError(f"must hold {name} as it was written. Got another checksum.")
    return np.frombuffer(content, dtype).reshape(entry.shape).copy()


@cache
def _table() -> np.ndarray:
    """Make the remainders of all bytes; the polynomial is Castagnoli's, reversed."""
    remainders: np.ndarray = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        remainders = (remainders >> 1) ^ (remainders & 1) * np.uint32(0x82F63B78)
    return remainders


@cache
def _behind_a_lane() -> np.ndarray:
    """Make what each byte of a checksum, lowest first, becomes after a lane of zeros."""
    table, bytes_ = _table(), np.arange(256, dtype=np.uint32)
    states = np.stack([bytes_ << shift for shift in (0, 8, 16, 24)])
    for _ in range(_LANE):
        states = table[states & 255] ^ (states >> 8)
    return states


def crc32c(data: bytes) -> int:
    """Return the CRC-32C (Castagnoli) of some bytes (RFC 3720, appendix B.4).

    Python's own `zlib.crc32` has another polynomial. Many lanes of the bytes are worked
    side by side in NumPy and joined afterwards: 80 megabytes a second.
    """
    table, state = _table(), 0xFFFFFFFF
    lanes = len(data) // _LANE
    if lanes:
        columns = np.frombuffer(data, np.uint8, lanes * _LANE).reshape(lanes, _LANE).T.copy()
        states = np.zeros(lanes, np.uint32)
        for column in columns:
            states = table[(states ^ column) & 255] ^ (states >> 8)
        # The checksum is linear: that of two pieces is the first one's, taken past as many
        # zeros as the second has bytes, and the second one's together.
        low, second, third, high = _behind_a_lane().tolist()
        for lane in states.tolist():
            state = low[state & 255] ^ second[state >> 8 & 255] ^ third[state >> 16 & 255] ^ (
                high[state >> 24] ^ lane
            )  # fmt: skip
    remainders = table.tolist()
    for byte in data[lanes * _LANE :]:
        state = remainders[(state ^ byte) & 255] ^ (state >> 8)
    return state ^ 0xFFFFFFFF
