"""Pitch: one note a track, named by its MIDI number.

Targets and estimates are indices into the card's labels, which are MIDI numbers as
text, such as "60" for middle C.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from marble_eval.data.layouts import Reading, read_layouts
from marble_eval.kinds.classification import (
    AGGREGATIONS,
    BIASED,
    FRAMES,
    LOSS,
    RANKED,
    RULES,
    SCALED,
    columns_of,
    confusion_of,
    decode,
    encode,
    label_counts,
    label_scores,
    outputs,
    texts,
    values_of,
)
from marble_eval.metrics.classification import accuracy
from marble_eval.metrics.pitch import chroma_accuracy

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from typing import Any

    from marble_eval.data.layouts import Lists
    from marble_eval.spec import TaskSpec, Track

__all__ = [
    "AGGREGATIONS",
    "BIASED",
    "FRAMES",
    "LABELS",
    "LOSS",
    "RANKED",
    "RULES",
    "SCALED",
    "columns_of",
    "confusion_of",
    "decode",
    "encode",
    "item_scores",
    "label_counts",
    "label_of",
    "label_scores",
    "labels_of",
    "metrics_of",
    "outputs",
    "read_tracks",
    "score",
    "texts",
    "values_of",
]

LABELS = None


def metrics_of(spec: TaskSpec) -> dict[str, bool]:
    """Name every metric of the kind, and say whether higher is better."""
    return {"accuracy": True, "chroma_accuracy": True}


def read_tracks(root: Path, spec: TaskSpec, lists: Lists) -> list[Track]:
    """Read the tracks; see `marble_eval.data.layouts.read_layouts`."""
    return read_layouts(Reading(root, spec, lists, label_of))


def label_of(row: Mapping[str, Any], field: str, spec: TaskSpec) -> str:
    """Read a MIDI number.

    Parameters
    ----------
    row : mapping of str to object
        A row of a table, or of JSON.
    field : str
        Where the number stands.
    spec : TaskSpec
        The card.

    Returns
    -------
    str
        The number as text, "0" to "127".

    Raises
    ------
    ValueError
        If it is no whole number in that range.

    Examples
    --------
    >>> from marble_eval.spec import TaskSpec
    >>> label_of({"label": " 060"}, "label", TaskSpec(name="Mine", kind="pitch"))
    '60'
    """
    value = row.get(field)
    written = str(value).strip()
    if not (written.isdecimal() and 0 <= int(written) <= 127):
        raise ValueError(f"{field!r} must be a MIDI number, 0 to 127. Got {value!r}.")
    return str(int(written))


def labels_of(tracks: Sequence[Track], spec: TaskSpec) -> tuple[str, ...]:
    """Name the pitches that occur, from low to high."""
    return tuple(sorted({str(each.label) for each in tracks}, key=int))


def score(
    reference: np.ndarray,
    estimate: np.ndarray,
    spec: TaskSpec,
    *,
    weights: np.ndarray | None = None,
) -> dict[str, np.ndarray]:
    """Compute the card's metrics over a whole split.

    Parameters
    ----------
    reference, estimate : np.ndarray [shape=(track,)]
        Positions in the card's labels.
    spec : TaskSpec
        The card.
    weights : np.ndarray [shape=(..., track)], optional
        How often each track counts; one row for each bootstrap resample.

    Returns
    -------
    dict of str to np.ndarray [shape=(...)]
        Value of each metric, in [0, 1]; higher is better.
    """
    numbers = np.array([int(each) for each in spec.labels])
    known = {
        "accuracy": lambda: accuracy(reference, estimate, weights=weights),
        "chroma_accuracy": lambda: chroma_accuracy(
            numbers[reference], numbers[estimate], weights=weights
        ),
    }
    return {name: np.asarray(known[name]()) for name in spec.metrics}


def item_scores(reference: np.ndarray, estimate: np.ndarray, spec: TaskSpec) -> np.ndarray:
    """Score each track by itself: 1 where the main metric counts it as right, else 0."""
    if spec.main_metric == "accuracy":
        return np.asarray(reference == estimate, dtype=np.float64)
    chroma = np.array([int(each) % 12 for each in spec.labels])
    return np.asarray(chroma[reference] == chroma[estimate], dtype=np.float64)
