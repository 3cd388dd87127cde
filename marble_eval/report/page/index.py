"""The page's list of results: what its table, filters and overviews need at once.

What many results share, an encoder's or a task's record, is kept once and named by
number. All else of a result comes in the blocks of `details`, read when it is opened.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from marble_eval.leaderboard import PublishedScore, metric_unit
from marble_eval.report.page.columns import Coded, pack, scaled, whole
from marble_eval.report.page.entries import Entry, ReportedRow
from marble_eval.results import Result

_SHARED = (
    "task",
    "encoder",
    "features",
    "protocol",
    "probe",
    "choices",
    "environment",
    "remarks",
    "tool_version",
    "metrics",
    "chosen",
)


def index_block(
    shown: Sequence[Entry],
    reported: Sequence[PublishedScore],
    rows: Sequence[ReportedRow],
    *,
    chunks: Sequence[int],
    every_seed: bool,
) -> str:
    """Pack the list of results.

    Parameters
    ----------
    shown : sequence of Entry
        The results, in the order of the page.
    reported : sequence of PublishedScore
        What papers say.
    rows : sequence of ReportedRow
        Their rows, in the same order.
    chunks : sequence of int
        Which result each block of details begins with.
    every_seed : bool
        Whether the grids hold each seed, or the means over them.

    Returns
    -------
    str
        As `marble_eval.report.page.columns.pack` says. ``tables`` holds what is
        shared, and the column of the same name says which of them a result has.
    """
    tables = {name: Coded() for name in _SHARED}
    codes: dict[str, list[int]] = {name: [] for name in _SHARED}
    matches = Coded()
    for entry in shown:
        for name, thing in _shared(entry.result).items():
            codes[name].append(tables[name].code(thing))
    scores = [row for entry in shown for row in entry.rows]
    value, low, high = (
        scaled(getattr(row, name) for row in scores) for name in ("value", "low", "high")
    )
    costs = [entry.result.cost for entry in shown]
    columns = {
        **{name: whole(values) for name, values in codes.items()},
        "value": value,  # in the metric's unit
        "below": value - low,
        "above": high - value,
        "n": whole(row.n for row in scores),
        "reported": whole(matches.code(list(each)) for entry in shown for each in entry.reported),
        "reproduced": whole(each for entry in shown for each in entry.reproduced),
        "extract": scaled(each.extract_seconds for each in costs),
        "encoded": whole(each.clips_encoded for each in costs),
    }
    header = {
        "tables": {name: table.things for name, table in tables.items()},
        "matches": matches.things,
        "ids": [entry.id for entry in shown],
        "reported": [
            {**dataclasses.asdict(score), "main": each.main}
            for score, each in zip(reported, rows, strict=True)
        ],
        "units": {
            name: metric_unit(name)
            for name in sorted({name for entry in shown for name in entry.result.metrics})
        },
        "chunks": list(chunks),
        "every_seed": every_seed,
    }
    return pack(header, columns)


def _shared(result: Result) -> dict[str, Any]:
    """Take the parts of a result that others are likely to have as well."""
    features = dataclasses.asdict(result.features)
    del features["fingerprint"]  # of each result its own; the details have it
    return {
        "task": dataclasses.asdict(result.task),
        "encoder": dataclasses.asdict(result.encoder),
        "features": features,
        "protocol": dataclasses.asdict(result.protocol),
        "probe": dataclasses.asdict(result.probe),
        "choices": dataclasses.asdict(result.choices),
        "environment": dataclasses.asdict(result.environment),
        "remarks": list(result.remarks),
        "tool_version": result.tool_version,
        "metrics": [
            [name, score.higher_is_better, score.level] for name, score in result.metrics.items()
        ],
        "chosen": {
            "layer": result.chosen.layer,
            "setting": result.chosen.setting,
            "seeds": list(result.chosen.seeds),
        },
    }
