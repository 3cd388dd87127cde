"""An append-only store of pooled features that survives kills and concurrent writers.

A store is a folder: ``data.bin`` holds the records (layer × width numbers each)
and ``index.jsonl`` says which clips they are. A line of the index is written after
its data, so what it names is there; whatever follows the last whole line was left by
a killed writer and is overwritten. Appends hold a lock (`flock`, released by the
kernel when a process dies); readers need none.
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
from marble_eval.features.stores.index import Index
from marble_eval.features.stores.store import (
    ClipName,
    StoreCheck,
    StoreFolder,
    unreadable,
    write_description,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

_DATA, _INDEX, _LOCK = "data.bin", "index.jsonl", "lock"


class PooledStore(StoreFolder):
    """One embedding per clip and layer (see `marble_eval.features.stores.store.Store`)."""

    def __init__(
        self,
        folder: Path,
        *,
        layers: int,
        width: int,
        dtype: str,
        about: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(folder, layers=layers, width=width, dtype=dtype, about=about)
        self._index = Index(folder / _INDEX, self.row_bytes)
        self.refresh()

    def refresh(self) -> None:
        try:
            self._index.refresh()
        except OSError as error:
            raise unreadable(self.folder, error) from error

    def __len__(self) -> int:
        return len(self._index.records)

    def __contains__(self, name: ClipName) -> bool:
        return name in self._index.records

    def contents(self) -> dict[str, int]:
        return {"clips": len(self)}

    def tracks(self) -> list[str]:
        return sorted({name.audio for name in self._index.records})

    def clip_count(self, audio: str) -> int | None:
        return self._index.clips.get(audio)

    def stored_clips(self, audio: str) -> int:
        count = self._index.clips.get(audio, 0)
        return sum(ClipName(audio, clip, count) in self for clip in range(count))

    def rows(self, audio: str) -> int:
        return self.stored_clips(audio)

    def wanted(self, audio: str, clips: int) -> list[int]:
        return [clip for clip in range(clips) if ClipName(audio, clip, clips) not in self]

    def is_complete(self, audio: str) -> bool:
        return self.clip_count(audio) == self.stored_clips(audio)

    def is_whole(self, audio: str) -> bool:
        return self.read(audio) is not None

    def read(self, audio: str) -> np.ndarray | None:
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

    def read_layer(self, audio: str, layer: int, start: int, stop: int) -> np.ndarray:
        found = self.read(audio)
        if found is None or not 0 <= start <= stop <= len(found):
            raise MarbleError(
                f"{self.folder}: must hold the clips {start} to {stop} of {audio}. Got "
                f"{self.stored_clips(audio)} clips. Run again, and they are encoded anew."
            )
        return found[start:stop, layer]

    def _data(self) -> io.RawIOBase | io.BytesIO:
        try:
            return (self.folder / _DATA).open("rb", buffering=0)
        except FileNotFoundError:
            return io.BytesIO()  # in which every record is cut short
        except OSError as error:
            raise unreadable(self.folder, error) from error

    def _is_read(self, stream: io.RawIOBase | io.BytesIO, name: ClipName, into: np.ndarray) -> bool:
        """Read a record into an array, and forget it if it is not what was written."""
        record = self._index.records.get(name)
        if record is None:
            return False
        content = into.reshape(-1).view(np.uint8).data
        try:
            stream.seek(record.offset)
            held = stream.readinto(content)
        except OSError:  # the disk does not give it back
            held = None
        if held == self.row_bytes and zlib.crc32(content) == record.crc:
            return True
        self._index.distrust(name)
        return False

    def append(self, names: Sequence[ClipName], features: Sequence[np.ndarray]) -> int:
        """Add clips (layer, width); those already stored are left out."""
        shapes = [each.shape for each in features]
        if shapes != [self.shape] * len(names):
            raise ValueError(
                f"features must have the shape {self.shape} for each of {len(names)} clips. "
                f"Got {shapes}."
            )
        with self._locked():
            data, index = self.folder / _DATA, self._index
            index.refresh()
            index.mend(self.data_bytes())
            new = [at for at, name in enumerate(names) if name not in self]
            if not new:
                return 0
            records = [features[at].astype(self._type).tobytes() for at in new]
            checksums = [zlib.crc32(record) for record in records]
            lines = index.lines([(names[at], crc) for at, crc in zip(new, checksums, strict=True)])
            _write_at(data, index.committed, b"".join(records))
            _write_at(index.path, index.size, lines)
            index.refresh()
            return len(new)

    def abandon(self) -> None:
        """Do nothing: every clip is stored by itself."""

    def data_bytes(self) -> int:
        with self._data() as stream:  # opened, since a network disk then looks again
            return stream.seek(0, os.SEEK_END)

    def verify(self) -> StoreCheck:
        try:
            self._index.read_anew()
        except OSError as error:
            raise unreadable(self.folder, error) from error
        names = list(self._index.records)
        into = np.empty(self.shape, dtype=self._type)
        with self._data() as stream:
            damaged = sum(not self._is_read(stream, name, into) for name in names)
        return StoreCheck(len(names), damaged + self._index.altered, self.data_bytes())

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / _LOCK).open("a") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX)
            write_description(self.folder, self._about)
            yield


def _write_at(path: Path, offset: int, content: bytes) -> None:
    """Write at an offset and end the file there: what followed was torn."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        os.ftruncate(descriptor, offset)
        while content:
            written = os.pwrite(descriptor, content, offset)
            content, offset = content[written:], offset + written
    finally:
        os.close(descriptor)
