"""The leaderboard as JSON, for programs: all rows, and every section with its scores.

Strict JSON, without NaN. `format` and `format_version` identify the form; the version
rises when a name or a meaning changes, not when something is added.
"""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from marble_eval.leaderboard.board import Board
    from marble_eval.leaderboard.score_rows import ScoreRow
    from marble_eval.leaderboard.sections import ModelScores, Section

FORMAT = "marble-eval leaderboard"
FORMAT_VERSION = 1


def board_json(tables: Board) -> str:
    """Write a leaderboard as JSON."""
    values = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "embedded": tables.embedded,
        "left_out": dict(tables.left_out),
        "notes": list(tables.notes),
        "sections": [_section(each) for each in tables.sections],
        "rows": [_row(each) for each in tables.rows],
    }
    return json.dumps(values, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _section(section: Section) -> dict[str, Any]:
    return {
        "title": section.title,
        "reason": section.reason,
        "comparable": section.comparable,
        "results": len(section.results),
        "columns": [column._asdict() for column in section.columns],
        "averages": list(section.averages),
        "models": [_model(each) for each in section.models],
    }


def _model(scores: ModelScores) -> dict[str, Any]:
    return {
        **{name: value or None for name, value in scores.model._asdict().items()},
        "scores": {
            header: {
                "value": row.value,
                "low": row.low,
                "high": row.high,
                "reference": row.reference,
                "reproduced": _truth(row.reproduced),
            }
            for header, row in scores.scores.items()
        },
        "averages": dict(scores.averages),
        "ranks": {name: ranks._asdict() for name, ranks in scores.ranks.items()},
    }


def _row(row: ScoreRow) -> dict[str, Any]:
    """Give a row with truth values for words, and null for what does not apply."""
    said = {"conforms", "embedded", "main", "higher_is_better", "reproduced", "tied"}
    return {
        name: _truth(value) if name in said else None if value == "" else value
        for name, value in dataclasses.asdict(row).items()
    }


def _truth(word: str) -> bool | None:
    return {"true": True, "false": False}.get(word)
