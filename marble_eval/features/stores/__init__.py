"""The feature cache on disk: pooled clips in one append-only file, frames in a file per track."""

from __future__ import annotations

from typing import TYPE_CHECKING

from marble_eval.features.stores.frame_store import FrameStore
from marble_eval.features.stores.pooled_store import PooledStore
from marble_eval.features.stores.store import ClipName, Store, StoreCheck, read_description

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["ClipName", "FrameStore", "PooledStore", "Store", "StoreCheck", "open_store"]


def open_store(folder: Path) -> Store:
    """Open an existing store, whose description says whether it keeps clips or frames."""
    has_frames = read_description(folder).get("pooling") == "frames"
    return FrameStore.open(folder) if has_frames else PooledStore.open(folder)
