"""YAML files, read without Hydra: those in `configs/`, and task cards.

The command line composes the configs with Hydra; the library reads the same files,
so every default is written down once. A name that a file gives twice is refused, as
Hydra refuses it: YAML readers take the last one without a word.
"""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import yaml

from marble_eval.errors import SpecError, near_misses
from marble_eval.spec import EngineSpec, ProtocolSpec, from_mapping

_GROUPS = ("encoder", "engine", "probe", "protocol", "suite")
_NOT_OF_A_RUN = ("defaults", "hydra", "suite")


_DEEPEST = 100  # lists and mappings in each other

#: libyaml's parser where PyYAML was built with it: a listing of the tasks reads every card.
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Reader(_Loader):  # type: ignore[misc]
    """YAML's plain values, every name in a mapping once."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> Any:
        names = set()
        for name, _ in (
            node.value if isinstance(node, yaml.MappingNode) else ()
        ):  # before "<<" brings in names that may be given anew
            if not isinstance(name, yaml.ScalarNode):
                raise yaml.MarkedYAMLError(
                    problem="a name must be text, no list or mapping", problem_mark=name.start_mark
                )
            if name.value in names:
                raise yaml.MarkedYAMLError(
                    problem=f"{name.value!r} is given twice", problem_mark=name.start_mark
                )
            names.add(name.value)
        return super().construct_mapping(node, deep)


def read_yaml(text: str, subject: str) -> Any:
    """Read YAML as plain values."""
    try:
        _check_depth(text)
        return yaml.load(text, Loader=_Reader)
    except (yaml.YAMLError, ValueError, TypeError, OverflowError, RecursionError) as error:
        raise SpecError(f"{subject}: must be a readable YAML file. {error}") from None


def _check_depth(text: str) -> None:
    """Refuse nesting that would overflow the stack of whatever walks the values."""
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):  # which needs no stack
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST:
            raise yaml.YAMLError(f"more than {_DEEPEST} lists and mappings in each other.")


def config_names(group: str) -> tuple[str, ...]:
    """List the configs of a group."""
    if group not in _GROUPS:
        raise SpecError(f"no group of configs is called {group!r}. {near_misses(group, _GROUPS)}")
    folder = files("marble_eval.configs") / group
    return tuple(sorted(each.name[:-5] for each in folder.iterdir() if each.name.endswith(".yaml")))


def read_config(group: str, name: str) -> dict[str, Any]:
    """Read a config as plain values."""
    known = config_names(group)
    if name not in known:
        raise SpecError(f"no {group} is called {name!r}. {near_misses(name, known)}")
    text = (files("marble_eval.configs") / group / f"{name}.yaml").read_text(encoding="utf-8")
    return dict(read_yaml(text, f"{group}/{name}.yaml"))


def run_defaults() -> dict[str, Any]:
    """Read the defaults of one run: `configs/run.yaml` without what is Hydra's or a suite's."""
    text = (files("marble_eval.configs") / "run.yaml").read_text(encoding="utf-8")
    values = read_yaml(text, "run.yaml")
    return {name: each for name, each in values.items() if name not in _NOT_OF_A_RUN}


def load_protocol(name: str) -> ProtocolSpec:
    """Read a protocol preset."""
    return from_mapping(ProtocolSpec, read_config("protocol", name), f"protocol {name}")


def load_engine(name: str) -> EngineSpec:
    """Read an engine."""
    return from_mapping(EngineSpec, read_config("engine", name), f"engine {name}")
