"""The leaderboard: tables made from result files and published scores alone.

The long table has a row for each metric of each result; the wide one has a row
for each model and MARBLE's columns, with its average where every task is there.
Shares are in percent here. What a run did not earn under its protocol, and what
was measured on embedded data, never stands in one wide table with real results.
"""

from marble_eval.leaderboard.average import CELLS, Cell, task_average
from marble_eval.leaderboard.published import PublishedScore, published_scores, published_value
from marble_eval.leaderboard.rows import COLUMNS, Row, metric_unit, published_row, result_rows
from marble_eval.leaderboard.tables import Board, board, write_board

__all__ = [
    "CELLS",
    "COLUMNS",
    "Board",
    "Cell",
    "PublishedScore",
    "Row",
    "board",
    "metric_unit",
    "published_row",
    "published_scores",
    "published_value",
    "result_rows",
    "task_average",
    "write_board",
]
