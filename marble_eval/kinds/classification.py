"""Classification: one class a track; logits in, a class out.

Targets and estimates are class indices in the order of the card's labels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from marble_eval.data.layouts.rows import listed
from marble_eval.kinds.example import SECONDS, Example, Piece, Player, seconds, tone
from marble_eval.kinds.kind import TrackKind
from marble_eval.metrics.classification import accuracy, confusion, macro_f1, per_label_f1
from marble_eval.metrics.metric import Metric

if TYPE_CHECKING:
    from marble_eval.spec import TaskSpec, Track

ACCURACY = Metric("accuracy", "percent")

_TIMBRES = ("bright", "hollow", "pure")  # of the example


def _timbre(number: int, player: Player, rng: np.random.Generator) -> Piece:
    """Play a tone of one of three timbres."""
    label = _TIMBRES[number % 3]
    decay = {"bright": 0.1, "hollow": 0.3, "pure": 2.5}[label] + player.decay
    note = rng.uniform(55, 67) + player.tuning
    sound = tone(note, seconds(SECONDS), decay, odd=label == "hollow")
    return Piece(sound, (label,))


_EXAMPLE = Example(
    target="one class a track",
    summary="Three timbres, told by their overtones",
    labels="""\
# The classes, in the order in which results list them. Without this line they are taken from
# the table, and a misspelt one would be a class of its own.
labels: [bright, hollow, pure]
""",
    play=_timbre,
    chance=1 / 3,
    cell="bright",
    cell_text="""\
- `label`: the class, written as in the card.
""",
)


class Classification(TrackKind):
    """One class a track; `marble_eval.kinds.key` and `pitch` are alike."""

    name = "classification"
    loss = "cross-entropy"
    example = _EXAMPLE
    metrics: tuple[Metric, ...] = (ACCURACY, Metric("macro_f1", "percent", written="macro F1"))
    label_metrics = (Metric("f1", "percent", written="F1"),)
    aggregations = ("mean-logits", "mean-probabilities")

    def fault_of(self, spec: TaskSpec) -> str:
        """Refuse a single class."""
        if len(spec.labels) == 1:
            return f"'labels' must be two or more classes. Got {spec.labels[0]}."
        return ""

    def label_of(
        self, row: Mapping[str, Any], field: str, spec: TaskSpec, *, root: Path = Path()
    ) -> str:
        """Read the name of a class; an integer will do."""
        value = row.get(field)
        if value in (None, ""):
            raise ValueError(f"{field!r} must not be empty.")
        if not isinstance(value, str | int) or (
            isinstance(value, str) and listed(value) is not None
        ):
            raise ValueError(f"{field!r} must be the name of a class. Got {value!r}.")
        return str(value)

    def labels_of(self, tracks: Sequence[Track], spec: TaskSpec) -> tuple[str, ...]:
        """Name the classes that occur, in alphabetical order."""
        return tuple(sorted({str(each.label) for each in tracks}))

    def encode(self, tracks: Sequence[Track], spec: TaskSpec) -> np.ndarray:
        """Turn labels into class indices (track,), int64."""
        index = {label: number for number, label in enumerate(spec.labels)}
        return np.array([index[str(each.label)] for each in tracks], dtype=np.int64)

    def decode(self, track_outputs: np.ndarray, spec: TaskSpec) -> np.ndarray:
        """Choose the class with the largest output, of equal ones the lower class."""
        return np.asarray(track_outputs.argmax(axis=-1))

    def score(
        self,
        reference: np.ndarray,
        estimate: np.ndarray,
        spec: TaskSpec,
        *,
        weights: np.ndarray | None = None,
    ) -> dict[str, np.ndarray]:
        """Compute the card's metrics over a whole split, in [0, 1]."""
        labels = len(spec.labels)
        computed = {
            "accuracy": lambda: accuracy(reference, estimate, weights=weights),
            "macro_f1": lambda: macro_f1(reference, estimate, labels=labels, weights=weights),
        }
        return {name: np.asarray(computed[name]()) for name in spec.metrics}

    def texts(self, values: np.ndarray, spec: TaskSpec) -> list[str]:
        """Name the classes."""
        return [spec.labels[each] for each in values]

    def values_of(self, texts: Sequence[str], spec: TaskSpec) -> np.ndarray:
        """Read the classes that `texts` named (track,), or raise a ValueError."""
        index = {label: number for number, label in enumerate(spec.labels)}
        unknown = sorted(set(texts) - set(index))
        if unknown:
            raise ValueError(f"must be one of the {len(index)} labels. Got {unknown[0]!r}.")
        return np.array([index[each] for each in texts], dtype=np.int64)

    def item_scores(
        self, reference: np.ndarray, estimate: np.ndarray, spec: TaskSpec
    ) -> np.ndarray:
        """Score each track by itself: 1 for the right class, else 0."""
        return np.asarray(reference == estimate, dtype=np.float64)

    def label_counts(self, reference: np.ndarray, spec: TaskSpec) -> np.ndarray:
        """Count the items of each class."""
        return np.bincount(reference, minlength=len(spec.labels))

    def label_scores(
        self, reference: np.ndarray, estimate: np.ndarray, spec: TaskSpec
    ) -> dict[str, np.ndarray]:
        """Score each class by its F1, nan where no item has it."""
        of_classes = np.asarray(per_label_f1(reference, estimate, labels=len(spec.labels)))
        return {"f1": np.where(self.label_counts(reference, spec) > 0, of_classes, np.nan)}

    def confusion_of(
        self, reference: np.ndarray, estimate: np.ndarray, spec: TaskSpec
    ) -> np.ndarray:
        """Count the items of each class (row) that were taken for each class (column)."""
        return confusion(reference, estimate, len(spec.labels))


KIND = Classification()
