"""Several tasks with one encoder: a list of tasks, run one after the other.

A suite is a list of tasks (`configs/suite/*.yaml`, or your own file). Tasks without
data are listed as missing, and a failing task does not stop the others. Each result is
written as if its task had been run alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from marble_eval.errors import MarbleError, MissingError, SpecError, near_misses
from marble_eval.leaderboard import published_value
from marble_eval.leaderboard.score_text import score_text, stored_interval, stored_text
from marble_eval.registry import load_task, task_folders
from marble_eval.registry.configuration import config_names, read_yaml
from marble_eval.runs.run import forecast, run
from marble_eval.spec import from_mapping

if TYPE_CHECKING:
    from marble_eval.encoders import Encoder
    from marble_eval.progress import Progress
    from marble_eval.registry import Task
    from marble_eval.runs.run import Finished
    from marble_eval.spec import Settings, Track


@dataclass(frozen=True, slots=True)
class Suite:
    """A named list of tasks, in the order in which they run."""

    name: str
    tasks: tuple[str, ...]  # names, aliases resolved, and absolute paths of folders


def suite_names() -> tuple[str, ...]:
    """List the suites in `configs/suite/`."""
    return config_names("suite")


def load_suite(name: str) -> Suite:
    """Read a suite of `suite_names`, or a YAML file with a list ``tasks``.

    Paths of task folders in a file start from the file's own folder.
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


class Outcome(NamedTuple):
    """The outcome of one task of a suite."""

    task: str  # its name, or the path of a folder whose card could not be read
    finished: Finished | None = None
    forecast: str = ""
    error: Exception | None = None
    there: bool = True  # whether any of its data was found

    @property
    def exit_code(self) -> int:
        """Return 0, or the code of a failure; missing data is not one."""
        if self.error is None or not self.there:
            return 0
        return self.error.exit_code if isinstance(self.error, MarbleError) else 1

    @property
    def reason(self) -> str:
        """Return what went wrong in words; empty if nothing did."""
        if self.error is None or isinstance(self.error, MarbleError):
            return str(self.error or "")
        return f"{type(self.error).__name__}: {self.error}. Run it alone, task=NAME, to see where."


def exit_code(outcomes: Sequence[Outcome]) -> int:
    """Return 0 if every task with data ran, 3 if none has data, else the largest failure code."""
    if not any(each.there for each in outcomes):
        return MissingError.exit_code
    return max(each.exit_code for each in outcomes)


def summary_table(outcomes: Sequence[Outcome]) -> str:
    """Write a line per metric, then the tasks that failed or are missing, and why."""
    rows = [row for each in outcomes for row in _rows(each)]
    lines = _aligned(rows) if rows else []
    for each in outcomes:
        if each.forecast:
            lines += ["", each.forecast]
    for word, there in (("failed", True), ("missing", False)):
        some = [each for each in outcomes if each.error is not None and each.there is there]
        if some:
            lines += ["", f"{word}: {len(some)} of {len(outcomes)} tasks"]
            lines += [f"  {each.task}: {each.reason}" for each in some]
    return "\n".join(lines).lstrip("\n")


def _rows(outcome: Outcome) -> list[tuple[str, ...]]:
    if outcome.error is not None:
        return [(outcome.task, "-", "-", "failed" if outcome.there else "missing", "-", "-", "-")]
    if outcome.finished is None:
        return []
    result = outcome.finished.result
    rows: list[tuple[str, ...]] = []
    for number, (name, score) in enumerate(result.metrics.items()):
        published = published_value(result.encoder.name, result.task.column, name)
        rows.append(
            (
                "" if number else result.task.name,
                name,
                stored_text(score.value, score.unit),
                stored_interval(score.low, score.high, score.unit),
                score.counted,
                "" if number else result.chosen.layer,
                score_text(published.value, published.unit) if published else "-",
            )
        )
    return rows


def _aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    rows = [("task", "metric", "value", "95 % interval", "n", "layer", "published"), *rows]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(
            cell.rjust(width) if column == 2 else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def run_suite(
    suite: Suite,
    encoder: Encoder,
    settings: Settings,
    progress: Progress,
    *,
    root: Path | None = None,
    dry_run: bool = False,
) -> list[Outcome]:
    """Run every task of a suite whose data is here.

    `root` holds a folder per data set, named after it or its task; a data set that it lacks
    is looked for in the data home. The data of a task's folder lies in that folder.
    """
    if root is not None and not root.is_dir():
        raise MissingError(f"{root}: must be a folder that holds one folder for each data set.")
    outcomes = []
    for number, name in enumerate(suite.tasks, start=1):
        progress.say(f"{suite.name}, {number} of {len(suite.tasks)}: {name}")
        outcome = _attempt(name, encoder, settings, progress, root, dry_run)
        if outcome.error is not None:
            progress.say(f"{outcome.task}: {outcome.reason}")
        outcomes.append(outcome)
    return outcomes


def _attempt(
    name: str,
    encoder: Encoder,
    settings: Settings,
    progress: Progress,
    root: Path | None,
    dry_run: bool,
) -> Outcome:
    found: list[int] = []
    try:
        task = load_task(name)
        name = task.spec.name

        def read_tracks(*given: Any) -> list[Track]:
            tracks = task.kind.read_tracks(*given)
            found.append(len(tracks))  # what is missing from now on are single files
            return tracks

        noted = task.overriding(read_tracks=read_tracks)
        settings = replace(settings, root=_data_root(task, root))
        if dry_run:
            return Outcome(name, forecast=forecast(noted, encoder, settings, progress))
        return Outcome(name, run(noted, encoder, settings, progress))
    except MissingError as error:
        return Outcome(name, error=error, there=bool(found))
    except Exception as error:  # whatever a task's own code may raise: the others go on
        return Outcome(name, error=error)


def _data_root(task: Task, root: Path | None) -> Path | None:
    """Find a data set's folder below a suite's root; None for where a task looks by itself."""
    if root is None or task.provider == "folder":
        return None
    folders = sorted(each for each in root.iterdir() if each.is_dir())
    for wanted in (task.spec.dataset or task.spec.name, task.spec.name):
        exact = [each for each in folders if each.name == wanted]
        alike = [each for each in folders if each.name.casefold() == wanted.casefold()]
        if exact or alike:
            return [*exact, *alike][0]
    return None
