"""An append-only store of pooled features that survives kills and neighbours.

A store is a folder: ``data.bin`` holds the records (layer × width numbers each)
and ``index.jsonl`` says which clips they are. A line of the index is written after
its data, so what it names is there; whatever lies behind the last whole line is
the remains of a killed writer and is overwritten. What fails its checksum is as
good as absent. Appends hold a lock (`flock`, released by the kernel when a process
dies); readers need none.
"""

from __future__ import annotations

import fcntl
import io
import os
import zlib
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from marble_eval.errors import MarbleError
from marble_eval.features.stores.description import StoreCheck, read_description, write_description
from marble_eval.features.stores.index import ClipName, Index

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

__all__ = ["ClipName", "FeatureStore", "StoreCheck"]

_DATA, _INDEX, _LOCK = "data.bin", "index.jsonl", "lock"


class FeatureStore:
    """The features of one fingerprint.

    Parameters
    ----------
    folder : Path
        Where the store lies or is to be made (on the first append).
    layers, width : int
        Shape of a record.
    dtype : {"float16", "float32"}
        Number type, little-endian.
    about : mapping of str to object, optional
        Plain values that tell a person what is inside; written beside the data.

    Raises
    ------
    MarbleError
        If it is there and must not be read.
    """

    def __init__(
        self,
        folder: Path,
        *,
        layers: int,
        width: int,
        dtype: str,
        about: Mapping[str, Any] | None = None,
    ) -> None:
        self.folder = folder
        self.shape = (layers, width)
        self._type = np.dtype(dtype).newbyteorder("<")
        self.row_bytes = layers * width * self._type.itemsize
        self._about = {**(about or {}), "layers": layers, "width": width, "dtype": dtype}
        self._index = Index(folder / _INDEX, self.row_bytes)
        self.refresh()

    @classmethod
    def open(cls, folder: Path) -> FeatureStore:
        """Open a store that exists, by what it says about itself."""
        about = read_description(folder)
        shape = {name: about.pop(name) for name in ("layers", "width", "dtype")}
        return cls(folder, **shape, about=about)

    def refresh(self) -> None:
        """Take notice of what other writers have appended since the last look."""
        try:
            self._index.refresh()
        except OSError as error:
            raise self._unreadable(error) from error

    def _unreadable(self, error: OSError) -> MarbleError:
        return MarbleError(
            f"{self.folder}: cached features must be readable. Got: {error.strerror or error}. "
            f"Change the folder's permissions, or set MARBLE_EVAL_HOME to another one."
        )

    def __len__(self) -> int:
        return len(self._index.places)

    def __contains__(self, name: ClipName) -> bool:
        return name in self._index.places

    def clip_count(self, audio: str) -> int | None:
        """Return how many clips a track has, if one of them is or was stored."""
        return self._index.clips.get(audio)

    def stored_clips(self, audio: str) -> int:
        """Return how many clips of a track are stored."""
        count = self._index.clips.get(audio, 0)
        return sum(ClipName(audio, clip, count) in self for clip in range(count))

    def stored_rows(self, audio: str) -> int:
        """Return how many rows a track has in the store: its clips."""
        return self.stored_clips(audio)

    def wanted(self, audio: str, clips: int) -> list[int]:
        """Say which clips of a track are to be encoded: those that are not stored."""
        return [clip for clip in range(clips) if ClipName(audio, clip, clips) not in self]

    def is_complete(self, audio: str) -> bool:
        """Say whether every clip of a track is stored."""
        return self.clip_count(audio) == self.stored_clips(audio)

    def is_whole(self, audio: str) -> bool:
        """Check the records of a track; those that are damaged are forgotten."""
        return self.read(audio) is not None

    def read(self, audio: str) -> np.ndarray | None:
        """Read the features of a track.

        Parameters
        ----------
        audio : str
            Digest of the track's audio file.

        Returns
        -------
        np.ndarray [shape=(clip, layer, width)] or None
            None if a clip is absent or its record is damaged; damaged records
            are forgotten, so that they are computed again.

        Raises
        ------
        MarbleError
            If the data must not be read.
        """
        count = self.clip_count(audio)
        if count is None:
            return None
        features = np.empty((count, *self.shape), dtype=self._type)
        with self._data() as stream:
            whole = [
                self._is_read(stream, ClipName(audio, clip, count), features[clip])
                for clip in range(count)
            ]
        return features if all(whole) else None

    def _data(self) -> io.RawIOBase | io.BytesIO:
        try:
            return (self.folder / _DATA).open("rb", buffering=0)
        except FileNotFoundError:
            return io.BytesIO()  # in which every record is cut short
        except OSError as error:
            raise self._unreadable(error) from error

    def _data_size(self) -> int:
        with self._data() as stream:  # opened, since a network disk then looks again
            return stream.seek(0, os.SEEK_END)

    def _is_read(
        self, stream: io.RawIOBase | io.BytesIO, name: ClipName, record: np.ndarray
    ) -> bool:
        """Read a record into its array, and forget it if it is not what was written."""
        place = self._index.places.get(name)
        if place is None:
            return False
        content = record.reshape(-1).view(np.uint8).data
        try:
            stream.seek(place.offset)
            held = stream.readinto(content)
        except OSError:  # the disk does not give it back
            held = None
        if held == self.row_bytes and zlib.crc32(content) == place.crc:
            return True
        self._index.distrust(name)
        return False

    def append(self, names: Sequence[ClipName], features: Sequence[np.ndarray]) -> int:
        """Add the features of a batch of clips; those already there are left out.

        Parameters
        ----------
        names : sequence of ClipName
            The clips.
        features : sequence of np.ndarray [shape=(layer, width)]
            Their features, in the store's number type.

        Returns
        -------
        int
            Number of records written.

        Raises
        ------
        ValueError
            If the features have another shape.
        OSError
            If they cannot be written; what is there stays good.
        """
        shapes = [each.shape for each in features]
        if shapes != [self.shape] * len(names):
            raise ValueError(
                f"features must have the shape {self.shape} for each of {len(names)} clips. "
                f"Got {shapes}."
            )
        with self._locked():
            data, index = self.folder / _DATA, self._index
            index.refresh()
            index.mend(self._data_size())
            new = [place for place, name in enumerate(names) if name not in self]
            if not new:
                return 0
            records = [features[place].astype(self._type).tobytes() for place in new]
            checksums = [zlib.crc32(record) for record in records]
            lines = index.lines([(names[at], crc) for at, crc in zip(new, checksums, strict=True)])
            _write_at(data, index.committed, b"".join(records))
            _write_at(index.path, index.size, lines)
            index.refresh()
            return len(new)

    def abandon(self) -> None:
        """Do nothing: every clip stands for itself."""

    def data_bytes(self) -> int:
        """Return the size of all records."""
        return self._data_size()

    def verify(self) -> StoreCheck:
        """Check every record against its checksum; the damaged are forgotten, as by `read`."""
        try:
            self._index.read_anew()
        except OSError as error:
            raise self._unreadable(error) from error
        names = list(self._index.places)
        record = np.empty(self.shape, dtype=self._type)
        with self._data() as stream:
            damaged = sum(not self._is_read(stream, name, record) for name in names)
        return StoreCheck(len(names), damaged + self._index.altered, self._data_size())

    def describe(self) -> dict[str, Any]:
        """Return what the store says about itself."""
        return dict(self._about)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / _LOCK).open("a") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX)
            write_description(self.folder, self._about)
            yield


def _write_at(path: Path, offset: int, content: bytes) -> None:
    """Write at an offset and end the file there: what lay behind it was torn."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        os.ftruncate(descriptor, offset)
        while content:
            written = os.pwrite(descriptor, content, offset)
            content, offset = content[written:], offset + written
    finally:
        os.close(descriptor)
