"""The data of a page, packed: the index of all results, and blocks with the details of some.

The index holds what the table, filters and overviews need at once; what many results share, such
as the record of an encoder, is kept once and numbered. A block holds neighbours on the page,
results of one task, and is unpacked when one of them is opened. Scores of the grid are kept as
differences from the one before, since the seeds of a probe lie close together.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np

from marble_eval.leaderboard import PublishedScore
from marble_eval.leaderboard.comparable import conditions_of
from marble_eval.report.page.listing import ListedResult, PublishedRow, versioned
from marble_eval.report.page.packing import FINE, Coded, PackedColumn, pack, scaled, whole
from marble_eval.results import GridPoint, Result

LARGEST_BLOCK = 100  # results; more make opening one slower, fewer pack less well
EVERY_SEED_UP_TO = 200_000  # probes on a page; beyond, the means over the seeds keep it small
_NAMED_MISSING = 10  # tracks that are named; the result file has every one
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
    "group",
)


def index_block(
    listed: Sequence[ListedResult],
    published: Sequence[PublishedScore],
    rows: Sequence[PublishedRow],
    *,
    chunks: Sequence[int],
    every_seed: bool,
) -> str:
    """Pack the index: all results with their rows, and the published scores."""
    tables = {name: Coded() for name in _SHARED}
    codes: dict[str, list[int]] = {name: [] for name in _SHARED}
    matches = Coded()
    for each in listed:
        for name, thing in _shared(each.result).items():
            codes[name].append(tables[name].code(thing))
    scores = [row for each in listed for row in each.rows]
    value, low, high = (
        scaled(getattr(row, name) for row in scores) for name in ("value", "low", "high")
    )
    costs = [each.result.cost for each in listed]
    columns = {
        **{name: whole(values) for name, values in codes.items()},
        "value": value,  # in the metric's unit
        "below": value - low,
        "above": high - value,
        "n": whole(row.n for row in scores),
        "reported": whole(
            matches.code(list(of_row)) for each in listed for of_row in each.published
        ),
        "reproduced": whole(flag for each in listed for flag in each.reproduced),
        "extract": scaled(each.extract_seconds for each in costs),
        "encoded": whole(each.clips_encoded for each in costs),
    }
    header = {
        "tables": {name: table.things for name, table in tables.items()},
        "matches": matches.things,
        "ids": [each.id for each in listed],
        "reported": [
            {**dataclasses.asdict(score), "main": each.main}
            for score, each in zip(published, rows, strict=True)
        ],
        "units": {
            name: score.unit
            for each in listed
            for name, score in sorted(each.result.metrics.items())
        },
        "chunks": list(chunks),
        "every_seed": every_seed,
    }
    return pack(header, columns)


def _shared(result: Result) -> dict[str, Any]:
    """Take the parts of a result that others are likely to share."""
    features = dataclasses.asdict(result.features)
    del features["fingerprint"]  # of each result its own; the details have it
    return {
        "task": dataclasses.asdict(result.task),
        "encoder": dataclasses.asdict(result.encoder),
        "features": features,
        "protocol": dataclasses.asdict(result.protocol)
        | {"deviations": list(result.protocol.deviation_sentences)},
        "probe": dataclasses.asdict(result.probe),
        "choices": dataclasses.asdict(result.choices),
        "environment": dataclasses.asdict(result.environment),
        "remarks": result.notes,
        "tool_version": result.tool_version,
        "group": group_title(result),
        "metrics": [
            [name, score.higher_is_better, score.level] for name, score in result.metrics.items()
        ],
        "chosen": {
            "layer": result.chosen.layer,
            "setting": result.chosen.setting,
            "seeds": list(result.chosen.seeds),
        },
    }


class Blocks(NamedTuple):
    """The packed details."""

    starts: list[int]  # which result each block begins with
    texts: list[str]  # the blocks
    every_seed: bool  # whether the grids hold each seed, or the means over them


def group_title(result: Result) -> str:
    """Name the results that a result may share a chart with."""
    task = result.task
    name = versioned(task.name, task.version)
    return f"{name}, {conditions_of(result).title}, data {task.data_digest[:8]}"


def detail_blocks(listed: Sequence[ListedResult]) -> Blocks:
    """Pack the details of the results of a page, in its order."""
    every_seed = sum(len(each.result.grid) for each in listed) <= EVERY_SEED_UP_TO
    starts, texts = [], []
    first = 0
    for _, group in groupby(listed, key=lambda each: each.result.task.name):
        of_task = [each.result for each in group]
        for place in range(0, len(of_task), LARGEST_BLOCK):
            part = of_task[place : place + LARGEST_BLOCK]
            starts.append(first + place)
            texts.append(_block(part, every_seed=every_seed))
        first += len(of_task)
    return Blocks(starts, texts, every_seed)


def _block(results: Sequence[Result], *, every_seed: bool) -> str:
    tables: dict[str, Coded] = {}
    columns: dict[str, list[PackedColumn]] = {}
    for result in results:
        parts = _parts(result, tables, every_seed=every_seed)
        for name, values in parts:
            columns.setdefault(name, []).append(values)
    header = {
        "unit": [each.unit for each in results],
        "created": [each.created for each in results],
        "features": [each.features.fingerprint for each in results],
        "tables": {name: table.things for name, table in tables.items()},
        # How many numbers of a column each result has; one number if all have as many.
        "lengths": {name: _lengths(parts) for name, parts in columns.items()},
    }
    return pack(header, {name: np.concatenate(parts) for name, parts in columns.items()})


def _lengths(parts: Sequence[PackedColumn]) -> int | list[int]:
    found = [len(each) for each in parts]
    return found[0] if len(set(found)) == 1 else found


def _parts(
    result: Result, tables: dict[str, Coded], *, every_seed: bool
) -> Iterator[tuple[str, PackedColumn]]:
    """Yield a result's share of every column."""

    def code(name: str, thing: Any) -> tuple[str, PackedColumn]:
        return name, whole([tables.setdefault(name, Coded()).code(thing)])

    tested = [each.test for each in result.layers]
    yield code("curve", [each.layer for each in result.layers])
    yield "valid", scaled(each.valid for each in result.layers)
    value, low, high = (
        scaled((getattr(each, end) for each in tested), FINE) for end in ("value", "low", "high")
    )
    yield "value", value
    yield "below", value - low
    yield "above", high - value
    yield "tied", whole(int(each.tied) for each in result.layers)
    settings = tables.setdefault("settings", Coded())
    yield "setting", whole(settings.code(each.setting) for each in result.layers)
    weights = result.chosen.sum_weights or {}
    yield code("weighted", list(weights))
    yield "weights", scaled(weights.values())
    points = _points(result, every_seed=every_seed)
    yield code(
        "design", [list(each) for each in zip(*(point[:3] for point in points), strict=True)]
    )
    yield "grid", np.diff(scaled(each[3] for each in points), prepend=0)
    yield "epochs", whole(each[4] for each in points)
    yield from _scores(result)
    yield from _labels(result, code)
    missing = [[each.id, each.reason] for each in result.counts.missing]
    yield code("missing", missing[:_NAMED_MISSING])
    counts, cost = result.counts, result.cost
    yield "counts", whole([counts.expected, counts.scored, len(missing)])
    yield "cost", whole([cost.clips_cached, cost.feature_bytes])
    yield "train", scaled([cost.train_seconds])


Point = tuple[str, float, int | None, float, int]


def _points(result: Result, *, every_seed: bool) -> list[Point]:
    """List layer, setting, seed, score and epochs of each probe, or the means over its seeds."""
    order = {name: number for number, name in enumerate(result.encoder.layers)}

    def place(point: GridPoint) -> tuple[int, str, float]:
        return order.get(point.layer, len(order)), point.layer, point.setting

    if every_seed:
        return [
            (each.layer, each.setting, each.seed, each.valid, each.epochs)
            for each in sorted(result.grid, key=lambda point: (*place(point), point.seed))
        ]
    means: list[Point] = []
    for _, group in groupby(sorted(result.grid, key=place), key=place):
        seeds = list(group)
        valid = sum([each.valid for each in seeds]) / len(seeds)
        epochs = round(sum([each.epochs for each in seeds]) / len(seeds))
        means.append((seeds[0].layer, seeds[0].setting, None, valid, epochs))
    return means


def _scores(result: Result) -> Iterator[tuple[str, PackedColumn]]:
    scores = list(result.metrics.values())
    yield "seed_count", whole(len(each.seed_values) for each in scores)
    yield "seed_values", scaled((value for each in scores for value in each.seed_values), FINE)
    yield "spread", scaled((each.seed_spread for each in scores), FINE)
    yield "ceiling", scaled((each.ceiling for each in scores), FINE)


def _labels(result: Result, code: Any) -> Iterator[tuple[str, PackedColumn]]:
    """Yield the labels, and the cells of the confusion that are not 0, row by row."""
    measured = list(dict.fromkeys(name for each in result.labels for name in each.scores))
    yield code("labels", [each.name for each in result.labels])
    yield code("measured", measured)
    yield "label_n", whole(each.n for each in result.labels)
    yield (
        "label_scores",
        scaled(each.scores.get(name) for name in measured for each in result.labels),
    )
    table = np.array(result.confusion, dtype=np.int64).reshape(-1)
    filled = np.flatnonzero(table).astype(np.int64)
    yield "cells", np.diff(filled, prepend=0)
    yield "cell_counts", table[filled]
