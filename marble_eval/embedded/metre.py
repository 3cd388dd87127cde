"""When the beats of a piece fall: a tempo that wanders, and swing.

Beats count from 0, the first beat of the piece and of its first bar. Tempo is never
steady: its logarithm walks at random and smoothly about a mean, which is the piece's
tempo. Times are in seconds of the clip and to a tenth of a millisecond, so that what is
annotated is what is played. All randomness comes from the generator handed in.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Iterable

    from marble_eval.embedded.performance import Written

_SMOOTHED_BEATS = 4  # of the tempo's walk: no two neighbouring beats differ much


@dataclass(frozen=True, slots=True)
class Timing:
    """When the beats of a piece fall, and where between them its halves."""

    # Times of beat 0 and the next, at least two, rising; those before the clip are negative.
    beats: tuple[float, ...]
    swing: float = 0.5  # where in a beat its second half begins: 0.5 is even, 2/3 a shuffle

    def seconds(self, beat: float) -> float:
        """Say when a point between two beats falls."""
        before = min(int(beat), len(self.beats) - 2)
        share = min(beat - before, 1.0)
        if share < 0.5:
            share *= 2.0 * self.swing
        else:
            share = self.swing + (share - 0.5) * 2.0 * (1.0 - self.swing)
        start, end = self.beats[before], self.beats[before + 1]
        return start + share * (end - start)

    def timed(self, part: Iterable[Written]) -> list[Written]:
        """Put a part into seconds: a score of 60 beats a minute."""
        last = len(self.beats) - 1
        timed = []
        for note in part:
            if note.beat < last:
                start, end = self.seconds(note.beat), self.seconds(note.beat + note.beats)
                timed.append(note._replace(beat=start, beats=end - start))
        return timed

    def annotated(self, *, metre: int, seconds: float) -> tuple[NDArray[np.float64], ...]:
        """Give the beats and downbeats that fall in the clip."""
        times = np.array(self.beats)
        heard = (times >= 0.0) & (times < seconds)
        return times[heard], times[heard & (np.arange(len(times)) % metre == 0)]


def wandering_beats(
    rng: np.random.Generator,
    *,
    tempo_bpm: float,
    drift: float,
    start_seconds: float,
    seconds: float,
) -> tuple[float, ...]:
    """Let a tempo wander, and say when the beats fall."""
    longest = 60.0 / tempo_bpm * math.exp(drift)
    count = math.ceil((seconds - start_seconds) * math.exp(2.0 * drift) / longest) + 1
    steps = rng.standard_normal(count + _SMOOTHED_BEATS - 1)
    walk = np.cumsum(np.convolve(steps, np.ones(_SMOOTHED_BEATS), "valid"))
    walk = (walk - walk.min()) / (walk.max() - walk.min()) * 2.0 - 1.0
    times = start_seconds + np.cumsum([0.0, *(60.0 / tempo_bpm * np.exp(-drift * walk))])
    behind = int(np.flatnonzero(times >= seconds)[0])
    return tuple(round(float(each), 4) for each in times[: behind + 1])
