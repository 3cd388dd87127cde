"""The file of one track's frames: blocks of frames, and in a block its layers one by one.

``[block][layer][frame][width]``, little-endian; so a track can be written while it
is encoded, and a window of one layer is read in a few pieces. At the end stands, as
JSON, what is in the file, with a checksum of each layer of each block, and behind
it how long that is and its own checksum. A file is written under another name and
renamed when it is whole.
"""

from __future__ import annotations

import json
import os
import struct
import threading
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

#: Frames in a block; about a megabyte a layer.
BLOCK = 512
_SEAL = struct.Struct("<II")  # length and checksum of the description before it


@dataclass(frozen=True, slots=True)
class Held:
    """What a file says of itself.

    Attributes
    ----------
    frames, clips : int
        Frames in the file, and the clips in which they were encoded.
    checksums : list of list of int
        By block and layer.
    """

    frames: int
    clips: int
    checksums: list[list[int]]


def held_by(path: Path, frame_bytes: int) -> Held | None:
    """Read what a file says of itself.

    Parameters
    ----------
    path : Path
        The file.
    frame_bytes : int
        Size of a frame of all layers.

    Returns
    -------
    Held or None
        None if it is not there, or not whole.

    Raises
    ------
    PermissionError
        If it must not be read.
    """
    try:
        with path.open("rb") as stream:
            size = stream.seek(-_SEAL.size, os.SEEK_END)
            length, checksum = _SEAL.unpack(stream.read(_SEAL.size))
            stream.seek(size - length)
            content = stream.read(length)
            if zlib.crc32(content) != checksum:
                return None
            held = Held(**json.loads(content))
            return held if held.frames * frame_bytes + length == size else None
    except PermissionError:
        raise  # a file of another user is no damaged one
    except (OSError, ValueError, TypeError, struct.error):
        return None


def read_rows(
    path: Path,
    held: Held,
    shape: tuple[int, int],
    dtype: np.dtype[Any],
    layer: int,
    start: int,
    stop: int,
) -> np.ndarray:
    """Read some frames of one layer.

    Parameters
    ----------
    path : Path
        The file.
    held : Held
        What is in it.
    shape : tuple of int
        Layers and width.
    dtype : np.dtype
        Number type.
    layer : int
        Position of the layer.
    start, stop : int
        First frame, and the one behind the last.

    Returns
    -------
    np.ndarray [shape=(frame, width)]
        The frames.

    Raises
    ------
    OSError
        If the disk does not give them back.
    """
    layers, width = shape
    row = width * dtype.itemsize
    found = np.empty((stop - start, width), dtype=dtype)
    with path.open("rb", buffering=0) as stream:
        at = start
        while at < stop:
            block, first = divmod(at, BLOCK)
            in_block = frames_in(held, block)
            count = min(stop - at, in_block - first)
            stream.seek((block * BLOCK * layers + layer * in_block + first) * row)
            content = found[at - start : at - start + count].reshape(-1).view(np.uint8).data
            if stream.readinto(content) != len(content):
                raise OSError("the file is shorter than it was")
            at += count
    return found


def frames_in(held: Held, block: int) -> int:
    """Return how many frames a block has: all but the last are full."""
    return min(BLOCK, held.frames - block * BLOCK)


def is_whole(path: Path, held: Held, frame_bytes: int) -> bool:
    """Check every layer of every block against its checksum.

    Parameters
    ----------
    path : Path
        The file.
    held : Held
        What is in it.
    frame_bytes : int
        Size of a frame of all layers.

    Returns
    -------
    bool
        False if something differs, or the disk does not give it back.
    """
    try:
        with path.open("rb", buffering=0) as stream:
            for block, checksums in enumerate(held.checksums):
                size = frames_in(held, block) * frame_bytes // len(checksums)
                if any(zlib.crc32(stream.read(size)) != each for each in checksums):
                    return False
    except OSError:
        return False
    return True


class FrameWriter:
    """A track on its way to the disk.

    Parameters
    ----------
    path : Path
        Where it is looked for once it is whole.
    dtype : np.dtype
        Number type.

    Attributes
    ----------
    path : Path
        As given.
    clips : int
        Clips added so far.
    """

    def __init__(self, path: Path, dtype: np.dtype[Any]) -> None:
        self.path, self.clips = path, 0
        self._type = dtype
        path.parent.mkdir(parents=True, exist_ok=True)
        self._part = path.with_suffix(f".{os.getpid()}-{threading.get_ident()}.part")
        self._stream: BinaryIO = self._part.open("wb")
        self._waiting: list[np.ndarray] = []
        self._frames = self._ahead = 0
        self._checksums: list[list[int]] = []

    def add(self, features: np.ndarray) -> None:
        """Take the frames (layer, frame, width) of the next clip."""
        self._waiting.append(features)
        self._ahead += features.shape[1]
        self.clips += 1
        while self._ahead >= BLOCK:
            self._write(BLOCK)

    def finish(self) -> None:
        """Write what is left and put the file where it is looked for."""
        try:
            if self._ahead:
                self._write(self._ahead)
            values = {"frames": self._frames, "clips": self.clips, "checksums": self._checksums}
            content = json.dumps(values, separators=(",", ":")).encode()
            self._stream.write(content + _SEAL.pack(len(content), zlib.crc32(content)))
            self._stream.close()
            self._part.replace(self.path)
        except OSError:
            self.drop()
            raise

    def drop(self) -> None:
        """Give the track up."""
        try:
            self._stream.close()
        except OSError:
            pass  # a full disk refuses the last bytes again; the file goes all the same
        self._part.unlink(missing_ok=True)

    def _write(self, frames: int) -> None:
        waiting = (
            np.concatenate(self._waiting, axis=1) if len(self._waiting) > 1 else self._waiting[0]
        )
        block, rest = waiting[:, :frames], waiting[:, frames:]
        self._waiting, self._ahead = ([rest] if rest.shape[1] else []), rest.shape[1]
        layers = [np.ascontiguousarray(each, dtype=self._type).tobytes() for each in block]
        try:
            for each in layers:
                self._stream.write(each)
        except OSError:
            self.drop()
            raise
        self._checksums.append([zlib.crc32(each) for each in layers])
        self._frames += frames
