"""Key: one of the 24 major and minor keys a track, scored as MARBLE and as MIREX do.

Targets and estimates are indices into `marble_eval.metrics.key.KEYS`, which every
card of the kind has as its labels. Spellings are read enharmonically: "F# minor" is
"Gb minor".
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
from marble_eval.metrics.key import KEYS, key_index, mirex_score, weighted_score

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

LABELS = KEYS


def metrics_of(spec: TaskSpec) -> dict[str, bool]:
    """Name every metric of the kind, and say whether higher is better."""
    return {"weighted_score": True, "mirex_score": True, "accuracy": True}


def read_tracks(root: Path, spec: TaskSpec, lists: Lists) -> list[Track]:
    """Read the tracks; see `marble_eval.data.layouts.read_layouts`."""
    return read_layouts(Reading(root, spec, lists, label_of))


def label_of(row: Mapping[str, Any], field: str, spec: TaskSpec) -> str:
    """Read a key in any common spelling.

    Parameters
    ----------
    row : mapping of str to object
        A row of a table, or of JSON.
    field : str
        Where the key stands.
    spec : TaskSpec
        The card.

    Returns
    -------
    str
        One of `marble_eval.metrics.key.KEYS`.

    Raises
    ------
    ValueError
        If it is no major or minor key.

    Examples
    --------
    >>> from marble_eval.spec import TaskSpec
    >>> label_of({"key": "F# minor"}, "key", TaskSpec(name="Mine", kind="key"))
    'Gb minor'
    """
    return KEYS[key_index(str(row.get(field) or ""))]


def labels_of(tracks: Sequence[Track], spec: TaskSpec) -> tuple[str, ...]:
    """Name the 24 keys, whether they occur or not."""
    return KEYS


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
        Keys.
    spec : TaskSpec
        The card.
    weights : np.ndarray [shape=(..., track)], optional
        How often each track counts; one row for each bootstrap resample.

    Returns
    -------
    dict of str to np.ndarray [shape=(...)]
        Value of each metric, in [0, 1]; higher is better.
    """
    known = {"weighted_score": weighted_score, "mirex_score": mirex_score, "accuracy": accuracy}
    return {
        name: np.asarray(known[name](reference, estimate, weights=weights)) for name in spec.metrics
    }


def item_scores(reference: np.ndarray, estimate: np.ndarray, spec: TaskSpec) -> np.ndarray:
    """Score each track by itself: the share of a point that the main metric gives it."""
    keys = np.arange(len(KEYS))
    first, second = np.repeat(keys, len(keys)), np.tile(keys, len(keys))
    points = score(first, second, spec, weights=np.eye(len(first)))[spec.main_metric]
    return np.asarray(points.reshape(len(keys), len(keys))[reference, estimate])
