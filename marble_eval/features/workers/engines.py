"""Who encodes: threads of this process, processes with a GPU each, or a Ray cluster."""

from __future__ import annotations

import os
from contextlib import closing
from typing import TYPE_CHECKING

import torch

from marble_eval.encoders import facts_of
from marble_eval.errors import SpecError
from marble_eval.features.workers.assignment import Terms
from marble_eval.features.workers.processes import Processes, visible_gpus
from marble_eval.features.workers.remote_worker import identity_of, outfit_for
from marble_eval.features.workers.worker import Worker
from marble_eval.features.workers.worker_pool import Crew

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from marble_eval.encoders import Encoder
    from marble_eval.features.workers.assignment import Assignment, Parcel
    from marble_eval.features.workers.batch import Form
    from marble_eval.features.workers.remote_worker import Outfit
    from marble_eval.features.workers.worker_messages import Staff
    from marble_eval.progress import Progress
    from marble_eval.spec import EngineSpec


def encoded(
    assignments: Iterator[Assignment],
    tracks: int,
    encoder: Encoder,
    forms: tuple[Form, ...],
    engine: EngineSpec,
    progress: Progress,
) -> Generator[list[Parcel]]:
    """Have tracks encoded by whom the engine names.

    Parameters
    ----------
    assignments : iterator of Assignment
        The tracks, numbered in order.
    tracks : int
        How many there are.
    encoder : Encoder
        What encodes them; others are made like it where it is needed elsewhere.
    forms : tuple of Form
        How tracks are cut, and what is kept.
    engine : EngineSpec
        Where and how wide.
    progress : Progress
        Who is told.

    Yields
    ------
    list of Parcel
        In the order of the assignments.

    Raises
    ------
    MarbleError
        As `Worker.parcels` and `Crew.parcels`.
    SpecError
        If the encoder cannot be sent, or the engine asks for what is not there.
    MissingError
        If Ray is not installed, or files are not where a worker is.
    """
    staff: Staff
    if engine.address is not None:
        from marble_eval.features.workers.ray_cluster import RayCluster  # noqa: PLC0415 - loads Ray

        cluster = staff = RayCluster(engine)
        terms = _terms(forms, engine, encoders=1, arithmetic=max(1, int(cluster.cpus)))
        try:
            cluster.equip(outfit_for(encoder, terms, cluster.dumps))
        except BaseException:
            cluster.close()
            raise
        size = cluster.size
    else:
        gpus = _gpus_to_share(encoder, engine)
        size = engine.processes or len(gpus)
        terms = _terms(forms, engine, encoders=1, arithmetic=max(1, _cores() // max(1, size)))
        outfit = _outfit(encoder, terms, engine, progress) if size else None
        if outfit is None:
            yield from _here(assignments, encoder, forms, engine)
            return
        staff = Processes(outfit, gpus)
    crew = Crew(staff, size, identity_of(encoder, terms), progress)
    with closing(crew.parcels(assignments, tracks)) as parcels:
        yield from parcels


def _here(
    assignments: Iterator[Assignment],
    encoder: Encoder,
    forms: tuple[Form, ...],
    engine: EngineSpec,
) -> Generator[list[Parcel]]:
    """Encode in this process: on a CPU by threads, on a GPU by one that feeds it."""
    on_cpu = torch.device(facts_of(encoder).device).type == "cpu"
    encoders = (engine.workers or _cores()) if on_cpu else 1
    terms = _terms(forms, engine, encoders=encoders, arithmetic=max(1, _cores() // encoders))
    with closing(Worker(encoder, terms).parcels(assignments)) as arriving:
        yield from (each for each in arriving if each is not None)


def _terms(forms: tuple[Form, ...], engine: EngineSpec, *, encoders: int, arithmetic: int) -> Terms:
    return Terms(forms, engine.readers, encoders, arithmetic, engine.batch_clips)


def _gpus_to_share(encoder: Encoder, engine: EngineSpec) -> list[str]:
    """Name the GPUs that get a process each; none where one device was meant."""
    device = torch.device(facts_of(encoder).device)
    if device.type != "cuda":
        return []
    if device.index is not None or engine.device not in ("auto", "cuda"):
        if engine.processes:
            raise SpecError(
                f"engine.processes: must be 0 where one GPU is named. Got {engine.processes} "
                f"with {device}. Take engine.device=auto for all of them."
            )
        return []
    gpus = visible_gpus(torch.cuda.device_count())
    if engine.processes > len(gpus):
        raise SpecError(
            f"engine.processes: must not be more than the {len(gpus)} GPUs that are visible. "
            f"Got {engine.processes}. Take 0 for one on each."
        )
    if engine.processes:
        return gpus[: engine.processes]
    return gpus if len(gpus) > 1 else []


def _outfit(
    encoder: Encoder, terms: Terms, engine: EngineSpec, progress: Progress
) -> Outfit | None:
    """Pack the encoder; without being asked for processes, go on with one GPU instead."""
    try:
        return outfit_for(encoder, terms)
    except SpecError as error:
        if engine.processes:
            raise
        progress.say(f"only one GPU encodes. {error}")
        return None


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
