"""CSV tables of a leaderboard, safe to open in a spreadsheet, and the wide table of a section.

UTF-8, "." for decimals, an empty cell for what does not apply. Text that a spreadsheet would run as
a formula gets an apostrophe in front (OWASP, CSV injection). The wide table has a row for each
model: what distinguishes models, scores, averages, ranks if asked for, then terms and cost.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from marble_eval.files.atomic_file import write_atomically
from marble_eval.leaderboard.models import Model
from marble_eval.leaderboard.sections import ModelScores, Section, Standing
from marble_eval.names import one_line

if TYPE_CHECKING:
    from marble_eval.leaderboard.board import Board

# The signs of OWASP's list, and their wide forms, which some spreadsheets take as well.
_FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠")
_BESIDE = (
    *("licence", "data_licence", "overlap", "parameters", "step", "remote_code"),
    *("extract_seconds", "train_seconds", "clips", "feature_bytes", "device"),
)
_WHOLE = ("parameters", "step", "clips", "feature_bytes")
_SUMMED = ("extract_seconds", "train_seconds", "clips", "feature_bytes")


def write_board(tables: Board, path: Path) -> tuple[Path, Path]:
    """Write the long table of a leaderboard and the first section's wide one as CSV."""
    beside = wide_path(path)
    write_atomically(path, csv_bytes(tables.long))
    write_atomically(beside, csv_bytes(tables.wide))
    return path, beside


def wide_path(path: Path) -> Path:
    """Name the file of the wide table, next to the long one."""
    return path.with_name(f"{path.stem}.wide.csv")


def csv_bytes(table: pd.DataFrame) -> bytes:
    r"""Write a table as CSV."""
    guarded = table.copy()
    for name in table.columns:
        if not pd.api.types.is_numeric_dtype(table[name]):
            guarded[name] = table[name].map(_cell)
    guarded.columns = pd.Index([spreadsheet_text(str(name)) for name in table.columns])
    text: str = guarded.to_csv(index=False, lineterminator="\n")
    return text.encode("utf-8")


def spreadsheet_text(text: str) -> str:
    """Make a text safe for a cell: on one line, and never a formula."""
    line = one_line(text)
    return f"'{line}" if line.lstrip().startswith(_FORMULA) else line


def _cell(value: object) -> object:
    return spreadsheet_text(value) if isinstance(value, str) else value


def wide_table(section: Section) -> pd.DataFrame:
    """Make the wide table of a section."""
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
    """Write a range of ranks; the dash is one that no spreadsheet reads as a date."""
    return str(ranks.low) if ranks.low == ranks.high else f"{ranks.low}–{ranks.high}"


def _rank_cells(ranks: Standing | None) -> tuple[str, float | None, str]:
    if ranks is None:
        return "", None, ""
    return rank_range(ranks), ranks.first_chance, "true" if ranks.tied else "false"


def _beside(scores: ModelScores) -> list[object]:
    """Sum up terms and cost over a model's results."""
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
    """Return the value that all results of a model share, if they do."""
    return values[0] if len(set(values)) == 1 else None
