"""The leaderboard: tables made from result files and published scores alone.

The long table has a row for each metric of each result; each section has a wide one with
a row for each model. Shares are in percent here. What does not compare (another protocol
or track, deviations, another version of a task or other data, part of the layers, tasks
that MARBLE has not) stands in sections apart and is never averaged together.
"""

from marble_eval.leaderboard.average import CELLS, Cell, flat_average, task_average
from marble_eval.leaderboard.csv_files import csv_bytes, write_board
from marble_eval.leaderboard.entries import Entry
from marble_eval.leaderboard.json_file import board_json
from marble_eval.leaderboard.latex import board_latex, latex_text, section_latex
from marble_eval.leaderboard.markdown import board_markdown, markdown_text
from marble_eval.leaderboard.metric_units import in_unit, metric_unit
from marble_eval.leaderboard.published import (
    PublishedScore,
    PublishedValue,
    published_scores,
    published_value,
    published_values,
)
from marble_eval.leaderboard.rows import COLUMNS, Row, published_row, result_rows
from marble_eval.leaderboard.sections import Column, ModelScores, Section, Standing
from marble_eval.leaderboard.standings import ranked_section
from marble_eval.leaderboard.tables import Board, board
from marble_eval.leaderboard.wide import wide_table

__all__ = [
    "CELLS",
    "COLUMNS",
    "Board",
    "Cell",
    "Column",
    "Entry",
    "ModelScores",
    "PublishedScore",
    "PublishedValue",
    "Row",
    "Section",
    "Standing",
    "board",
    "board_json",
    "board_latex",
    "board_markdown",
    "csv_bytes",
    "flat_average",
    "in_unit",
    "latex_text",
    "markdown_text",
    "metric_unit",
    "published_row",
    "published_scores",
    "published_value",
    "published_values",
    "ranked_section",
    "result_rows",
    "section_latex",
    "task_average",
    "wide_table",
    "write_board",
]
