"""Workers on a Ray cluster: an existing one, or one that is started for the run."""

from __future__ import annotations

import logging
import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

from marble_eval.errors import MarbleError, MissingError, SpecError
from marble_eval.features.workers.messages import WorkerDied
from marble_eval.features.workers.remote_worker import RemoteWorker

if TYPE_CHECKING:
    from collections.abc import Sequence

    from marble_eval.features.workers.messages import Answer, Job, WorkerHandle
    from marble_eval.features.workers.remote_worker import WorkerSetup
    from marble_eval.spec import EngineSpec

_OPENMP = "OMP_NUM_THREADS"


class RayCluster:
    """Starts actors and listens to them; ``size`` workers have room, of ``cpus`` and ``gpus`` each.

    MissingError: Ray is not installed. SpecError: there is no such cluster, or it lacks
    what a worker needs.
    """

    def __init__(self, engine: EngineSpec) -> None:
        try:
            ray: Any = import_module("ray")  # an extra that few runs need
        except ImportError as error:
            raise MissingError(
                f"engine=ray: needs the package ray. Got: {error}. pip install ray"
            ) from error
        self._ray = ray
        self._is_ours = not ray.is_initialized()
        if self._is_ours:
            self._join(str(engine.address))
        try:
            self.cpus = 1.0 if engine.cpus is None else engine.cpus
            self.gpus, self.size = _room(ray.cluster_resources(), engine, self.cpus)
        except BaseException:
            self.close()
            raise
        self._setup: Any = None

    def _join(self, address: str) -> None:
        options: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
        if address == "local":
            os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # it would open a socket
            options["include_dashboard"] = False
        try:
            self._ray.init(address=address, **options)
        except (ConnectionError, RuntimeError, ValueError) as error:
            token = (
                " If it is secured by a token, set RAY_AUTH_MODE=token." if ":" in address else ""
            )
            raise SpecError(
                f"engine.address: a Ray cluster must be there. Got {address!r}: {error} "
                f"Start one with 'ray start --head', or take engine.address=local.{token}"
            ) from error

    def equip(self, setup: WorkerSetup) -> None:
        """Take what every worker starts with; before the first is started."""
        self._setup = self._ray.put(setup)

    def dumps(self, value: object) -> bytes:
        """Pickle what Ray can, which is more than the standard library can."""
        content: bytes = self._ray.cloudpickle.dumps(value)
        return content

    def start(self) -> WorkerHandle:
        """Start an actor; it waits until the cluster has room."""
        options = {
            "num_cpus": self.cpus,
            "num_gpus": self.gpus,
            "max_restarts": 0,
            # Ray would set it to num_cpus, and with it oneDNN chooses other sums than here.
            "runtime_env": {"env_vars": {_OPENMP: os.environ.get(_OPENMP, str(os.cpu_count()))}},
        }
        actor = self._ray.remote(**options)(RemoteWorker)
        return _Actor(self._ray, actor.remote(self._setup, "cuda" if self.gpus else "cpu"))

    def answers(
        self, workers: Sequence[WorkerHandle], seconds: float
    ) -> list[tuple[WorkerHandle, Answer]]:
        """Wait until some answer, or end."""
        asked: dict[Any, WorkerHandle] = {
            each.answer: each for each in workers if isinstance(each, _Actor)
        }
        ready, _ = self._ray.wait(list(asked), num_returns=1, timeout=seconds)
        return [(asked[each], self._answer(each)) for each in ready]

    def _answer(self, reference: Any) -> Answer:
        errors = self._ray.exceptions
        try:
            answer: Answer = self._ray.get(reference)
        except errors.RayTaskError as error:  # what is no answer of ours, such as a failed import
            return MarbleError(f"a Ray worker failed: {error}")
        except errors.RayError as error:
            return WorkerDied(_first_line(error))
        return answer

    def close(self) -> None:
        """Leave the cluster; one that was started for the run ends."""
        if self._is_ours:
            self._ray.shutdown()


class _Actor:
    """One of them."""

    def __init__(self, ray: Any, actor: Any) -> None:
        self._ray, self._actor = ray, actor
        self.answer = actor.greet.remote()

    def ask(self, jobs: list[Job]) -> None:
        self.answer = self._actor.answer.remote(jobs)

    def stop(self) -> None:
        self._ray.kill(self._actor, no_restart=True)


def _room(resources: dict[str, float], engine: EngineSpec, cpus: float) -> tuple[float, int]:
    """Return the GPUs of a worker, and the number of workers."""
    there = resources.get("GPU", 0.0)
    gpus = engine.gpus
    if gpus is None:
        gpus = 1.0 if engine.device.startswith("cuda") or (there and engine.device == "auto") else 0
    if engine.device == "cpu" and gpus:
        raise SpecError(f"engine.gpus: must be 0 where engine.device is cpu. Got {gpus:g}.")
    needs = {"GPU": gpus, "CPU": cpus}
    room = min(int(resources.get(name, 0.0) / each) for name, each in needs.items() if each)
    if not room:
        raise SpecError(
            f"engine=ray: the cluster must have room for a worker with {gpus:g} GPUs and {cpus:g} "
            f"CPUs. Got {there:g} GPUs and {resources.get('CPU', 0.0):g} CPUs in all. Take "
            f"engine.device=cpu, smaller engine.gpus or engine.cpus, or another cluster."
        )
    return gpus, engine.workers or room


def _first_line(error: Exception) -> str:
    return next((each for each in str(error).splitlines() if each.strip()), type(error).__name__)
