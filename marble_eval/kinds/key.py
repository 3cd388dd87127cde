"""Key: one of the 24 major and minor keys a track, scored as MARBLE and as MIREX do.

Targets and estimates are indices into `marble_eval.metrics.key.KEYS`, which every
card of the kind has as its labels. Spellings are read enharmonically: "F# minor" is
"Gb minor".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from marble_eval.kinds.classification import ACCURACY, Classification
from marble_eval.kinds.example import SECONDS, Example, Piece, Player, seconds, tone
from marble_eval.metrics.classification import accuracy
from marble_eval.metrics.key import KEYS, key_index, mirex_score, weighted_score
from marble_eval.metrics.metric import Metric

if TYPE_CHECKING:
    from marble_eval.spec import TaskSpec, Track

_KEYS = ("C major", "A minor", "Eb major", "F# minor", "G major", "Bb minor")  # of the example


def _cadence(number: int, player: Player, rng: np.random.Generator) -> Piece:
    """Play I, IV, V, I."""
    label = _KEYS[number % len(_KEYS)]
    mode, tonic = divmod(key_index(label), 12)
    time = seconds(SECONDS)
    chords = np.array_split(time, 4)
    played = [
        sum(
            tone(48 + (tonic + root + step) % 12 + 12 * octave + player.tuning, chord, 1.0)
            for step in (0, 3 if mode and root != 7 else 4, 7)  # the dominant is always major
            for octave in (0, 1)
        )
        for root, chord in zip((0, 5, 7, 0), chords, strict=True)
    ]
    return Piece(np.concatenate([np.asarray(each) for each in played]), (label,))


_EXAMPLE = Example(
    target="one of the 24 major and minor keys a track",
    summary="Keys of short cadences",
    labels="""\
# The labels are the 24 keys, and need not be named. "F# minor", "Gb min", "f#:minor" and "F#m"
# in the table are the same key.
""",
    play=_cadence,
    chance=0.25,
    cell="F# minor",
    cell_text="""\
- `label`: tonic and mode, like `F# minor`, `Gb min`, `f#:minor` or `F#m`; a capital
  alone, like `Eb`, is major.
""",
)


class Key(Classification):
    """One of the 24 major and minor keys a track."""

    name = "key"
    example = _EXAMPLE
    metrics = (
        Metric("weighted_score", "percent", citation="raffel2014mireval"),
        Metric("mirex_score", "percent", citation="raffel2014mireval"),
        ACCURACY,
    )
    labels = KEYS

    def label_of(
        self, row: Mapping[str, Any], field: str, spec: TaskSpec, *, root: Path = Path()
    ) -> str:
        """Read a key in any common spelling as one of `marble_eval.metrics.key.KEYS`."""
        return KEYS[key_index(str(row.get(field) or ""))]

    def labels_of(self, tracks: Sequence[Track], spec: TaskSpec) -> tuple[str, ...]:
        """Name the 24 keys, whether they occur or not."""
        return KEYS

    def score(
        self,
        reference: np.ndarray,
        estimate: np.ndarray,
        spec: TaskSpec,
        *,
        weights: np.ndarray | None = None,
    ) -> dict[str, np.ndarray]:
        """Compute the card's metrics over a whole split, in [0, 1]."""
        known = {"weighted_score": weighted_score, "mirex_score": mirex_score, "accuracy": accuracy}
        return {
            name: np.asarray(known[name](reference, estimate, weights=weights))
            for name in spec.metrics
        }

    def item_scores(
        self, reference: np.ndarray, estimate: np.ndarray, spec: TaskSpec
    ) -> np.ndarray:
        """Score each track by itself: the share of a point that the main metric gives it."""
        keys = np.arange(len(KEYS))
        first, second = np.repeat(keys, len(keys)), np.tile(keys, len(keys))
        points = self.score(first, second, spec, weights=np.eye(len(first)))[spec.main_metric]
        return np.asarray(points.reshape(len(keys), len(keys))[reference, estimate])


KIND = Key()
