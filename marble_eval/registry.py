"""Find tasks and encoders by name, built-in ones and other packages' alike.

A task is a folder with a ``task.yaml``. The built-in folders lie in `tasks/`; a
package can bring more by an entry point in the group ``marble_eval.tasks`` that
names a package of such folders, and an encoder by one in ``marble_eval.encoders``
that names a function or class. A path to a folder works in a task's place.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points, version
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from marble_eval.configuration import config_names, read_config
from marble_eval.errors import SpecError, near_misses
from marble_eval.kinds import KINDS
from marble_eval.spec import TaskSpec, from_mapping

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType

    from marble_eval.encoders import Encoder

_TASK_GROUP, _ENCODER_GROUP = "marble_eval.tasks", "marble_eval.encoders"
_REPLACEABLE = ("read_tracks", "encode", "decode", "score")


@dataclass(frozen=True)
class Task:
    """A task: its card, and the functions of its kind.

    Attributes
    ----------
    spec : TaskSpec
        The card.
    folder : Path
        Where the card lies.
    provider : str
        Distribution and version that brought it.
    kind : module
        Facts of the kind: ``LOSS``, ``METRICS``, ``outputs``, ``monitor``, ….
    read_tracks, encode, decode, score : callable
        The kind's functions, or the folder's own.
    """

    spec: TaskSpec
    folder: Path
    provider: str
    kind: Any
    read_tracks: Callable[..., Any]
    encode: Callable[..., Any]
    decode: Callable[..., Any]
    score: Callable[..., Any]


@dataclass(frozen=True, slots=True)
class TaskFolder:
    """A folder with a card, before anything but the card has been read."""

    spec: TaskSpec
    folder: Path
    provider: str


def task_folders() -> dict[str, TaskFolder]:
    """Find every task.

    Returns
    -------
    dict of str to TaskFolder
        By name, sorted.

    Raises
    ------
    SpecError
        If a card breaks a rule, or two tasks have one name.
    """
    found: dict[str, TaskFolder] = {}
    for folder, provider in _roots():
        for card in sorted(folder.glob("*/task.yaml")):
            each = TaskFolder(read_card(card), card.parent, provider)
            other = found.setdefault(each.spec.name, each)
            if other is not each:
                raise SpecError(
                    f"two tasks are called {each.spec.name!r}: {other.folder} "
                    f"({other.provider}) and {each.folder} ({provider}). Uninstall one."
                )
    return dict(sorted(found.items()))


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
        If there is no such task, or its card breaks a rule.

    Examples
    --------
    >>> load_task("GTZANGenre").spec.name
    'GTZAN'
    """
    found = _task_folder(name)
    if found.spec.kind not in KINDS:
        raise SpecError(
            f"{found.folder / 'task.yaml'}: 'kind' must be one of {', '.join(KINDS)}. "
            f"Got {found.spec.kind!r}. {near_misses(found.spec.kind, KINDS)}"
        )
    kind = importlib.import_module(f"marble_eval.kinds.{found.spec.kind}")
    unknown = [each for each in found.spec.metrics if each not in kind.METRICS]
    if unknown:
        raise SpecError(
            f"{found.folder / 'task.yaml'}: unknown metric {unknown[0]!r}. "
            f"{near_misses(unknown[0], kind.METRICS)}"
        )
    own = _own_functions(found.folder)
    functions = {each: getattr(own, each, getattr(kind, each)) for each in _REPLACEABLE}
    return Task(
        spec=found.spec, folder=found.folder, provider=found.provider, kind=kind, **functions
    )


def read_card(path: Path) -> TaskSpec:
    """Read a task card.

    Parameters
    ----------
    path : Path
        A ``task.yaml``.

    Returns
    -------
    TaskSpec
        The card.

    Raises
    ------
    SpecError
        If it is not YAML or breaks a rule.
    """
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise SpecError(f"{path}: must be a readable YAML file. {error}") from None
    return from_mapping(TaskSpec, values, str(path))


def encoder_names() -> tuple[str, ...]:
    """List the encoders, built-in and from other packages.

    Returns
    -------
    tuple of str
        Names, sorted.

    Examples
    --------
    >>> "mert-v1-95m" in encoder_names()
    True
    """
    return tuple(sorted({*config_names("encoder"), *_encoder_points()}))


def load_encoder(name: str | None = None, **options: Any) -> Encoder:
    """Load an encoder by its name, with options.

    Parameters
    ----------
    name : str, optional
        One of `encoder_names`; may be left out when ``target`` is given.
    **options : object
        What its config takes (``path``, ``precision``, …), or ``target``, a
        "module:function" that makes any other encoder from the other options.
        ``device`` is handed on to encoders that take it.

    Returns
    -------
    Encoder
        Ready to encode.

    Raises
    ------
    SpecError
        If the name or an option is unknown, or the target is not an encoder.
    MissingError
        If its weights are not here and cannot be fetched.
    """
    device = options.pop("device", None)
    if "target" not in options and name in _encoder_points():
        target: Any = _encoder_points()[name].load()
        subject = f"encoder {name}"
    else:
        if "target" in options:
            values = dict(options)
        else:
            values = read_config("encoder", str(name))
            unknown = [each for each in options if each not in values]
            if unknown:
                raise SpecError(
                    f"encoder {name}: unknown option {unknown[0]!r}. "
                    f"{near_misses(unknown[0], values)}"
                )
            values.update(options)
        subject = f"encoder {name or values['target']}"
        target = _imported(str(values.pop("target")), subject)
        options = values
    taken = inspect.signature(target).parameters
    if device is not None and "device" in taken:
        options["device"] = device
    try:
        inspect.signature(target).bind(**options)
    except TypeError as error:
        raise SpecError(f"{subject}: {error}. It takes {', '.join(taken) or 'nothing'}.") from None
    encoder: Encoder = target(**options)
    check_encoder(encoder, subject)
    return encoder


def check_encoder(encoder: object, subject: str) -> None:
    """Refuse an object that is not an encoder, naming what it lacks.

    Parameters
    ----------
    encoder : object
        Anything.
    subject : str
        Who it is, for the message.

    Raises
    ------
    SpecError
        If a member of the `Encoder` protocol is absent.
    """
    needed = (
        "name",
        "sample_rate",
        "frame_rate",
        "layers",
        "width",
        "hidden_states",
        "fingerprint",
    )
    absent = [each for each in needed if not hasattr(encoder, each)]
    if absent:
        raise SpecError(
            f"{subject}: must have {', '.join(needed)}. Got {type(encoder).__name__} without "
            f"{', '.join(absent)}. See marble_eval.encoders.Encoder."
        )


def _roots() -> Iterator[tuple[Path, str]]:
    yield Path(str(files("marble_eval.tasks") / "__init__.py")).parent, _provider("marble-eval")
    for point in entry_points(group=_TASK_GROUP):
        spec = importlib.util.find_spec(point.value)
        if spec is None or not spec.submodule_search_locations:
            raise SpecError(
                f"the entry point {point.name!r} in the group {_TASK_GROUP} must name a package "
                f"of task folders. Got {point.value!r}."
            )
        name = point.dist.name if point.dist else point.value
        for location in spec.submodule_search_locations:
            yield Path(location), _provider(name)


def _provider(distribution: str) -> str:
    return f"{distribution} {version(distribution)}"


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
        raise SpecError(f"no task is called {name!r}. {near_misses(name, folders)}")
    return by_name[name]


def _own_functions(folder: Path) -> ModuleType | None:
    path = folder / "task.py"
    if not path.is_file():
        return None
    module_spec = importlib.util.spec_from_file_location(f"marble_eval_task_{folder.name}", path)
    if module_spec is None or module_spec.loader is None:
        raise SpecError(f"{path}: must be a Python module.")
    module = importlib.util.module_from_spec(module_spec)
    module_spec.loader.exec_module(module)
    return module


def _encoder_points() -> dict[str, EntryPoint]:
    found: dict[str, EntryPoint] = {}
    built_in = config_names("encoder")
    for point in entry_points(group=_ENCODER_GROUP):
        if point.name in built_in or point.name in found:
            other = found[point.name].value if point.name in found else "marble-eval's own"
            raise SpecError(
                f"two encoders are called {point.name!r}: {other} and {point.value}. Uninstall one."
            )
        found[point.name] = point
    return found


def _imported(target: str, subject: str) -> Any:
    module_name, _, attribute = target.partition(":")
    if not module_name or not attribute:
        raise SpecError(f"{subject}: 'target' must read module:function. Got {target!r}.")
    try:
        return getattr(importlib.import_module(module_name), attribute)
    except (ImportError, AttributeError) as error:
        raise SpecError(f"{subject}: 'target' {target!r} cannot be loaded: {error}.") from None
