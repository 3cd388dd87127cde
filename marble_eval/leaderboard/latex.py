"""The leaderboard as LaTeX tables for a paper (package booktabs).

The best run of a column is bold, runs tied with it have a dagger, and what papers report
stands below a rule. Free text is escaped.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from marble_eval.leaderboard.printed import (
    PrintedCell,
    PrintedRow,
    PrintedTable,
    legend_lines,
    printed_table,
)
from marble_eval.names import one_line

if TYPE_CHECKING:
    from marble_eval.leaderboard.board import Board
    from marble_eval.leaderboard.sections import Section

_SIGNS = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "`": r"\textasciigrave{}",
    # After a line's \\ these two would be read as its options.
    "[": "{[}",
    "*": "{*}",
    "–": "--",
    "±": r"$\pm$",
    "†": r"$\dagger$",
}
_SPECIAL = re.compile("|".join(re.escape(sign) for sign in _SIGNS))
_MARKS = {"best": "Bold", "tied": r"$\dagger$", "reproduced": r"$^{\mathrm{r}}$"}


def board_latex(tables: Board) -> str:
    r"""Write a leaderboard as LaTeX."""
    parts = ["% Needs \\usepackage{booktabs} and \\usepackage[T1]{fontenc}."]
    parts += [section_latex(section) for section in tables.sections if section.models]
    return "\n\n".join(parts) + "\n"


def section_latex(section: Section) -> str:
    r"""Write one section as a LaTeX table."""
    table = printed_table(section)
    said = [latex_text(each) for each in (f"{section.title}.", section.reason)]
    said += legend_lines(section, table, _MARKS, latex_text)
    columns = "l" * len(table.labels) + "r" * len(table.headers)
    runs = [_line(row) for row in table.rows if not row.reported]
    reported = [_line(row) for row in table.rows if row.reported]
    rule = ["\\midrule"] if runs and reported else []
    body = [*runs, *rule, *reported]
    return latex_table(" ".join(said), columns, _head(table), body, size="scriptsize", gap="2.5pt")


def latex_table(
    caption: str, columns: str, head: Sequence[str], body: Sequence[str], *, size: str, gap: str
) -> str:
    r"""Write a booktabs table over both columns, from ``\begin{table*}`` to ``\end{table*}``."""
    return "\n".join(
        [
            "\\begin{table*}",
            "\\centering",
            f"\\caption{{{caption}}}",
            f"\\{size}",
            f"\\setlength{{\\tabcolsep}}{{{gap}}}",
            f"\\begin{{tabular}}{{{columns}}}",
            "\\toprule",
            *head,
            "\\midrule",
            *body,
            "\\bottomrule",
            "\\end{tabular}",
            "\\end{table*}",
        ]
    )


def _head(table: PrintedTable) -> list[str]:
    """Write the tasks, and below them their metrics."""
    split = [header.partition(" ") for header in table.headers]
    above = [""] * len(table.labels)
    for task, group in groupby(split, key=lambda each: each[0]):
        columns = len(list(group))
        name = latex_text(task)
        above.append(f"\\multicolumn{{{columns}}}{{c}}{{{name}}}" if columns > 1 else name)
    below = [latex_text(each) for each in table.labels]
    below += [latex_text(metric) for _, _, metric in split]
    return [f"{' & '.join(above)} \\\\", f"{' & '.join(below)} \\\\"]


def _line(row: PrintedRow) -> str:
    cells = [
        *(latex_text(each) for each in row.labels),
        *(latex_cell(each, _MARKS) for each in row.cells),
    ]
    return f"{' & '.join(cells)} \\\\"


def latex_cell(cell: PrintedCell, marks: Mapping[str, str]) -> str:
    """Write a number with its marks; "--" where there is none."""
    if not cell.text:
        return "--"
    minus = "$-$" if cell.text.startswith("-") else ""
    number = minus + cell.text.removeprefix("-")
    text = f"\\textbf{{{number}}}" if cell.best else number
    text += marks["tied"] if cell.tied else ""
    return text + (marks["reproduced"] if cell.reproduced else "")


def latex_text(text: str) -> str:
    r"""Escape a text for LaTeX."""
    return _SPECIAL.sub(lambda found: _SIGNS[found.group()], one_line(text))
