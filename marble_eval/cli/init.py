"""`marble-eval init`: a task folder or an encoder to start from."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from marble_eval.cli.arguments import Arguments
from marble_eval.errors import SpecError, near_misses
from marble_eval.kinds import KINDS, load_kind

if TYPE_CHECKING:
    from marble_eval.kinds import Kind
    from marble_eval.spec import TaskSpec

HELP = f"""\
marble-eval init: write a task folder or an encoder that runs as it is, to make it your own

usage: marble-eval init task FOLDER [--kind KIND]
       marble-eval init encoder NAME

Writes a commented task.yaml, a tracks.csv, a README, and 84 short synthesised tracks
(below 1.5 MB); for what changes within a track 20 tracks of 8 s and their annotation files
(5 MB). No Python is needed for a task of your own.

  FOLDER   a new folder, or an empty one; the task is called like it
  --kind   classification (one class a track) without it; the kinds are
           {", ".join(KINDS)}

examples:
  marble-eval init task my-dataset
  marble-eval init task my-tags --kind tagging
  marble-eval init task my-beats --kind beat
  marble-eval run task=./my-dataset encoder=mel
  marble-eval init encoder my_encoder       # my_encoder.py, and test_my_encoder.py, which passes
"""

_ACTIONS = ("task", "encoder")


def main(argv: list[str]) -> int:
    """Write what is asked for and say what to do with it."""
    action = argv[0] if argv else ""
    if action not in _ACTIONS:
        raise SpecError(
            f"marble-eval init: no such action {action!r}. {near_misses(action, _ACTIONS)}"
        )
    if action == "encoder":
        parser = Arguments("init encoder")
        parser.add_argument("name")
        return _init_encoder(Path(parser.parse_args(argv[1:]).name))
    parser = Arguments("init task")
    parser.add_argument("folder")
    parser.add_argument("--kind", default="classification")
    options = parser.parse_args(argv[1:])
    if options.kind not in KINDS:
        raise SpecError(
            f"marble-eval init: no kind is called {options.kind!r}. "
            f"{near_misses(options.kind, KINDS)}"
        )
    if "," in options.folder:
        raise SpecError(
            f"marble-eval init: a task's folder must have no comma in its path, since task=a,b are "
            f"two tasks. Got {options.folder!r}. Choose another name."
        )
    return _init_task(Path(options.folder), load_kind(options.kind))


def _init_task(folder: Path, kind: Kind) -> int:
    from marble_eval.registry import task_folders
    from marble_eval.scaffold import task_name, write_task_folder

    name = task_name(folder)
    taken = {each: task.provider for task in task_folders().values() for each in _names(task.spec)}
    if name in taken:
        raise SpecError(
            f"{folder}: a task's folder must not be called like a known task, since results are "
            f"filed by name. Got {name!r}, which {taken[name]} brings. Choose another name."
        )
    written = write_task_folder(folder, kind, name)
    megabytes = sum(each.stat().st_size for each in written) / 1e6
    command = (
        f"marble-eval run task={shlex.quote(_behind_task(folder))} encoder={kind.example.encoder}"
    )
    sys.stdout.write(
        f"{name}: a {kind.name} task in {folder}: task.yaml, tracks.csv, README.md and "
        f"{sum(each.suffix == '.wav' for each in written)} tracks, {megabytes:.1f} MB\n\n"
        f"next:\n"
        f"  {command} --dry-run   # check the data\n"
        f"  {command}             # scores, in a minute or less\n"
        f"then put your own audio and rows in; {folder / 'README.md'} says how\n"
    )
    return 0


def _init_encoder(path: Path) -> int:
    from marble_eval.scaffold import write_encoder

    module, test = write_encoder(path)
    there = "" if path.parent == Path() else f"cd {shlex.quote(str(path.parent))}\n  "
    sys.stdout.write(
        f"{module} and {test}: an encoder with a stand-in for its network\n\n"
        f"next:\n"
        f"  {there}marble-eval encoders check encoder.target={module.stem}:load\n"
        f"  marble-eval run task=EmbeddedPitch encoder.target={module.stem}:load\n"
        f"  python -m pytest {test.name}\n"
    )
    return 0


def _names(spec: TaskSpec) -> tuple[str, ...]:
    return (spec.name, *spec.aliases)


def _behind_task(folder: Path) -> str:
    """Write a folder so that it is not taken for the name of a task."""
    text = str(folder)
    return text if os.sep in text or text in (".", "..") else f".{os.sep}{text}"
