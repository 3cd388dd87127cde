"""What other packages bring by entry points, and objects named as "module:attribute"."""

from __future__ import annotations

import importlib
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from marble_eval.errors import SpecError
from marble_eval.registry.configuration import config_names


def plugins_of(what: str) -> dict[str, EntryPoint]:
    """Find the entry points of "encoder" or "probe"; two of one name are refused."""
    found: dict[str, EntryPoint] = {}
    built_in = config_names(what)
    for point in entry_points(group=f"marble_eval.{what}s"):
        if point.name in built_in or point.name in found:
            other = found[point.name].value if point.name in found else "marble-eval's own"
            raise SpecError(
                f"two {what}s are called {point.name!r}: {other} and {point.value}. Uninstall one."
            )
        found[point.name] = point
    return found


def loaded(point: EntryPoint, subject: str) -> Any:
    """Load an entry point, or say whose it is."""
    try:
        return point.load()
    except Exception as error:  # whatever somebody's package may raise
        raise SpecError(
            f"{subject}: the entry point {point.value!r} must load. "
            f"Got {type(error).__name__}: {error}. Uninstall or mend its distribution."
        ) from error


def imported(target: str, subject: str) -> Any:
    """Import "module:attribute"."""
    module_name, _, attribute = target.partition(":")
    if not module_name or not attribute or module_name.startswith("."):
        raise SpecError(f"{subject}: 'target' must read module:function. Got {target!r}.")
    try:
        return getattr(importlib.import_module(module_name), attribute)
    except (ImportError, AttributeError) as error:
        raise SpecError(
            f"{subject}: 'target' {target!r} cannot be loaded: {error}. "
            f"Install its package, go to its folder, or put that on PYTHONPATH."
        ) from error
