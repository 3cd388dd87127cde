"""Blocks of details: what the page shows of a result when it is opened.

A block holds neighbours on the page, results of one task, and is unpacked when the
first of them is opened. Scores of the grid are kept as differences, each from the
one before it, since seeds of one probe lie close together.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np

from marble_eval.report.page.columns import Coded, Column, pack, scaled, whole
from marble_eval.report.page.entries import Entry
from marble_eval.results import GridPoint, Result

LARGEST_BLOCK = 100  # results; more make opening one slower, fewer pack less well
EVERY_SEED_UP_TO = 200_000  # probes on a page; beyond, the means over the seeds keep it small
_NAMED_MISSING = 10  # tracks that are named; the result file has every one


class Blocks(NamedTuple):
    """The packed details.

    Attributes
    ----------
    starts : list of int
        Which result each block begins with.
    texts : list of str
        The blocks.
    every_seed : bool
        Whether the grids hold each seed, or the means over them.
    """

    starts: list[int]
    texts: list[str]
    every_seed: bool


def detail_blocks(shown: Sequence[Entry]) -> Blocks:
    """Pack the details of the results of a page.

    Parameters
    ----------
    shown : sequence of Entry
        The results, in the order of the page, which has those of a task together.

    Returns
    -------
    Blocks
        Blocks of at most `LARGEST_BLOCK` results, each of one task.
    """
    every_seed = sum(len(entry.result.grid) for entry in shown) <= EVERY_SEED_UP_TO
    starts, texts = [], []
    first = 0
    for _, group in groupby(shown, key=lambda entry: entry.result.task.name):
        of_task = [entry.result for entry in group]
        for place in range(0, len(of_task), LARGEST_BLOCK):
            part = of_task[place : place + LARGEST_BLOCK]
            starts.append(first + place)
            texts.append(_block(part, every_seed=every_seed))
        first += len(of_task)
    return Blocks(starts, texts, every_seed)


def _block(results: Sequence[Result], *, every_seed: bool) -> str:
    tables: dict[str, Coded] = {}
    columns: dict[str, list[Column]] = {}
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


def _lengths(parts: Sequence[Column]) -> int | list[int]:
    found = [len(each) for each in parts]
    return found[0] if len(set(found)) == 1 else found


def _parts(
    result: Result, tables: dict[str, Coded], *, every_seed: bool
) -> Iterator[tuple[str, Column]]:
    """Yield a result's share of every column."""

    def code(name: str, thing: Any) -> tuple[str, Column]:
        return name, whole([tables.setdefault(name, Coded()).code(thing)])

    tested = [each.test for each in result.layers]
    yield code("curve", [each.layer for each in result.layers])
    yield "valid", scaled(each.valid for each in result.layers)
    yield "value", scaled(each.value for each in tested)
    yield "below", scaled(each.value for each in tested) - scaled(each.low for each in tested)
    yield "above", scaled(each.high for each in tested) - scaled(each.value for each in tested)
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
    """Make layer, setting, seed, score and epochs of each probe, or of all its seeds."""
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


def _scores(result: Result) -> Iterator[tuple[str, Column]]:
    scores = list(result.metrics.values())
    yield "seed_count", whole(len(each.seed_values) for each in scores)
    yield "seed_values", scaled(value for each in scores for value in each.seed_values)
    yield "spread", scaled(each.seed_spread for each in scores)
    yield "ceiling", scaled(each.ceiling for each in scores)


def _labels(result: Result, code: Any) -> Iterator[tuple[str, Column]]:
    """Yield the labels; of the confusion the cells that are not 0, row by row."""
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
