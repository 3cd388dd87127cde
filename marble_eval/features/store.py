"""An append-only store of pooled features that survives kills and neighbours.

A store is a folder: ``data.bin`` holds the records (layer × width numbers each),
``index.jsonl`` one line for each batch that was appended, with the offset of its
first record and, for every record, the audio's digest, the clip's number, the
number of clips and a checksum. The line is written after the data, so what it
names is there; whatever lies behind the last whole line is the remains of a
killed writer and is overwritten. Appends hold a lock (`flock`, released by the
kernel when a process dies); readers need none.
"""

from __future__ import annotations

import fcntl
import json
import os
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from marble_eval.errors import MarbleError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

_DATA, _INDEX, _LOCK, _ABOUT = "data.bin", "index.jsonl", "lock", "about.json"


class ClipName(NamedTuple):
    """Which clip a record holds.

    Attributes
    ----------
    audio : str
        Digest of the track's audio file.
    clip : int
        Number of the clip in the track, from 0.
    of : int
        Number of clips in the track.
    """

    audio: str
    clip: int
    of: int


@dataclass(frozen=True, slots=True)
class StoreCheck:
    """What `FeatureStore.verify` found.

    Attributes
    ----------
    records, damaged : int
        Records named by the index, and those that fail their checksum.
    bytes : int
        Size of the data.
    """

    records: int
    damaged: int
    bytes: int


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
        self.record_bytes = layers * width * self._type.itemsize
        self._about = {"layers": layers, "width": width, "dtype": dtype, **(about or {})}
        self._places: dict[ClipName, tuple[int, int]] = {}
        self._clips: dict[str, int] = {}
        self._indexed = 0  # bytes of the index that have been read
        self._committed = 0  # bytes of the data that the index vouches for
        self.refresh()

    @classmethod
    def open(cls, folder: Path) -> FeatureStore:
        """Open a store that exists, by what it says about itself."""
        try:
            about = json.loads((folder / _ABOUT).read_text(encoding="utf-8"))
            shape = {name: about.pop(name) for name in ("layers", "width", "dtype")}
        except (OSError, ValueError, KeyError) as error:
            raise MarbleError(
                f"{folder}: must be a feature store with a readable {_ABOUT}. Got {error}. "
                f"Delete the folder; its features are computed again when they are needed."
            ) from None
        return cls(folder, **shape, about=about)

    def refresh(self) -> None:
        """Read what other writers have appended since the last look."""
        path = self.folder / _INDEX
        if not path.exists():
            return
        with path.open("rb") as stream:
            stream.seek(self._indexed)
            news = stream.read()
        whole = news.rfind(b"\n") + 1
        for line in news[:whole].splitlines():
            self._take(line)
        self._indexed += whole

    def _take(self, line: bytes) -> None:
        try:
            entry = json.loads(line)
            offset = int(entry["offset"])
            records = [(ClipName(a, int(c), int(n)), int(crc)) for a, c, n, crc in entry["clips"]]
        except (ValueError, KeyError, TypeError):
            return  # an altered line vouches for nothing: its clips are computed again
        for name, crc in records:
            self._places[name] = (offset, crc)
            self._clips[name.audio] = name.of
            offset += self.record_bytes
        self._committed = max(self._committed, offset)

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, name: ClipName) -> bool:
        return name in self._places

    def clip_count(self, audio: str) -> int | None:
        """Return how many clips a track has, if one of them is stored."""
        return self._clips.get(audio)

    def is_complete(self, audio: str) -> bool:
        """Say whether every clip of a track is stored."""
        count = self._clips.get(audio)
        return count is not None and all(
            ClipName(audio, clip, count) in self._places for clip in range(count)
        )

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
        """
        count = self._clips.get(audio)
        if count is None:
            return None
        features = np.empty((count, *self.shape), dtype=self._type)
        whole = True
        with (self.folder / _DATA).open("rb") as stream:
            for clip in range(count):
                name = ClipName(audio, clip, count)
                record = self._record(stream, name)
                if record is None:
                    self._places.pop(name, None)
                    whole = False
                else:
                    features[clip] = np.frombuffer(record, dtype=self._type).reshape(self.shape)
        return features if whole else None

    def _record(self, stream: Any, name: ClipName) -> bytes | None:
        if name not in self._places:
            return None
        offset, crc = self._places[name]
        stream.seek(offset)
        record: bytes = stream.read(self.record_bytes)
        intact = len(record) == self.record_bytes and zlib.crc32(record) == crc
        return record if intact else None

    def append(self, names: Sequence[ClipName], features: np.ndarray) -> int:
        """Add the features of a batch of clips; those already there are left out.

        Parameters
        ----------
        names : sequence of ClipName
            The clips.
        features : np.ndarray [shape=(clip, layer, width)]
            Their features, in the store's number type.

        Returns
        -------
        int
            Number of records written.
        """
        with self._locked():
            self.refresh()
            new = [place for place, name in enumerate(names) if name not in self._places]
            if not new:
                return 0
            records = [features[place].astype(self._type).tobytes() for place in new]
            entry = {
                "offset": self._committed,
                "clips": [
                    [*names[place], zlib.crc32(record)]
                    for place, record in zip(new, records, strict=True)
                ],
            }
            line = json.dumps(entry, separators=(",", ":")).encode() + b"\n"
            _write_at(self.folder / _DATA, self._committed, b"".join(records))
            _write_at(self.folder / _INDEX, self._indexed, line)
            self.refresh()
            return len(new)

    def verify(self) -> StoreCheck:
        """Check every record against its checksum."""
        path = self.folder / _DATA
        if not path.exists():
            return StoreCheck(len(self._places), len(self._places), 0)
        with path.open("rb") as stream:
            damaged = sum(self._record(stream, name) is None for name in self._places)
        return StoreCheck(len(self._places), damaged, path.stat().st_size)

    def describe(self) -> dict[str, Any]:
        """Return what the store says about itself."""
        return dict(self._about)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self.folder.mkdir(parents=True, exist_ok=True)
        about = self.folder / _ABOUT
        with (self.folder / _LOCK).open("a") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX)
            if not about.exists():
                written = about.with_suffix(".tmp")
                written.write_text(json.dumps(self._about, indent=1), encoding="utf-8")
                written.replace(about)
            yield


def _write_at(path: Path, offset: int, content: bytes) -> None:
    """Write at an offset and end the file there: what lay behind it was torn."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        os.ftruncate(descriptor, offset)
        with os.fdopen(os.dup(descriptor), "wb") as stream:
            stream.seek(offset)
            stream.write(content)
    finally:
        os.close(descriptor)
