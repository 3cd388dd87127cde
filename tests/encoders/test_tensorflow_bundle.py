"""TensorFlow's checkpoints: one that TensorFlow wrote, and such as are cut, damaged or odd."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from marble_eval.encoders.checkpoints.tensorflow_bundle import crc32c, read_index, read_tensors
from tests.encoders.tensor_bundles import HEADER, block, bundle, entry, field, table

FOLDER = Path(__file__).parents[1] / "data" / "musicnn"
INDEX = (FOLDER / "tiny.index").read_bytes()
DATA = (FOLDER / "tiny.data-00000-of-00001").read_bytes()

#: What TensorFlow was given (README beside the files).
WRITTEN = {
    "floats/kernel": (np.arange(6000) / 8 - 100).astype(np.float32).reshape(2, 60, 50),
    "floats/bias": np.array([1.5, -2.25, 0.0], np.float32),
    "floats/none": np.zeros((0, 4), np.float32),
    "double": np.array(0.1),
    "half": (np.arange(7) / 4).astype(np.float16),
    "bytes": np.arange(250, 256, dtype=np.uint8).reshape(2, 3),
    "shorts": np.array([-32768, 32767], np.int16),
    "ints": np.array([[-1], [2**31 - 1]], np.int32),
    "longs": np.array([[[-(2**40)]], [[7]]]),
    "flags": np.array([True, False, True]),
}


# --- what TensorFlow wrote ---


@pytest.mark.parametrize("name", WRITTEN)
def test_a_tensor_is_what_tensorflow_was_given(name: str) -> None:
    array = read_tensors(INDEX, DATA, [name])[name]

    assert array.dtype == WRITTEN[name].dtype
    assert array.shape == WRITTEN[name].shape
    np.testing.assert_array_equal(array, WRITTEN[name])
    assert array.flags.writeable


def test_the_index_lists_every_tensor() -> None:
    entries = read_index(INDEX)

    # A tensor of several parts is listed, and so are the parts, under names in binary.
    parts = {name for name in entries if name.startswith("\0parts\0")}
    assert set(entries) == {*WRITTEN, "brain", "text", "parts"} | parts
    assert len(parts) == 2
    assert entries["floats/kernel"].shape == (2, 60, 50)


@pytest.mark.parametrize(
    ("name", "what"),
    [("text", "type 7 "), ("brain", "type 14 "), ("parts", "type 1 of TensorFlow's in parts")],
)
def test_text_bfloat16_and_tensors_in_parts_are_refused(name: str, what: str) -> None:
    with pytest.raises(ValueError, match=f"{name} in one piece, as numbers .* Got {what}"):
        read_tensors(INDEX, DATA, [name])


def test_a_tensor_that_is_not_there_is_named_with_those_that_are() -> None:
    with pytest.raises(ValueError, match=r"must hold sharps\. Got .*shorts"):
        read_tensors(INDEX, DATA, ["double", "sharps"])


# --- cut and damaged ---


def test_an_index_cut_anywhere_is_refused() -> None:
    for size in range(len(INDEX)):
        with pytest.raises(ValueError, match="must"):
            read_index(INDEX[:size])


def test_a_changed_bit_of_the_index_is_refused_or_has_no_bearing() -> None:
    entries, refused = read_index(INDEX), 0
    for at in range(len(INDEX)):
        changed = bytearray(INDEX)
        changed[at] ^= 1 << at % 8
        try:
            assert read_index(bytes(changed)) == entries
        except ValueError:
            refused += 1
    # What has none: the padding of the footer (40 bytes, of which the handles need 6), and an
    # empty block of 13 bytes with its handle.
    assert refused >= len(INDEX) - 34 - 13 - 3


def test_a_changed_bit_of_a_tensor_is_refused_by_name() -> None:
    place = read_index(INDEX)["floats/kernel"]
    for at in (0, 1024, place.size - 1):
        changed = bytearray(DATA)
        changed[place.offset + at] ^= 1
        with pytest.raises(ValueError, match="floats/kernel as it was written"):
            read_tensors(INDEX, bytes(changed), ["floats/kernel"])
        read_tensors(INDEX, bytes(changed), ["ints"])  # another tensor is none the worse


def test_data_that_is_cut_is_refused() -> None:
    place = read_index(INDEX)["floats/kernel"]
    with pytest.raises(ValueError, match="must be whole"):
        read_tensors(INDEX, DATA[: place.offset + place.size - 1], ["floats/kernel"])


@pytest.mark.parametrize("index", [b"", b"{}", bytes(100), bytes(range(256))])
def test_another_file_is_refused(index: bytes) -> None:
    with pytest.raises(ValueError, match=r"whole index of a TensorFlow checkpoint\. Got another"):
        read_index(index)


# --- written by hand ---


def test_tables_of_several_blocks_are_read() -> None:
    arrays = {
        f"layer_{index}/kernel": np.full((index, 2), index, np.float32) for index in range(20)
    }

    read = read_tensors(*bundle(arrays))

    assert list(read) == sorted(arrays)
    for name, array in arrays.items():
        np.testing.assert_array_equal(read[name], array)


def test_a_compressed_block_is_refused() -> None:
    index = table([block([(b"", HEADER)], compression=1)])
    with pytest.raises(ValueError, match=r"without compression\. Got type 1"):
        read_index(index)


def test_a_block_that_comes_again_is_refused() -> None:
    index = table([block([(b"", HEADER)]), block([(b"x", b"")])], order=[0, 1, 1])
    with pytest.raises(ValueError, match="its blocks in order"):
        read_index(index)


@pytest.mark.parametrize(
    ("header", "got"),
    [
        (field(1, 2), "Got 2, of byte order 0"),
        (HEADER + field(2, 1), "Got 1, of byte order 1"),
        (b"", "Got 0, of byte order 0"),
    ],
)
def test_several_data_files_and_the_other_byte_order_are_refused(header: bytes, got: str) -> None:
    with pytest.raises(ValueError, match=f"one data file, of little-endian numbers.*{got}"):
        read_index(table([block([(b"", header)])]))


def test_names_that_would_fill_the_memory_are_refused() -> None:
    with pytest.raises(ValueError, match=r"short names\. Got 0 \+ 1001 bytes"):
        read_index(table([block([(b"", HEADER), (b"x" * 1001, b"")])]))


def test_a_size_that_is_not_the_shape_s_is_refused() -> None:
    array = np.ones((2, 3), np.float32)
    odd = entry(array, 0) + field(5, 20)  # of a field given twice the last one counts
    with pytest.raises(ValueError, match=r"must hold x in \(2, 3\) float32\. Got 20 bytes"):
        read_tensors(table([block([(b"", HEADER), (b"x", odd)])]), array.tobytes(), ["x"])


def test_a_tensor_of_negative_size_is_refused() -> None:
    shape = field(2, b"\x08" + b"\xff" * 9 + b"\x01")  # -1, as protocol buffers write it
    odd = field(1, 1) + field(2, shape) + field(5, 4)
    with pytest.raises(ValueError, match="Got 4 bytes"):
        read_tensors(table([block([(b"", HEADER), (b"x", odd)])]), bytes(4), ["x"])


@pytest.mark.parametrize(
    ("message", "what"),
    [
        (b"\x0b", "protocol buffers. Got a field of type 3"),
        (b"\x12\x05ab", "must be whole"),
        (b"\x08" + b"\xff" * 11, "numbers that end"),
    ],
)
def test_what_is_no_protocol_buffer_is_refused(message: bytes, what: str) -> None:
    with pytest.raises(ValueError, match=what):
        read_index(table([block([(b"", HEADER), (b"x", message)])]))


# --- checksums, against published values and bit by bit ---


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
