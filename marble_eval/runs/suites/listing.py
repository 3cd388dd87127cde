"""Suites by name: the lists of tasks in `configs/suite/`, and those in files of one's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path

from marble_eval.configuration import config_names, read_yaml
from marble_eval.errors import SpecError, near_misses
from marble_eval.registry import task_folders
from marble_eval.spec import from_mapping


@dataclass(frozen=True, slots=True)
class Suite:
    """A named list of tasks.

    Attributes
    ----------
    name : str
        Of its file.
    tasks : tuple of str
        Names of tasks, and paths of task folders, in the order in which they run.
    """

    name: str
    tasks: tuple[str, ...]


def suite_names() -> tuple[str, ...]:
    """List the suites in `configs/suite/`.

    Returns
    -------
    tuple of str
        Names, sorted.

    Examples
    --------
    >>> "marble-v1" in suite_names()
    True
    """
    return config_names("suite")


def load_suite(name: str) -> Suite:
    """Read a suite.

    Parameters
    ----------
    name : str
        One of `suite_names`, or the path of a YAML file with a list ``tasks``;
        paths of task folders in it start from the file's own folder.

    Returns
    -------
    Suite
        Tasks by their names, aliases resolved; folders by absolute paths.

    Raises
    ------
    SpecError
        If there is no such suite, or it names no task, an unknown one, or one twice.

    Examples
    --------
    >>> load_suite("marble-v1").name
    'marble-v1'
    """
    if "/" in name or "\\" in name or name.endswith((".yaml", ".yml")):
        path = Path(name).expanduser()
        subject, folder, stem = str(path), path.absolute().parent, path.stem
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise SpecError(f"{path}: must be a readable YAML file. {error}") from None
    else:
        if name not in suite_names():
            raise SpecError(f"no suite is called {name!r}. {near_misses(name, suite_names())}")
        subject, folder, stem = f"suite/{name}.yaml", Path.cwd(), name
        text = (files("marble_eval.configs") / "suite" / f"{name}.yaml").read_text("utf-8")
    values = read_yaml(text, subject)
    suite = from_mapping(Suite, {"name": stem, **_mapping(values, subject)}, subject)
    return replace(suite, tasks=_known(suite.tasks, folder, subject))


def _mapping(values: object, subject: str) -> dict[str, object]:
    if not isinstance(values, dict) or set(values) != {"tasks"}:
        got = ", ".join(map(str, values)) if isinstance(values, dict) else repr(values)
        raise SpecError(f"{subject}: must have a list 'tasks', and nothing else. Got {got}.")
    return values


def _known(tasks: Sequence[str], folder: Path, subject: str) -> tuple[str, ...]:
    """Resolve aliases and paths; refuse what is unknown or there twice."""
    names = {
        name: each.spec.name
        for each in task_folders().values()
        for name in (each.spec.name, *each.spec.aliases)
    }
    found: list[str] = []
    for task in tasks:
        if "/" in task or task in (".", ".."):
            place = (folder / Path(task).expanduser()).resolve()
            if not (place / "task.yaml").is_file():
                raise SpecError(f"{subject}: {task!r} must be a task's folder, with a task.yaml.")
            found.append(f"{place}/")
        elif task not in names:
            raise SpecError(f"{subject}: no task is called {task!r}. {near_misses(task, names)}")
        else:
            found.append(names[task])
    twice = next((each for each in found if found.count(each) > 1), None)
    if twice or not found:
        what = f"Got {twice} twice" if twice else "Got none"
        raise SpecError(f"{subject}: 'tasks' must name one task or more, each once. {what}.")
    return tuple(found)
