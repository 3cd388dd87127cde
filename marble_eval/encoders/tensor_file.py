"""Files of `torch.save`, opened without loading them whole and without running anything.

Both of torch's formats are read: the zip archive, and the older series of pickles. A
tensor's bytes stay in the file until they are asked for, so that an optimiser's state
costs nothing. Source: torch/serialization.py.
"""

from __future__ import annotations

import pickle
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import torch

from marble_eval.encoders.tensor_pickle import StoredTensor, TensorUnpickler, plain
from marble_eval.errors import MissingError, SpecError

_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C  # torch's own number at the head of its older format


class TensorFile:
    """An opened file: its content, and the tensors it refers to.

    Made by `open_tensors`.
    """

    def __init__(self, content: Any, read: Callable[[StoredTensor], bytes]) -> None:
        self.content = content
        self._read = read

    def tensor(self, stored: StoredTensor) -> torch.Tensor:
        """Read a tensor.

        Parameters
        ----------
        stored : StoredTensor
            Part of ``content``.

        Returns
        -------
        torch.Tensor
            A copy in memory.

        Raises
        ------
        ValueError
            If its bytes are not all there, or it reaches beyond them.
        """
        held = self._read(stored)
        if len(held) != stored.numbers * stored.dtype.itemsize:
            raise ValueError(f"storage {stored.name} must have {stored.numbers} numbers.")
        last = stored.offset + sum(
            (size - 1) * step for size, step in zip(stored.shape, stored.stride, strict=True)
        )
        negative = min((*stored.shape, *stored.stride, stored.offset), default=0) < 0
        if negative or (0 not in stored.shape and last >= stored.numbers):
            raise ValueError(f"a tensor of storage {stored.name} must lie inside it.")
        if not held or 0 in stored.shape:
            return torch.empty(stored.shape, dtype=stored.dtype)
        numbers = torch.frombuffer(bytearray(held), dtype=stored.dtype)
        return numbers.as_strided(stored.shape, stored.stride, stored.offset).contiguous()


@contextmanager
def open_tensors(path: Path) -> Iterator[TensorFile]:
    """Open a file that `torch.save` wrote.

    Parameters
    ----------
    path : Path
        The file.

    Yields
    ------
    TensorFile
        Its content: plain values, with a `StoredTensor` for each tensor and the state of
        configuration objects in their place.

    Raises
    ------
    MissingError
        If it is not there, is damaged, or is no such file.
    SpecError
        If it names anything that is not on the list.
    """
    # A damaged archive may claim a compression or encryption that zipfile has not: RuntimeError.
    broken = (OSError, EOFError, ValueError, LookupError, AttributeError, TypeError, RuntimeError)
    formats = (pickle.UnpicklingError, zipfile.BadZipFile, zlib.error, struct.error)
    try:
        if not path.is_file():
            raise MissingError(f"{path}: must be a file that torch.save wrote. It is not there.")
        with path.open("rb") as stream:
            if zipfile.is_zipfile(path):
                with zipfile.ZipFile(stream) as archive:
                    yield _from_archive(archive, path)
            else:
                yield _from_series(stream, path)
    except (*broken, *formats, MemoryError, OverflowError) as error:
        if isinstance(error, SpecError):
            raise
        raise MissingError(
            f"{path}: must be a whole file that torch.save wrote. "
            f"Got {type(error).__name__}: {error}. Copy it anew."
        ) from error


def _from_archive(archive: zipfile.ZipFile, path: Path) -> TensorFile:
    (index,) = [each for each in archive.namelist() if each.rpartition("/")[2] == "data.pkl"]
    folder = index.removesuffix("data.pkl")
    if f"{folder}byteorder" in archive.namelist():
        order = archive.read(f"{folder}byteorder")
        if order != b"little":
            raise ValueError(f"numbers must be little-endian, not {order!r}")
    with archive.open(index) as stream:
        content = TensorUnpickler(stream, path).load()
    return TensorFile(plain(content), lambda stored: archive.read(f"{folder}data/{stored.name}"))


def _from_series(stream: IO[bytes], path: Path) -> TensorFile:
    """Read the older format: magic number, version, machine, content, keys, then the bytes."""
    if TensorUnpickler(stream, path).load() != _LEGACY_MAGIC:
        raise ValueError("it is neither a zip archive nor torch's older format")
    for _ in ("version", "machine"):
        TensorUnpickler(stream, path).load()
    reader = TensorUnpickler(stream, path)
    content = reader.load()
    places: dict[str, tuple[int, int]] = {}
    for key in TensorUnpickler(stream, path).load():
        (numbers,) = struct.unpack("<q", stream.read(8))
        size = numbers * reader.dtypes[key].itemsize
        places[key] = (stream.tell(), size)
        stream.seek(size, 1)

    def read(stored: StoredTensor) -> bytes:
        offset, size = places[stored.name]
        stream.seek(offset)
        return stream.read(size)

    return TensorFile(plain(content), read)
