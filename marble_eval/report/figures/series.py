"""The series of a figure: results that share its axes, their scores and their labels."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import NamedTuple

from marble_eval.leaderboard.comparable import conditions_of, edition_of
from marble_eval.leaderboard.score_text import unit_suffix
from marble_eval.results import Result, ScoreRange

_WIDEST = 50  # characters of a title in one column
LONGEST = 40  # signs of a label in a chart


class Score(NamedTuple):
    """A score with the ends of its interval, in the unit of the tables."""

    value: float
    low: float
    high: float


def main_metric(result: Result) -> str:
    """Return the name of a result's main metric."""
    return next(iter(result.metrics))


def main_score(result: Result) -> Score:
    """Return the main metric of the chosen probe on test."""
    score = result.metrics[main_metric(result)]
    return in_tables(result, ScoreRange(score.value, score.low, score.high))


def in_tables(result: Result, score: ScoreRange) -> Score:
    """Convert a score of the main metric to the unit of the tables: shares in percent."""
    times = scale(result)
    return Score(times * score.value, times * score.low, times * score.high)


def interval_label(results: Sequence[Result]) -> str:
    """Name the intervals of main metrics by their level: "95 % interval"."""
    levels = sorted({each.metrics[main_metric(each)].level for each in results})
    return f"{' and '.join(f'{100 * each:g} %' for each in levels)} interval"


def arms(scores: Sequence[Score]) -> list[list[float]]:
    """Return how far intervals reach below and above their scores: (2, score), at least 0.

    Never below 0: a percentile interval may leave its score out.
    """
    return [
        [max(0.0, each.value - each.low) for each in scores],
        [max(0.0, each.high - each.value) for each in scores],
    ]


def scale(result: Result) -> int:
    """Return what a stored score of the main metric is multiplied by in tables."""
    return 100 if result.metrics[main_metric(result)].unit == "percent" else 1


def metric_label(result: Result) -> str:
    """Name the main metric with its unit."""
    score = result.metrics[main_metric(result)]
    return score.written + unit_suffix(score.unit)


def title(result: Result, *, encoder: bool = False) -> str:
    """Title a figure: task, embedded data if so, and the encoder on its own line."""
    embedded = " (embedded data)" if result.task.embedded else ""
    lines = [f"{result.task.name}{embedded}", *([result.encoder.name] if encoder else [])]
    return "\n".join(textwrap.fill(shown(line), _WIDEST) for line in lines)


def column_of(result: Result) -> Hashable:
    """Return the edition of the task and the main metric, which share a column of a heat map."""
    return edition_of(result), main_metric(result)


def comparable(results: Iterable[Result]) -> list[list[Result]]:
    """Divide results into groups that may share axes, each sorted by encoder."""
    return divided(results, lambda each: (column_of(each), conditions_of(each)))


def divided(results: Iterable[Result], owner: Callable[[Result], Hashable]) -> list[list[Result]]:
    """Group results by what they must share, sorted by content."""
    groups: dict[Hashable, list[Result]] = {}
    for result in results:
        groups.setdefault(owner(result), []).append(result)
    ordered = sorted(groups.items(), key=lambda item: str(item[0]))
    return [sorted(group, key=_order) for _, group in ordered]


def _order(result: Result) -> tuple[str | int, ...]:
    encoder = result.encoder
    step = -1 if encoder.step is None else encoder.step
    name = encoder.name
    return (name.casefold(), name, step, encoder.revision, result.unit, result.created)


def labels(results: Sequence[Result]) -> list[str]:
    """Label each result by its encoder, and by as much more as distinguishes it; all differ."""
    found = [each.encoder.name for each in results]
    details: tuple[Callable[[Result], str], ...] = (
        lambda each: each.encoder.revision,
        lambda each: each.encoder.precision,
        lambda each: f"layers {' '.join(each.choices.layers)}",
        lambda each: f"seeds {' '.join(map(str, each.choices.seeds))}",
        lambda each: each.unit[:8],
    )
    for detail in details:
        found = [
            f"{label}, {detail(each)}" if _differ(results, found, label, detail) else label
            for label, each in zip(found, results, strict=True)
        ]
    numbered = []
    for place, label in enumerate(found):
        before = found[:place].count(label)
        numbered.append(f"{label} ({before + 1})" if found.count(label) > 1 else label)
    return [shown(each) for each in numbered]


def _differ(
    results: Sequence[Result],
    found: Sequence[str],
    label: str,
    detail: Callable[[Result], str],
) -> bool:
    """Check whether results of one label differ in a detail."""
    return len({detail(r) for r, other in zip(results, found, strict=True) if other == label}) > 1


def shown(text: str) -> str:
    """Replace characters that cannot be drawn."""
    return "".join(sign if sign.isprintable() else " " for sign in text)


def label_shown(name: str) -> str:
    """Cut the name of a label that would leave no room for the chart."""
    return shown(name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…")
