"""Rows of the long table: one for each metric of a result or a published table.

The fields are the columns of the CSV, in its order; new ones come at the end, so that
readers by position stay right. Shares are in percent, and `unit` says so; scores are
rounded to four decimals. A cell that does not apply to a reported score is empty.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

from marble_eval.leaderboard.metric_units import in_unit, metric_unit

if TYPE_CHECKING:
    from marble_eval.leaderboard.published import PublishedScore
    from marble_eval.results import Result


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One metric of one result.

    Attributes
    ----------
    encoder, revision, licence : str
        Which weights, under which terms.
    task, task_version, protocol, protocol_version, track
        Under which rules.
    conforms : str
        "true", "false", or empty for a reported score.
    deviations : str
        Departures from the protocol; what the source says of a reported cell.
    probe, layer, setting, seeds
        What was trained and chosen; ``setting`` is the learning rate or C.
    metric, unit, value, low, high, n, seed_spread
        The score in ``unit``, its interval, the items, the spread over seeds if several.
    expected, scored : int or None
        Test tracks.
    embedded : str
        "true" or "false".
    selected_on : str
        Split on which layer and setting were chosen.
    source : str
        "run" or "reported".
    reference : str
        Fingerprint of the run, or paper and table.
    data_digest, harness, created : str
        Which data, by which program, when (ISO 8601, UTC).
    section : str
        Title of the section that the result stands in.
    column : str
        The task's column on MARBLE's leaderboard; empty if it has none.
    main, higher_is_better : str
        "true" for the task's main metric; "true" or "false".
    precision, features : str
        Number types of the encoder and of its features.
    choices : str
        Layers and seeds tried.
    data_licence : str
        Terms of the task's data.
    overlap : str
        What of that data the weights are known to have seen.
    parameters, step : int or None
        Of the encoder; ``step`` of its training.
    remote_code : str
        Repository and commit whose code was run.
    extract_seconds, train_seconds : float or None
        What encoding and the grid of probes took.
    clips, clips_encoded, feature_bytes : int or None
        Clips in all, those encoded in ``extract_seconds``, size of the features.
    device : str
        On which.
    published, published_source
        What a paper reports for a run's cell, in ``unit``, and which paper.
    reproduced : str
        Of a run in the first section: "true" if the published value lies in its interval.
        Of a reported score: "true" if it lies in that of any such run. Else "false",
        or empty where there is nothing to compare.
    rank_low, rank_high, first_chance, tied
        Range of ranks in its section, chance of being first, and "true" if it cannot be told
        from the best; empty unless ranks were asked for.
    """

    encoder: str
    revision: str = ""
    licence: str = ""
    task: str
    task_version: int | None = None
    protocol: str = ""
    protocol_version: int | None = None
    track: str = ""
    conforms: str = ""
    deviations: str = ""
    probe: str = ""
    layer: str = ""
    setting: float | None = None
    seeds: str = ""
    metric: str
    unit: str
    value: float
    low: float | None = None
    high: float | None = None
    n: int | None = None
    seed_spread: float | None = None
    expected: int | None = None
    scored: int | None = None
    embedded: str = "false"
    selected_on: str = ""
    source: str
    reference: str
    data_digest: str = ""
    harness: str = ""
    created: str = ""
    section: str = ""
    column: str = ""
    main: str = ""
    higher_is_better: str = ""
    precision: str = ""
    features: str = ""
    choices: str = ""
    data_licence: str = ""
    overlap: str = ""
    parameters: int | None = None
    step: int | None = None
    remote_code: str = ""
    extract_seconds: float | None = None
    train_seconds: float | None = None
    clips: int | None = None
    clips_encoded: int | None = None
    feature_bytes: int | None = None
    device: str = ""
    published: float | None = None
    published_source: str = ""
    reproduced: str = ""
    rank_low: int | None = None
    rank_high: int | None = None
    first_chance: float | None = None
    tied: str = ""


COLUMNS = tuple(field.name for field in dataclasses.fields(Row))


def result_rows(result: Result) -> list[Row]:
    """Make the rows of a result, one for each metric.

    Parameters
    ----------
    result : Result
        What a run found.

    Returns
    -------
    list of Row
        In the order of the result's metrics; nothing that only a board can know.
    """
    task, encoder, protocol, cost = result.task, result.encoder, result.protocol, result.cost
    chosen = result.chosen
    rows = []
    for number, (name, score) in enumerate(result.metrics.items()):
        unit = metric_unit(name)
        rows.append(
            Row(
                encoder=encoder.name,
                revision=encoder.revision,
                licence=encoder.licence,
                task=task.name,
                task_version=task.version,
                protocol=protocol.name,
                protocol_version=protocol.version,
                track=protocol.track,
                conforms=said(protocol.conforms),
                deviations="; ".join(protocol.deviations),
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
                embedded=said(task.embedded),
                selected_on="valid",
                source="run",
                reference=result.unit,
                data_digest=task.data_digest,
                harness=f"marble-eval {result.tool_version}",
                created=result.created,
                column=task.column,
                main=said(number == 0),
                higher_is_better=said(score.higher_is_better),
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
    """Say in words which layers and seeds a run tried."""
    seeds = " ".join(str(seed) for seed in result.choices.seeds)
    return f"layers {' '.join(result.choices.layers)}; seeds {seeds}"


def published_row(score: PublishedScore) -> Row:
    """Make the row of a published score.

    Parameters
    ----------
    score : PublishedScore
        A cell of a published table.

    Returns
    -------
    Row
        With nothing that the source does not say.
    """
    return Row(
        encoder=score.encoder,
        task=score.task,
        protocol=score.protocol,
        track=score.track,
        deviations=score.note,
        metric=score.metric,
        unit=score.unit,
        value=score.value,
        source="reported",
        reference=score.source,
        column=score.task,
    )


def said(flag: bool) -> str:
    """Write a truth value as the tables do."""
    return "true" if flag else "false"
