"""`marble-eval leaderboard`: result files in, tables out."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from marble_eval.cli.arguments import Arguments, output_file
from marble_eval.errors import SpecError

if TYPE_CHECKING:
    from marble_eval.leaderboard import Board

HELP = """\
marble-eval leaderboard: collect results into tables, published rows beside them

usage: marble-eval leaderboard [FOLDER ...] [--csv [FILE]] [--md [FILE]] [--latex [FILE]]
                               [--json [FILE]] [--every-eval-ever DIR] [--ranks] [--embedded]

  FOLDER           where results lie, at any depth (default: results); several folders,
                   or one of submissions, are merged, and copies count once
  --csv [FILE]     one row a metric, and beside it FILE's name with .wide.csv: one row a model
                   with MARBLE's columns (default: leaderboard.csv)
  --md [FILE]      every section as Markdown (default: leaderboard.md)
  --latex [FILE]   every section as a booktabs table (default: leaderboard.tex)
  --json [FILE]    everything, for programs (default: leaderboard.json)
  --every-eval-ever DIR
                   a record of the Every Eval Ever schema for each result, below DIR/data
  --ranks          ranges of ranks, chances of being first and ties with the best, by paired
                   bootstrap over the test items; needs the predictions beside the results
  --embedded       only results on embedded data, which are kept out of the main tables

"-" for a FILE prints to stdout. Results that do not compare (another protocol or track,
deviations, another version of a task or other data, part of the layers) are listed in sections
of their own. Without a form the first section is printed, as MARBLE's board shows it.

examples:
  marble-eval leaderboard
  marble-eval leaderboard --csv --md --latex --json
  marble-eval leaderboard results/ ../colleague/results --csv all.csv
  marble-eval leaderboard submissions/ --json board.json --ranks
"""

_FORMS = {
    "csv": "leaderboard.csv",
    "md": "leaderboard.md",
    "latex": "leaderboard.tex",
    "json": "leaderboard.json",
}


_TO_STDOUT = "-"


def main(argv: list[str]) -> int:
    """Collect results."""
    parser = Arguments("leaderboard")
    parser.add_argument("folders", nargs="*", default=["results"])
    for form, usual in _FORMS.items():
        parser.add_argument(f"--{form}", nargs="?", const=usual)
    parser.add_argument("--every-eval-ever", type=Path)
    parser.add_argument("--ranks", action="store_true")
    parser.add_argument("--embedded", action="store_true")
    options = parser.parse_args(argv)
    given = {form: getattr(options, form) for form in _FORMS}
    files = {
        form: output_file("leaderboard", f"--{form}", name)
        for form, name in given.items()
        if name not in (None, _TO_STDOUT)
    }
    printed = [form for form, name in given.items() if name == _TO_STDOUT]
    if len(printed) > 1:
        raise SpecError(
            f"marble-eval leaderboard: one form can go to stdout. Got --{printed[0]} - and "
            f"--{printed[1]} -. Name a file for one of them."
        )
    _refuse_same(files)
    from marble_eval.leaderboard import board, ranked_section
    from marble_eval.leaderboard.terminal import board_text
    from marble_eval.results import find_results

    paths = [path for folder in options.folders for path in find_results(Path(folder))]
    ranked = ranked_section if options.ranks else None
    tables = board(paths, embedded=options.embedded, ranked=ranked)
    for reason, count in tables.left_out.items():
        sys.stderr.write(f"{count} results not on this board: {reason}\n")
    for note in tables.notes:
        sys.stderr.write(f"note: {note}\n")
    for form in printed:
        sys.stdout.write(_text(form, tables))
    if not printed and not files and options.every_eval_ever is None:
        sys.stdout.write(board_text(tables))
        return 0
    written = [path for form, file in files.items() for path in _write(form, tables, file)]
    if options.every_eval_ever is not None:
        written += _records(tables, options.every_eval_ever)
    # What is printed as a form must stay that form.
    stream = sys.stderr if printed else sys.stdout
    stream.write("".join(f"{path}\n" for path in written))
    return 0


def _refuse_same(files: dict[str, Path]) -> None:
    """Refuse two forms in one file."""
    from marble_eval.leaderboard.csv_tables import wide_path

    taken: dict[Path, str] = {}
    for form, path in files.items():
        for each in (path, wide_path(path)) if form == "csv" else (path,):
            other = taken.setdefault(each.resolve(), form)
            if other != form:
                raise SpecError(
                    f"marble-eval leaderboard: each form must have a file of its own. "
                    f"Got {each} for --{other} and --{form}. Name another file."
                )


def _text(form: str, tables: Board) -> str:
    from marble_eval.leaderboard import board_json, board_latex, board_markdown, csv_bytes

    if form == "csv":
        return csv_bytes(tables.long).decode("utf-8")
    forms = {"md": board_markdown, "latex": board_latex, "json": board_json}
    return forms[form](tables)


def _write(form: str, tables: Board, path: Path) -> Sequence[Path]:
    from marble_eval.files.atomic_file import write_atomically
    from marble_eval.leaderboard import write_board

    if form == "csv":
        return write_board(tables, path)
    write_atomically(path, _text(form, tables).encode("utf-8"))
    return [path]


def _records(tables: Board, folder: Path) -> Iterable[Path]:
    from marble_eval.leaderboard.every_eval_ever import write_records

    if folder.exists() and not folder.is_dir():
        raise SpecError(
            f"marble-eval leaderboard: --every-eval-ever must be followed by a folder. "
            f"Got the file {str(folder)!r}. Name a folder; it is made if absent."
        )
    results = [found for section in tables.sections for found in section.results]
    return write_records(sorted(results, key=lambda found: found.path), folder)
