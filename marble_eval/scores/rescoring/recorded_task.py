"""The task that a result was scored by, as far as its record says.

Labels and metrics are those of the record. An installed task of the same version brings
its own functions; any other is scored as its kind is, and its provider says so.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from marble_eval.errors import SpecError, ValidationError
from marble_eval.kinds import KINDS, load_kind
from marble_eval.metrics.metric import BY_RECORDING
from marble_eval.registry import Task, load_task
from marble_eval.spec import TaskSpec

if TYPE_CHECKING:
    from marble_eval.results import Result

#: The provider of a task that is not installed, whose kind's functions are used.
NOT_INSTALLED = "not installed"


def recorded_task(result: Result, path: Path) -> Task:
    """Find the functions that scored a result: those of its task, or of its kind.

    Its ``provider`` is `NOT_INSTALLED` where they are the kind's, because no task of this name
    and version is installed, nor in the folder that the record names. A ValidationError is
    raised if the kind or one of its metrics is not known here.
    """
    record = result.task
    if record.kind not in KINDS:
        raise ValidationError(
            f"{path}: 'kind' must be one of {', '.join(KINDS)}. Got {record.kind!r}. "
            f"Use the version of marble-eval that wrote it."
        )
    # A folder of somebody's own cannot be found by its name.
    name = record.folder if record.provider == "folder" else record.name
    own = _found(name, record.name, record.version) if name else None
    kind = load_kind(record.kind) if own is None or own.kind.name != record.kind else own.kind
    names = tuple(each for each in result.metrics if not each.endswith(BY_RECORDING))
    labels = tuple(each.name for each in result.labels) or tuple(kind.labels or ())
    try:
        spec = TaskSpec(
            record.name, record.kind, version=record.version, labels=labels, metrics=names
        )
    except ValueError as error:
        raise ValidationError(
            f"{path}: its task is not as a card asks: {error} Take the file from its source."
        ) from None
    known = kind.metrics_of(spec)
    unknown = [each for each in names if each not in known]
    if unknown:
        raise ValidationError(
            f"{path}: metrics of a task of kind {record.kind} must be of {', '.join(known)}. "
            f"Got {unknown[0]!r}. {_next_step(result)}"
        )
    provider = NOT_INSTALLED if own is None else own.provider
    return Task(spec=spec, folder=Path(), provider=provider, kind=kind)


def _next_step(result: Result) -> str:
    task = result.task
    if task.provider == "folder":
        return (
            f"{task.name} brought metrics from its folder, {task.folder or 'which is not recorded'}"
            f": put {task.name} of version {task.version} there again, with its task.py."
        )
    return (
        f"If {task.name} brought it, install {task.provider}; else use the version of marble-eval "
        f"that wrote it."
    )


def possible_metrics(result: Result, path: Path) -> tuple[str, ...]:
    """Name the metrics that a result's predictions can give, those of recordings included."""
    task = recorded_task(result, path)
    names = tuple(task.kind.metrics_of(task.spec))
    if any(each.endswith(BY_RECORDING) for each in result.metrics):
        names += tuple(f"{each}{BY_RECORDING}" for each in names)
    return names


@cache  # every card is read to find one, and results of one task come in crowds
def _found(name: str, recorded: str, version: int) -> Task | None:
    """Look up a task by name or folder; None unless it is the one recorded."""
    try:
        task = load_task(name)
    except SpecError:
        return None
    return task if (task.spec.name, task.spec.version) == (recorded, version) else None
