"""Classification: one class a track; logits in, a class out.

Targets and estimates are class indices in the order of the card's labels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from marble_eval.data.layouts import Reading, read_layouts
from marble_eval.metrics.classification import accuracy, confusion, macro_f1, per_label_f1
from marble_eval.spec import TaskRules

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from typing import Any

    from marble_eval.data.layouts import Lists
    from marble_eval.spec import TaskSpec, Track

#: Name in `marble_eval.probes.losses`.
LOSS = "cross-entropy"

#: Whether targets are standardised for training.
FRAMES = False
RULES = TaskRules()
SCALED = False

#: What a card may say of clips and tracks.
AGGREGATIONS = ("mean-logits", "mean-probabilities")

#: Whether only the order of an output among the items counts.
RANKED = False
BIASED = ()

#: The labels that every card of the kind has; None for its own.
LABELS = None


def metrics_of(spec: TaskSpec) -> dict[str, bool]:
    """Name every metric of the kind, and say whether higher is better."""
    return {"accuracy": True, "macro_f1": True}


def columns_of(spec: TaskSpec) -> tuple[str, ...]:
    """Name the label columns of a table; none for the layout's own."""
    return ()


def read_tracks(root: Path, spec: TaskSpec, lists: Lists) -> list[Track]:
    """Read the tracks; see `marble_eval.data.layouts.read_layouts`."""
    return read_layouts(Reading(root, spec, lists, label_of))


def label_of(row: Mapping[str, Any], field: str, spec: TaskSpec) -> str:
    """Read a class.

    Parameters
    ----------
    row : mapping of str to object
        A row of a table, or of JSON.
    field : str
        Where the class stands.
    spec : TaskSpec
        The card.

    Returns
    -------
    str
        Name of the class.

    Raises
    ------
    ValueError
        If there is none, or it is a list or a mapping.
    """
    value = row.get(field)
    if value in (None, ""):
        raise ValueError(f"{field!r} must not be empty.")
    if not isinstance(value, str | int):
        raise ValueError(f"{field!r} must be the name of a class. Got {value!r}.")
    return str(value)


def labels_of(tracks: Sequence[Track], spec: TaskSpec) -> tuple[str, ...]:
    """Name the classes that occur, in alphabetical order."""
    return tuple(sorted({str(each.label) for each in tracks}))


def encode(tracks: Sequence[Track], spec: TaskSpec) -> np.ndarray:
    """Turn labels into class indices.

    Parameters
    ----------
    tracks : sequence of Track
        Annotated tracks.
    spec : TaskSpec
        The card, with the labels in class order.

    Returns
    -------
    np.ndarray [shape=(track,), int64]
        Class of each track.
    """
    index = {label: number for number, label in enumerate(spec.labels)}
    return np.array([index[str(each.label)] for each in tracks], dtype=np.int64)


def outputs(spec: TaskSpec) -> int:
    """Return how many outputs a probe needs: one a class."""
    return len(spec.labels)


def decode(track_outputs: np.ndarray, spec: TaskSpec) -> np.ndarray:
    """Choose the class with the largest output.

    Parameters
    ----------
    track_outputs : np.ndarray [shape=(..., track, class)]
        Outputs of a probe for each track.
    spec : TaskSpec
        The card.

    Returns
    -------
    np.ndarray [shape=(..., track), int64]
        Class of each track; of equal outputs the lower class.
    """
    return np.asarray(track_outputs.argmax(axis=-1))


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
        Classes.
    spec : TaskSpec
        The card.
    weights : np.ndarray [shape=(..., track)], optional
        How often each track counts; one row for each bootstrap resample.

    Returns
    -------
    dict of str to np.ndarray [shape=(...)]
        Value of each metric, in [0, 1]; higher is better.
    """
    computed = {
        "accuracy": lambda: accuracy(reference, estimate, weights=weights),
        "macro_f1": lambda: macro_f1(reference, estimate, labels=len(spec.labels), weights=weights),
    }
    return {name: np.asarray(computed[name]()) for name in spec.metrics}


def texts(values: np.ndarray, spec: TaskSpec) -> list[str]:
    """Name the classes of targets or estimates."""
    return [spec.labels[each] for each in values]


def values_of(texts: Sequence[str], spec: TaskSpec) -> np.ndarray:
    """Read the classes that `texts` named.

    Parameters
    ----------
    texts : sequence of str
        Names of classes.
    spec : TaskSpec
        The card.

    Returns
    -------
    np.ndarray [shape=(track,), int64]
        Class of each track.

    Raises
    ------
    ValueError
        If a name is none of the card's labels.
    """
    index = {label: number for number, label in enumerate(spec.labels)}
    unknown = sorted(set(texts) - set(index))
    if unknown:
        raise ValueError(f"must be one of the {len(index)} labels. Got {unknown[0]!r}.")
    return np.array([index[each] for each in texts], dtype=np.int64)


def item_scores(reference: np.ndarray, estimate: np.ndarray, spec: TaskSpec) -> np.ndarray:
    """Score each track by itself: 1 for the right class, else 0."""
    return np.asarray(reference == estimate, dtype=np.float64)


def label_counts(reference: np.ndarray, spec: TaskSpec) -> np.ndarray:
    """Count the items of each class."""
    return np.bincount(reference, minlength=len(spec.labels))


def label_scores(
    reference: np.ndarray, estimate: np.ndarray, spec: TaskSpec
) -> dict[str, np.ndarray]:
    """Score each class: its F1, nan where no item has it.

    Parameters
    ----------
    reference, estimate : np.ndarray [shape=(track,)]
        Classes.
    spec : TaskSpec
        The card.

    Returns
    -------
    dict of str to np.ndarray [shape=(class,)]
        ``f1``.
    """
    of_classes = np.asarray(per_label_f1(reference, estimate, labels=len(spec.labels)))
    return {"f1": np.where(label_counts(reference, spec) > 0, of_classes, np.nan)}


def confusion_of(reference: np.ndarray, estimate: np.ndarray, spec: TaskSpec) -> np.ndarray:
    """Count the items of each class (row) that were taken for each class (column)."""
    return confusion(reference, estimate, len(spec.labels))
