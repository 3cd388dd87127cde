"""Regression: one number a track for each dimension that the card names.

Targets and estimates are in the data's own unit. Probes are trained on targets
standardised by the training split alone, and their outputs turned back, which
leaves R² as it is.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from marble_eval.data.layouts import Reading, read_layouts
from marble_eval.metrics.regression import per_dimension_r2, r2
from marble_eval.spec import TaskRules

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from typing import Any

    from marble_eval.data.layouts import Lists
    from marble_eval.spec import TaskSpec, Track

LOSS = "squared-error"
FRAMES = False
RULES = TaskRules()
RANKED = False
BIASED = ()
SCALED = True
AGGREGATIONS = ("mean-logits",)
LABELS = None


def metrics_of(spec: TaskSpec) -> dict[str, bool]:
    """Name every metric: the mean R², and that of each dimension as ``r2_<dimension>``."""
    return {"r2": True, **{f"r2_{each}": True for each in spec.labels}}


def columns_of(spec: TaskSpec) -> tuple[str, ...]:
    """Name the label columns of a table: the dimensions."""
    return spec.labels


def read_tracks(root: Path, spec: TaskSpec, lists: Lists) -> list[Track]:
    """Read the tracks; see `marble_eval.data.layouts.read_layouts`."""
    return read_layouts(Reading(root, spec, lists, label_of, columns_of(spec)))


def label_of(row: Mapping[str, Any], field: str, spec: TaskSpec) -> tuple[float, ...]:
    """Read one number for each dimension.

    Parameters
    ----------
    row : mapping of str to object
        A row of a table, with a column for each dimension, or of JSON, with a list
        or a mapping under ``field``.
    field : str
        Where a list or mapping stands.
    spec : TaskSpec
        The card, with the dimensions.

    Returns
    -------
    tuple of float
        In the order of the card's labels.

    Raises
    ------
    ValueError
        If a number is missing, not a number or not finite.

    Examples
    --------
    >>> from marble_eval.spec import TaskSpec
    >>> spec = TaskSpec(name="Mine", kind="regression", labels=("arousal", "valence"))
    >>> label_of({"arousal": "5.5", "valence": "4"}, "label", spec)
    (5.5, 4.0)
    """
    given = row.get(field)
    if isinstance(given, list):
        if len(given) != len(spec.labels):
            raise ValueError(
                f"{field!r} must be {len(spec.labels)} numbers, {', '.join(spec.labels)}. "
                f"Got {given!r}."
            )
        row = dict(zip(spec.labels, given, strict=True))
    elif isinstance(given, dict):
        row = given
    return tuple(_number(row.get(name), name) for name in spec.labels)


def _number(value: Any, name: str) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number) or isinstance(value, bool):
        raise ValueError(f"{name!r} must be a finite number. Got {value!r}.")
    return number


def labels_of(tracks: Sequence[Track], spec: TaskSpec) -> tuple[str, ...]:
    """Return nothing: dimensions cannot be told from numbers, so the card names them."""
    return ()


def encode(tracks: Sequence[Track], spec: TaskSpec) -> np.ndarray:
    """Stack the numbers.

    Parameters
    ----------
    tracks : sequence of Track
        Annotated tracks.
    spec : TaskSpec
        The card.

    Returns
    -------
    np.ndarray [shape=(track, dimension), float64]
        In the data's unit.
    """
    return np.array([each.label for each in tracks], dtype=np.float64)


def outputs(spec: TaskSpec) -> int:
    """Return how many outputs a probe needs: one a dimension."""
    return len(spec.labels)


def decode(track_outputs: np.ndarray, spec: TaskSpec) -> np.ndarray:
    """Return the outputs as they are."""
    return track_outputs


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
    reference, estimate : np.ndarray [shape=(track, dimension)]
        In one unit.
    spec : TaskSpec
        The card.
    weights : np.ndarray [shape=(..., track)], optional
        How often each track counts; one row for each bootstrap resample.

    Returns
    -------
    dict of str to np.ndarray [shape=(...)]
        R², at most 1; higher is better.
    """
    of_dimensions = np.asarray(per_dimension_r2(reference, estimate, weights=weights))
    found = {f"r2_{name}": of_dimensions[..., at] for at, name in enumerate(spec.labels)}
    if "r2" in spec.metrics:
        found["r2"] = np.asarray(r2(reference, estimate, weights=weights))
    return {name: found[name] for name in spec.metrics}


def texts(values: np.ndarray, spec: TaskSpec) -> list[str]:
    """Write the numbers of each track, divided by ";", so that they can be read back exactly."""
    return [";".join(repr(float(each)) for each in row) for row in values]


def values_of(texts: Sequence[str], spec: TaskSpec) -> np.ndarray:
    """Read the numbers that `texts` wrote, (track, dimension).

    Raises
    ------
    ValueError
        If a text does not hold one finite number for each dimension.
    """
    rows = [[_number(each, "reference") for each in text.split(";")] for text in texts]
    wrong = next((row for row in rows if len(row) != len(spec.labels)), None)
    if wrong is not None:
        raise ValueError(f"must be {len(spec.labels)} numbers. Got {len(wrong)}.")
    return np.array(rows, dtype=np.float64).reshape(len(rows), len(spec.labels))


def item_scores(reference: np.ndarray, estimate: np.ndarray, spec: TaskSpec) -> np.ndarray:
    """Score each track by itself: minus the mean absolute error over the dimensions.

    By the R² of one dimension, minus the error in that one. Errors are counted in standard
    deviations of the references; a dimension that never varies is left out.
    """
    spread = reference.std(axis=0)
    counted = spread > 0
    if spec.main_metric != "r2":
        counted &= np.array([spec.main_metric == f"r2_{name}" for name in spec.labels])
    errors = np.abs(reference - estimate)[:, counted] / spread[counted]
    return np.asarray(-errors.mean(axis=1))


def label_counts(reference: np.ndarray, spec: TaskSpec) -> np.ndarray:
    """Count the tracks, which all have every dimension."""
    return np.full(len(spec.labels), len(reference))


def label_scores(
    reference: np.ndarray, estimate: np.ndarray, spec: TaskSpec
) -> dict[str, np.ndarray]:
    """Score each dimension: its R²."""
    return {"r2": np.asarray(per_dimension_r2(reference, estimate))}


def confusion_of(reference: np.ndarray, estimate: np.ndarray, spec: TaskSpec) -> None:
    """Return nothing: there are no classes."""
