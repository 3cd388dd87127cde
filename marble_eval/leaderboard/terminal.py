"""The leaderboard as text for a terminal: the first section, and the names of the others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from marble_eval.leaderboard.printed import PrintedCell, legend, printed_table
from marble_eval.names import one_line

if TYPE_CHECKING:
    from marble_eval.leaderboard.board import Board
    from marble_eval.leaderboard.sections import Section

_MARKS = {"best": "*", "tied": "=", "reproduced": "r"}


def board_text(tables: Board) -> str:
    """Write the first section of a leaderboard as text."""
    first, *others = tables.sections
    parts = [_section(first)]
    if others:
        parts.append("\n".join(["other sections:", *(f"  {_size(each)}" for each in others)]))
    return "\n\n".join(parts) + "\n"


def _size(section: Section) -> str:
    counted = [_counted(len(section.results), "result")] if section.results else []
    counted.append(_counted(len(section.models), "row"))
    return one_line(f"{section.title} ({', '.join(counted)})")


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")


def _section(section: Section) -> str:
    head = one_line(f"{section.title}. {section.reason}")
    if not section.models:
        return f"{head}\n\nno result"
    table = printed_table(section)
    rows = [(*table.labels, *table.headers)]
    rows += [
        (*(one_line(each) or "-" for each in row.labels), *(_cell(each) for each in row.cells))
        for row in table.rows
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "  ".join(
            cell.ljust(width) if column < len(table.labels) else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    said = [
        one_line(f"{_MARKS[each.mark]} {each.text}" if each.mark else each.text)
        for each in legend(section, table)
    ]
    return "\n".join([head, "", *lines, "", *said])


def _cell(cell: PrintedCell) -> str:
    if not cell.text:
        return "- "
    mark = next((_MARKS[name] for name in _MARKS if getattr(cell, name)), " ")
    return cell.text + mark
