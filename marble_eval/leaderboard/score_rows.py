"""Rows of the long table: one for each metric of a result, and for each published score.

The fields are the columns of the CSV, in its order; new ones are appended, for readers by position.
Scores are in `unit`, rounded to four decimals. What does not apply is empty.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

from marble_eval.metrics.metric import in_unit

if TYPE_CHECKING:
    from marble_eval.results import Result


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreRow:
    """One metric of one result, or one published score.

    A flag is "true", "false" or empty.
    """

    encoder: str
    revision: str = ""
    licence: str = ""
    task: str
    task_version: int | None = None
    protocol: str = ""
    protocol_version: int | None = None
    track: str = ""
    conforms: str = ""  # empty for a reported score
    deviations: str = ""  # of a reported score, what its source notes
    probe: str = ""
    layer: str = ""
    setting: float | None = None  # learning rate or C
    seeds: str = ""
    metric: str
    unit: str
    value: float
    low: float | None = None
    high: float | None = None
    n: int | None = None
    seed_spread: float | None = None  # of several seeds
    expected: int | None = None  # test tracks, as `scored`
    scored: int | None = None
    embedded: str = "false"
    selected_on: str = ""  # split on which layer and setting were chosen
    source: str  # "run" or "reported"
    reference: str  # fingerprint of the run, or paper and table
    data_digest: str = ""
    harness: str = ""
    created: str = ""  # ISO 8601, UTC
    section: str = ""  # its title
    column: str = ""  # the task's column on MARBLE's leaderboard; empty if it has none
    main: str = ""  # whether it is the task's main metric
    higher_is_better: str = ""
    precision: str = ""
    features: str = ""
    choices: str = ""  # layers and seeds tried
    data_licence: str = ""  # terms of the task's data
    overlap: str = ""  # what of that data the weights are known to have seen
    parameters: int | None = None
    step: int | None = None  # of pre-training
    remote_code: str = ""  # repository and commit whose code was run
    extract_seconds: float | None = None
    train_seconds: float | None = None
    clips: int | None = None
    clips_encoded: int | None = None  # in `extract_seconds`
    feature_bytes: int | None = None
    device: str = ""  # on which
    published: float | None = None  # what a paper reports for a run's cell
    published_source: str = ""
    reproduced: str = ""  # see `published`
    rank_low: int | None = None  # in its section; with ranks only, as the next three
    rank_high: int | None = None
    first_chance: float | None = None
    tied: str = ""  # with the best


COLUMNS = tuple(field.name for field in dataclasses.fields(ScoreRow))


def result_rows(result: Result) -> list[ScoreRow]:
    """Make the rows of a result, one for each metric, without what only a board knows."""
    task, encoder, protocol, cost = result.task, result.encoder, result.protocol, result.cost
    chosen = result.chosen
    rows = []
    for number, (name, score) in enumerate(result.metrics.items()):
        unit = score.unit
        rows.append(
            ScoreRow(
                encoder=encoder.name,
                revision=encoder.revision,
                licence=encoder.licence,
                task=task.name,
                task_version=task.version,
                protocol=protocol.name,
                protocol_version=protocol.version,
                track=protocol.track,
                conforms=flag_text(protocol.conforms),
                deviations="; ".join(protocol.deviation_sentences),
                probe=result.probe.name,
                layer=chosen.layer,
                setting=chosen.setting,
                seeds=" ".join(str(seed) for seed in chosen.seeds),
                metric=name,
                unit=unit,
                value=in_unit(score.value, unit),
                low=in_unit(score.low, unit),
                high=in_unit(score.high, unit),
                n=score.n,
                # One seed has no spread, which is not one of 0.
                seed_spread=(
                    in_unit(score.seed_spread, unit) if len(score.seed_values) > 1 else None
                ),
                expected=result.counts.expected,
                scored=result.counts.scored,
                embedded=flag_text(task.embedded),
                selected_on="valid",
                source="run",
                reference=result.unit,
                data_digest=task.data_digest,
                harness=f"marble-eval {result.tool_version}",
                created=result.created,
                column=task.column,
                main=flag_text(number == 0),
                higher_is_better=flag_text(score.higher_is_better),
                precision=encoder.precision,
                features=result.features.dtype,
                choices=choices_of(result),
                data_licence=task.licence,
                overlap=encoder.overlap,
                parameters=encoder.parameters,
                step=encoder.step,
                remote_code=encoder.remote_code or "",
                extract_seconds=cost.extract_seconds,
                train_seconds=cost.train_seconds,
                clips=result.features.clips,
                clips_encoded=cost.clips_encoded,
                feature_bytes=cost.feature_bytes,
                device=result.environment.device,
            )
        )
    return rows


def choices_of(result: Result) -> str:
    """List the layers and seeds that a run tried."""
    seeds = " ".join(str(seed) for seed in result.choices.seeds)
    return f"layers {' '.join(result.choices.layers)}; seeds {seeds}"


def flag_text(flag: bool | None) -> str:
    """Write a flag as the tables do; empty for None."""
    return {True: "true", False: "false", None: ""}[flag]
