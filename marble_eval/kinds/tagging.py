"""Tagging: any number of tags a track, none included.

Targets are 0 or 1 for each tag of the card, estimates are the probe's outputs
before the sigmoid, which rank the tracks of a tag as probabilities would. Tags
without a positive have no score; they are left out of a mean and counted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import rankdata

from marble_eval.data.layouts.rows import listed
from marble_eval.kinds.example import SECONDS, Example, Piece, Player, seconds, tone
from marble_eval.kinds.kind import TrackKind
from marble_eval.metrics.metric import Metric
from marble_eval.metrics.tagging import (
    average_precision,
    per_tag_average_precision,
    per_tag_roc_auc,
    roc_auc,
)

if TYPE_CHECKING:
    from marble_eval.spec import TaskSpec, Track

_SEPARATOR = ";"  # between the tags of a table's cell

_TAGS = ("bell", "drone", "hiss")  # of the example


def _mixture(number: int, player: Player, rng: np.random.Generator) -> Piece:
    """Play eight mixtures in turn: each tag is on in half of them, and one has none."""
    tags = [tag for place, tag in enumerate(_TAGS) if number >> place & 1]
    time = seconds(SECONDS)
    sound = 0.2 * tone(rng.uniform(60, 72) + player.tuning, time, 1.0)
    if "bell" in tags:
        strokes = np.exp(-8 * (time % 0.3))
        sound = sound + strokes * tone(rng.uniform(90, 96), time, 0.7, odd=True)
    if "drone" in tags:
        sound = sound + tone(rng.uniform(36, 40), time, 0.4 + player.decay)
    if "hiss" in tags:
        sound = sound + 0.15 * rng.standard_normal(len(time))
    return Piece(sound, (";".join(tags),))


_EXAMPLE = Example(
    target="any number of tags a track, none included",
    summary="What sounds in a mixture of three",
    labels="""\
# The tags, in the order in which results list them. Without this line they are taken from the
# table, and a misspelt one would be a tag of its own.
labels: [bell, drone, hiss]
""",
    play=_mixture,
    chance=0.5,
    cell="bell;drone",
    cell_text="""\
- `label`: the tags, divided by `;`. An empty cell is a track without any tag.
""",
)


class Tagging(TrackKind):
    """Any number of tags a track."""

    name = "tagging"
    loss = "binary-cross-entropy"
    example = _EXAMPLE
    metrics = (
        Metric("roc_auc", "percent", written="ROC-AUC", ranked=True),
        # A copy of a positive item ranks beside it, and raises the precision down to both.
        Metric("average_precision", "percent", ranked=True, biased=True),
    )
    label_metrics = metrics

    def label_of(
        self, row: Mapping[str, Any], field: str, spec: TaskSpec, *, root: Path = Path()
    ) -> tuple[str, ...]:
        """Read the tags of a track, separated by ";" or in a list: each once, maybe none.

        Examples
        --------
        >>> from marble_eval.spec import TaskSpec
        >>> KIND.label_of({"label": "piano; slow"}, "label", TaskSpec(name="Mine", kind="tagging"))
        ('piano', 'slow')
        """
        value = row.get(field)
        if isinstance(value, str):
            found = listed(value)
            value = [each.strip() for each in value.split(_SEPARATOR)] if found is None else found
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            raise ValueError(
                f"{field!r} must be tags, divided by {_SEPARATOR!r} or in a list. Got {value!r}."
            )
        return tuple(dict.fromkeys(each for each in value if each))

    def labels_of(self, tracks: Sequence[Track], spec: TaskSpec) -> tuple[str, ...]:
        """Name the tags that occur, in alphabetical order."""
        return tuple(sorted({str(tag) for each in tracks for tag in each.label}))

    def encode(self, tracks: Sequence[Track], spec: TaskSpec) -> np.ndarray:
        """Turn tags into zeros and ones (track, tag), int64."""
        index = {label: number for number, label in enumerate(spec.labels)}
        targets = np.zeros((len(tracks), len(index)), dtype=np.int64)
        for row, each in zip(targets, tracks, strict=True):
            row[[index[str(tag)] for tag in each.label]] = 1
        return targets

    def score(
        self,
        reference: np.ndarray,
        estimate: np.ndarray,
        spec: TaskSpec,
        *,
        weights: np.ndarray | None = None,
    ) -> dict[str, np.ndarray]:
        """Compute the card's metrics over a whole split, as means over the tags, in [0, 1]."""
        known = {"roc_auc": roc_auc, "average_precision": average_precision}
        ranks = np.asarray(estimate, dtype=np.float64)
        return {
            name: np.asarray(known[name](reference, ranks, weights=weights))
            for name in spec.metrics
        }

    def texts(self, values: np.ndarray, spec: TaskSpec) -> list[str]:
        """Name the tags of targets, or those of outputs with a probability over one half."""
        return [
            _SEPARATOR.join(label for label, on in zip(spec.labels, row > 0, strict=True) if on)
            for row in values
        ]

    def values_of(self, texts: Sequence[str], spec: TaskSpec) -> np.ndarray:
        """Read the tags that `texts` named as zeros and ones, or raise a ValueError."""
        index = {label: number for number, label in enumerate(spec.labels)}
        targets = np.zeros((len(texts), len(index)), dtype=np.int64)
        for row, text in zip(targets, texts, strict=True):
            for tag in filter(None, text.split(_SEPARATOR)):
                if tag not in index:
                    raise ValueError(f"must be tags of the {len(index)} labels. Got {tag!r}.")
                row[index[tag]] = 1
        return targets

    def item_scores(
        self, reference: np.ndarray, estimate: np.ndarray, spec: TaskSpec
    ) -> np.ndarray:
        """Score each track by itself: the average precision of its own tags among all tags.

        Outputs are compared as ranks within their tag, since tags differ in how common they
        are; nan for a track without a tag.
        """
        ranks = rankdata(estimate, axis=0) / len(estimate)
        return np.asarray(per_tag_average_precision(reference.T, ranks.T))

    def label_counts(self, reference: np.ndarray, spec: TaskSpec) -> np.ndarray:
        """Count the positives of each tag."""
        return np.asarray(reference.sum(axis=0), dtype=np.int64)

    def label_scores(
        self, reference: np.ndarray, estimate: np.ndarray, spec: TaskSpec
    ) -> dict[str, np.ndarray]:
        """Score each tag by ROC-AUC and average precision; nan where it has no positive."""
        ranks = np.asarray(estimate, dtype=np.float64)
        return {
            "roc_auc": np.asarray(per_tag_roc_auc(reference, ranks)),
            "average_precision": np.asarray(per_tag_average_precision(reference, ranks)),
        }


KIND = Tagging()
