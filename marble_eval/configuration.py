"""The YAML files in `configs/`, read without Hydra.

The command line composes them with Hydra; the library reads the same files, so
every default is written down once.
"""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import yaml

from marble_eval.errors import SpecError, near_misses
from marble_eval.spec import EngineSpec, ProbeSpec, ProtocolSpec, from_mapping


def config_names(group: str) -> tuple[str, ...]:
    """List the configs of a group.

    Parameters
    ----------
    group : str
        "encoder", "probe", "protocol" or "engine".

    Returns
    -------
    tuple of str
        Names, sorted.

    Examples
    --------
    >>> config_names("probe")
    ('linear', 'logreg', 'mlp')
    """
    folder = files("marble_eval.configs") / group
    return tuple(sorted(each.name[:-5] for each in folder.iterdir() if each.name.endswith(".yaml")))


def read_config(group: str, name: str) -> dict[str, Any]:
    """Read a config as plain values.

    Parameters
    ----------
    group, name : str
        As in ``group=name`` on the command line.

    Returns
    -------
    dict
        The file's content.

    Raises
    ------
    SpecError
        If there is no such config.
    """
    known = config_names(group)
    if name not in known:
        raise SpecError(f"no {group} is called {name!r}. {near_misses(name, known)}")
    text = (files("marble_eval.configs") / group / f"{name}.yaml").read_text(encoding="utf-8")
    return dict(yaml.safe_load(text))


def run_defaults() -> dict[str, Any]:
    """Read the defaults of a run: `configs/run.yaml` without what is Hydra's.

    Returns
    -------
    dict
        Plain values by name.

    Examples
    --------
    >>> run_defaults()["seeds"]
    3
    """
    text = (files("marble_eval.configs") / "run.yaml").read_text(encoding="utf-8")
    values = yaml.safe_load(text)
    return {name: each for name, each in values.items() if name not in ("defaults", "hydra")}


def load_protocol(name: str) -> ProtocolSpec:
    """Read a protocol preset.

    Examples
    --------
    >>> load_protocol("marble-v1").batch_tracks
    64
    """
    return from_mapping(ProtocolSpec, read_config("protocol", name), f"protocol {name}")


def load_probe(name: str) -> ProbeSpec:
    """Read a probe's shape.

    Examples
    --------
    >>> load_probe("mlp").hidden
    512
    """
    return from_mapping(ProbeSpec, read_config("probe", name), f"probe {name}")


def load_engine(name: str) -> EngineSpec:
    """Read an engine.

    Examples
    --------
    >>> load_engine("local").device
    'auto'
    """
    return from_mapping(EngineSpec, read_config("engine", name), f"engine {name}")
