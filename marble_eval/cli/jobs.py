"""Jobs of the verbs that take Hydra's overrides: checked, composed, launched.

Overrides are checked before Hydra sees them, so that a misspelt name gets its near misses
and exit code 2. A layer sweep is one job; `-m` is for tasks and encoders, side by side where
a launcher is chosen (`hydra/launcher=joblib`, `submitit_local`, `submitit_slurm`). Hydra's
working directories and logs are off: results have a tree of their own. Hydra hands no exit
code back, so each job leaves its own in a file that a launcher's machines can reach.
"""

from __future__ import annotations

import functools
import os
import shutil
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from marble_eval.cli.overrides import (
    check_overrides,
    check_words,
    is_override,
    named,
    store_groups,
    task_choices,
)
from marble_eval.cli.terminal import shield
from marble_eval.errors import MarbleError, MissingError, SpecError, near_misses
from marble_eval.registry.configuration import config_names

_FLAGS = {
    "--force": "force=true",
    "--dry-run": "dry_run=true",
    "--dry_run": "dry_run=true",
    "--multirun": "-m",
}
_LAUNCHERS = {
    "basic": "hydra-core",
    "joblib": "hydra-joblib-launcher",
    "submitit_local": "hydra-submitit-launcher",
    "submitit_slurm": "hydra-submitit-launcher",
}

#: What a verb does with a composed config: plain values in, exit code out.
Job = Callable[[dict[str, Any]], int]


def launch(job: Job, argv: list[str]) -> int:
    """Run a job, or several with ``-m``."""
    from marble_eval.registry import encoder_names, probe_names, task_folders

    # Behind everything installed: an encoder.target may lie in this folder.
    sys.path += [str(Path.cwd())] if str(Path.cwd()) not in sys.path else []
    arguments = [_FLAGS.get(each, each) for each in argv]
    tasks = task_choices(arguments, task_folders())
    check_words(arguments, tasks, encoder_names())
    choices: dict[str, Any] = {
        "task": tasks,
        "encoder": list(encoder_names()),
        "probe": list(probe_names()),
        **{group: list(config_names(group)) for group in ("protocol", "engine")},
    }
    arguments = named(arguments, tasks)
    store_groups(choices)
    check_overrides([each for each in arguments if is_override(each)], choices)
    _check_launcher(arguments)
    return _launched(job, arguments)


def _check_launcher(arguments: list[str]) -> None:
    """Refuse a launcher that is not installed, which Hydra would call an unknown config."""
    from importlib.metadata import PackageNotFoundError, version

    for each in arguments:
        key, _, launcher = each.partition("=")
        if key != "hydra/launcher":
            continue
        if launcher not in _LAUNCHERS:
            raise SpecError(
                f"no launcher is called {launcher!r}. {near_misses(launcher, _LAUNCHERS)}"
            )
        try:
            version(_LAUNCHERS[launcher])
        except PackageNotFoundError:
            raise MissingError(
                f"hydra/launcher={launcher}: needs the package {_LAUNCHERS[launcher]}. It is not "
                f"installed. pip install {_LAUNCHERS[launcher]}"
            ) from None


def _launched(job: Job, arguments: list[str]) -> int:
    import hydra

    with _codes_folder(arguments) as folder:
        task_function = functools.partial(_coded, job, folder)
        functools.update_wrapper(task_function, _coded)  # by whose module Hydra finds its way
        decorated: Callable[[], Any] = hydra.main(
            version_base="1.3", config_path="pkg://marble_eval.configs", config_name="run"
        )(task_function)
        before = sys.argv
        sys.argv = ["marble-eval run", *arguments]
        try:
            decorated()
        finally:
            sys.argv = before
        if any(each.startswith("hydra/launcher=submitit") for each in arguments):
            sys.stdout.write(
                f"what the jobs printed  {folder.parent / '.submitit'}\n"
                f"their scores           marble-eval leaderboard\n"
            )
        return max((int(each.read_text()) for each in folder.iterdir()), default=0)


@contextmanager
def _codes_folder(arguments: list[str]) -> Iterator[Path]:
    """Make a folder for exit codes: where a launcher's machines write their results too."""
    given = dict(each.partition("=")[::2] for each in arguments)
    if "hydra/launcher" not in given:
        with tempfile.TemporaryDirectory() as folder:
            yield Path(folder)
        return
    above = Path(given.get("results", "results").strip("'\"")).expanduser().absolute() / ".hydra"
    above.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix="codes-", dir=above))
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _coded(job: Job, codes: Path, config: Any) -> None:
    """Do one job of a composed config, and leave its exit code."""
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    shield()  # a launcher may have begun a process for it
    try:
        values = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
        code = job(dict(values))  # type: ignore[arg-type]
    except MarbleError as error:
        for line in (f"marble-eval: error: {error}", *getattr(error, "__notes__", ())):
            sys.stderr.write(f"{line}\n")
        code = error.exit_code
    except OmegaConfBaseException as error:  # such as ${oc.env:NOPE}
        first = str(error).partition("\n")[0]
        sys.stderr.write(
            f"marble-eval: error: marble-eval run: {error.full_key or 'an option'} must be a value "
            f"that can be resolved. {first}. Set it, or write the value out.\n"
        )
        code = SpecError.exit_code
    except BrokenPipeError:
        # Whoever read our output has gone (`| head`); Hydra would make a traceback of it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    (codes / uuid.uuid4().hex).write_text(str(code))
