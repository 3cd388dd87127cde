"""The wide table of a section: a row for each model, a column for each score.

First what tells models apart, then scores and averages, then ranks where they were asked
for, and last the terms, the overlap with training data and the cost of what the row holds.
"""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from marble_eval.leaderboard.models import Model
from marble_eval.leaderboard.sections import ModelScores, Section, Standing

_BESIDE = (
    *("licence", "data_licence", "overlap", "parameters", "step", "remote_code"),
    *("extract_seconds", "train_seconds", "clips", "feature_bytes", "device"),
)
_WHOLE = ("parameters", "step", "clips", "feature_bytes")
_SUMMED = ("extract_seconds", "train_seconds", "clips", "feature_bytes")


def wide_table(section: Section) -> pd.DataFrame:
    """Make the wide table of a section.

    Parameters
    ----------
    section : Section
        With its models.

    Returns
    -------
    pandas.DataFrame
        Scores in the units of the columns. Cost is the sum over a model's results; terms
        that differ between its tasks are all named.
    """
    headers = [column.header for column in section.columns]
    numbers = [*headers, *section.averages]
    ranked = [name for name in numbers if any(name in each.ranks for each in section.models)]
    ranks = [f"{name} {what}" for name in ranked for what in ("ranks", "first", "tied")]
    values = [
        [
            *each.model,
            *(each.scores[name].value if name in each.scores else None for name in headers),
            *(each.averages.get(name) for name in section.averages),
            *(cell for name in ranked for cell in _rank_cells(each.ranks.get(name))),
            *_beside(each),
        ]
        for each in section.models
    ]
    table = pd.DataFrame(values, columns=[*Model._fields, *numbers, *ranks, *_BESIDE])
    reals = [*numbers, *(f"{name} first" for name in ranked), "extract_seconds", "train_seconds"]
    return table.astype(dict.fromkeys(reals, "float64") | dict.fromkeys(_WHOLE, "Int64"))


def rank_range(ranks: Standing) -> str:
    """Write a range of ranks; the dash is one that no spreadsheet reads as a date.

    Examples
    --------
    >>> rank_range(Standing(2, 4, 0.1, False)), rank_range(Standing(1, 1, 1.0, True))
    ('2–4', '1')
    """
    return str(ranks.low) if ranks.low == ranks.high else f"{ranks.low}–{ranks.high}"


def _rank_cells(ranks: Standing | None) -> tuple[str, float | None, str]:
    if ranks is None:
        return "", None, ""
    return rank_range(ranks), ranks.first_chance, "true" if ranks.tied else "false"


def _beside(scores: ModelScores) -> list[object]:
    """Sum up what the results of a model say apart from scores."""
    if scores.model.source != "run":
        return ["", "", "", None, None, "", None, None, None, None, ""]
    # One row a result: the main metric's.
    rows = [row for row in scores.rows if row.main == "true"]
    cost = [_total(getattr(row, name) for row in rows) for name in _SUMMED]
    overlap = [f"{row.task}: {row.overlap}" for row in rows if row.overlap]
    return [
        _named(row.licence for row in rows),
        _named(row.data_licence for row in rows),
        _named(overlap),
        _one([row.parameters for row in rows]),
        _one([row.step for row in rows]),
        _named(row.remote_code for row in rows),
        *cost,
        _named(row.device for row in rows),
    ]


def _named(texts: Iterable[str]) -> str:
    return "; ".join(dict.fromkeys(text for text in texts if text))


def _total(values: Iterable[float]) -> float:
    return sum(values)


def _one(values: list[int | None]) -> int | None:
    """Give what all results of a model say, if they agree."""
    return values[0] if len(set(values)) == 1 else None
