"""A result of a submission, with the card, the protocol and the probe that it is held against.

A task of the same name and version is looked up among the installed ones only: a name
out of a foreign file is never taken for a path.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, fields, replace
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from marble_eval.errors import MarbleError, SpecError
from marble_eval.registry import load_probe, load_task, probe_record
from marble_eval.registry.configuration import load_protocol
from marble_eval.results import ProtocolRecord, Result, RuleChanged, TracksLeftOut, read_result
from marble_eval.results.folder import FILE
from marble_eval.results.predictions import FILE as PREDICTIONS
from marble_eval.spec import ProtocolSpec, from_mapping
from marble_eval.submission.findings import Finding, shown
from marble_eval.submission.manifest import strict_json

if TYPE_CHECKING:
    from marble_eval.registry import Task
    from marble_eval.results import Deviation
    from marble_eval.spec import Probe, TaskRules

_NAME = re.compile(r"\w[\w-]*", re.ASCII)  # of a task, as cards must have it
_WHOLE = 4  # the first schema version that records all that is checked


@dataclass(frozen=True)
class Submitted:
    """A result within a submission.

    `file` is its path from the submission's folder on, `path` that on this machine; `task` is
    None where it is not installed, `rules` of its card None where it has none for the protocol.
    """

    file: str
    path: Path
    result: Result
    task: Task | None
    rules: TaskRules | None

    @cached_property
    def protocol(self) -> ProtocolSpec | None:
        """Return the protocol as it was run; None if there is none of this name and rules."""
        try:
            return protocol_as_run(self.result.protocol)
        except SpecError:
            return None

    @property
    def unknown(self) -> tuple[Deviation, ...]:
        """Return the deviations that this version does not write."""
        return tuple(each for each in self.result.protocol.deviations if not _is_known(each))

    @property
    def tracks_left_out(self) -> Counter[str]:
        """Count the tracks of each split that the deviations say were left out."""
        counts: Counter[str] = Counter()
        for each in self.result.protocol.deviations:
            if isinstance(each, TracksLeftOut):
                counts[each.split] += each.count
        return counts

    @property
    def excused(self) -> dict[str, str]:
        """Return the split of each track that the card excuses, by its id."""
        return {} if self.task is None else {e.id: e.split for e in self.task.spec.may_lack}

    @cached_property
    def probe(self) -> Probe | None:
        """Return the probe; None if there is none of this name and these facts."""
        record = self.result.probe
        try:
            probe = load_probe(record.name, **record.options)
        except SpecError:
            return None
        return probe if probe_record(probe) == record else None

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


_RULES = {each.name for each in fields(ProtocolSpec)} - {"name"}


def protocol_as_run(record: ProtocolRecord) -> ProtocolSpec:
    """Put the recorded deviations into the preset; `SpecError` if it cannot have one of them."""
    preset = load_protocol(record.name)
    values = {name: getattr(preset, name) for name in ("name", *_RULES)}
    for each in record.deviations:
        if isinstance(each, RuleChanged) and each.rule in _RULES:
            values[each.rule] = each.got
    return from_mapping(ProtocolSpec, values, f"deviations from {record.name}")


def _is_known(deviation: Deviation) -> bool:
    if isinstance(deviation, RuleChanged):
        return deviation.rule in _RULES or deviation.rule.startswith("frames.")
    return isinstance(deviation, TracksLeftOut)


class InstalledTasks:
    """The installed tasks; each card is read once, however many results name it."""

    def __init__(self) -> None:
        self._loaded: dict[str, Task | None] = {}

    def of(self, result: Result) -> Task | None:
        """Look up the task of a result, of the same version."""
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
    """Read a result of a submission."""
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
    return submitted, _claims_of_card(submitted, installed.named(result.task.name))


def _claims_of_card(submitted: Submitted, named: Task | None) -> list[Finding]:
    """Refuse a task that stands for an installed one, with none of its card's checks."""
    task = submitted.result.task
    if named is None:
        if task.provider.partition(" ")[0] != "marble-eval":
            return []
        rule = "a task of marble-eval must be installed, or nothing of its card is checked"
        return [submitted.says(rule, submitted.task_name, "an installed task, or its provider")]
    if task.provider == "folder":
        rule = "a task of a folder must not have the name of an installed one"
        return [submitted.says(rule, task.name, "another name, or the installed")]
    pairs = (("version", task.version, named.spec.version), ("kind", task.kind, named.spec.kind))
    return [
        submitted.says(f"task.{name} must be the installed card's", shown(got), shown(expected))
        for name, got, expected in pairs
        if got != expected
    ]


def _rules(task: Task | None, result: Result) -> TaskRules | None:
    """Look up what the card fixes; frames as run are in the record."""
    if task is None:
        return None
    try:
        return task.rules(load_protocol(result.protocol.name).rules)
    except SpecError:
        return None
