"""Regression: one number a track for each dimension that the card names.

Targets and estimates are in the data's own unit. Probes are trained on targets
standardised by the training split alone, and their outputs turned back, which
leaves R² as it is.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from marble_eval.data.text_files import number_of
from marble_eval.kinds.example import SECONDS, Example, Piece, Player, seconds, tone
from marble_eval.kinds.kind import TrackKind
from marble_eval.metrics.metric import Metric
from marble_eval.metrics.regression import per_dimension_r2, r2

if TYPE_CHECKING:
    from marble_eval.spec import TaskSpec, Track


def _shade(number: int, player: Player, rng: np.random.Generator) -> Piece:
    """Play a tone of some brightness that fades."""
    brightness, sustain = np.round(rng.uniform(0, 1, size=2), 2)
    time = seconds(SECONDS)
    sound = tone(57 + player.tuning, time, 1.0 - 0.8 * brightness)
    fading = 10 ** (-2 * (1 - sustain) * time / SECONDS)  # by 40 dB if nothing is sustained
    return Piece(sound * fading, (f"{brightness:.2f}", f"{sustain:.2f}"))


_EXAMPLE = Example(
    target="one number a track, or several",
    summary="How bright a tone is, and how long it lasts",
    labels="""\
# The numbers to be told: each is a column of the table.
labels: [brightness, sustain]
""",
    play=_shade,
    cell="0.25,0.9",
    cell_text="""\
- `brightness`, `sustain`: the numbers, with a point. Your own columns are named in
  the card, under `labels`.
""",
    columns=("brightness", "sustain"),
)


class Regression(TrackKind):
    """One number a track for each dimension."""

    name = "regression"
    loss = "squared-error"
    example = _EXAMPLE
    metrics = (Metric("r2", "percent", written="R²"),)
    label_metrics = metrics
    scaled = True

    def metrics_of(self, spec: TaskSpec) -> dict[str, Metric]:
        """Give the mean R², and that of each dimension as ``r2_<dimension>``."""
        every = [*self.metrics]
        for each in spec.labels:
            every.append(Metric(f"r2_{each}", "percent", written=f"R² {each.replace('_', ' ')}"))
        return {each.name: each for each in every}

    def fault_of(self, spec: TaskSpec) -> str:
        """Refuse a card without dimensions."""
        if not spec.labels:
            return "'labels' must name the dimensions, which are columns. Add them."
        return ""

    def columns_of(self, spec: TaskSpec) -> tuple[str, ...]:
        """Name the label columns of a table: the dimensions."""
        return spec.labels

    def label_of(
        self, row: Mapping[str, Any], field: str, spec: TaskSpec, *, root: Path = Path()
    ) -> tuple[float, ...]:
        """Read one finite number for each dimension, from columns, a list or a mapping.

        Examples
        --------
        >>> from marble_eval.spec import TaskSpec
        >>> spec = TaskSpec(name="Mine", kind="regression", labels=("arousal", "valence"))
        >>> KIND.label_of({"arousal": "5.5", "valence": "4"}, "label", spec)
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

    def encode(self, tracks: Sequence[Track], spec: TaskSpec) -> np.ndarray:
        """Stack the numbers (track, dimension), float64, in the data's unit."""
        return np.array([each.label for each in tracks], dtype=np.float64)

    def score(
        self,
        reference: np.ndarray,
        estimate: np.ndarray,
        spec: TaskSpec,
        *,
        weights: np.ndarray | None = None,
    ) -> dict[str, np.ndarray]:
        """Compute the card's metrics over a whole split: R², at most 1."""
        of_dimensions = np.asarray(per_dimension_r2(reference, estimate, weights=weights))
        found = {f"r2_{name}": of_dimensions[..., at] for at, name in enumerate(spec.labels)}
        if "r2" in spec.metrics:
            found["r2"] = np.asarray(r2(reference, estimate, weights=weights))
        return {name: found[name] for name in spec.metrics}

    def texts(self, values: np.ndarray, spec: TaskSpec) -> list[str]:
        """Write the numbers of each track, separated by ";"."""
        return [";".join(repr(float(each)) for each in row) for row in values]

    def values_of(self, texts: Sequence[str], spec: TaskSpec) -> np.ndarray:
        """Read the numbers that `texts` wrote (track, dimension), or raise a ValueError."""
        rows = [[_number(each, "reference") for each in text.split(";")] for text in texts]
        wrong = next((row for row in rows if len(row) != len(spec.labels)), None)
        if wrong is not None:
            raise ValueError(f"must be {len(spec.labels)} numbers. Got {len(wrong)}.")
        return np.array(rows, dtype=np.float64).reshape(len(rows), len(spec.labels))

    def item_scores(
        self, reference: np.ndarray, estimate: np.ndarray, spec: TaskSpec
    ) -> np.ndarray:
        """Score each track by itself: minus the mean absolute error over the dimensions.

        By the R² of one dimension, minus the error in that one. Errors are in standard
        deviations of the references; a dimension that never varies is left out.
        """
        spread = reference.std(axis=0)
        counted = spread > 0
        if spec.main_metric != "r2":
            counted &= np.array([spec.main_metric == f"r2_{name}" for name in spec.labels])
        errors = np.abs(reference - estimate)[:, counted] / spread[counted]
        return np.asarray(-errors.mean(axis=1))

    def label_counts(self, reference: np.ndarray, spec: TaskSpec) -> np.ndarray:
        """Count the tracks, which all have every dimension."""
        return np.full(len(spec.labels), len(reference))

    def label_scores(
        self, reference: np.ndarray, estimate: np.ndarray, spec: TaskSpec
    ) -> dict[str, np.ndarray]:
        """Score each dimension by its R²."""
        return {"r2": np.asarray(per_dimension_r2(reference, estimate))}


def _number(value: Any, name: str) -> float:
    try:
        number = number_of(value) if isinstance(value, str) else float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number) or isinstance(value, bool):
        raise ValueError(f"{name!r} must be a finite number. Got {value!r}.")
    return number


KIND = Regression()
