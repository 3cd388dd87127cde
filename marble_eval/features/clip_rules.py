"""How a track is cut for the encoder, and what is kept of each cut.

`ClipCuts` keeps one embedding per clip, `FrameCuts` every frame of a piece, or the means
of a few.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from marble_eval.audio import UnusableAudio, clip_bounds, normalise, prepare, whole_track
from marble_eval.audio.pieces import FrameGrid, Piece, pieces_of
from marble_eval.features.pooling import check_hidden_states, clip_means, kept_frames
from marble_eval.units import samples_to_seconds

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import torch

    from marble_eval.spec import Windowing

_SLACK = 5  # frames by which an encoder may differ from its rate: the borders of its front end


class Cut(NamedTuple):
    """Audio (samples,) that the encoder gets at once; ``piece`` says which frames are kept."""

    audio: np.ndarray
    piece: Piece | None = None


class Cuts(Protocol):
    """A way to cut tracks, and to pool what the encoder gives."""

    @property
    def windowing(self) -> Windowing:
        """Return how audio is read."""
        ...

    @property
    def sample_rate(self) -> int:
        """Return the encoder's rate, in Hz."""
        ...

    @property
    def minimum_samples(self) -> int:
        """Return the encoder's shortest input."""
        ...

    @property
    def grid(self) -> FrameGrid | None:
        """Return which frames are kept; None where those of a clip are averaged."""
        ...

    @property
    def layers(self) -> tuple[int, ...]:
        """Return the positions of the encoder's layers that are kept; empty for all."""
        ...

    def lengths(self, samples: int) -> list[int]:
        """Return the samples of each cut of a track with so many samples."""
        ...

    def rows(self, samples: int) -> int:
        """Forecast how many rows of the store a track takes."""
        ...

    def cut(self, path: Path) -> list[Cut]:
        """Read a track and cut it; raise `UnusableAudio` if it cannot be used."""
        ...

    def pooled(self, hidden_states: torch.Tensor, cuts: Sequence[Cut]) -> list[np.ndarray]:
        """Take what is kept from the hidden states (batch, layer, frame, width)."""
        ...


@dataclass(frozen=True, slots=True)
class ClipCuts:
    """Clips by the protocol's windows; the mean over the frames of each is kept."""

    windowing: Windowing
    normalised: bool
    sample_rate: int
    minimum_samples: int

    @property
    def grid(self) -> None:
        """Return None: no frame is kept."""

    @property
    def layers(self) -> tuple[int, ...]:
        """Return no layer in particular: all are kept."""
        return ()

    def lengths(self, samples: int) -> list[int]:
        """Return the samples of each clip."""
        bounds = clip_bounds(samples, self.sample_rate, self.windowing)
        return [each.length for each in bounds]

    def rows(self, samples: int) -> int:
        """Return the number of clips: each is a row."""
        return len(self.lengths(samples))

    def cut(self, path: Path) -> list[Cut]:
        """Read a track and cut it into clips."""
        clips = prepare(
            path,
            sample_rate=self.sample_rate,
            windowing=self.windowing,
            normalise=self.normalised,
            minimum_samples=self.minimum_samples,
        )
        return [Cut(each) for each in clips]

    def pooled(self, hidden_states: torch.Tensor, cuts: Sequence[Cut]) -> list[np.ndarray]:
        """Return the mean (layer, width) over the frames of each clip."""
        return list(np.asarray(clip_means(hidden_states).cpu()))


@dataclass(frozen=True, slots=True)
class FrameCuts:
    """Pieces that divide a track's frames between them; every frame is kept."""

    windowing: Windowing  # its ``clip_seconds`` is the length of a piece; hop and tail are ignored
    normalised: bool  # whether the waveform is normalised
    minimum_samples: int  # the encoder's shortest input
    grid: FrameGrid  # the encoder's frames, and which are kept
    layers: tuple[int, ...]  # positions of the layers that are kept
    context_seconds: float  # what is heard on both sides of a piece

    @property
    def sample_rate(self) -> int:
        """Return the encoder's rate, in Hz."""
        return self.grid.sample_rate

    def pieces(self, samples: int) -> tuple[Piece, ...]:
        """Cut a track of some length; no rest is shorter than what the encoder takes."""
        shortest = samples_to_seconds(self.minimum_samples, self.sample_rate)
        return pieces_of(
            samples,
            self.grid,
            clip_seconds=self.windowing.clip_seconds,
            context_seconds=self.context_seconds,
            tail_seconds=max(self.windowing.tail_seconds, shortest),
        )

    def lengths(self, samples: int) -> list[int]:
        """Return the samples that the encoder hears of each piece."""
        return [each.stop - each.start for each in self.pieces(samples)]

    def rows(self, samples: int) -> int:
        """Forecast how many frames are kept of a track; a few less may come."""
        return max(1, round(samples * self.grid.rate / self.sample_rate))

    def cut(self, path: Path) -> list[Cut]:
        """Read a track and cut it into pieces."""
        scope = self.windowing.normalise if self.normalised else None
        audio = whole_track(path, self.sample_rate, self.windowing, is_normalised=scope == "track")
        cuts = []
        for piece in self.pieces(len(audio)):
            heard = piece.stop - piece.start
            if heard < self.minimum_samples:
                held = samples_to_seconds(heard, self.sample_rate)
                needed = samples_to_seconds(self.minimum_samples, self.sample_rate)
                raise UnusableAudio(path, f"too short: {held:.2f} s, {needed:.4g} s needed")
            samples = audio[piece.start : piece.stop]
            cuts.append(Cut(normalise(samples) if scope == "clip" else samples, piece))
        return cuts

    def pooled(self, hidden_states: torch.Tensor, cuts: Sequence[Cut]) -> list[np.ndarray]:
        """Return the kept frames (layer, frame, width) of each piece."""
        check_hidden_states(hidden_states)
        found, frames = [], hidden_states.shape[2]
        for each, cut in zip(hidden_states, cuts, strict=True):
            expected = len(cut.audio) * self.grid.frame_rate / self.sample_rate
            if abs(frames - expected) > _SLACK:
                raise ValueError(
                    f"the encoder must give {self.grid.frame_rate:g} frames a second, as it "
                    f"declares: {expected:.0f} for {len(cut.audio)} samples. Got {frames}."
                )
            piece = cut.piece or Piece(0, len(cut.audio), 0, 0, None)
            kept = kept_frames(
                each,
                self.layers,
                heard_from=piece.heard_from,
                first=piece.first,
                count=piece.kept,
                step=self.grid.step,
            )
            found.append(np.asarray(kept.cpu()))
        return found
