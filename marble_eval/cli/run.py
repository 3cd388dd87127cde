"""`marble-eval run`: the one place that knows Hydra.

Overrides are checked before Hydra sees them, so that a misspelt name gets its
near misses and exit code 2. A layer sweep is one job; `-m` is for tasks and
encoders. Hydra's working directories and logs are off: results have a tree of
their own.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from marble_eval.cli.overrides import (
    check_overrides,
    is_override,
    named,
    store_groups,
    task_choices,
)
from marble_eval.configuration import config_names
from marble_eval.errors import MarbleError, SpecError, near_misses

if TYPE_CHECKING:
    from collections.abc import Callable

    from marble_eval.encoders import Encoder
    from marble_eval.registry import Task
    from marble_eval.spec import Settings
    from marble_eval.suites import Suite

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
  encoder.path=/models/...  a released folder instead of the hub; encoder.revision pins a commit
  encoder.target=pkg:make   any other encoder; its options are encoder.NAME=VALUE
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
  results=results           where results are written

  --force      run again although the result is there
  --dry-run    check the data and say what would be done
  -m           several runs: task=A,B encoder=C,D
  --cfg job    print the config as composed

examples:
  marble-eval run task=GTZAN task.root=/data/gtzan encoder=mert-v1-95m
  marble-eval run task=GTZAN encoder=mert-v1-95m encoder.path=/models/MERT-v1-95M \\
                  layers=[5,6,7] probe=linear
  marble-eval run suite=marble-v1 suite.root=/data encoder=mert-v1-95m
  marble-eval run -m task=GTZAN encoder=mert-v1-95m,mel
  marble-eval run task=GTZAN task.root=/data/gtzan --dry-run
"""

_FLAGS = {
    "--force": "force=true",
    "--dry-run": "dry_run=true",
    "--dry_run": "dry_run=true",
    "--multirun": "-m",
}


def main(argv: list[str]) -> int:
    """Run one job, or several with ``-m``.

    Parameters
    ----------
    argv : list of str
        Overrides and flags.

    Returns
    -------
    int
        Exit code; of several jobs the largest.
    """
    from marble_eval.registry import encoder_names, task_folders

    arguments = [_FLAGS.get(each, each) for each in argv]
    tasks = task_choices(arguments, task_folders())
    choices: dict[str, Any] = {
        "task": tasks,
        "encoder": list(encoder_names()),
        **{group: list(config_names(group)) for group in ("probe", "protocol", "engine")},
    }
    arguments = named(arguments, tasks)
    store_groups(choices)
    check_overrides([each for each in arguments if is_override(each)], choices)
    return _hydra(arguments)


def _hydra(arguments: list[str]) -> int:
    """Hand over to Hydra; collect the jobs' exit codes, since it returns none."""
    import hydra
    from omegaconf import OmegaConf

    codes: list[int] = []

    def job(config: Any) -> None:
        try:
            values = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
            codes.append(_job(dict(values)))  # type: ignore[arg-type]
        except MarbleError as error:
            for line in (f"marble-eval: error: {error}", *getattr(error, "__notes__", ())):
                sys.stderr.write(f"{line}\n")
            codes.append(error.exit_code)

    decorated: Callable[[], Any] = hydra.main(
        version_base="1.3", config_path="pkg://marble_eval.configs", config_name="run"
    )(job)
    before = sys.argv
    sys.argv = ["marble-eval run", *arguments]
    try:
        decorated()
    finally:
        sys.argv = before
    return max(codes, default=0)


def _job(config: dict[str, Any]) -> int:
    """Turn a composed config into a run; return its exit code."""
    from marble_eval.registry import load_encoder, load_task, task_names
    from marble_eval.spec import Settings, from_mapping
    from marble_eval.suites import Suite, load_suite

    chosen, suite = config.pop("task", None), config.pop("suite")
    if (chosen is None) == (suite["name"] is None):
        raise SpecError(
            f"marble-eval run: name a task, task=NAME, or a suite, suite=NAME, not both. "
            f"{near_misses('', task_names())}"
        )
    if chosen is not None and (suite["root"] or suite["splits"]):
        raise SpecError(
            "marble-eval run: suite.root and suite.splits belong to a suite. "
            "Take task.root and task.splits with task=NAME."
        )
    work = load_suite(str(suite["name"])) if chosen is None else load_task(chosen["name"])
    places = suite if chosen is None else chosen
    root, config["splits"] = _folder(places["root"]), _folder(places["splits"])
    config["root"] = root
    options, dry = config.pop("encoder"), config.pop("dry_run")
    config["results"] = _folder(config["results"])
    settings = from_mapping(Settings, config, "marble-eval run")
    encoder = load_encoder(options.pop("plugin", None), device=settings.engine.device, **options)
    if isinstance(work, Suite):
        return _run_suite(work, encoder, settings, dry=dry)
    return _run(work, encoder, settings, dry=dry)


def _folder(name: Any) -> Path | None:
    return None if name is None else Path(str(name)).expanduser()


def _run(task: Task, encoder: Encoder, settings: Settings, *, dry: bool) -> int:
    from marble_eval.cli.progress import shown
    from marble_eval.report import layer_curve, summary
    from marble_eval.run import forecast, run

    progress = shown()
    if dry:
        sys.stdout.write(forecast(task, encoder, settings, progress) + "\n")
        return 0
    finished = run(task, encoder, settings, progress)
    if finished.was_there:
        progress.say("this run is finished already; --force runs it again")
    sys.stdout.write(summary(finished.result, finished.path) + "\n\n")
    sys.stdout.write(layer_curve(finished.result) + "\n")
    return 0


def _run_suite(suite: Suite, encoder: Encoder, settings: Settings, *, dry: bool) -> int:
    from marble_eval.cli.progress import shown
    from marble_eval.suites import exit_code, run_suite, summary_table

    outcomes = run_suite(suite, encoder, settings, shown(), root=settings.root, dry_run=dry)
    sys.stdout.write(f"{suite.name}   {encoder.name}   {settings.protocol.name}\n\n")
    sys.stdout.write(summary_table(outcomes) + "\n")
    if any(each.finished for each in outcomes):
        sys.stdout.write(f"\nresults  {settings.results}\n")
    return exit_code(outcomes)
