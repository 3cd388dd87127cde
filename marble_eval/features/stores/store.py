"""What both feature stores have in common: their contract, names, and the description on disk."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, Self

import numpy as np

from marble_eval.errors import MarbleError
from marble_eval.files.atomic_file import write_atomically

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_FILE = "about.json"
_TYPES = ("float16", "float32")


class ClipName(NamedTuple):
    """Which clip is stored: digest of the audio file, number from 0, clips in the track."""

    audio: str
    clip: int
    of: int


@dataclass(frozen=True, slots=True)
class StoreCheck:
    """What `Store.verify` found.

    Attributes
    ----------
    records : int
        Records that the store names: clips, or tracks of frames.
    damaged : int
        Records, and lines of an index, that fail their checksum.
    bytes : int
        Size of the data.
    """

    records: int
    damaged: int
    bytes: int


class Store(Protocol):
    """The cached features of one fingerprint, by the digest of the audio.

    A track is a sequence of rows (layer, width): a row is a clip's embedding in a pooled
    store, a frame in a frame store. What was altered on disk is never returned: it counts
    as absent, and is encoded again. One process at a time appends to a track; readers
    need no lock.

    Attributes
    ----------
    folder : Path
        Where the store is; made by the first `append`.
    shape : tuple of int
        Layers and width of a row.
    row_bytes : int
        Size of a row on disk.
    """

    folder: Path
    shape: tuple[int, int]
    row_bytes: int

    def describe(self) -> dict[str, Any]:
        """Return the description: layers, width, dtype, and what identifies the features."""
        ...

    def contents(self) -> dict[str, int]:
        """Count what is stored, for people: ``clips``, or ``tracks`` and ``frames``."""
        ...

    def tracks(self) -> list[str]:
        """Return the audio of which anything is stored, sorted."""
        ...

    def refresh(self) -> None:
        """Read what other processes have appended since the last look."""
        ...

    def clip_count(self, audio: str) -> int | None:
        """Return in how many clips a track is encoded; None if nothing of it was ever stored."""
        ...

    def stored_clips(self, audio: str) -> int:
        """Return how many clips of a track are stored."""
        ...

    def rows(self, audio: str) -> int:
        """Return how many rows of a track are stored."""
        ...

    def wanted(self, audio: str, clips: int) -> list[int]:
        """Return which of a track's clips are to be encoded, given their number."""
        ...

    def is_complete(self, audio: str) -> bool:
        """Return whether every clip of a track is stored, without reading the features."""
        ...

    def is_whole(self, audio: str) -> bool:
        """Check a track against its checksums; from then on what is damaged counts as absent."""
        ...

    def read(self, audio: str) -> np.ndarray | None:
        """Read a track (row, layer, width); None if any of it is absent or damaged."""
        ...

    def read_layer(self, audio: str, layer: int, start: int, stop: int) -> np.ndarray:
        """Read some rows of one layer.

        Parameters
        ----------
        audio : str
            Digest of the track's audio file.
        layer : int
            Position among the stored layers.
        start, stop : int
            First row, and the one behind the last.

        Returns
        -------
        np.ndarray [shape=(row, width)]
            In the store's number type.

        Raises
        ------
        MarbleError
            If the rows are absent or cannot be read.
        """
        ...

    def append(self, names: Sequence[ClipName], features: Sequence[np.ndarray]) -> int:
        """Add clips, those of a track in their order.

        Parameters
        ----------
        names : sequence of ClipName
            The clips.
        features : sequence of np.ndarray [shape=(layer, width) or (layer, frame, width)]
            What is kept of each clip.

        Returns
        -------
        int
            Number of clips written.

        Raises
        ------
        ValueError
            If features have another shape, or clips of a frame store come out of order.
        OSError
            If they cannot be written; what is stored stays intact.
        """
        ...

    def abandon(self) -> None:
        """Drop a track whose last clip has not arrived, where a track is stored as a whole."""
        ...

    def data_bytes(self) -> int:
        """Return the size of the data on disk."""
        ...

    def verify(self) -> StoreCheck:
        """Check everything against its checksums; what is damaged counts as absent."""
        ...


class StoreFolder:
    """A store's folder, the shape and number type of its rows, and its description."""

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

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Open an existing store by its description."""
        about = read_description(folder)
        shape = {name: about.pop(name) for name in ("layers", "width", "dtype")}
        return cls(folder, **shape, about=about)

    def describe(self) -> dict[str, Any]:
        """Return the description."""
        return dict(self._about)


def read_description(folder: Path) -> dict[str, Any]:
    """Read a store's description; raise MarbleError if it cannot be understood."""
    try:
        return _read(folder / _FILE)
    except (OSError, ValueError) as error:
        raise MarbleError(
            f"{folder}: must be a feature store with a readable {_FILE}. Got {error}. "
            f"Delete the folder; its features are computed again when they are needed."
        ) from None


def write_description(folder: Path, about: Mapping[str, Any]) -> None:
    """Write a store's description, unless a readable one is there."""
    path = folder / _FILE
    try:
        _read(path)
    except (FileNotFoundError, ValueError):  # not there yet, or damaged
        write_atomically(path, json.dumps(about, indent=1).encode())


def unreadable(path: Path, error: OSError) -> MarbleError:
    """Return the error for features that must not be read."""
    return MarbleError(
        f"{path}: cached features must be readable. Got: {error.strerror or error}. "
        f"Change the folder's permissions, or set MARBLE_EVAL_HOME to another one."
    )


def _read(path: Path) -> dict[str, Any]:
    about = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(about, dict) or about.get("dtype") not in _TYPES:
        raise ValueError("no number type in it")
    for name in ("layers", "width"):
        if not isinstance(about.get(name), int) or about[name] < 1:
            raise ValueError(f"no number for {name!r} in it")
    return about
