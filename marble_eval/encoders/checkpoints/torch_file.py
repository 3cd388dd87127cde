"""Files of `torch.save`, opened without loading them whole and without running anything.

Both of torch's formats are read: the zip archive, and the older series of pickles. A
tensor's bytes stay in the file until they are asked for, so that an optimiser's state
costs nothing. A pickle is a program that names functions and calls them: here a name is
looked up in a list, never in Python. Tensors become references to bytes in the file,
configuration objects of fairseq, omegaconf and argparse become their state as plain values,
and a pickle that names anything else is refused with that name.
Sources: torch/serialization.py; Python's pickle protocol.
"""

from __future__ import annotations

import pickle
import struct
import zipfile
import zlib
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import torch

from marble_eval.encoders.checkpoints.folder import require_content
from marble_eval.errors import MissingError, SpecError

_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C  # torch's own number at the head of its older format
_DTYPES = {
    "Float": torch.float32, "Double": torch.float64, "Half": torch.float16,
    "BFloat16": torch.bfloat16, "Long": torch.int64, "Int": torch.int32, "Short": torch.int16,
    "Char": torch.int8, "Byte": torch.uint8, "Bool": torch.bool,
}  # fmt: skip
_VALUES: dict[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): OrderedDict,
    ("collections", "defaultdict"): defaultdict,
    **{("builtins", each.__name__): each for each in (dict, list, set, str, float, bool)},
}
# Objects of these are kept as their state. None of their code is imported.
_INERT = (
    *("fairseq", "mert_fairseq", "omegaconf", "argparse.Namespace", "enum"),
    *("numpy.dtype", "numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar"),
    *("builtins.int", "builtins.long", "builtins.unicode", "builtins.bytes", "builtins.tuple"),
    *("_codecs.encode", "pathlib.PosixPath"),
    # How omegaconf's structured configs name a type such as List[str]: an inert call.
    *("operator.getitem", "_operator.getitem", "typing"),
)


class TensorFile:
    """An opened file: its content, and the tensors it refers to.

    Made by `open_tensors`.
    """

    def __init__(self, content: Any, read: Callable[[StoredTensor], bytes]) -> None:
        self.content = content
        self._read = read

    def tensor(self, stored: StoredTensor) -> torch.Tensor:
        """Read a tensor."""
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
    """Open a file that `torch.save` wrote."""
    # A damaged archive may claim a compression or encryption that zipfile has not: RuntimeError.
    broken = (OSError, EOFError, ValueError, LookupError, AttributeError, TypeError, RuntimeError)
    formats = (pickle.UnpicklingError, zipfile.BadZipFile, zlib.error, struct.error)
    try:
        if not path.is_file():
            raise MissingError(f"{path}: must be a file that torch.save wrote. It is not there.")
        require_content(path)
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


@dataclass(frozen=True, slots=True)
class StoredTensor:
    """A tensor that is still in its file.

    Attributes
    ----------
    name : str
        Of its bytes: an archive's member, or the key of a storage.
    dtype : torch.dtype
        Number type.
    numbers : int
        Length of the storage.
    offset : int
        Where in it the tensor begins.
    shape, stride : tuple of int
        As torch has them.
    """

    name: str
    dtype: torch.dtype
    numbers: int
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]


class Inert:
    """What is left of an object whose class is not run: arguments and state."""

    def __new__(cls, *arguments: Any, **_: Any) -> Inert:
        """Make one from whatever the class was called with."""
        made = super().__new__(cls)
        made.arguments = arguments
        made.state = {}
        return made

    def __init__(self, *arguments: Any, **_: Any) -> None:
        self.arguments: tuple[Any, ...]
        self.state: Any

    def __setstate__(self, state: Any) -> None:
        """Keep what would have been the object's own attributes."""
        self.state = state


class TensorUnpickler(pickle.Unpickler):
    """An unpickler that finds nothing but what is on the list."""

    def __init__(self, stream: IO[bytes], path: Path) -> None:
        super().__init__(stream, encoding="latin1")
        self._path = path
        self.dtypes: dict[str, torch.dtype] = {}

    def find_class(self, module: str, name: str) -> Any:
        """Return a stand-in for a name of the list; refuse any other."""
        module = "builtins" if module == "__builtin__" else module  # Python 2's name for it
        full = f"{module}.{name}"
        if (module, name) in _VALUES:
            return _VALUES[module, name]
        if module == "torch._utils" and name in ("_rebuild_tensor_v2", "_rebuild_tensor"):
            return _Function(_rebuilt)
        if full == "torch._utils._rebuild_parameter":
            return _Function(lambda tensor, *_: tensor)
        if module == "torch" and name.removesuffix("Storage") in _DTYPES:
            return name.removesuffix("Storage")
        if full == "torch.Size":
            return _Function(tuple)
        if full == "torch.device":
            return _Function(lambda *words: ":".join(map(str, words)))
        if any(full == each or full.startswith(f"{each}.") for each in _INERT):
            return type(name.rpartition(".")[2], (Inert,), {})  # its own: nothing is shared
        raise SpecError(
            f"{self._path}: must hold tensors and plain values only. It names {full!r}, which "
            f"would be run on loading. Nothing was run. Save the weights alone: "
            f"torch.save({{'model': model.state_dict(), 'cfg': ...}}, ...)."
        )

    def persistent_load(self, key: Any) -> tuple[str, torch.dtype, int]:
        """Return which bytes a storage is."""
        _, kind, name, _, numbers, *_ = key
        self.dtypes[name] = _DTYPES[kind]
        return name, _DTYPES[kind], int(numbers)


class _Function:
    """A function of the list, which a pickle can call and not change."""

    __slots__ = ("_function",)

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    def __call__(self, *arguments: Any) -> Any:
        return self._function(*arguments)

    def __setstate__(self, state: Any) -> None:
        raise ValueError("a function has no state")


def _rebuilt(
    storage: tuple[str, torch.dtype, int], offset: int, shape: Any, stride: Any, *_: Any
) -> StoredTensor:
    return StoredTensor(*storage, int(offset), tuple(map(int, shape)), tuple(map(int, stride)))


def plain(value: Any) -> Any:
    """Replace inert objects by their state."""
    if isinstance(value, Inert):
        state = value.state
        if isinstance(state, tuple):  # of a class with slots
            state = next((each for each in state if each), {})
        if isinstance(state, Mapping):
            for name in ("_content", "_val"):  # omegaconf's containers, and its single values
                if name in state:
                    return plain(state[name])
        if state:
            return plain(state)
        return plain(value.arguments[0]) if len(value.arguments) == 1 else list(value.arguments)
    if isinstance(value, Mapping):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [plain(each) for each in value]
    return value
