"""One split of a task with an estimate for every frame: its tracks, windows and targets.

Features stay on disk; what is asked for is read. Targets are made from the
annotations when they are wanted, and those of the last few tracks are kept, so
that memory does not grow with the data set.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from marble_eval.features.stores import Store
    from marble_eval.registry import Task
    from marble_eval.spec import FrameRules, Track

_KEPT_BYTES = 64e6  # of targets


class Window(NamedTuple):
    """Some frames of a track, by its position in the split: an example of training."""

    track: int
    start: int
    stop: int


@dataclass(frozen=True)
class FrameSource:
    """Where the frames of all splits are.

    `rate` in Hz, `kept` the positions of the stored layers.
    """

    task: Task
    rules: FrameRules
    store: Store
    kept: tuple[int, ...]
    rate: float


class FrameSplit:
    """The tracks of a split, with the number of frames of each."""

    def __init__(self, tracks: Sequence[Track], audio: Sequence[str], source: FrameSource) -> None:
        self.tracks, self.source = list(tracks), source
        self._audio = list(audio)
        self.frames = [source.store.rows(each) for each in audio]
        self._targets: OrderedDict[int, np.ndarray] = OrderedDict()

    def __len__(self) -> int:
        return len(self.tracks)

    def windows(self) -> list[Window]:
        """Divide every track; a rest of less than half a window joins the one before."""
        length = max(1, round(self.source.rules.window_seconds * self.source.rate))
        found = []
        for track, frames in enumerate(self.frames):
            count = max(1, int(frames / length + 0.5))
            starts = [at * length for at in range(count)]
            stops = [*starts[1:], frames]
            found += [Window(track, *each) for each in zip(starts, stops, strict=True)]
        return found

    def annotation(self, track: int) -> Any:
        """Return what is annotated in a track."""
        return self.source.task.frame_kind.annotation_of(str(self.tracks[track].label))

    def targets(self, window: Window) -> np.ndarray:
        """Return the targets (frame, output) of a window, widened; nan where there is none."""
        source, track = self.source, window.track
        if track not in self._targets:
            self._targets[track] = source.task.frame_kind.encode(
                self.annotation(track),
                self.frames[track],
                source.rate,
                source.task.spec,
                source.rules,
                widened=True,
            )
            while sum(each.nbytes for each in self._targets.values()) > _KEPT_BYTES:
                if len(self._targets) == 1:
                    break
                self._targets.popitem(last=False)
        self._targets.move_to_end(track)
        found: np.ndarray = self._targets[track][window.start : window.stop]
        return found

    def read(self, track: int, layer: int, start: int, stop: int) -> torch.Tensor:
        """Read some frames (frame, width) of a layer, by its position in the encoder."""
        source = self.source
        at = source.kept.index(layer)
        return torch.from_numpy(source.store.read_layer(self._audio[track], at, start, stop))
