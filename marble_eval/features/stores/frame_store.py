"""A store of the features of every frame: one file per track, renamed into place.

A track is there whole or not at all; what a killed writer leaves behind has another
name. Two writers of one track write the same bytes. `marble_eval.features.stores.frame_file`
has the format.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np

from marble_eval.errors import MarbleError
from marble_eval.features.stores.frame_file import (
    Footer,
    FrameWriter,
    is_whole,
    read_footer,
    read_rows,
)
from marble_eval.features.stores.store import (
    StoreCheck,
    StoreFolder,
    unreadable,
    write_description,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from marble_eval.features.stores.store import ClipName

_SUFFIX = ".frames"
_FORSAKEN = 86400  # seconds after which an unfinished file has no writer any more


class FrameStore(StoreFolder):
    """Every frame of a track (see `marble_eval.features.stores.store.Store`)."""

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
        self._footers: dict[str, Footer] = {}
        self._writing: FrameWriter | None = None

    def refresh(self) -> None:
        """Do nothing: files of other writers are seen as they come."""

    def tracks(self) -> list[str]:
        return sorted(each.stem for each in self.folder.glob(f"??/*{_SUFFIX}"))

    def contents(self) -> dict[str, int]:
        tracks = self.tracks()
        return {"tracks": len(tracks), "frames": sum(map(self.rows, tracks))}

    def rows(self, audio: str) -> int:
        footer = self._footer(audio)
        return footer.frames if footer else 0

    def clip_count(self, audio: str) -> int | None:
        footer = self._footer(audio)
        return footer.clips if footer else None

    def stored_clips(self, audio: str) -> int:
        return self.clip_count(audio) or 0

    def is_complete(self, audio: str) -> bool:
        return self._footer(audio) is not None

    def wanted(self, audio: str, clips: int) -> list[int]:
        return [] if self.is_complete(audio) else list(range(clips))

    def read(self, audio: str) -> np.ndarray | None:
        if not self.is_whole(audio):
            return None
        frames, layers = self.rows(audio), range(self.shape[0])
        return np.stack([self.read_layer(audio, each, 0, frames) for each in layers], axis=1)

    def read_layer(self, audio: str, layer: int, start: int, stop: int) -> np.ndarray:
        footer = self._footer(audio)
        if footer is None or not 0 <= start <= stop <= footer.frames:
            raise MarbleError(
                f"{self._path(audio)}: must hold the frames {start} to {stop}. Got "
                f"{footer.frames if footer else 'no such track'}. Run again, and it is encoded "
                f"anew."
            )
        try:
            return read_rows(self._path(audio), footer, self.shape, self._type, layer, start, stop)
        except OSError as error:
            raise MarbleError(
                f"{self._path(audio)}: features must be readable. Got: {error.strerror or error}. "
                f"Run again; if it happens again, check the disk."
            ) from error

    def append(self, names: Sequence[ClipName], features: Sequence[np.ndarray]) -> int:
        """Add clips (layer, frame, width) in order; with its last clip a track is stored."""
        for name, each in zip(names, features, strict=True):
            if (each.shape[0], each.shape[2]) != self.shape:
                raise ValueError(
                    f"features must have {self.shape[0]} layers of width {self.shape[1]}. "
                    f"Got the shape {each.shape}."
                )
            if name.clip == 0:
                self.abandon()
                self.folder.mkdir(parents=True, exist_ok=True)
                write_description(self.folder, self._about)
                self._writing = FrameWriter(self._path(name.audio), self._type)
            writing = self._writing
            if writing is None or (writing.path, writing.clips) != (
                self._path(name.audio),
                name.clip,
            ):
                raise ValueError(f"the clips of a track must be written in order. Got {name}.")
            writing.add(each)
            if name.clip == name.of - 1:
                writing.finish()
                self._writing = None
        return len(names)

    def abandon(self) -> None:
        if self._writing is not None:
            self._writing.drop()
            self._writing = None

    def is_whole(self, audio: str) -> bool:
        """Check a track against its checksums; one that is damaged is deleted."""
        footer = self._footer(audio)
        if footer is None:
            return False
        if not is_whole(self._path(audio), footer, self.row_bytes):
            self._footers.pop(audio, None)
            self._path(audio).unlink(missing_ok=True)
            return False
        return True

    def verify(self) -> StoreCheck:
        """Check every track; the damaged are deleted, so that they are computed again."""
        for each in self.folder.glob("??/*.part"):  # of writers that were killed
            if time.time() - each.stat().st_mtime > _FORSAKEN:
                each.unlink(missing_ok=True)
        names, size = self.tracks(), self.data_bytes()
        self._footers.clear()  # what was read before may have changed
        damaged = [audio for audio in names if not self.is_whole(audio)]
        for audio in damaged:
            self._path(audio).unlink(missing_ok=True)
        return StoreCheck(len(names), len(damaged), size)

    def data_bytes(self) -> int:
        return sum(self._path(each).stat().st_size for each in self.tracks())

    def _path(self, audio: str) -> Path:
        return self.folder / audio[:2] / f"{audio}{_SUFFIX}"

    def _footer(self, audio: str) -> Footer | None:
        found = self._footers.get(audio)
        if found is None:
            try:
                found = read_footer(self._path(audio), self.row_bytes)
            except PermissionError as error:
                raise unreadable(self._path(audio), error) from error
            if found is not None:
                self._footers[audio] = found
        return found
