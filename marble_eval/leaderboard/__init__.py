"""The leaderboard: tables made from result files and published scores alone.

The long table has a row for each metric of each result; each section has a wide one with a row for
each model. Shares are in percent. Results that do not compare are in sections of their own and are
never averaged together; `comparable` has the rule.
"""

from marble_eval.leaderboard.board import Board, board, read_found, without_copies
from marble_eval.leaderboard.csv_tables import csv_bytes, wide_table, write_board
from marble_eval.leaderboard.json_file import board_json
from marble_eval.leaderboard.latex import board_latex, latex_text, section_latex
from marble_eval.leaderboard.marble_columns import (
    MARBLE_COLUMNS,
    Column,
    averaged_columns,
    flat_average,
    task_average,
)
from marble_eval.leaderboard.markdown import board_markdown, markdown_text
from marble_eval.leaderboard.published import (
    PublishedScore,
    published_row,
    published_scores,
    published_value,
)
from marble_eval.leaderboard.score_rows import COLUMNS, ScoreRow, result_rows
from marble_eval.leaderboard.sections import ModelScores, Section, Standing
from marble_eval.leaderboard.standings import ranked_section

__all__ = [
    "COLUMNS",
    "MARBLE_COLUMNS",
    "Board",
    "Column",
    "ModelScores",
    "PublishedScore",
    "ScoreRow",
    "Section",
    "Standing",
    "averaged_columns",
    "board",
    "board_json",
    "board_latex",
    "board_markdown",
    "csv_bytes",
    "flat_average",
    "latex_text",
    "markdown_text",
    "published_row",
    "published_scores",
    "published_value",
    "ranked_section",
    "read_found",
    "result_rows",
    "section_latex",
    "task_average",
    "wide_table",
    "without_copies",
    "write_board",
]
