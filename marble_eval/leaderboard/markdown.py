"""The leaderboard as Markdown: every section with its reason, table and legend.

Free text is escaped, so that a name can neither break a table nor bring in markup.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from marble_eval.leaderboard.csv_tables import rank_range, spreadsheet_text
from marble_eval.leaderboard.printed import PrintedCell, legend_lines, printed_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from marble_eval.leaderboard.board import Board
    from marble_eval.leaderboard.sections import Section

_MARKUP = re.compile(r"([\\`*_{}\[\]~|$#])")
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "://": "&#58;//"}
_MENTION = re.compile(r"(?<!\w)@")
_MARKS = {"best": "**bold**", "tied": "†", "reproduced": "<sup>r</sup>"}


def board_markdown(tables: Board) -> str:
    """Write a leaderboard as Markdown."""
    parts = ["# Leaderboard"]
    for section in tables.sections:
        parts += _section(section)
    counted = [f"{count} results: {reason}" for reason, count in tables.left_out.items()]
    if counted:
        parts.append(f"Not on this board: {markdown_text('; '.join(counted))}.")
    parts += [f"Note: {markdown_text(each)}." for each in tables.notes]
    return "\n\n".join(parts) + "\n"


def _section(section: Section) -> list[str]:
    parts = [f"## {markdown_text(section.title)}", markdown_text(section.reason)]
    if not section.models:
        return [*parts, "No result."]
    table = printed_table(section, beside=("revision", "licence"))
    ranked = any(each.ranks for each in section.models)
    rows = [
        [*(markdown_text(each) for each in row.labels), *(_cell(each) for each in row.cells)]
        for row in table.rows
    ]
    headers = [markdown_text(each) for each in (*table.labels, *table.headers)]
    parts.append(_table(headers, rows, len(table.labels)))
    parts.append(" ".join(legend_lines(section, table, _MARKS, markdown_text)))
    if ranked:
        parts.append(_ranks(section))
    return parts


def _ranks(section: Section) -> str:
    """Write the ranges of ranks and the chances of being first."""
    names = [*(column.header for column in section.columns), *section.averages]
    names = [name for name in names if any(name in each.ranks for each in section.models)]
    rows = []
    for each in section.models:
        if not each.ranks:
            continue
        cells = [
            f"{rank_range(ranks)} ({100 * ranks.first_chance:.0f} %)"
            if (ranks := each.ranks.get(name))
            else ""
            for name in names
        ]
        rows.append([*(markdown_text(text) for text in each.model[:2]), *cells])
    headers = ["encoder", "revision", *(markdown_text(name) for name in names)]
    said = "Ranks over resampled test items (95 %), and the probability of being first:"
    return f"{said}\n\n{_table(headers, rows, 2)}"


def _table(headers: Sequence[str], rows: Iterable[Sequence[str]], labels: int) -> str:
    rule = ["---"] * labels + ["---:"] * (len(headers) - labels)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (headers, rule, *rows))


def _cell(cell: PrintedCell) -> str:
    text = f"**{cell.text}**" if cell.best else cell.text
    text += _MARKS["tied"] if cell.tied else ""
    return text + (_MARKS["reproduced"] if cell.reproduced else "")


def markdown_text(text: str) -> str:
    r"""Escape a text for a Markdown table."""
    escaped = _MARKUP.sub(r"\\\1", spreadsheet_text(text))
    # "#" was escaped before entities bring in theirs.
    for sign, entity in _ENTITIES.items():
        escaped = escaped.replace(sign, entity)
    return _MENTION.sub("&#64;", escaped)
