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

from marble_eval.configuration import config_names
from marble_eval.errors import MarbleError, SpecError, near_misses

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from marble_eval.registry import Task
    from marble_eval.spec import Settings

HELP = """\
marble-eval run: evaluate an encoder on a task

usage: marble-eval run task=NAME [encoder=NAME] [key=value ...] [--force] [--dry-run] [-m]

  task=GTZAN                what to solve; `marble-eval tasks` lists them; ./folder with a task.yaml
  task.root=/data/gtzan     your copy of its data
  task.splits=/data/lists   folder with the published split lists, if they cannot be fetched
  encoder=mert-v1-95m       what to evaluate; `marble-eval encoders` lists them
  encoder.path=/models/...  a released folder instead of the hub; encoder.revision pins a commit
  encoder.target=pkg:make   any other encoder; its options are encoder.NAME=VALUE
  probe=mlp                 mlp (the protocol's), linear, logreg
  protocol=marble-v1        marble-v1, marble-v2, quick
  layers=all                or [5,6,7,sum]
  seeds=3 seed=1234         number of probe seeds, and the first
  missing=stop              or report: go on without unusable files, as a recorded deviation
  features=float16          number type of the cache; or float32
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
  marble-eval run -m task=GTZAN encoder=mert-v1-95m,mel
  marble-eval run task=GTZAN task.root=/data/gtzan --dry-run
"""

_GROUPS = ("task", "encoder", "probe", "protocol", "engine")
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
    tasks = _task_choices(arguments, task_folders())
    choices: dict[str, Any] = {
        "task": tasks,
        "encoder": list(encoder_names()),
        **{group: list(config_names(group)) for group in ("probe", "protocol", "engine")},
    }
    arguments = _named(arguments, tasks)
    _store_groups(choices)
    _check_overrides([each for each in arguments if _is_override(each)], choices)
    return _hydra(arguments)


def _is_override(argument: str) -> bool:
    return "=" in argument and not argument.startswith("-")


def _task_choices(arguments: Iterable[str], folders: Any) -> dict[str, str]:
    """Map what may stand behind ``task=`` to what the registry takes."""
    names = {name: name for name in folders}
    for each in folders.values():
        names.update(dict.fromkeys(each.spec.aliases, each.spec.name))
    for argument in arguments:
        key, _, value = argument.partition("=")
        if key == "task":
            for path in value.split(","):
                if "/" in path or path in (".", ".."):
                    names[path] = f"{Path(path).expanduser()}/"
    return names


def _named(arguments: list[str], tasks: dict[str, str]) -> list[str]:
    """Rewrite paths behind ``task=`` into names that Hydra's groups can have."""
    safe = {name: _option_name(name) for name in tasks}
    rewritten = []
    for argument in arguments:
        key, _, value = argument.partition("=")
        if key == "task" and not value.startswith(("[", "{", "'", '"')):
            value = ",".join(safe.get(each, each) for each in value.split(","))
            argument = f"task={value}"  # noqa: PLW2901
        rewritten.append(argument)
    custom = any(each.startswith("encoder.target=") for each in arguments)
    if custom and not any(each.startswith("encoder=") for each in arguments):
        # Another package's encoder: none of the default's options must reach it.
        rewritten = ["encoder=custom", *(_added(each) for each in rewritten)]
    return rewritten


def _option_name(name: str) -> str:
    return "".join(each if each.isalnum() or each in "_-" else "_" for each in name)


def _added(argument: str) -> str:
    is_option = argument.startswith("encoder.") and not argument.startswith("encoder.target=")
    return f"+{argument}" if is_option else argument


def _store_groups(choices: dict[str, Any]) -> None:
    """Give Hydra the options that are not files: tasks, and other packages' encoders."""
    from hydra.core.config_store import ConfigStore

    store = ConfigStore.instance()
    for name, known_as in choices["task"].items():
        node = {"name": known_as, "root": None, "splits": None}
        store.store(group="task", name=_option_name(name), node=node)
    for name in set(choices["encoder"]) - set(config_names("encoder")):
        store.store(group="encoder", name=name, node={"plugin": name})
    store.store(group="encoder", name="custom", node={"target": "???"})


def _check_overrides(overrides: list[str], choices: dict[str, Any]) -> None:
    """Refuse unknown groups, options and keys, with near misses."""
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    parser, parsed = OverridesParser.create(), []
    for written in overrides:
        try:
            parsed.append(parser.parse_override(written))
        except HydraException as error:
            raise SpecError(
                f"marble-eval run: {written!r} must be key=value in Hydra's grammar. "
                f"{str(error).splitlines()[0]}. Quote lists and texts with special signs."
            ) from None
    known = {**choices, "task": [_option_name(each) for each in choices["task"]]}
    known["encoder"] = [*choices["encoder"], "custom"]
    first = []
    for each in parsed:
        if each.key_or_group in _GROUPS:
            values = (
                [str(value) for value in each.sweep_iterator()]
                if each.is_sweep_override()
                else [str(each.value())]
            )
            for value in values:
                if value not in known[each.key_or_group]:
                    raise SpecError(
                        f"no {each.key_or_group} is called {value!r}. "
                        f"{near_misses(value, choices[each.key_or_group])}"
                    )
            first.append(f"{each.key_or_group}={values[0]}")
    _check_keys([each for each in parsed if each.key_or_group not in _GROUPS], first)


def _check_keys(parsed: list[Any], groups: list[str]) -> None:
    from hydra import compose, initialize_config_module
    from omegaconf import OmegaConf

    with initialize_config_module("marble_eval.configs", version_base="1.3"):
        base = OmegaConf.to_container(compose("run", overrides=groups))
    for each in parsed:
        if each.is_add() or each.is_delete() or each.key_or_group.startswith("hydra."):
            continue
        here: Any = base
        for part in each.key_or_group.split("."):
            if not isinstance(here, dict) or part not in here:
                known = here if isinstance(here, dict) else ()
                raise SpecError(
                    f"unknown key {each.key_or_group!r}: no {part!r} there. "
                    f"{near_misses(part, (str(name) for name in known))}"
                )
            here = here[part]


def _hydra(arguments: list[str]) -> int:
    """Hand over to Hydra; collect the jobs' exit codes, since it returns none."""
    import hydra
    from omegaconf import OmegaConf

    codes: list[int] = []

    def job(config: Any) -> None:
        try:
            values = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
            _job(dict(values))  # type: ignore[arg-type]
            codes.append(0)
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


def _job(config: dict[str, Any]) -> None:
    """Turn a composed config into a run."""
    from marble_eval.registry import load_task, task_names
    from marble_eval.spec import Settings, from_mapping

    chosen = config.pop("task", None)
    if chosen is None:
        raise SpecError(f"marble-eval run: name a task, task=NAME. {near_misses('', task_names())}")
    task = load_task(chosen["name"])
    encoder, dry = config.pop("encoder"), config.pop("dry_run")
    for name in ("root", "splits"):
        config[name] = None if chosen[name] is None else Path(str(chosen[name])).expanduser()
    config["results"] = Path(str(config["results"])).expanduser()
    settings = from_mapping(Settings, config, "marble-eval run")
    _run(task, encoder, settings, dry=dry)


def _run(task: Task, encoder: dict[str, Any], settings: Settings, *, dry: bool) -> None:
    from marble_eval.cli.progress import shown
    from marble_eval.registry import load_encoder
    from marble_eval.report import layer_curve, summary
    from marble_eval.run import forecast, run

    progress = shown()
    plugin = encoder.pop("plugin", None)
    loaded = load_encoder(plugin, device=settings.engine.device, **encoder)
    if dry:
        sys.stdout.write(forecast(task, loaded, settings, progress) + "\n")
        return
    finished = run(task, loaded, settings, progress)
    if finished.was_there:
        progress.say("this run is finished already; --force runs it again")
    sys.stdout.write(summary(finished.result, finished.path) + "\n\n")
    sys.stdout.write(layer_curve(finished.result) + "\n")
