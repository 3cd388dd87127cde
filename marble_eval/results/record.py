"""What one run found: the content of a `result.json`, as frozen dataclasses.

The field names are those of the file. Digests and fingerprints are hexadecimal,
times are seconds, rates are Hz, scores are as the metric gives them. Only
`Result` says what its parts are for; the JSON Schema says what values they take.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from marble_eval.results.caveats import (
    Deviation,
    Divergence,
    LayerLeftOut,
    Notes,
    deviation_sentences,
    note_sentences,
)
from marble_eval.results.scores import (
    Chosen,
    Counts,
    GridPoint,
    LabelScore,
    LayerScore,
    MetricScore,
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
    """Which rules, and every way in which the run departed from them."""

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
class Result:
    """One encoder on one task under one protocol.

    Attributes
    ----------
    schema_version : int
        `SCHEMA_VERSION`.
    unit : str
        Fingerprint of all that identifies the run: equal units, equal scores.
    created : str
        ISO 8601, UTC.
    tool_version : str
        Version of marble-eval.
    task, encoder, features, protocol, probe, choices
        What was run.
    grid : tuple of GridPoint
        Every probe with its validation score.
    layers : tuple of LayerScore
        The curve. Its test scores are shown, never chosen from.
    chosen : Chosen
        What validation chose; test was scored once for it.
    metrics : mapping of str to MetricScore
        Main metric first.
    counts, labels : Counts, tuple of LabelScore
        What was scored.
    confusion : tuple of tuple of int
        Row: reference. Column: estimate. Empty where the kind has no classes.
    cost, environment : Cost, Environment
        What it took, and where.
    divergences : tuple of Divergence
        Probes whose outputs did not stay finite.
    left_out : tuple of LayerLeftOut
        Layers that were asked for and have no score.
    remarks : tuple of str
        What else a reader should know, in words.
    written_under : int
        Schema version that the record was first written under.
    predictions : PredictionFile or None
        None until `write_result` has written the file.
    """

    schema_version: int
    unit: str
    created: str
    tool_version: str
    task: TaskRecord
    encoder: EncoderRecord
    features: FeatureRecord
    protocol: ProtocolRecord
    probe: ProbeRecord
    choices: Choices
    grid: tuple[GridPoint, ...]
    layers: tuple[LayerScore, ...]
    chosen: Chosen
    metrics: Mapping[str, MetricScore]
    counts: Counts
    labels: tuple[LabelScore, ...]
    confusion: tuple[tuple[int, ...], ...]
    cost: Cost
    environment: Environment
    divergences: tuple[Divergence, ...]
    left_out: tuple[LayerLeftOut, ...]
    remarks: tuple[str, ...]
    written_under: int
    predictions: PredictionFile | None = None

    def __post_init__(self) -> None:
        classes = len(self.labels)
        if self.confusion and {len(self.confusion), *map(len, self.confusion)} != {classes}:
            raise ValueError(f"'confusion' must be square over the {classes} labels.")

    @property
    def notes(self) -> list[str]:
        """Return divergences, layers left out and remarks in words."""
        return note_sentences(Notes(self.divergences, self.left_out, self.remarks))
