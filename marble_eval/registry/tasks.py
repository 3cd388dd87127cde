"""Find tasks by name: folders with a ``task.yaml``.

The built-in folders lie in `tasks/`; a package can bring more by an entry point in
the group ``marble_eval.tasks`` that names a package of such folders. A path to a
folder works in a task's place. A ``task.py`` in the folder replaces functions of the
task's kind, and may import its neighbours relatively (``from .tuning import …``).
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from dataclasses import dataclass, replace
from importlib.machinery import ModuleSpec
from importlib.metadata import entry_points, version
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from marble_eval.errors import SpecError, near_misses
from marble_eval.files.fingerprint import digest_of
from marble_eval.kinds import KINDS, FrameKind, Kind, TrackKind, load_kind
from marble_eval.registry.cards import completed, read_card
from marble_eval.registry.overrides import overridden, own_kind
from marble_eval.spec import TaskRules, TaskSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType

_GROUP = "marble_eval.tasks"


@dataclass(frozen=True)
class Task:
    """A task: its card, and its kind, some of whose functions a ``task.py`` may replace.

    Attributes
    ----------
    spec : TaskSpec
        The card.
    folder : Path
        Where the card lies.
    provider : str
        Distribution and version that brought it.
    kind : Kind
        What reads, encodes, decodes and scores it.
    """

    spec: TaskSpec
    folder: Path
    provider: str
    kind: Kind

    @property
    def track_kind(self) -> TrackKind:
        """Return the kind of a task with one estimate a track; a TypeError for any other."""
        if self.kind.estimate != "track":
            raise TypeError(f"{self.spec.name} has an estimate for every {self.kind.estimate}.")
        return cast("TrackKind", self.kind)

    @property
    def frame_kind(self) -> FrameKind[Any]:
        """Return the kind of a task with an estimate for every frame; a TypeError otherwise.

        What its events are, only the kind knows: they go from one of its functions to another.
        """
        if self.kind.estimate != "frame":
            raise TypeError(f"{self.spec.name} has an estimate for every {self.kind.estimate}.")
        return cast("FrameKind[Any]", self.kind)

    def overriding(self, **functions: Callable[..., object]) -> Task:
        """Return this task with other functions in the place of its kind's."""
        return replace(self, kind=overridden(self.kind, functions))

    def rules(self, name: str) -> TaskRules:
        """Return what a protocol's rules fix for this task; without blocks, the kind's defaults."""
        protocols = self.spec.protocols
        if not protocols:
            return self.kind.rules
        if name not in protocols:
            raise SpecError(
                f"{self.folder / 'task.yaml'}: 'protocols' must have a block {name!r} for this "
                f"protocol. It has {', '.join(protocols)}."
            )
        return protocols[name]


@dataclass(frozen=True, slots=True)
class TaskFolder:
    """A folder with a card, before anything but the card has been read."""

    spec: TaskSpec
    folder: Path
    provider: str


def task_folders() -> dict[str, TaskFolder]:
    """Find every task by name, sorted; a SpecError if a card breaks a rule or two share a name."""
    known: dict[str, TaskFolder] = {}
    for root, provider in _roots():
        for card in sorted(root.glob("*/task.yaml")):
            each = TaskFolder(read_card(card), card.parent, provider)
            for name in (each.spec.name, *each.spec.aliases):
                other = known.setdefault(name, each)
                if other is not each:
                    raise SpecError(
                        f"two tasks are called {name!r}: {other.folder} ({other.provider}) "
                        f"and {each.folder} ({provider}). Uninstall one."
                    )
    return {name: known[name] for name in sorted({each.spec.name for each in known.values()})}


def task_names() -> tuple[str, ...]:
    """List the tasks.

    Returns
    -------
    tuple of str
        Names, sorted.

    Examples
    --------
    >>> "GTZAN" in task_names()
    True
    """
    return tuple(task_folders())


def load_task(name: str) -> Task:
    """Look up a task by its name, an alias, or the path of its folder.

    Parameters
    ----------
    name : str
        "GTZAN", or a path with a separator in it, such as "./my-task".

    Returns
    -------
    Task
        Card and functions.

    Raises
    ------
    SpecError
        If there is no such task, its card breaks a rule, or its ``task.py`` does
        not load.

    Examples
    --------
    >>> load_task("GTZANGenre").spec.name
    'GTZAN'
    """
    found = _task_folder(name)
    spec, card = found.spec, found.folder / "task.yaml"
    if spec.kind not in KINDS:
        raise SpecError(
            f"{card}: 'kind' must be one of {', '.join(KINDS)}. "
            f"Got {spec.kind!r}. {near_misses(spec.kind, KINDS)}"
        )
    module = _own_module(found.folder)
    kind = load_kind(spec.kind)
    if module is not None:
        kind = own_kind(kind, module, str(found.folder / "task.py"))
    spec = completed(spec, kind, card)
    if not spec.data and not hasattr(module, "read_tracks"):
        raise SpecError(f"{card}: 'data' must name a layout, or a task.py must have read_tracks.")
    return Task(spec=spec, folder=found.folder, provider=found.provider, kind=kind)


def _roots() -> Iterator[tuple[Path, str]]:
    """Yield the folders that hold task folders, and which distribution brought them."""
    built_in = Path(str(files("marble_eval.tasks") / "__init__.py")).parent
    yield built_in, f"marble-eval {version('marble-eval')}"
    for point in entry_points(group=_GROUP):
        try:
            spec = importlib.util.find_spec(point.value)
        except (ImportError, ValueError):
            spec = None
        if spec is None or not spec.submodule_search_locations:
            raise SpecError(
                f"the entry point {point.name!r} in the group {_GROUP} must name a package "
                f"of task folders. Got {point.value!r}. Uninstall or mend its distribution."
            )
        provider = f"{point.dist.name} {point.dist.version}" if point.dist else point.value
        for location in spec.submodule_search_locations:
            yield Path(location), provider


def _task_folder(name: str) -> TaskFolder:
    if "/" in name or "\\" in name or name in (".", ".."):
        card = Path(name).expanduser() / "task.yaml"
        if not card.is_file():
            raise SpecError(f"{card}: must exist, since the task is given as a folder.")
        return TaskFolder(read_card(card), card.parent, "folder")
    folders = task_folders()
    by_name = {alias: each for each in folders.values() for alias in each.spec.aliases}
    by_name.update(folders)
    if name not in by_name:
        raise SpecError(f"no task is called {name!r}. {near_misses(name, by_name)}")
    return by_name[name]


def _own_module(folder: Path) -> ModuleType | None:
    """Run a folder's ``task.py``, as it is now, as a module of a package of its own."""
    if not (folder / "task.py").is_file():
        return None
    package = f"marble_eval_task_{digest_of(str(folder.resolve()))[:12]}"
    for name in [each for each in sys.modules if each.partition(".")[0] == package]:
        del sys.modules[name]  # the file may have been edited since
    package_spec = ModuleSpec(package, None, is_package=True)
    package_spec.submodule_search_locations = [str(folder)]
    sys.modules[package] = importlib.util.module_from_spec(package_spec)
    try:
        return importlib.import_module(f"{package}.task")
    except Exception as error:  # whatever somebody's file may raise
        raise SpecError(
            f"{folder / 'task.py'}: must load. Got {type(error).__name__}: {error}."
        ) from error
