"""A result of a submission, with the installed card that it is held against.

A task of the same name and version is looked up among the installed ones only: a name
out of a foreign file is never taken for a path.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from marble_eval.configuration import load_protocol
from marble_eval.errors import MarbleError, SpecError
from marble_eval.registry import load_task
from marble_eval.results import Result, read_result
from marble_eval.results.folder import FILE
from marble_eval.results.predictions import FILE as PREDICTIONS
from marble_eval.submission.findings import Finding
from marble_eval.submission.manifest import strict_json

if TYPE_CHECKING:
    from marble_eval.registry import Task
    from marble_eval.spec import TaskRules

_NAME = re.compile(r"\w[\w-]*", re.ASCII)  # of a task, as cards must have it
_WHOLE = 4  # the first schema version that records all that is checked


@dataclass(frozen=True)
class Submitted:
    """A result within a submission.

    Attributes
    ----------
    file : str
        Path of its `result.json`, from the submission's folder on.
    path : Path
        The same on this machine.
    result : Result
        What it says.
    task : Task or None
        The installed task of this name and version; None if there is none.
    rules : TaskRules or None
        What its card fixes under the result's protocol; None without a card.
    """

    file: str
    path: Path
    result: Result
    task: Task | None
    rules: TaskRules | None

    @property
    def of_this_version(self) -> bool:
        """Return whether the installed marble-eval is the one that made the result."""
        whole = self.result.written_under >= _WHOLE
        return self.result.tool_version == version("marble-eval") and whole

    @property
    def predictions(self) -> Path:
        """Return where the table of predictions lies."""
        return self.path.with_name(PREDICTIONS)

    @property
    def task_name(self) -> str:
        """Return the task as a reader names it: "GTZAN@1"."""
        return f"{self.result.task.name}@{self.result.task.version}"

    def says(self, rule: str, got: object, expected: object) -> Finding:
        """Make a finding about the record."""
        return Finding(self.file, rule, str(got), str(expected))

    def table_says(self, rule: str, got: object, expected: object) -> Finding:
        """Make a finding about its predictions."""
        table = f"{self.file.removesuffix(FILE)}{PREDICTIONS}"
        return Finding(table, rule, str(got), str(expected))


class InstalledTasks:
    """The installed tasks; each card is read once, however many results name it."""

    def __init__(self) -> None:
        self._loaded: dict[str, Task | None] = {}

    def of(self, result: Result) -> Task | None:
        """Look up the task of a result, of the same version.

        Parameters
        ----------
        result : Result
            What was run.

        Returns
        -------
        Task or None
            With the record's labels, where the card leaves them to the data; None if no
            task of this name, version and kind is installed.
        """
        task = self.named(result.task.name)
        if task is None or result.task.provider == "folder":
            return None
        if task.spec.version != result.task.version or task.spec.kind != result.task.kind:
            return None
        if task.spec.labels:
            return task
        labels = tuple(each.name for each in result.labels)
        return replace(task, spec=replace(task.spec, labels=labels))

    def named(self, name: str) -> Task | None:
        """Look up a task by its name, whatever its version; None if none is installed."""
        if name not in self._loaded:
            self._loaded[name] = _installed(name)
        return self._loaded[name]


def _installed(name: str) -> Task | None:
    if not _NAME.fullmatch(name):  # a path would run the code of a folder
        return None
    try:
        task = load_task(name)
    except SpecError:
        return None
    return task if task.spec.name == name else None  # and no alias


def read_submitted(
    folder: Path, file: str, installed: InstalledTasks
) -> tuple[Submitted | None, list[Finding]]:
    """Read a result of a submission.

    Parameters
    ----------
    folder : Path
        The submission.
    file : str
        Path of a `result.json`, from there on; a plain file.
    installed : InstalledTasks
        Where its task is looked up.

    Returns
    -------
    submitted : Submitted or None
        None if it is no result.
    findings : list of Finding
        Why not, or that it takes the name of an installed task.
    """
    path = folder / file
    _, fault = strict_json(path)
    if fault is not None:
        return None, [Finding(file, "must be strict JSON", fault, "one JSON object")]
    try:
        result = read_result(path)
    except MarbleError as error:
        said = str(error).removeprefix(f"{path}: ")
        return None, [Finding(file, "must follow the result schema", said, "a result")]
    task = installed.of(result)
    submitted = Submitted(file, path, result, task, _rules(task, result))
    if result.task.provider != "folder" or installed.named(result.task.name) is None:
        return submitted, []
    # It would stand in the installed task's column, with none of its card's checks.
    rule = "a task of a folder must not have the name of an installed one"
    return submitted, [submitted.says(rule, result.task.name, "another name, or the installed")]


def _rules(task: Task | None, result: Result) -> TaskRules | None:
    """Look up what the card fixes; its frames as they were run are told elsewhere."""
    if task is None:
        return None
    try:
        return task.rules(load_protocol(result.protocol.name).rules)
    except SpecError:
        return None
