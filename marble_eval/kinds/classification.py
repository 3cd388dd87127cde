"""Classification: one class a track; logits in, a class out.

Targets and estimates are class indices in the order of the card's labels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from marble_eval.metrics.classification import accuracy, macro_f1
from marble_eval.tracks import read_labelled_tracks

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from marble_eval.spec import TaskSpec, Track
    from marble_eval.tracks import Lists

#: Name in `marble_eval.probes.losses`.
LOSS = "cross-entropy"

#: Every metric of the kind, and whether higher is better.
METRICS = {"accuracy": True, "macro_f1": True}


def read_tracks(root: Path, spec: TaskSpec, lists: Lists) -> list[Track]:
    """Read the tracks; see `marble_eval.tracks.read_labelled_tracks`."""
    return read_labelled_tracks(root, spec, lists)


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
    return np.array([index[each.label] for each in tracks], dtype=np.int64)


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


def monitor(reference: np.ndarray, track_outputs: np.ndarray, spec: TaskSpec) -> float:
    """Score one probe on validation: the main metric, fast.

    Parameters
    ----------
    reference : np.ndarray [shape=(track,)]
        Classes.
    track_outputs : np.ndarray [shape=(track, class)]
        Outputs of the probe.
    spec : TaskSpec
        The card.

    Returns
    -------
    float
        Main metric; higher is better.
    """
    estimate = decode(track_outputs, spec)
    if spec.main_metric == "accuracy":  # once an epoch for every probe: the short way
        return float((estimate == reference).mean())
    return float(score(reference, estimate, spec)[spec.main_metric])


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
