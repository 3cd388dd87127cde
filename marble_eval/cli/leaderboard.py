"""`marble-eval leaderboard`: result files in, CSV tables out."""

from __future__ import annotations

import sys
from pathlib import Path

from marble_eval.cli.arguments import Arguments
from marble_eval.leaderboard import board, write_board
from marble_eval.results import find_results

HELP = """\
marble-eval leaderboard: collect results into CSV tables, published rows beside them

usage: marble-eval leaderboard [FOLDER ...] [--csv FILE] [--embedded]

  FOLDER       results to collect (default: results)
  --csv FILE   write FILE, one row a metric, and FILE's name with .wide.csv, one row a model
               with MARBLE's columns; without it the wide table is printed
  --embedded   only results on embedded data; they never stand beside real ones

examples:
  marble-eval leaderboard --csv leaderboard.csv
  marble-eval leaderboard results/ ../colleague/results --csv all.csv
"""


def main(argv: list[str]) -> int:
    """Collect results."""
    parser = Arguments("leaderboard")
    parser.add_argument("folders", nargs="*", default=["results"])
    parser.add_argument("--csv", type=Path)
    parser.add_argument("--embedded", action="store_true")
    options = parser.parse_args(argv)
    paths = [path for folder in options.folders for path in find_results(Path(folder))]
    tables = board(paths, embedded=options.embedded)
    for reason, count in tables.left_out.items():
        sys.stderr.write(f"{count} results left out of the wide table: {reason}\n")
    if options.csv is None:
        columns = [name for name in tables.wide.columns if tables.wide[name].notna().any()]
        sys.stdout.write(
            tables.wide[columns].to_string(index=False, na_rep="-", float_format="%.1f") + "\n"
        )
        return 0
    long, wide = write_board(tables, options.csv)
    sys.stdout.write(f"{long}\n{wide}\n")
    return 0
