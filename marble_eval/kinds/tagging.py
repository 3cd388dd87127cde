"""Tagging: any number of tags a track, none included.

Targets are 0 or 1 for each tag of the card, estimates are the probe's outputs
before the sigmoid, which rank the tracks of a tag as probabilities would. Tags
without a positive have no score; they are left out of a mean and counted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import rankdata

from marble_eval.data.layouts import Reading, read_layouts
from marble_eval.metrics.tagging import (
    average_precision,
    per_tag_average_precision,
    per_tag_roc_auc,
    roc_auc,
)
from marble_eval.spec import TaskRules

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from typing import Any

    from marble_eval.data.layouts import Lists
    from marble_eval.spec import TaskSpec, Track

LOSS = "binary-cross-entropy"
FRAMES = False
RULES = TaskRules()
RANKED = True
# A copy of a positive item stands beside it, and raises the precision down to both.
BIASED = ("average_precision",)
SCALED = False
AGGREGATIONS = ("mean-logits",)
LABELS = None

#: Between the tags of a table's cell.
SEPARATOR = ";"


def metrics_of(spec: TaskSpec) -> dict[str, bool]:
    """Name every metric of the kind, and say whether higher is better."""
    return {"roc_auc": True, "average_precision": True}


def columns_of(spec: TaskSpec) -> tuple[str, ...]:
    """Name the label columns of a table; none for the layout's own."""
    return ()


def read_tracks(root: Path, spec: TaskSpec, lists: Lists) -> list[Track]:
    """Read the tracks; see `marble_eval.data.layouts.read_layouts`."""
    return read_layouts(Reading(root, spec, lists, label_of))


def label_of(row: Mapping[str, Any], field: str, spec: TaskSpec) -> tuple[str, ...]:
    """Read tags.

    Parameters
    ----------
    row : mapping of str to object
        A row of a table, with the tags divided by ";", or of JSON, with a list.
    field : str
        Where the tags stand.
    spec : TaskSpec
        The card.

    Returns
    -------
    tuple of str
        The tags, each once, in the order given; may be empty.

    Raises
    ------
    ValueError
        If the field is absent, or neither text nor a list of texts.

    Examples
    --------
    >>> from marble_eval.spec import TaskSpec
    >>> label_of({"label": "piano; slow"}, "label", TaskSpec(name="Mine", kind="tagging"))
    ('piano', 'slow')
    """
    value = row.get(field)
    if isinstance(value, str):
        value = [each.strip() for each in value.split(SEPARATOR)]
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise ValueError(
            f"{field!r} must be tags, divided by {SEPARATOR!r} or in a list. Got {value!r}."
        )
    return tuple(dict.fromkeys(each for each in value if each))


def labels_of(tracks: Sequence[Track], spec: TaskSpec) -> tuple[str, ...]:
    """Name the tags that occur, in alphabetical order."""
    return tuple(sorted({str(tag) for each in tracks for tag in each.label}))


def encode(tracks: Sequence[Track], spec: TaskSpec) -> np.ndarray:
    """Turn tags into zeros and ones.

    Parameters
    ----------
    tracks : sequence of Track
        Annotated tracks.
    spec : TaskSpec
        The card, with the tags in order.

    Returns
    -------
    np.ndarray [shape=(track, tag), int64]
        1 where a track has the tag.
    """
    index = {label: number for number, label in enumerate(spec.labels)}
    targets = np.zeros((len(tracks), len(index)), dtype=np.int64)
    for row, each in zip(targets, tracks, strict=True):
        row[[index[str(tag)] for tag in each.label]] = 1
    return targets


def outputs(spec: TaskSpec) -> int:
    """Return how many outputs a probe needs: one a tag."""
    return len(spec.labels)


def decode(track_outputs: np.ndarray, spec: TaskSpec) -> np.ndarray:
    """Return the outputs as they are: ranks are all that the metrics ask for."""
    return track_outputs


def score(
    reference: np.ndarray,
    estimate: np.ndarray,
    spec: TaskSpec,
    *,
    weights: np.ndarray | None = None,
) -> dict[str, np.ndarray]:
    """Compute the card's metrics over a whole split, as means over the tags.

    Parameters
    ----------
    reference : np.ndarray [shape=(track, tag)]
        Zeros and ones.
    estimate : np.ndarray [shape=(track, tag)]
        Outputs.
    spec : TaskSpec
        The card.
    weights : np.ndarray [shape=(..., track)], optional
        How often each track counts; one row for each bootstrap resample.

    Returns
    -------
    dict of str to np.ndarray [shape=(...)]
        Value of each metric, in [0, 1]; higher is better.
    """
    known = {"roc_auc": roc_auc, "average_precision": average_precision}
    ranks = np.asarray(estimate, dtype=np.float64)
    return {
        name: np.asarray(known[name](reference, ranks, weights=weights)) for name in spec.metrics
    }


def texts(values: np.ndarray, spec: TaskSpec) -> list[str]:
    """Name the tags of targets, or those of outputs with a probability over one half."""
    return [
        SEPARATOR.join(label for label, on in zip(spec.labels, row > 0, strict=True) if on)
        for row in values
    ]


def values_of(texts: Sequence[str], spec: TaskSpec) -> np.ndarray:
    """Read the tags that `texts` named, as zeros and ones (track, tag).

    Raises
    ------
    ValueError
        If a tag is none of the card's labels.
    """
    index = {label: number for number, label in enumerate(spec.labels)}
    targets = np.zeros((len(texts), len(index)), dtype=np.int64)
    for row, text in zip(targets, texts, strict=True):
        for tag in filter(None, text.split(SEPARATOR)):
            if tag not in index:
                raise ValueError(f"must be tags of the {len(index)} labels. Got {tag!r}.")
            row[index[tag]] = 1
    return targets


def item_scores(reference: np.ndarray, estimate: np.ndarray, spec: TaskSpec) -> np.ndarray:
    """Score each track by itself: the average precision of its own tags among all tags.

    Outputs are compared as ranks within their tag, since tags differ in how common they
    are; nan for a track without a tag.
    """
    ranks = rankdata(estimate, axis=0) / len(estimate)
    return np.asarray(per_tag_average_precision(reference.T, ranks.T))


def label_counts(reference: np.ndarray, spec: TaskSpec) -> np.ndarray:
    """Count the positives of each tag."""
    return np.asarray(reference.sum(axis=0), dtype=np.int64)


def label_scores(
    reference: np.ndarray, estimate: np.ndarray, spec: TaskSpec
) -> dict[str, np.ndarray]:
    """Score each tag; nan where it has no positive.

    Parameters
    ----------
    reference, estimate : np.ndarray [shape=(track, tag)]
        As for `score`.
    spec : TaskSpec
        The card.

    Returns
    -------
    dict of str to np.ndarray [shape=(tag,)]
        ``roc_auc`` and ``average_precision``.
    """
    ranks = np.asarray(estimate, dtype=np.float64)
    return {
        "roc_auc": np.asarray(per_tag_roc_auc(reference, ranks)),
        "average_precision": np.asarray(per_tag_average_precision(reference, ranks)),
    }


def confusion_of(reference: np.ndarray, estimate: np.ndarray, spec: TaskSpec) -> None:
    """Return nothing: tags exclude no other, so none is taken for another."""
