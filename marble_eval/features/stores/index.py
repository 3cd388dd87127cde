"""The index of a pooled store: at which offset of the data each clip's record is.

One JSON line per record: its offset in the data, the audio's digest, the clip's
number, the number of clips and a checksum, and at its end a checksum of the line; so
the file is the same however the clips were batched. Lines of earlier versions name
all the records of a batch, with the offset of the first. A line is valid only whole
and unaltered; of two that name a clip the later counts. Offsets rise from line to line.
"""

from __future__ import annotations

import json
import zlib
from typing import TYPE_CHECKING, NamedTuple

from marble_eval.features.stores.store import ClipName

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_SEAL = b',"crc":'  # before the checksum of what precedes it in the line


class Record(NamedTuple):
    """Offset of a record in the data, in bytes, and its checksum."""

    offset: int
    crc: int


class Index:
    """The content of an index file, as far as it has been read.

    Attributes
    ----------
    records : dict of ClipName to Record
        Records that are not known to be damaged.
    clips : dict of str to int
        Number of clips of each track, by its audio.
    size : int
        Bytes of the index that hold whole lines.
    committed : int
        Bytes of the data that the lines cover.
    altered : int
        Lines that fail their checksum.
    """

    def __init__(self, path: Path, record_bytes: int) -> None:
        self.path = path
        self._record_bytes = record_bytes
        self._damaged: dict[ClipName, Record] = {}
        self._forget()

    def _forget(self) -> None:
        self.records: dict[ClipName, Record] = {}
        self.clips: dict[str, int] = {}
        self.size = self.committed = self.altered = 0
        self._last = b""  # the last line read, by which a file that was replaced is noticed

    def refresh(self) -> None:
        """Read what was appended since the last look; all of it where the file was replaced."""
        try:
            with self.path.open("rb") as stream:
                stream.seek(self.size - len(self._last))
                news = stream.read()
                if not news.startswith(self._last):
                    self._forget()
                    stream.seek(0)
                    news = stream.read()
        except FileNotFoundError:
            self._forget()
            return
        for line in news[len(self._last) : news.rfind(b"\n") + 1].splitlines(keepends=True):
            self._take(line)
            self.size += len(line)
            self._last = line

    def _take(self, line: bytes) -> None:
        records = _records(line, self._record_bytes)
        if records is None:  # its clips are computed again
            self.altered += 1
            return
        for name, record in records:
            self.clips[name.audio] = name.of
            if self._damaged.get(name) != record:
                self.records[name] = record
            self.committed = max(self.committed, record.offset + self._record_bytes)

    def distrust(self, name: ClipName) -> None:
        """Drop a record that turned out to be damaged, however often its line is read."""
        self._damaged[name] = self.records.pop(name)

    def read_anew(self) -> None:
        """Read the whole file again, and trust every record in it."""
        self._damaged.clear()
        self._forget()
        self.refresh()

    def lines(self, records: Sequence[tuple[ClipName, int]]) -> bytes:
        """Return the lines of new records (name, checksum), to be written at ``size``."""
        lines = []
        for number, (name, crc) in enumerate(records):
            self._damaged.pop(name, None)
            offset = self.committed + number * self._record_bytes
            entry = {"offset": offset, "clips": [[*name, crc]]}
            opened = json.dumps(entry, separators=(",", ":")).encode()[:-1]
            lines.append(opened + _SEAL + b"%d}\n" % zlib.crc32(opened))
        return b"".join(lines)

    def mend(self, data_size: int) -> None:
        """Drop lines that are altered, or whose data is missing; only under the store's lock.

        Data that was cut short loses its last lines and is written again in their place, so
        that nothing follows a gap.
        """
        if not self.altered and self.committed <= data_size:
            return
        kept = []
        for line in self.path.read_bytes()[: self.size].splitlines(keepends=True):
            records = _records(line, self._record_bytes)
            if records and records[-1][1].offset + self._record_bytes <= data_size:
                kept.append(line)
        # In a new file, so that a kill leaves the old one or the new.
        written = self.path.with_suffix(".tmp")
        written.write_bytes(b"".join(kept))
        written.replace(self.path)
        self._forget()
        self.refresh()


def _records(line: bytes, record_bytes: int) -> list[tuple[ClipName, Record]] | None:
    """Read a line; None if it is not as it was written."""
    opened, _, crc = line.rpartition(_SEAL)
    if crc != b"%d}\n" % zlib.crc32(opened):
        return None
    entry = json.loads(opened + b"}")
    return [
        (ClipName(audio, clip, of), Record(entry["offset"] + number * record_bytes, crc))
        for number, (audio, clip, of, crc) in enumerate(entry["clips"])
    ]
