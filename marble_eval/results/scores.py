"""What the probes of a run scored: parts of a `result.json`, as frozen dataclasses.

Scores are as the metric gives them; the grid and the curve are of the task's
main metric. The checkpoint, setting and layer are chosen on validation alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from marble_eval.metrics.metric import Unit


@dataclass(frozen=True, slots=True)
class GridPoint:
    """One probe; `setting` is its learning rate, or C for logistic regression."""

    layer: str
    setting: float
    seed: int
    epochs: int
    best_epoch: int
    valid: float


@dataclass(frozen=True, slots=True)
class ScoreRange:
    """A score with the ends of its interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class LayerScore:
    """One layer at its best setting; `tied` if validation cannot tell it from the chosen one."""

    layer: str
    setting: float
    valid: float
    test: ScoreRange
    tied: bool


@dataclass(frozen=True, slots=True)
class Chosen:
    """What validation chose; `sum_weights` by layer if it is the learned sum."""

    layer: str
    setting: float
    seeds: tuple[int, ...]
    sum_weights: Mapping[str, float] | None


@dataclass(frozen=True, slots=True)
class MetricScore:
    """A metric of the chosen probe on test; `seed_spread` is apart from the interval.

    `unit`, `written` and `citation` are those of the metric (`marble_eval.metrics.Metric`), so
    that tables and figures need no installed task.

    `ceiling` is what the references score at the frame rate of the features; None where
    a track has one estimate.
    """

    value: float
    low: float
    high: float
    level: float
    higher_is_better: bool
    n: int
    seed_values: tuple[float, ...]
    seed_spread: float
    ceiling: float | None
    unit: Unit
    written: str
    citation: str


@dataclass(frozen=True, slots=True)
class Missing:
    """A track that was expected and not scored, and why."""

    id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Counts:
    """Test tracks expected and scored, and every track that is missing."""

    expected: int
    scored: int
    missing: tuple[Missing, ...]

    def __post_init__(self) -> None:
        if self.scored + len(self.missing) < self.expected:
            raise ValueError(
                f"'missing' must name every track that was not scored. Got {len(self.missing)} "
                f"names for {self.scored} scored of {self.expected} expected."
            )


@dataclass(frozen=True, slots=True)
class LabelScore:
    """One label on test: a class, tag or dimension; a score is None where it has no value."""

    name: str
    n: int
    scores: Mapping[str, float | None]
