"""From a composed config to what a verb works on: tasks, encoders and settings."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from marble_eval.errors import SpecError, near_misses

if TYPE_CHECKING:
    from marble_eval.encoders import Encoder
    from marble_eval.registry import Task
    from marble_eval.runs.suites import Suite
    from marble_eval.spec import Settings


class Composed(NamedTuple):
    """What a command asks for."""

    work: Task | Suite
    encoders: Iterator[Encoder]
    settings: Settings
    dry: bool


def composed(config: dict[str, Any], verb: str) -> Composed:
    """Read a composed config."""
    from marble_eval.registry import load_probe, load_task, task_names
    from marble_eval.runs.suites import load_suite
    from marble_eval.spec import Settings, from_mapping

    chosen, suite = config.pop("task", None), config.pop("suite")
    if (chosen is None) == (suite["name"] is None):
        raise SpecError(
            f"marble-eval {verb}: name a task, task=NAME, or a suite, suite=NAME, not both. "
            f"{near_misses('', task_names())}"
        )
    if chosen is not None and (suite["root"] or suite["splits"]):
        raise SpecError(
            f"marble-eval {verb}: suite.root and suite.splits belong to a suite. "
            f"Take task.root and task.splits with task=NAME."
        )
    work = load_suite(str(suite["name"])) if chosen is None else load_task(chosen["name"])
    places = suite if chosen is None else chosen
    root, config["splits"] = _folder(places["root"]), _folder(places["splits"])
    config["root"] = root
    options, dry = config.pop("encoder"), config.pop("dry_run")
    config["results"] = _folder(config["results"])
    probe = config["probe"]
    config["probe"] = load_probe(str(probe.pop("name")), **probe)
    settings = from_mapping(Settings, config, f"marble-eval {verb}")
    return Composed(work, encoders(options, settings.engine.device), settings, dry)


def _folder(name: Any) -> Path | None:
    return None if name is None else Path(str(name)).expanduser()


def encoders(options: dict[str, Any], device: str) -> Iterator[Encoder]:
    """Load the encoder of a config, or one after the other its series of checkpoints."""
    from marble_eval.registry import load_checkpoints, load_encoder

    plugin, pattern = options.pop("plugin", None), options.pop("checkpoints", None)
    if pattern is None:  # checkpoints are folders, of which none is fetched
        _tell_terms(options)
    load: Callable[..., Encoder] = load_encoder
    if pattern is None:
        return iter([load(plugin, device=device, **options)])
    return load_checkpoints(plugin, str(pattern), device=device, **options)


def _tell_terms(options: dict[str, Any]) -> None:
    """Say the licence before weights are fetched; what is here already was agreed to."""
    from marble_eval.encoders.checkpoints.hub import is_cached

    card, hub, path = options.get("card") or {}, options.get("hub"), options.get("path")
    terms = (
        f"Licence of the weights: {card.get('licence', 'not stated')}; "
        f"trained on: {card.get('trained_on', 'not stated')}"
    )
    if path and "hub" not in options and not Path(str(path)).expanduser().exists():
        hub, path, terms = path, None, "Licence of the weights: as its README.md states"
    is_name = hub and re.fullmatch(r"[\w.-]+/[\w.-]+", str(hub))
    if is_name and not path and not is_cached(str(hub), options.get("revision")):
        sys.stderr.write(f"{hub} is fetched from the hub. {terms}\n")
