"""`marble-eval run`: an encoder on a task or a suite, or a series of checkpoints."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from marble_eval.cli.composed import composed
from marble_eval.cli.jobs import launch

if TYPE_CHECKING:
    from marble_eval.encoders import Encoder
    from marble_eval.registry import Task
    from marble_eval.results import Result
    from marble_eval.runs.run import Finished
    from marble_eval.runs.suites import Suite
    from marble_eval.spec import Settings

HELP = """\
marble-eval run: evaluate an encoder on a task, or on a suite of tasks

usage: marble-eval run task=NAME [encoder=NAME] [key=value ...] [--force] [--dry-run] [-m]
       marble-eval run suite=NAME [suite.root=FOLDER] [encoder=NAME] [key=value ...] ...

  task=GTZAN                what to solve; `marble-eval tasks` lists them; ./folder with a task.yaml
  task.root=/data/gtzan     your copy of its data
  task.splits=/data/lists   folder with the published split lists, if they cannot be fetched
  suite=marble-v1           every task of a list whose data is here: marble-v1, marble-v2, embedded,
                            or ./mine.yaml with "tasks: [GTZAN, ./my-task]"
  suite.root=/data          folder that holds one folder for each data set: /data/MTT, /data/GTZAN
  encoder=mert-v1-95m       what to evaluate; `marble-eval encoders` lists them
  encoder.path=/models/...  a folder instead of the hub; encoder.revision pins a commit of the hub
  encoder.name=my-mert      name of a network of your own; its card is card.yaml beside the weights
  encoder.precision=bfloat16  number type of the large products: float32, bfloat16, float16
  encoder.target=pkg:make   any other encoder; its options are encoder.NAME=VALUE
  encoder.checkpoints='runs/step*/'   each of them in turn: a curve of score against step
  probe=mlp                 mlp (the protocol's), linear, logreg
  protocol=marble-v1        marble-v1, marble-v2, quick
  layers=all                or [5,6,7,sum]
  seeds=3 seed=1234         number of probe seeds, and the first
  missing=stop              or report: go on without unusable files, as a recorded deviation
  features.dtype=float16    number type of the cache; or float32
  features.frame_rate=25    frames kept a second, for beats, chords and notes
  features.max_bytes=5e10   what the cache may take; features.in_turn=true: a few layers at a time
  frames.trim_seconds=5     other rules for beats, chords and notes: decoder, tempo, tolerance, ...
  engine.device=auto        cpu, cuda, cuda:1; engine.workers, engine.batch_clips, ...
  engine=ray                encode on a Ray cluster: engine.address=auto, local or HOST:PORT
  results=results           where results are written

  --force      run again although the result is there
  --dry-run    check the data and say what would be done
  -m           several runs: task=A,B encoder=C,D; side by side with hydra/launcher=joblib,
               submitit_local or submitit_slurm (pip install hydra-submitit-launcher)
  --cfg job    print the config as composed

examples:
  marble-eval run task=GTZAN task.root=/data/gtzan encoder=mert-v1-95m
  marble-eval run task=GTZAN encoder=mert-v1-95m encoder.path=/models/MERT-v1-95M \\
                  layers=[5,6,7] probe=linear
  marble-eval run suite=marble-v1 suite.root=/data encoder=mert-v1-95m
  marble-eval run -m task=GTZAN encoder=mert-v1-95m,mel
  marble-eval run task=GTZAN task.root=/data/gtzan --dry-run
"""


def main(argv: list[str]) -> int:
    """Run one job, or several with ``-m``."""
    return launch(_job, argv)


def _job(config: dict[str, Any]) -> int:
    """Run what a composed config asks for; return the exit code."""
    from marble_eval.runs.suites import Suite

    work, encoders, settings, dry = composed(config, "run")
    codes, finished = [], []
    for encoder in encoders:
        if isinstance(work, Suite):
            code, done = _run_suite(work, encoder, settings, dry=dry)
        else:
            code, done = _run(work, encoder, settings, dry=dry)
        codes.append(code)
        finished += done
    _show_curves(finished, settings)
    return max(codes)


def _run(
    task: Task, encoder: Encoder, settings: Settings, *, dry: bool
) -> tuple[int, list[Finished]]:
    from marble_eval.cli.progress import shown
    from marble_eval.report import layer_curve, summary
    from marble_eval.runs.run import forecast, run

    progress = shown()
    if dry:
        sys.stdout.write(forecast(task, encoder, settings, progress) + "\n")
        return 0, []
    finished = run(task, encoder, settings, progress)
    if finished.was_there:
        progress.say("this run is finished already; --force runs it again")
    sys.stdout.write(summary(finished.result, finished.path) + "\n\n")
    sys.stdout.write(layer_curve(finished.result) + "\n")
    return 0, [finished]


def _run_suite(
    suite: Suite, encoder: Encoder, settings: Settings, *, dry: bool
) -> tuple[int, list[Finished]]:
    from marble_eval.cli.progress import shown
    from marble_eval.runs.suites import exit_code, run_suite, summary_table

    outcomes = run_suite(suite, encoder, settings, shown(), root=settings.root, dry_run=dry)
    sys.stdout.write(f"{suite.name}   {encoder.name}   {settings.protocol.name}\n\n")
    sys.stdout.write(summary_table(outcomes) + "\n")
    finished = [each.finished for each in outcomes if each.finished]
    if finished:
        sys.stdout.write(f"\nresults  {settings.results}\n")
    return exit_code(outcomes), finished


def _show_curves(finished: list[Finished], settings: Settings) -> None:
    """Draw score against step, where a series of checkpoints was run."""
    from marble_eval.report import curve_text, write_curve

    by_task: dict[str, list[Result]] = {}
    for each in finished:
        if each.result.encoder.step is not None:
            by_task.setdefault(each.result.task.name, []).append(each.result)
    for task, results in by_task.items():
        sys.stdout.write(f"\n{task}   {results[0].encoder.name}\n\n{curve_text(results)}\n")
        if settings.results is not None:
            sys.stdout.write(f"\n  curve  {write_curve(settings.results, results)}\n")
