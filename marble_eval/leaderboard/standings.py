"""Ranks within a section: how sure the order of its runs is.

Test items are resampled with the same draws for all results on the same items, and runs
are ranked on each resample; that gives ranges of ranks and chances of being first. An
average is resampled with draws of its own for each task. Runs tied with the best are
those whose paired difference from it has an interval that includes 0.
"""

from __future__ import annotations

import dataclasses
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from marble_eval.leaderboard.marble_columns import Column
from marble_eval.leaderboard.printed import value_of
from marble_eval.leaderboard.sections import ModelScores, Section, Standing
from marble_eval.scores.statistics import rank_ranges, tied_with_best

Draws = dict[str, dict[int, np.ndarray]]

_MANY = 1000  # groups from which a t quantile is a normal one


def ranked_section(section: Section) -> tuple[Section, list[str]]:
    """Add ranks to a section."""
    if not section.comparable:
        return section, []
    draws: Draws = {}
    notes: list[str] = []
    groups: dict[str, int] = {}
    tasks = dict.fromkeys(column.task for column in section.columns)
    for task in tasks:
        columns = [column for column in section.columns if column.task == task]
        notes += _draw(columns, section.models, draws, groups)
    higher = {column.header: column.higher_is_better for column in section.columns}
    ranks: dict[int, dict[str, Standing]] = {}
    for name, of_models in (*draws.items(), *_average_draws(section, draws).items()):
        if len(of_models) < 2:
            continue
        if np.isnan(np.stack(list(of_models.values()))).any(axis=0).all():
            notes.append(f"{section.title}: {name} has no ranks, no resample scores every run")
            continue
        values = {at: value_of(section.models[at], name) or 0.0 for at in of_models}
        fewest = groups.get(name, min(groups.values(), default=_MANY))
        for at, standing in _ranks(of_models, values, fewest, higher.get(name, True)).items():
            ranks.setdefault(at, {})[name] = standing
    models = tuple(
        _with_ranks(each, ranks.get(at, {}), section.columns)
        for at, each in enumerate(section.models)
    )
    return dataclasses.replace(section, models=models), notes


def _draw(
    columns: Sequence[Column], models: Sequence[ModelScores], draws: Draws, groups: dict[str, int]
) -> list[str]:
    """Resample the columns of a task, one result at a time; list those left out."""
    # Only ranks read predictions; a board without them needs no kind and no task.
    from marble_eval.scores.rescoring import stored_scores  # noqa: PLC0415 - only if ranks are wanted

    seed = zlib.crc32(columns[0].task.encode("utf-8"))
    notes: list[str] = []
    of_items: dict[str, dict[int, frozenset[tuple[str, str]]]] = {}
    for at, each in enumerate(models):
        wanted = [column for column in columns if column.header in each.paths]
        if not wanted:
            continue
        path = each.paths[wanted[0].header]
        stored = stored_scores(path)
        items = frozenset(zip(stored.items, stored.groups, strict=True))
        for column in wanted:
            if column.metric not in stored.metrics:
                notes.append(f"{path}: not ranked in {column.header}, which its predictions lack")
                continue
            scale = 100 if column.unit == "percent" else 1
            drawn = scale * stored.bootstrap(column.metric, seed=seed)
            draws.setdefault(column.header, {})[at] = drawn
            of_items.setdefault(column.header, {})[at] = items
            groups[column.header] = len(set(stored.groups_of(column.metric)))
    for header, items_of in of_items.items():
        # Of runs on several sets of items, those on the most frequent one are ranked.
        shared, _ = Counter(items_of.values()).most_common(1)[0]
        for at in [each for each, items in items_of.items() if items != shared]:
            del draws[header][at]
            path = models[at].paths[header]
            notes.append(f"{path}: not ranked in {header}, its test items are others")
    return notes


def _average_draws(section: Section, draws: Draws) -> Draws:
    """Average the resampled cells of each model that has them all."""
    found: Draws = {}
    for name in section.averages:
        for at, each in enumerate(section.models):
            cells = {
                header: of_models[at] for header, of_models in draws.items() if at in of_models
            }
            average = section.average(name, cells) if name in each.averages else None
            if average is not None:
                found.setdefault(name, {})[at] = average
    return found


def _ranks(
    draws: Mapping[int, np.ndarray],
    values: Mapping[int, float],
    groups: int,
    higher_is_better: bool,
) -> dict[int, Standing]:
    order, sign = list(draws), 1 if higher_is_better else -1
    scores = np.array([values[at] for at in order])
    resampled = np.stack([draws[at] for at in order])
    ranges = rank_ranges(scores, resampled, higher_is_better=higher_is_better)
    tied = tied_with_best(sign * scores, sign * resampled, groups=groups)
    return {
        at: Standing(
            each.best,
            each.worst,
            round(each.first, 4),
            bool(is_tied),
        )
        for at, each, is_tied in zip(order, ranges, tied, strict=True)
    }


def _with_ranks(
    scores: ModelScores, ranks: Mapping[str, Standing], columns: Sequence[Column]
) -> ModelScores:
    """Put ranks into a row of a section and into the rows of the long table."""
    if not ranks:
        return scores
    changed = {}
    for column in columns:
        found, row = ranks.get(column.header), scores.scores.get(column.header)
        if found is not None and row is not None:
            changed[id(row)] = dataclasses.replace(
                row,
                rank_low=found.low,
                rank_high=found.high,
                first_chance=found.first_chance,
                tied="true" if found.tied else "false",
            )
    return dataclasses.replace(
        scores,
        ranks=ranks,
        rows=tuple(changed.get(id(row), row) for row in scores.rows),
        scores={header: changed.get(id(row), row) for header, row in scores.scores.items()},
    )
