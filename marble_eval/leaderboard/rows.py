"""Rows of the long table: one for each metric of a result or a published table.

The fields are the columns of the CSV, in its order. Shares are in percent, and
`unit` says so; scores are rounded to four decimals. A cell that does not apply
to a reported score is empty.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from marble_eval.leaderboard.published import PublishedScore
from marble_eval.results import Result

# Metrics whose best value is 1; every other one but SDR stays as it was computed.
_SHARES = frozenset(
    {
        "accuracy",
        "average_precision",
        "chroma_accuracy",
        "macro_f1",
        "majmin",
        "mirex_score",
        "r2",
        "roc_auc",
        "root",
        "weighted_score",
    }
)
# How the names of others begin: of a dimension, of beats, of notes, of frames.
_SHARE_STEMS = ("beat_", "downbeat_", "frame_", "note_", "r2_")
_DECIMALS = 4


@dataclass(frozen=True, slots=True)
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
        The score in ``unit``, its interval, the items, the spread over seeds.
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
    """

    encoder: str
    revision: str
    licence: str
    task: str
    task_version: int | None
    protocol: str
    protocol_version: int | None
    track: str
    conforms: str
    deviations: str
    probe: str
    layer: str
    setting: float | None
    seeds: str
    metric: str
    unit: str
    value: float
    low: float | None
    high: float | None
    n: int | None
    seed_spread: float | None
    expected: int | None
    scored: int | None
    embedded: str
    selected_on: str
    source: str
    reference: str
    data_digest: str
    harness: str
    created: str


COLUMNS = tuple(field.name for field in dataclasses.fields(Row))


def metric_unit(metric: str) -> str:
    """Say in which unit the tables give a metric.

    Parameters
    ----------
    metric : str
        Name of the metric.

    Returns
    -------
    str
        "percent" for shares (a stored 0.748 is given as 74.8), "dB" for
        signal-to-distortion ratios, "1" for any other, given as it is stored.

    Examples
    --------
    >>> metric_unit("accuracy"), metric_unit("sdr_vocals"), metric_unit("tempo_error")
    ('percent', 'dB', '1')
    """
    is_share = metric in _SHARES or metric.startswith(_SHARE_STEMS)
    if is_share or metric.removesuffix("_by_recording") in _SHARES:
        return "percent"
    return "dB" if metric.startswith("sdr_") else "1"


def result_rows(result: Result) -> list[Row]:
    """Make the rows of a result, one for each metric.

    Parameters
    ----------
    result : Result
        What a run found.

    Returns
    -------
    list of Row
        In the order of the result's metrics.
    """
    task, encoder, protocol, chosen = (
        result.task,
        result.encoder,
        result.protocol,
        result.chosen,
    )
    rows = []
    for name, score in result.metrics.items():
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
                conforms=_said(protocol.conforms),
                deviations="; ".join(protocol.deviations),
                probe=result.probe.name,
                layer=chosen.layer,
                setting=chosen.setting,
                seeds=" ".join(str(seed) for seed in chosen.seeds),
                metric=name,
                unit=unit,
                value=_scaled(score.value, unit),
                low=_scaled(score.low, unit),
                high=_scaled(score.high, unit),
                n=score.n,
                seed_spread=_scaled(score.seed_spread, unit),
                expected=result.counts.expected,
                scored=result.counts.scored,
                embedded=_said(task.embedded),
                selected_on="valid",
                source="run",
                reference=result.unit,
                data_digest=task.data_digest,
                harness=f"marble-eval {result.tool_version}",
                created=result.created,
            )
        )
    return rows


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
        revision="",
        licence="",
        task=score.task,
        task_version=None,
        protocol="",
        protocol_version=None,
        track=score.track,
        conforms="",
        deviations=score.note,
        probe="",
        layer="",
        setting=None,
        seeds="",
        metric=score.metric,
        unit=score.unit,
        value=score.value,
        low=None,
        high=None,
        n=None,
        seed_spread=None,
        expected=None,
        scored=None,
        embedded="false",
        selected_on="",
        source="reported",
        reference=score.source,
        data_digest="",
        harness="",
        created="",
    )


def _said(flag: bool) -> str:
    return "true" if flag else "false"


def _scaled(value: float, unit: str) -> float:
    # Adding 0.0 turns -0.0 into 0.0.
    return round(value * (100 if unit == "percent" else 1), _DECIMALS) + 0.0
