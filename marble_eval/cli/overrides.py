"""Overrides on the command line: checked before Hydra sees them.

A misspelt name gets its near misses and exit code 2. What Hydra's groups cannot hold
as files, tasks with paths and other packages' encoders and probes, is stored for it here.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from marble_eval.errors import SpecError, near_misses
from marble_eval.files.fingerprint import digest_of
from marble_eval.registry.configuration import config_names

if TYPE_CHECKING:
    from collections.abc import Iterable

_PATHS = (
    *("task.root", "task.splits", "suite.root", "suite.splits", "suite.name"),
    *("encoder.path", "encoder.checkpoints", "results"),
)
_GROUPS = ("task", "encoder", "probe", "protocol", "engine")


def is_override(argument: str) -> bool:
    """Say whether an argument is key=value, and no flag."""
    return "=" in argument and not argument.startswith("-")


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
    """Quote a path that Hydra's grammar would not take: with an umlaut, or a pattern."""
    key, _, value = argument.partition("=")
    plain = value.isascii() and not value.count("*")
    if key not in _PATHS or plain or value.startswith(("'", '"', "[")):
        return argument
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
                raise SpecError(
                    f"unknown key {each.key_or_group!r}: no {part!r} there. "
                    f"{near_misses(part, (str(name) for name in known))}"
                )
            here = here[part]
