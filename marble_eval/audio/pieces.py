"""Cutting a track for an encoder whose every frame is kept.

The frames of a track are on one grid, frame i at the time i / rate. The track is cut
into pieces that divide this grid between them; an encoder may hear a little more on both
sides of a piece, so that the frames beside a cut have context. No audio is lost: a rest
that is too short for a piece joins the one before.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

from marble_eval.units import seconds_to_samples


class Piece(NamedTuple):
    """A piece of a track."""

    start: int  # first sample that the encoder hears
    stop: int  # the one behind the last
    heard_from: int  # number of the encoder's frame, on the grid of the track, at ``start``
    first: int  # first frame that is kept, on the grid of the kept frames
    kept: int | None  # frames kept; None for all to the end of the track


@dataclass(frozen=True, slots=True)
class FrameGrid:
    """The frames of an encoder; ``step`` of them make one kept frame. Rates in Hz."""

    sample_rate: int
    frame_rate: float
    step: int

    @property
    def rate(self) -> float:
        """Return the rate of the kept frames, in Hz."""
        return self.frame_rate / self.step

    def sample_of(self, frame: int) -> int:
        """Return the sample of a frame of the encoder."""
        return round(frame * self.sample_rate / self.frame_rate)


def pieces_of(
    samples: int,
    grid: FrameGrid,
    *,
    clip_seconds: float | None,
    context_seconds: float,
    tail_seconds: float,
) -> tuple[Piece, ...]:
    """Cut a track, cropped already, into pieces in order of time that keep every frame once.

    ``clip_seconds`` is rounded to whole frames, None for the track in one;
    ``context_seconds`` on both sides is rounded up; a rest shorter than ``tail_seconds``
    joins the piece before it.
    """
    if samples < 1:
        raise ValueError(f"samples must be at least 1. Got {samples!r}.")
    if clip_seconds is None:
        return (Piece(0, samples, 0, 0, None),)
    kept = round(clip_seconds * grid.rate)
    if kept < 1:
        raise ValueError(
            f"'clip_seconds' must be at least one frame at {grid.rate:g} Hz. Got {clip_seconds}."
        )
    around = math.ceil(context_seconds * grid.frame_rate)
    frames = kept * grid.step
    pieces = []
    first = 0
    while True:
        stop = grid.sample_of((first + kept) * grid.step)
        is_last = samples - stop < max(1, seconds_to_samples(tail_seconds, grid.sample_rate))
        heard_from = max(0, first * grid.step - around)
        pieces.append(
            Piece(
                start=grid.sample_of(heard_from),
                stop=samples
                if is_last
                else min(samples, grid.sample_of(first * grid.step + frames + around)),
                heard_from=heard_from,
                first=first,
                kept=None if is_last else kept,
            )
        )
        if is_last:
            return tuple(pieces)
        first += kept
