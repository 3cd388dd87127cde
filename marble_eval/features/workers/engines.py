"""Who encodes: threads of this process, processes with a GPU each, or a Ray cluster."""

from __future__ import annotations

import os
from contextlib import closing
from typing import TYPE_CHECKING

import torch

from marble_eval.encoders import facts_of
from marble_eval.errors import SpecError
from marble_eval.features.workers.messages import WorkerOptions
from marble_eval.features.workers.processes import Processes, visible_gpus
from marble_eval.features.workers.remote_worker import identity_of, worker_setup
from marble_eval.features.workers.worker import Worker
from marble_eval.features.workers.worker_pool import WorkerPool

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from marble_eval.encoders import Encoder
    from marble_eval.features.workers.messages import EncodedClips, Form, Job, WorkerHost
    from marble_eval.features.workers.remote_worker import WorkerSetup
    from marble_eval.progress import Progress
    from marble_eval.spec import EngineSpec


def encoded(
    jobs: Iterator[Job],
    tracks: int,
    encoder: Encoder,
    forms: tuple[Form, ...],
    engine: EngineSpec,
    progress: Progress,
) -> Generator[list[EncodedClips]]:
    """Encode tracks where the engine says, in the order of the jobs.

    SpecError: the encoder cannot be sent, or the engine asks for what is not there.
    MissingError: Ray is not installed, or files are not where a worker is.
    """
    host: WorkerHost
    if engine.address is not None:
        from marble_eval.features.workers.ray_cluster import RayCluster  # noqa: PLC0415 - loads Ray

        cluster = host = RayCluster(engine)
        options = _options(forms, engine, 1 if cluster.gpus else max(1, int(cluster.cpus)))
        try:
            cluster.equip(worker_setup(encoder, options, cluster.dumps))
        except BaseException:
            cluster.close()
            raise
        size = cluster.size
    else:
        gpus = _gpus_to_share(encoder, engine)
        size = engine.processes or len(gpus)
        options = _options(forms, engine, 1 if gpus else max(1, _cores() // max(1, size)))
        setup = _setup(encoder, options, engine, progress) if size else None
        if setup is None:
            yield from _here(jobs, encoder, forms, engine)
            return
        host = Processes(setup, gpus)
    pool = WorkerPool(host, size, identity_of(encoder, options), progress)
    with closing(pool.encoded(jobs, tracks)) as arriving:
        yield from arriving


def _here(
    jobs: Iterator[Job],
    encoder: Encoder,
    forms: tuple[Form, ...],
    engine: EngineSpec,
) -> Generator[list[EncodedClips]]:
    """Encode in this process: on a CPU by threads, on a GPU by one that feeds it."""
    on_cpu = torch.device(facts_of(encoder).device).type == "cpu"
    options = _options(forms, engine, (engine.workers or _cores()) if on_cpu else 1)
    with closing(Worker(encoder, options).encoded(jobs)) as arriving:
        yield from (each for each in arriving if each is not None)


def _options(forms: tuple[Form, ...], engine: EngineSpec, encoders: int) -> WorkerOptions:
    return WorkerOptions(forms, engine.readers, encoders, engine.batch_clips)


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


def _setup(
    encoder: Encoder, options: WorkerOptions, engine: EngineSpec, progress: Progress
) -> WorkerSetup | None:
    """Pack the encoder; without being asked for processes, go on with one GPU instead."""
    try:
        return worker_setup(encoder, options)
    except SpecError as error:
        if engine.processes:
            raise
        progress.say(f"only one GPU encodes. {error}")
        return None


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
