"""`marble-eval demo`: the whole job on embedded music, offline, on a CPU."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from marble_eval.cli.arguments import Arguments
from marble_eval.errors import SpecError, near_misses
from marble_eval.files.home import home_folder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from marble_eval.runs.suites import Outcome

HELP = """\
marble-eval demo: the whole job on embedded music, offline, on a CPU

usage: marble-eval demo [TASK ...] [--force]

Composes and renders labelled music, one task of every kind with one answer a track;
evaluates log-mel statistics, chroma and a small MERT with random weights on it; and
writes a leaderboard of embedded results, and a page of them to open in a browser.

  TASK      only these: EmbeddedInstrument, EmbeddedKey, EmbeddedPitch, EmbeddedTagging,
            EmbeddedGenre, EmbeddedRecipe; or EmbeddedBeat, which has an answer for every
            frame, takes minutes, and runs only if it is named
  --force   run again although the results are there

examples:
  marble-eval demo
  marble-eval demo EmbeddedKey EmbeddedInstrument
"""

_ENCODERS: tuple[tuple[str, dict[str, str]], ...] = (
    ("mel", {}),
    ("chroma", {}),
    ("mert-random", {"size": "small"}),
)


def main(argv: list[str]) -> int:
    """Run the demo."""
    parser = Arguments("demo")
    parser.add_argument("tasks", nargs="*")
    parser.add_argument("--force", action="store_true")
    options = parser.parse_args(argv)
    from marble_eval.cli.progress import shown
    from marble_eval.leaderboard import board, write_board
    from marble_eval.registry import load_encoder, load_task
    from marble_eval.report import layer_curve, summary
    from marble_eval.report.page import write_page
    from marble_eval.results import find_results
    from marble_eval.runs.run import settings_of
    from marble_eval.runs.suites import Suite, exit_code, load_suite, run_suite, summary_table

    began = time.perf_counter()
    every = load_suite("embedded").tasks
    for name in options.tasks:
        if name not in every:
            raise SpecError(f"marble-eval demo: no such task {name!r}. {near_misses(name, every)}")
    quick = [each for each in every if load_task(each).kind.estimate != "frame"]
    suite = Suite("embedded", tuple(each for each in every if each in (options.tasks or quick)))
    folder, progress = home_folder() / "demo", shown()
    settings = settings_of(results=folder / "results", force=options.force)
    columns: dict[str, list[Outcome]] = {}
    for name, choices in _ENCODERS:
        encoder = load_encoder(name, **choices)
        columns[encoder.name] = run_suite(suite, encoder, settings, progress)
    outcomes = [each for column in columns.values() for each in column]
    last = outcomes[-1].finished
    if last is not None:
        sys.stdout.write(f"{summary(last.result)}\n\n{layer_curve(last.result)}\n\n")
    sys.stdout.write(_matrix(columns) + "\n")
    if any(each.error for each in outcomes):
        sys.stdout.write(summary_table([each for each in outcomes if each.error]) + "\n")
        return exit_code(outcomes)
    found, page = find_results(folder / "results"), folder / "report.html"
    long, wide = write_board(board(found, embedded=True), folder / "leaderboard.csv")
    write_page(found, page, embedded=True)
    seconds = time.perf_counter() - began
    sys.stdout.write(
        f"\nleaderboard  {long}\n             {wide}\nreport       {page}\n{seconds:.0f} s in all\n"
    )
    return 0


def _matrix(columns: dict[str, list[Outcome]]) -> str:
    """Put the main score of every task and encoder side by side."""
    from marble_eval.cli.table import table

    rows = [["task", "metric", *columns]]
    for of_task in zip(*columns.values(), strict=True):
        cells = [_cell(each) for each in of_task]
        rows.append([of_task[0].task, _metric(of_task), *cells])
    return table(rows)


def _metric(outcomes: Sequence[Outcome]) -> str:
    finished = [each.finished for each in outcomes if each.finished is not None]
    return next(iter(finished[0].result.metrics)) if finished else ""


def _cell(outcome: Outcome) -> str:
    if outcome.finished is None:
        return "failed"
    from marble_eval.leaderboard.score_text import stored_interval, stored_text

    score = next(iter(outcome.finished.result.metrics.values()))
    value = stored_text(score.value, score.unit)
    return f"{value:>5} {stored_interval(score.low, score.high, score.unit)}"
