"""Workers in processes on this machine: one per GPU, or as many as are asked for."""

from __future__ import annotations

import multiprocessing
import os
import signal
from multiprocessing import connection
from typing import TYPE_CHECKING

from marble_eval.features.workers.messages import WorkerDied
from marble_eval.features.workers.remote_worker import RemoteWorker

if TYPE_CHECKING:
    from collections.abc import Sequence
    from multiprocessing.connection import Connection

    from marble_eval.features.workers.messages import Answer, Job, WorkerHandle
    from marble_eval.features.workers.remote_worker import WorkerSetup

_VISIBLE = "CUDA_VISIBLE_DEVICES"
_GRACE = 5.0  # seconds a process has to end


class Processes:
    """Starts processes and listens to them; ``gpus`` are named as in ``CUDA_VISIBLE_DEVICES``."""

    def __init__(self, setup: WorkerSetup, gpus: Sequence[str] = ()) -> None:
        self._setup, self._gpus = setup, list(gpus)
        self._started: list[_Process] = []

    def start(self) -> WorkerHandle:
        """Start a process, on a GPU that no other has."""
        taken = [each.gpu for each in self._started if each.process.is_alive()]
        free = [each for each in self._gpus if each not in taken]
        process = _Process(self._setup, free[0] if free else None)
        self._started.append(process)
        return process

    def answers(
        self, workers: Sequence[WorkerHandle], seconds: float
    ) -> list[tuple[WorkerHandle, Answer]]:
        """Wait until some answer, or end."""
        asked = [each for each in workers if isinstance(each, _Process)]
        ready = connection.wait([each.pipe for each in asked], timeout=seconds)
        return [(each, each.answer()) for each in asked if each.pipe in ready]

    def close(self) -> None:
        """End what was started."""
        for each in self._started:
            each.stop()


class _Process:
    """One of them."""

    def __init__(self, setup: WorkerSetup, gpu: str | None) -> None:
        context = multiprocessing.get_context("spawn")  # CUDA does not survive a fork
        self.gpu = gpu
        self._has_answered = False
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs, setup, gpu), daemon=True)
        self.process.start()
        theirs.close()  # so that its death ends the pipe

    def ask(self, jobs: list[Job]) -> None:
        try:
            self.pipe.send(jobs)
        except OSError:
            pass  # it is dead, which is its answer

    def answer(self) -> Answer:
        try:
            answer: Answer = self.pipe.recv()
        except (EOFError, OSError):
            self.process.join(_GRACE)
            return WorkerDied(self._end(self.process.exitcode or 0))
        self._has_answered = True
        return answer

    def _end(self, code: int) -> str:
        if code < 0:
            return f"signal {-code}"
        if self._has_answered:
            return f"exit code {code}"
        # A new process imports the script that started it, and must not start it over.
        return f'exit code {code}; a script must start its work below if __name__ == "__main__":'

    def stop(self) -> None:
        if self.process.is_alive():
            self.process.terminate()
            self.process.join(_GRACE)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        self.pipe.close()


def _serve(pipe: Connection, setup: WorkerSetup, gpu: str | None) -> None:
    """Answer until the other end is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the driver, which ends us
    if gpu is not None:
        os.environ[_VISIBLE] = gpu  # before CUDA is first asked
    worker = RemoteWorker(setup, "cpu" if gpu is None else "cuda")
    try:
        pipe.send(worker.greet())
        while True:
            pipe.send(worker.answer(pipe.recv()))
    except (EOFError, OSError):
        os._exit(0)  # the driver is gone


def visible_gpus(count: int) -> list[str]:
    """Name the GPUs this process sees, as ``CUDA_VISIBLE_DEVICES`` does."""
    named = [each.strip() for each in os.environ.get(_VISIBLE, "").split(",") if each.strip()]
    return (named or [str(each) for each in range(count)])[:count]
