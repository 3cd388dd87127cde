"""`marble-eval demo`: the whole job on embedded music, offline, on a CPU."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from marble_eval.cli.arguments import Arguments
from marble_eval.home import home_folder

if TYPE_CHECKING:
    from marble_eval.encoders import Encoder

HELP = """\
marble-eval demo: the whole job on embedded music, offline, on a CPU

usage: marble-eval demo [--force]

Composes and renders labelled music, evaluates log-mel statistics and a small MERT
with random weights on it, and writes a leaderboard of embedded results.

  --force   run again although the results are there

example:
  marble-eval demo
"""


def main(argv: list[str]) -> int:
    """Run the demo."""
    parser = Arguments("demo")
    parser.add_argument("--force", action="store_true")
    options = parser.parse_args(argv)
    from marble_eval.cli.progress import shown
    from marble_eval.embedded import write_instrument_families
    from marble_eval.leaderboard import board, write_board
    from marble_eval.registry import load_encoder, load_task
    from marble_eval.report import layer_curve, summary
    from marble_eval.results import find_results
    from marble_eval.run import evaluate

    began = time.perf_counter()
    progress = shown()
    home = home_folder()
    task = load_task("EmbeddedInstrument")
    results = home / "demo" / "results"
    progress.say("compose and render the embedded music")
    root = write_instrument_families(home / "data" / task.spec.name)
    encoders: list[Encoder] = [
        load_encoder("mel"),
        load_encoder("mert-random", size="small"),
    ]
    for encoder in encoders:
        result = evaluate(
            encoder,
            task,
            root=root,
            results=results,
            progress=progress,
            force=options.force,
        )
        sys.stdout.write(f"\n{summary(result)}\n\n{layer_curve(result)}\n")
    tables = board(find_results(results), embedded=True)
    long, wide = write_board(tables, home / "demo" / "leaderboard.csv")
    seconds = time.perf_counter() - began
    sys.stdout.write(f"\nleaderboard  {long}\n             {wide}\n{seconds:.0f} s in all\n")
    return 0
