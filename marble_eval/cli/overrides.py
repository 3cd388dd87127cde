"""Overrides on the command line: checked before Hydra sees them.

A misspelt name gets its near misses and exit code 2. What Hydra's groups cannot hold
as files, tasks with paths and other packages' encoders and probes, is stored for it here.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from marble_eval.errors import SpecError, close_names, near_misses
from marble_eval.files.fingerprint import digest_of
from marble_eval.registry.configuration import config_names

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_PATHS = (
    *("task.root", "task.splits", "suite.root", "suite.splits", "suite.name"),
    *("encoder.path", "encoder.checkpoints", "results"),
)
_GROUPS = ("task", "encoder", "probe", "protocol", "engine")
_PLAIN = ("suite", "layers", "seeds", "seed", "missing", "results", "force", "dry_run")
_OWN_FLAGS = frozenset({
    *("-m", "--cfg", "-c", "--package", "-p", "--resolve", "--info", "--hydra-help"),
    *("--shell-completion", "-sc", "--experimental-rerun", "--config-dir", "-cd"),
})  # fmt: skip
_WITH_VALUE = ("--cfg", "-c", "--package", "-p", "--info", "--config-dir", "-cd")
# What other programs call these keys.
_SYNONYMS = {
    "device": "engine.device", "root": "task.root", "splits": "task.splits", "model": "encoder",
    "path": "encoder.path", "checkpoint": "encoder.path", "output": "results", "out": "results",
    "output_dir": "results", "dataset": "task", "data": "task.root", "tasks": "task",
    "batch_size": "engine.batch_clips", "workers": "engine.workers",
}  # fmt: skip


def is_override(argument: str) -> bool:
    """Say whether an argument is key=value, and no flag."""
    return "=" in argument and not argument.startswith("-")


def check_words(arguments: list[str], tasks: Mapping[str, str], encoders: Iterable[str]) -> None:
    """Refuse words that Hydra would answer in its own way, with the spelling that was meant."""
    several = "-m" in arguments
    for at, word in enumerate(arguments):
        before = arguments[at - 1] if at else ""
        following = arguments[at + 1] if at + 1 < len(arguments) else "VALUE"
        if word.startswith("-"):
            _check_flag(word, following)
        elif before in _WITH_VALUE:
            continue
        elif "=" not in word:
            raise SpecError(
                f"marble-eval run: takes key=value. Got {word!r}. {_meant(word, tasks, encoders)}"
            )
        elif not several:
            _check_single(word)
        key, _, value = word.partition("=")
        for each in value.split(",") if key == "task" else ():
            _check_task(each, tasks)


def _check_flag(word: str, following: str) -> None:
    name, sign, value = word.lstrip("-").partition("=")
    if word.startswith("-") and (word in _OWN_FLAGS or f"--{name}" in _OWN_FLAGS):
        return
    key = _SYNONYMS.get(name.replace("-", "_"), name.replace("-", "_"))
    known = (*_GROUPS, *_PLAIN, *_SYNONYMS.values())
    value = value if sign else following if not following.startswith("-") else "VALUE"
    advice = f"Write {key}={value}." if key in known else near_misses(key, known)
    raise SpecError(f"marble-eval run: no option is called {word.partition('=')[0]!r}. {advice}")


def _check_single(word: str) -> None:
    """Refuse two values of a key in one run: a list wants brackets, two runs want -m."""
    key, _, value = word.partition("=")
    if "," not in value or value.startswith(("[", "{", "'", '"')) or "(" in value:
        return
    if key in _GROUPS:
        advice = f"Write -m {word} for several runs."
    elif key == "layers":
        advice = f"Write layers=[{value}]."
    elif key in _PATHS:
        return  # a comma in a file name
    else:
        advice = f"Write {key}=[{value}] for a list, or -m {word} for several runs."
    raise SpecError(f"marble-eval run: {key} must have one value. Got {value!r}. {advice}")


def _check_task(name: str, tasks: Mapping[str, str]) -> None:
    """Refuse a table in the place of a task, and a task's folder written as a name."""
    path = Path(name).expanduser()
    if name in tasks and not ("/" in name and path.is_file()):
        return
    if path.is_file():
        raise SpecError(
            f"task={name}: a task must be a folder with a task.yaml. Got a file. Write "
            f"marble-eval init task my-task, put the table there as tracks.csv, and "
            f"task=./my-task."
        )
    if (path / "task.yaml").is_file():
        raise SpecError(f"no task is called {name!r}, but a folder here is. Write task=./{name}.")


def _meant(word: str, tasks: Mapping[str, str], encoders: Iterable[str]) -> str:
    """Say how a word without a key is written."""
    if word in tasks or (Path(word).expanduser() / "task.yaml").is_file():
        is_folder = word not in tasks and "/" not in word
        return f"Write task={'./' if is_folder else ''}{word}."
    encoders = tuple(encoders)
    if word in encoders:
        return f"Write encoder={word}."
    names = {**dict.fromkeys(tasks, "task"), **dict.fromkeys(encoders, "encoder")}
    close = close_names(word, names)
    if close:
        return f"Write {names[close[0]]}={close[0]}?"
    return "See marble-eval run --help."


def task_choices(arguments: Iterable[str], folders: Any) -> dict[str, str]:
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


def named(arguments: list[str], tasks: dict[str, str]) -> list[str]:
    """Rewrite paths behind ``task=`` into names that Hydra's groups can have."""
    safe = {name: _option_name(name) for name in tasks}
    rewritten = []
    for argument in arguments:
        key, _, value = argument.partition("=")
        if key == "task" and not value.startswith(("[", "{", "'", '"')):
            value = ",".join(safe.get(each, each) for each in value.split(","))
            argument = f"task={value}"  # noqa: PLW2901
        rewritten.append(argument)
    rewritten = [
        f"suite.name={each[len('suite=') :]}" if each.startswith("suite=") else each
        for each in rewritten
    ]
    rewritten = [_quoted(each) for each in rewritten]
    custom = any(each.startswith("encoder.target=") for each in arguments)
    if custom and not any(each.startswith("encoder=") for each in arguments):
        # Another package's encoder: none of the default's options must reach it.
        return ["encoder=custom", *(_added(each) for each in rewritten)]
    return [f"+{each}" if each.startswith("encoder.checkpoints=") else each for each in rewritten]


def _option_name(name: str) -> str:
    """Write a name as Hydra's grammar takes it; no two names become one."""
    plain = re.sub(r"[^A-Za-z0-9_-]", "_", name)
    return plain if plain == name else f"{plain}_{digest_of(name)[:8]}"


def _quoted(argument: str) -> str:
    """Quote a path that Hydra's grammar would not take: with an umlaut, or a pattern; expand ~."""
    key, _, value = argument.partition("=")
    if key not in _PATHS or value.startswith(("'", '"', "[")):
        return argument
    if value.startswith("~"):
        value = str(Path(value).expanduser())
    if value.isascii() and not value.count("*"):
        return f"{key}={value}"
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'{key}="{escaped}"'


def _added(argument: str) -> str:
    is_option = argument.startswith("encoder.") and not argument.startswith("encoder.target=")
    return f"+{argument}" if is_option else argument


def store_groups(choices: dict[str, Any]) -> None:
    """Give Hydra the options that are not files: tasks, and other packages' encoders and probes."""
    from hydra.core.config_store import ConfigStore

    store = ConfigStore.instance()
    for name, known_as in choices["task"].items():
        node = {"name": known_as, "root": None, "splits": None}
        store.store(group="task", name=_option_name(name), node=node)
    for name in set(choices["encoder"]) - set(config_names("encoder")):
        store.store(group="encoder", name=name, node={"plugin": name})
    for name in set(choices["probe"]) - set(config_names("probe")):
        store.store(group="probe", name=name, node={"name": name})
    store.store(group="encoder", name="custom", node={"target": "???"})


def check_overrides(overrides: list[str], choices: dict[str, Any]) -> None:
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
        if each.is_add() or each.is_delete() or each.key_or_group.startswith(("hydra.", "hydra/")):
            continue
        here: Any = base
        for part in each.key_or_group.split("."):
            if not isinstance(here, dict) or part not in here:
                known = here if isinstance(here, dict) else ()
                advice = near_misses(part, (str(name) for name in known))
                if each.key_or_group in _SYNONYMS:
                    advice = f"Write {_SYNONYMS[each.key_or_group]}={each.value()}."
                raise SpecError(f"unknown key {each.key_or_group!r}: no {part!r} there. {advice}")
            here = here[part]
