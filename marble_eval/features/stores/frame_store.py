"""A store of the features of every frame: one file a track, renamed into place.

A track is there whole or not at all; what a killed writer leaves behind has another
name. Two writers of one track write the same bytes. The form of the files is told in
`marble_eval.features.stores.frame_file`.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np

from marble_eval.errors import MarbleError
from marble_eval.features.stores.description import StoreCheck, read_description, write_description
from marble_eval.features.stores.frame_file import FrameWriter, Held, held_by, is_whole, read_rows

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from marble_eval.features.stores.index import ClipName

_SUFFIX = ".frames"
_FORSAKEN = 86400  # seconds after which an unfinished file has no writer any more


class FrameStore:
    """The features of one fingerprint, for every frame.

    Parameters
    ----------
    folder : Path
        Where the store lies or is to be made (with the first track).
    layers, width : int
        Shape of a frame.
    dtype : {"float16", "float32"}
        Number type.
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
        self.row_bytes = layers * width * self._type.itemsize
        self._about = {**(about or {}), "layers": layers, "width": width, "dtype": dtype}
        self._held: dict[str, Held] = {}
        self._writing: FrameWriter | None = None

    @classmethod
    def open(cls, folder: Path) -> FrameStore:
        """Open a store that exists, by what it says about itself."""
        about = read_description(folder)
        shape = {name: about.pop(name) for name in ("layers", "width", "dtype")}
        return cls(folder, **shape, about=about)

    def describe(self) -> dict[str, Any]:
        """Return what the store says about itself."""
        return dict(self._about)

    def refresh(self) -> None:
        """Do nothing: files of other writers are seen as they come."""

    def tracks(self) -> list[str]:
        """Name the tracks that are there, by the digest of their audio."""
        return sorted(each.stem for each in self.folder.glob(f"??/*{_SUFFIX}"))

    def frames(self, audio: str) -> int:
        """Return how many frames a track has; 0 if it is not there."""
        held = self._description(audio)
        return held.frames if held else 0

    def clip_count(self, audio: str) -> int | None:
        """Return in how many clips a track was encoded, if it is there."""
        held = self._description(audio)
        return held.clips if held else None

    def stored_clips(self, audio: str) -> int:
        """Return how many clips of a track are stored: all or none."""
        return self.clip_count(audio) or 0

    def is_complete(self, audio: str) -> bool:
        """Say whether a track is stored."""
        return self._description(audio) is not None

    def stored_rows(self, audio: str) -> int:
        """Return how many rows a track has in the store: its frames."""
        return self.frames(audio)

    def wanted(self, audio: str, clips: int) -> list[int]:
        """Say which clips of a track are to be encoded: all or none."""
        return [] if self.is_complete(audio) else list(range(clips))

    def read(self, audio: str, layer: int, start: int, stop: int) -> np.ndarray:
        """Read some frames of one layer.

        Parameters
        ----------
        audio : str
            Digest of the track's audio file.
        layer : int
            Position among the stored layers.
        start, stop : int
            First frame, and the one behind the last.

        Returns
        -------
        np.ndarray [shape=(frame, width)]
            In the store's number type.

        Raises
        ------
        MarbleError
            If the track is not there, or the disk does not give it back.
        """
        held = self._description(audio)
        if held is None or not 0 <= start <= stop <= held.frames:
            raise MarbleError(
                f"{self._path(audio)}: must hold the frames {start} to {stop}. Got "
                f"{held.frames if held else 'no such track'}. Run again, and it is encoded anew."
            )
        try:
            return read_rows(self._path(audio), held, self.shape, self._type, layer, start, stop)
        except OSError as error:
            raise MarbleError(
                f"{self._path(audio)}: features must be readable. Got: {error.strerror or error}. "
                f"Run again; if it happens again, check the disk."
            ) from error

    def append(self, names: Sequence[ClipName], features: Sequence[np.ndarray]) -> int:
        """Add clips, those of a track in their order; with its last one the track is there.

        Parameters
        ----------
        names : sequence of ClipName
            The clips.
        features : sequence of np.ndarray [shape=(layer, frame, width)]
            The frames that each adds to its track.

        Returns
        -------
        int
            Number of clips written.

        Raises
        ------
        ValueError
            If clips come out of order or have another shape.
        OSError
            If they cannot be written; the tracks that are there stay good.
        """
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
        """Drop a track whose last clip has not come."""
        if self._writing is not None:
            self._writing.drop()
            self._writing = None

    def is_whole(self, audio: str) -> bool:
        """Check a track against its checksums; one that is damaged is deleted.

        Parameters
        ----------
        audio : str
            Digest of the track's audio file.

        Returns
        -------
        bool
            True if every block is as it was written.
        """
        held = self._description(audio)
        if held is None:
            return False
        if not is_whole(self._path(audio), held, self.row_bytes):
            self._held.pop(audio, None)
            self._path(audio).unlink(missing_ok=True)
            return False
        return True

    def verify(self) -> StoreCheck:
        """Check every track; the damaged are deleted, so that they are computed again."""
        for each in self.folder.glob("??/*.part"):  # of writers that were killed
            if time.time() - each.stat().st_mtime > _FORSAKEN:
                each.unlink(missing_ok=True)
        names, size = self.tracks(), self.data_bytes()
        self._held.clear()  # what was read before may have changed
        damaged = [audio for audio in names if not self.is_whole(audio)]
        for audio in damaged:
            self._path(audio).unlink(missing_ok=True)
        return StoreCheck(len(names), len(damaged), size)

    def data_bytes(self) -> int:
        """Return the size of all tracks."""
        return sum(self._path(each).stat().st_size for each in self.tracks())

    def _path(self, audio: str) -> Path:
        return self.folder / audio[:2] / f"{audio}{_SUFFIX}"

    def _description(self, audio: str) -> Held | None:
        found = self._held.get(audio)
        if found is None:
            try:
                found = held_by(self._path(audio), self.row_bytes)
            except PermissionError as error:
                raise MarbleError(
                    f"{self._path(audio)}: cached features must be readable. Got: "
                    f"{error.strerror}. Change the folder's permissions, or set "
                    f"MARBLE_EVAL_HOME to another one."
                ) from error
            if found is not None:
                self._held[audio] = found
        return found
