"""The file of a track's frames: blocks of frames, and in a block one layer after another.

``[block][layer][frame][width]``, little-endian; so a track can be written while it
is encoded, and a window of one layer is read in a few pieces. The file ends with a JSON
footer, which has a checksum of each layer of each block, and the footer's length and
own checksum. A file is written under another name and renamed when it is whole.
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
_SEAL = struct.Struct("<II")  # length and checksum of the footer before it


@dataclass(frozen=True, slots=True)
class Footer:
    """The end of a file: its frames, clips and audio, and a checksum per block and layer."""

    frames: int
    clips: int
    checksums: list[list[int]]
    audio: str | None = None  # its digest, as in the file's name; None in earlier versions


def read_footer(path: Path, frame_bytes: int) -> Footer | None:
    """Read the footer, given the bytes of a frame in all layers; None if not whole or another's."""
    try:
        with path.open("rb") as stream:
            size = stream.seek(-_SEAL.size, os.SEEK_END)
            length, checksum = _SEAL.unpack(stream.read(_SEAL.size))
            stream.seek(size - length)
            content = stream.read(length)
            if zlib.crc32(content) != checksum:
                return None
            footer = Footer(**json.loads(content))
            if footer.audio not in (None, path.stem):
                return None  # another track's, under this name
            return footer if footer.frames * frame_bytes + length == size else None
    except PermissionError:
        raise  # a file of another user is not a damaged one
    except (OSError, ValueError, TypeError, struct.error):
        return None


def read_rows(
    path: Path,
    footer: Footer,
    shape: tuple[int, int],
    dtype: np.dtype[Any],
    layer: int,
    start: int,
    stop: int,
) -> np.ndarray:
    """Read the frames start to stop of one layer (frame, width); ``shape`` is (layer, width)."""
    layers, width = shape
    row = width * dtype.itemsize
    found = np.empty((stop - start, width), dtype=dtype)
    with path.open("rb", buffering=0) as stream:
        at = start
        while at < stop:
            block, first = divmod(at, BLOCK)
            in_block = frames_in(footer, block)
            count = min(stop - at, in_block - first)
            stream.seek((block * BLOCK * layers + layer * in_block + first) * row)
            content = found[at - start : at - start + count].reshape(-1).view(np.uint8).data
            if stream.readinto(content) != len(content):
                raise OSError("the file is shorter than it was")
            at += count
    return found


def frames_in(footer: Footer, block: int) -> int:
    """Return how many frames a block has: all but the last are full."""
    return min(BLOCK, footer.frames - block * BLOCK)


def is_whole(path: Path, footer: Footer, frame_bytes: int) -> bool:
    """Check every layer of every block against its checksum."""
    try:
        with path.open("rb", buffering=0) as stream:
            for block, checksums in enumerate(footer.checksums):
                size = frames_in(footer, block) * frame_bytes // len(checksums)
                if any(zlib.crc32(stream.read(size)) != each for each in checksums):
                    return False
    except OSError:
        return False
    return True


class FrameWriter:
    """A track that is being written, under another name until it is whole."""

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
        """Write what is left and rename the file into place."""
        try:
            if self._ahead:
                self._write(self._ahead)
            values = {
                "frames": self._frames,
                "clips": self.clips,
                "checksums": self._checksums,
                "audio": self.path.stem,
            }
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
