"""Every score of a submitted result, computed anew from its predictions.

Outputs are stored as float32, which is what they were scored from, and resamples are
drawn from a fixed seed. So a score comes out the same but for the order of sums and
the libraries' versions, which moves it by less than 1e-9; 1e-6 is allowed, and the
smallest step that a table shows is 1e-4 of a percent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from marble_eval.results import output_columns
from marble_eval.results.predictions import COLUMNS
from marble_eval.scores.rescoring import NOT_INSTALLED, relabelled, stored_scores
from marble_eval.submission.choice import close
from marble_eval.submission.findings import Finding, shown, some

if TYPE_CHECKING:
    import pandas as pd

    from marble_eval.registry import Task
    from marble_eval.results import LabelScore, MetricScore
    from marble_eval.scores.rescoring import StoredScores
    from marble_eval.submission.submitted import Submitted

# The best epoch of the chosen probes is computed once more when a run ends, in another
# group of probes: last digits differ, and a near tie may fall the other way.
_VALIDATION = 1e-3
_FIELDS = ("value", "low", "high", "level", "seed_spread")


def check_scores(submitted: Submitted, table: pd.DataFrame) -> tuple[list[Finding], list[str]]:
    """Compute the scores of a result anew."""
    stored = stored_scores(submitted.path)
    result, found, unchecked = submitted.result, [], []
    known = [name for name in result.metrics if name in stored.metrics]
    for name in set(result.metrics) - set(known):
        rule = f"metrics.{name} must be one that the predictions can give"
        found.append(submitted.says(rule, "it", some(sorted(stored.metrics))))
    for name, expected in stored.scored(known).items():
        found += _metric(submitted, name, result.metrics[name], expected)
    ceilings = [name for name, each in result.metrics.items() if each.ceiling is not None]
    if ceilings and stored.task.kind.estimate != "frame":
        rule = "metrics must have a ceiling only where there are frames"
        found.append(submitted.says(rule, some(ceilings), "none"))
    found += _labels(submitted, stored)
    found += _validation(submitted)
    task = stored.task
    if task.kind.estimate == "frame":
        unchecked.append(
            "estimates against outputs, and ceilings; of frames only the events are stored"
        )
    else:
        found += _estimates(submitted, task, table)
    if len(result.layers) > 1:
        unchecked.append("scores of the layers that were not chosen; their outputs are not stored")
    if task.provider == NOT_INSTALLED:
        unchecked.append(
            f"scores by the task's own code, since {submitted.task_name} is not installed; they "
            f"were computed as its kind, {result.task.kind}, does"
        )
    return found, unchecked


def _metric(
    submitted: Submitted, name: str, got: MetricScore, expected: MetricScore
) -> list[Finding]:
    """Compare a metric, its interval, its seeds and its number of items."""
    found = []

    def differ(what: str, one: object, other: object) -> None:
        rule = f"metrics.{name}.{what} must be what the predictions score"
        found.append(submitted.says(rule, one, other))

    for field in _FIELDS:
        if not close(getattr(got, field), getattr(expected, field)):
            differ(field, getattr(got, field), getattr(expected, field))
    for field in ("n", "higher_is_better"):
        if getattr(got, field) != getattr(expected, field):
            differ(field, getattr(got, field), getattr(expected, field))
    seeds = (got.seed_values, expected.seed_values)
    if len(seeds[0]) != len(seeds[1]) or not all(map(close, *seeds)):
        differ("seed_values", list(seeds[0]), list(seeds[1]))
    return found


def _labels(submitted: Submitted, stored: StoredScores) -> list[Finding]:
    """Compare the scores of labels, and the confusion."""
    labels, confusion = relabelled(stored)
    result, found = submitted.result, []
    if len(labels) != len(result.labels):
        rule = "labels must be those that the predictions can be scored by"
        found.append(submitted.says(rule, len(result.labels), len(labels)))
    for got, expected in zip(result.labels, labels, strict=False):
        if not _same_label(got, expected):
            rule = f"labels: n and scores of {shown(got.name)} must be what the predictions score"
            one, other = (shown((each.n, dict(each.scores))) for each in (got, expected))
            found.append(submitted.says(rule, one, other))
    if result.confusion != confusion:
        rule = "confusion must count the predictions"
        cells = [
            f"{got} for {expected} in row {row}, column {column}"
            for row, (ours, theirs) in enumerate(zip(result.confusion, confusion, strict=False))
            for column, (got, expected) in enumerate(zip(ours, theirs, strict=False))
            if got != expected
        ]
        said = some(cells) if cells else f"{len(result.confusion)} rows"
        found.append(submitted.says(rule, said, f"{len(confusion)} rows of their counts"))
    return found


def _same_label(got: LabelScore, expected: LabelScore) -> bool:
    if got.n != expected.n or set(got.scores) != set(expected.scores):
        return False
    for name, value in got.scores.items():
        other = expected.scores[name]
        if (value is None) != (other is None):
            return False
        if value is not None and other is not None and not close(value, other):
            return False
    return True


def _validation(submitted: Submitted) -> list[Finding]:
    """Compare the chosen layer's validation score with that of its stored predictions."""
    result = submitted.result
    main = next(iter(result.metrics))
    stored = stored_scores(submitted.path, "valid")
    if main not in stored.metrics:
        rule = f"valid must have references for {main}, by which the layer was chosen"
        return [submitted.table_says(rule, "none", "some")]
    expected = float(stored.values(main).mean())
    return [
        submitted.says(
            f"layers: valid of {shown(each.layer)} must be what its predictions score",
            each.valid,
            expected,
        )
        for each in result.layers
        if each.layer == result.chosen.layer and not abs(each.valid - expected) <= _VALIDATION
    ]


def _estimates(submitted: Submitted, task: Task, table: pd.DataFrame) -> list[Finding]:
    """Compare the text of each estimate with what the outputs say."""
    names = list(output_columns(len(table.columns) - len(COLUMNS)))
    expected = task.track_kind.texts(
        task.track_kind.decode(table[names].to_numpy(), task.spec), task.spec
    )
    got = [str(each) for each in table["estimate"]]
    numbers = task.kind.scaled
    wrong = [at for at in range(len(got)) if not _same_text(got[at], expected[at], numbers)]
    if not wrong:
        return []
    at = wrong[0]
    item = f"{table['id'].iloc[at]!r} in {table['split'].iloc[at]}"
    rule = f"estimates must be what the outputs decode to; {len(wrong)} are not, the first {item}"
    return [submitted.table_says(rule, shown(got[at]), shown(expected[at]))]


def _same_text(got: str, expected: str, numbers: bool) -> bool:
    """Compare texts; numbers but for their rounding to float32, in which outputs are stored."""
    if got == expected or not numbers:
        return got == expected
    try:
        one, other = (np.array([float(n) for n in t.split(";")]) for t in (got, expected))
    except ValueError:
        return False
    return one.shape == other.shape and bool(np.allclose(one, other, rtol=1e-5, atol=1e-6))
