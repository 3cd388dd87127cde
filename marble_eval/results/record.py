"""What one run found: the content of a `result.json`, as frozen dataclasses.

The field names are those of the file. Digests and fingerprints are hexadecimal,
times are seconds, rates are Hz, scores are as the metric gives them; those of the
grid and the curve are of the task's main metric. The JSON Schema says what values
the fields take.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from marble_eval.metrics.metric import Unit
from marble_eval.results.caveats import (
    Deviation,
    Divergence,
    LayerLeftOut,
    Notes,
    deviation_sentences,
    note_sentences,
)
from marble_eval.spec import FrameRules, Windowing

SCHEMA_VERSION = 5


@dataclass(frozen=True, slots=True)
class TaskRecord:
    """Which task; `provider` is "marble-eval" or a plug-in's distribution and version.

    `folder` is where its card was, if it was given as a folder, and empty for any other task.
    """

    name: str
    version: int
    kind: str
    column: str
    embedded: bool
    licence: str
    card_digest: str
    data_digest: str
    split_digest: str
    sizes: Mapping[str, int]
    provider: str
    folder: str


@dataclass(frozen=True, slots=True)
class EncoderRecord:
    """Which encoder; `parameters` is None where it does not say their number.

    `overlap` is what of the task's data the weights are known to have seen, `step` of which
    step of pre-training they are, `remote_code` the repository and commit whose code was run.
    """

    name: str
    revision: str
    fingerprint: str
    licence: str
    parameters: int | None
    sample_rate: int
    frame_rate: float
    layers: tuple[str, ...]
    width: int
    precision: str
    trained_on: str
    overlap: str
    citation: str
    step: int | None
    remote_code: str | None


@dataclass(frozen=True, slots=True)
class FeatureRecord:
    """Which cached features; `clips` is their number over all splits.

    `frame_rate` is None where the frames of a clip are averaged.
    """

    fingerprint: str
    windowing: Windowing
    pooling: str
    dtype: str
    clips: int
    frame_rate: float | None


@dataclass(frozen=True, slots=True)
class ProtocolRecord:
    """Which rules, and every deviation of the run from them."""

    name: str
    version: int
    track: Literal["constrained", "semi-constrained"]
    conforms: bool
    deviations: tuple[Deviation, ...]
    frames: FrameRules | None

    def __post_init__(self) -> None:
        if self.conforms == bool(self.deviations):
            raise ValueError(
                f"'conforms' must be true just when 'deviations' is empty. "
                f"Got {self.conforms!r} and {list(self.deviations)!r}."
            )

    @property
    def deviation_sentences(self) -> tuple[str, ...]:
        """Return the deviations in words."""
        return deviation_sentences(self.deviations, self.name)


@dataclass(frozen=True, slots=True)
class ProbeRecord:
    """What reports need of a probe, also where its package is not installed.

    `options` by name, `setting` what the grid tried values of, `description` as in "the probe
    was …", `citation` BibTeX or a key of this package's bibliography.
    """

    name: str
    options: Mapping[str, bool | int | str | float | tuple[float, ...]]
    setting: str
    reads_sum: bool
    description: str
    citation: str


@dataclass(frozen=True, slots=True)
class Choices:
    """What the run was free to choose: layers (learned sum included) and seeds."""

    layers: tuple[str, ...]
    seeds: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Cost:
    """What the run took."""

    extract_seconds: float
    train_seconds: float
    clips_encoded: int
    clips_cached: int
    feature_bytes: int


@dataclass(frozen=True, slots=True)
class Environment:
    """Where it ran; `packages` by name to version."""

    python: str
    platform: str
    packages: Mapping[str, str]
    device: str


@dataclass(frozen=True, slots=True)
class PredictionFile:
    """The file of predictions beside the record."""

    file: str
    sha256: str


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
    groups: int | None = None  # that the interval resamples; None if items are drawn one by one

    @property
    def counted(self) -> str:
        """Write the items scored, and the groups that the interval resamples: "96 in 8 groups"."""
        return f"{self.n}" if self.groups is None else f"{self.n} in {self.groups} groups"


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


@dataclass(frozen=True, slots=True)
class Result:
    """One encoder on one task under one protocol."""

    schema_version: int  # `SCHEMA_VERSION`
    unit: str  # fingerprint of all that identifies the run: equal units, equal scores
    created: str  # ISO 8601, UTC
    tool_version: str  # of marble-eval
    task: TaskRecord
    encoder: EncoderRecord
    features: FeatureRecord
    protocol: ProtocolRecord
    probe: ProbeRecord
    choices: Choices
    grid: tuple[GridPoint, ...]  # every probe with its validation score
    layers: tuple[LayerScore, ...]  # the curve; its test scores are shown, never chosen from
    chosen: Chosen  # what validation chose; test was scored once for it
    metrics: Mapping[str, MetricScore]  # main metric first
    counts: Counts
    labels: tuple[LabelScore, ...]
    confusion: tuple[tuple[int, ...], ...]  # reference by estimate; empty without classes
    cost: Cost
    environment: Environment
    divergences: tuple[Divergence, ...]  # probes whose outputs did not stay finite
    left_out: tuple[LayerLeftOut, ...]  # layers that were asked for and have no score
    remarks: tuple[str, ...]  # what else a reader should know, in words
    written_under: int  # schema version that the record was first written under
    predictions: PredictionFile | None = None  # None until `write_result` has written the file

    def __post_init__(self) -> None:
        classes = len(self.labels)
        if self.confusion and {len(self.confusion), *map(len, self.confusion)} != {classes}:
            raise ValueError(f"'confusion' must be square over the {classes} labels.")

    @property
    def notes(self) -> list[str]:
        """Return divergences, layers left out and remarks in words."""
        return note_sentences(Notes(self.divergences, self.left_out, self.remarks))
