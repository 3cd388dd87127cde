"""One encoder on one task: the order of work, and nothing else.

Tracks are read and checked, missing features encoded, the grid trained, the
choice scored, and one result written. `evaluate` is safe inside a training loop:
it keeps no state, gives back train mode and random state, and never exits.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from marble_eval.encoders import facts_of
from marble_eval.errors import MarbleError, MissingError, ValidationError
from marble_eval.progress import Silence
from marble_eval.registry import (
    Task,
    check_encoder,
    check_probe,
    load_encoder,
    load_probe,
    load_task,
)
from marble_eval.registry.configuration import load_engine, load_protocol, run_defaults
from marble_eval.results import Notes, Result, read_result, write_result
from marble_eval.results.folder import FILE, check_replaceable
from marble_eval.runs.admission import admit
from marble_eval.runs.budget import check_budget
from marble_eval.runs.forecast import announcements, outlook
from marble_eval.runs.preserved_state import preserved_state
from marble_eval.runs.record import make_result
from marble_eval.runs.run_plan import RunPlan, plan_run
from marble_eval.runs.training import train_and_score
from marble_eval.spec import Settings, from_mapping

if TYPE_CHECKING:
    from marble_eval.encoders import Encoder
    from marble_eval.progress import Progress
    from marble_eval.spec import EngineSpec, Probe, ProtocolSpec


class Finished(NamedTuple):
    """A run's result, and where it lies."""

    result: Result
    path: Path | None
    was_there: bool


def evaluate(
    encoder: Encoder | str,
    task: Task | str,
    *,
    root: str | Path | None = None,
    protocol: ProtocolSpec | str = "marble-v1",
    probe: Probe | str = "mlp",
    engine: EngineSpec | str = "local",
    results: str | Path | None = None,
    progress: Progress | None = None,
    **choices: Any,
) -> Result:
    """Evaluate an encoder on a task.

    Parameters
    ----------
    encoder : Encoder or str
        An object with the members of `marble_eval.encoders.Encoder`, or a name.
    task : Task or str
        A task or its name.
    root : path, optional
        Your copy of the data; the task's folder in the data home otherwise.
    protocol, probe, engine : spec or str
        A spec, or the name of a preset in `configs/`.
    results : path, optional
        Folder of all results; no result is written otherwise. Features are kept in the data
        home (`MARBLE_EVAL_HOME`) either way.
    progress : Progress, optional
        Who is told how far it has got; nobody otherwise.
    **choices : object
        ``layers``, ``seeds``, ``seed``, ``missing``, ``features``, ``frames``,
        ``force`` and ``splits``, as on the command line; defaults in `configs/run.yaml`.

    Returns
    -------
    Result
        Scores with intervals, the layer curve, the grid, and what was run.

    Raises
    ------
    SpecError
        If a name, option or card breaks a rule.
    MissingError
        If data or weights are missing or unusable.
    ValidationError
        If the data does not follow the card.

    Examples
    --------
    >>> import marble_eval
    >>> marble_eval.evaluate("mel", task="GTZAN", root="/data/gtzan")  # doctest: +SKIP
    """
    settings = settings_of(
        root=root, protocol=protocol, probe=probe, engine=engine, results=results, **choices
    )
    loaded = load_task(task) if isinstance(task, str) else task
    if isinstance(encoder, str):
        encoder = load_encoder(encoder, device=settings.engine.device)
    check_encoder(encoder, "encoder")
    check_probe(settings.probe, "probe")
    return run(loaded, encoder, settings, progress or Silence()).result


def settings_of(
    *,
    root: str | Path | None = None,
    protocol: ProtocolSpec | str = "marble-v1",
    probe: Probe | str = "mlp",
    engine: EngineSpec | str = "local",
    results: str | Path | None = None,
    **choices: Any,
) -> Settings:
    """Join choices as for `evaluate` with the defaults of the command line."""
    defaults = run_defaults()
    known = ("layers", "seeds", "seed", "missing", "features", "frames", "force")
    values: dict[str, Any] = {name: defaults[name] for name in known} | {"splits": None} | choices
    for name in ("features", "frames"):  # a choice of one is no choice of the others
        if isinstance(values[name], Mapping):
            values[name] = {**defaults[name], **values[name]}
    return from_mapping(
        Settings,
        values
        | {
            "root": None if root is None else Path(root).expanduser(),
            "splits": None if values["splits"] is None else Path(values["splits"]).expanduser(),
            "protocol": load_protocol(protocol) if isinstance(protocol, str) else protocol,
            "probe": load_probe(probe) if isinstance(probe, str) else probe,
            "engine": load_engine(engine) if isinstance(engine, str) else engine,
            "results": None if results is None else Path(results).expanduser(),
        },
        "evaluate",
    )


def run(task: Task, encoder: Encoder, settings: Settings, progress: Progress) -> Finished:
    """Run a task, or find its result."""
    with preserved_state(encoder):
        try:
            prepared = plan_run(task, encoder, settings, progress)
            admit(prepared, progress)
            there = _finished(prepared)
            return there or _run(prepared, progress)
        except MarbleError as error:
            error.add_note(f"in {task.spec.name} with {encoder.name}")
            raise


def forecast(task: Task, encoder: Encoder, settings: Settings, progress: Progress) -> str:
    """Say what a run would do, after checking all it can check."""
    with preserved_state(encoder):
        prepared = plan_run(task, encoder, settings, progress)
    lines = outlook(prepared)
    if prepared.folder is not None:
        there = "is there already" if _finished(prepared) else "is to be made"
        lines.append(f"{prepared.folder / FILE} {there}")
    return "\n".join(lines)


def _finished(prepared: RunPlan) -> Finished | None:
    """Find the result of an earlier run that would give the same scores."""
    if prepared.folder is None:
        return None
    path = prepared.folder / FILE
    try:
        result = read_result(path)
    except (MissingError, ValidationError):
        return None  # absent, or not whole: it is made anew
    encoder, task = prepared.encoder, prepared.task.spec.name
    check_replaceable(path, encoder.name, str(facts_of(encoder).revision), task)
    is_same = result.unit == prepared.unit and not prepared.settings.force
    return Finished(result, path, was_there=True) if is_same else None


def _run(prepared: RunPlan, progress: Progress) -> Finished:
    check_budget(prepared)
    for sentence in announcements(prepared):
        progress.say(sentence)
    worked = train_and_score(prepared, progress)
    remarks = (*facts_of(prepared.encoder).remarks, *worked.prepared.remarks)
    notes = Notes(remarks=remarks) + worked.notes
    result = make_result(worked.prepared, worked.scores, worked.cost, worked.clips, notes)
    if prepared.folder is None:
        return Finished(result, None, was_there=False)
    folder = worked.prepared.folder or prepared.folder
    path = write_result(folder, result, worked.scores.predictions)
    return Finished(read_result(path), path, was_there=False)
