"""Run a suite: find each data set, run each task, keep going."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from marble_eval.errors import MissingError
from marble_eval.registry import load_task
from marble_eval.runs.run import forecast, run
from marble_eval.runs.suites.outcome import Outcome

if TYPE_CHECKING:
    from marble_eval.encoders import Encoder
    from marble_eval.progress import Progress
    from marble_eval.registry import Task
    from marble_eval.runs.suites.listing import Suite
    from marble_eval.spec import Settings, Track


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

    Parameters
    ----------
    suite : Suite
        Which tasks.
    encoder : Encoder
        What is evaluated.
    settings : Settings
        How; its ``root`` does not count, since each task has its own.
    progress : Progress
        Who is told.
    root : Path, optional
        A folder with a folder for each data set, named like it or like the task
        (``MTT``, ``GTZAN``, in any case); for a data set that it lacks, the data home
        is looked into. The data of a task's folder lies in that folder.
    dry_run : bool
        Check the data and say what would be done.

    Returns
    -------
    list of Outcome
        In the order of the suite.

    Raises
    ------
    MissingError
        If ``root`` is no folder.
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
