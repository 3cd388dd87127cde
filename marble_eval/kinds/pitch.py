"""Pitch: one note a track, named by its MIDI number.

Targets and estimates are indices into the card's labels, which are MIDI numbers as
text, such as "60" for middle C.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from marble_eval.kinds.classification import ACCURACY, Classification
from marble_eval.kinds.example import SECONDS, Example, Piece, Player, seconds, tone
from marble_eval.metrics.classification import accuracy
from marble_eval.metrics.metric import Metric
from marble_eval.metrics.pitch import chroma_accuracy

if TYPE_CHECKING:
    from marble_eval.spec import TaskSpec, Track


def _same_chroma(reference: np.ndarray, estimate: np.ndarray, spec: TaskSpec) -> np.ndarray:
    chroma = np.array([int(each) % 12 for each in spec.labels])
    return np.asarray(chroma[reference] == chroma[estimate], dtype=np.float64)


_PITCHES = (60, 62, 64, 65, 67, 69)  # of the example: MIDI numbers, C to A above middle C


def _note(number: int, player: Player, rng: np.random.Generator) -> Piece:
    """Play a note."""
    pitch = _PITCHES[number % len(_PITCHES)]
    time = seconds(SECONDS)
    sound = tone(pitch + player.tuning, time, rng.uniform(0.3, 1.2) + player.decay)
    return Piece(sound * np.exp(-2 * time), (str(pitch),))


_EXAMPLE = Example(
    target="one note a track, by its MIDI number",
    summary="Single notes of many timbres",
    labels="""\
# The notes that can occur, as MIDI numbers (60 is middle C). Without this line they are taken
# from the table.
labels: ["60", "62", "64", "65", "67", "69"]
""",
    play=_note,
    chance=1 / 6,
    cell="60",
    cell_text="""\
- `label`: the MIDI number of the note, 0 to 127; 60 is middle C.
""",
)


class Pitch(Classification):
    """One note a track."""

    name = "pitch"
    example = _EXAMPLE
    metrics = (ACCURACY, Metric("chroma_accuracy", "percent", item_scores=_same_chroma))

    def fault_of(self, spec: TaskSpec) -> str:
        """Take a single pitch for a card's labels."""
        return ""

    def label_of(
        self, row: Mapping[str, Any], field: str, spec: TaskSpec, *, root: Path = Path()
    ) -> str:
        """Read a MIDI number, as text from "0" to "127"."""
        value = row.get(field)
        written = str(value).strip()
        if not (written.isdecimal() and 0 <= int(written) <= 127):
            raise ValueError(f"{field!r} must be a MIDI number, 0 to 127. Got {value!r}.")
        return str(int(written))

    def labels_of(self, tracks: Sequence[Track], spec: TaskSpec) -> tuple[str, ...]:
        """Name the pitches that occur, from low to high."""
        return tuple(sorted({str(each.label) for each in tracks}, key=int))

    def score(
        self,
        reference: np.ndarray,
        estimate: np.ndarray,
        spec: TaskSpec,
        *,
        weights: np.ndarray | None = None,
    ) -> dict[str, np.ndarray]:
        """Compute the card's metrics over a whole split, in [0, 1]."""
        numbers = np.array([int(each) for each in spec.labels])
        known = {
            "accuracy": lambda: accuracy(reference, estimate, weights=weights),
            "chroma_accuracy": lambda: chroma_accuracy(
                numbers[reference], numbers[estimate], weights=weights
            ),
        }
        return {name: np.asarray(known[name]()) for name in spec.metrics}


KIND = Pitch()
