"""The rows of the page's table as they stand in the file, and how numbers are written.

Percentages have one decimal, decibels two, all else three, rounded as JavaScript's
`toFixed` rounds, so that the page reads the same before and after its scripts ran.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import NamedTuple

from marble_eval.leaderboard import Row
from marble_eval.report.page.entries import Entry, ReportedRow

_DECIMALS = {"percent": 1, "dB": 2}


class TableRow(NamedTuple):
    """A row of the table in words; "–" where there is nothing to say.

    `verdict` is "reproduced", "not reproduced" or empty; `reference` the paper of a
    reported score, and a run's identifier on the page.
    """

    encoder: str
    task: str
    metric: str
    score: str
    interval: str
    source: str
    verdict: str
    n: str
    layer: str
    protocol: str
    deviates: bool
    revision: str
    licence: str
    reference: str


def table_rows(shown: Sequence[Entry], reported: Sequence[ReportedRow]) -> list[TableRow]:
    """Make the rows of the main metrics.

    Parameters
    ----------
    shown : sequence of Entry
        The results.
    reported : sequence of ReportedRow
        What papers say.

    Returns
    -------
    list of TableRow
        By task; then runs before what papers report, the better score first.
    """
    rows = [_row(each.rows[0], each.id, each.reproduced[0]) for each in shown]
    rows += [_row(each.row, each.row.reference, None) for each in reported if each.main]
    return [row for _, row in sorted(rows, key=lambda each: each[0])]


def _place(row: Row) -> tuple[object, ...]:
    better = row.value if row.higher_is_better == "false" else -row.value
    source = row.source != "run"
    return (row.task.lower(), row.task, row.metric, source, better, row.encoder.lower())


def _row(row: Row, reference: str, reproduced: bool | None) -> tuple[tuple[object, ...], TableRow]:
    """Put a row into words, behind its place."""
    return _place(row), TableRow(
        encoder=row.encoder,
        task=versioned(row.task, row.task_version),
        metric=row.metric + shown_unit(row.unit),
        score=shown_score(row.value, row.unit),
        interval=shown_interval(row),
        source=row.source,
        verdict={True: "reproduced", False: "not reproduced", None: ""}[reproduced],
        n="–" if row.n is None else f"{row.n:,}",
        layer=row.layer or "–",
        protocol=versioned(row.protocol, row.protocol_version) or "–",
        deviates=row.conforms == "false",
        revision=row.revision or "–",
        licence=row.licence or "–",
        reference=reference,
    )


def versioned(name: str, version: int | None) -> str:
    """Name a task or protocol; its first version goes without saying.

    Examples
    --------
    >>> versioned("GTZAN", 1), versioned("GTZAN", 2)
    ('GTZAN', 'GTZAN@2')
    """
    return name if version in (None, 1) else f"{name}@{version}"


def shown_unit(unit: str) -> str:
    """Write a unit behind the name of a metric.

    Examples
    --------
    >>> shown_unit("percent"), shown_unit("dB"), shown_unit("1")
    (' (%)', ' (dB)', '')
    """
    return {"percent": " (%)", "1": ""}.get(unit, f" ({unit})")


def shown_score(value: float, unit: str) -> str:
    """Write a score.

    Parameters
    ----------
    value : float
        The score in ``unit``.
    unit : str
        "percent", "dB" or another.

    Returns
    -------
    str
        With the decimals of its unit, a minus sign where it is below zero.

    Examples
    --------
    >>> shown_score(74.25, "percent"), shown_score(-0.5, "1")
    ('74.3', '−0.500')
    """
    step = Decimal(1).scaleb(-_DECIMALS.get(unit, 3))
    return str(Decimal(value).quantize(step, ROUND_HALF_UP)).replace("-", "−")


def shown_interval(row: Row) -> str:
    """Write the interval of a row.

    Parameters
    ----------
    row : Row
        A run's, or a published one, which has none.

    Returns
    -------
    str
        "[low, high]", or "–".
    """
    if row.low is None or row.high is None:
        return "–"
    return f"[{shown_score(row.low, row.unit)}, {shown_score(row.high, row.unit)}]"
