"""Workers in processes on this machine: one for each GPU, or as many as are wanted."""

from __future__ import annotations

import multiprocessing
import os
import signal
from multiprocessing import connection
from typing import TYPE_CHECKING

from marble_eval.features.workers.remote_worker import Outpost
from marble_eval.features.workers.worker_messages import Death

if TYPE_CHECKING:
    from collections.abc import Sequence
    from multiprocessing.connection import Connection

    from marble_eval.features.workers.assignment import Assignment
    from marble_eval.features.workers.remote_worker import Outfit
    from marble_eval.features.workers.worker_messages import Answer, Member

_VISIBLE = "CUDA_VISIBLE_DEVICES"
_GRACE = 5.0  # seconds a process has to end


class Processes:
    """Starts processes and listens to them, as `Staff` in `worker_messages` says.

    Parameters
    ----------
    outfit : Outfit
        What each starts with.
    gpus : sequence of str
        The GPUs, one for each process, as ``CUDA_VISIBLE_DEVICES`` names them; none to
        compute on the CPU.
    """

    def __init__(self, outfit: Outfit, gpus: Sequence[str] = ()) -> None:
        self._outfit, self._gpus = outfit, list(gpus)
        self._members: list[_Process] = []

    def hire(self) -> Member:
        """Start a process, on a GPU that nobody has."""
        taken = [each.gpu for each in self._members if each.process.is_alive()]
        free = [each for each in self._gpus if each not in taken]
        member = _Process(self._outfit, free[0] if free else None)
        self._members.append(member)
        return member

    def answers(self, members: Sequence[Member], seconds: float) -> list[tuple[Member, Answer]]:
        """Wait until some answer, or end."""
        asked = [each for each in members if isinstance(each, _Process)]
        ready = connection.wait([each.pipe for each in asked], timeout=seconds)
        return [(each, each.answer()) for each in asked if each.pipe in ready]

    def close(self) -> None:
        """End what was started."""
        for each in self._members:
            each.dismiss()


class _Process:
    """One of them."""

    def __init__(self, outfit: Outfit, gpu: str | None) -> None:
        context = multiprocessing.get_context("spawn")  # CUDA does not survive a fork
        self.gpu = gpu
        self._has_answered = False
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs, outfit, gpu), daemon=True)
        self.process.start()
        theirs.close()  # so that its death ends the pipe

    def ask(self, assignments: list[Assignment]) -> None:
        try:
            self.pipe.send(assignments)
        except OSError:
            pass  # it is dead, which is its answer

    def answer(self) -> Answer:
        try:
            answer: Answer = self.pipe.recv()
        except (EOFError, OSError):
            self.process.join(_GRACE)
            return Death(self._end(self.process.exitcode or 0))
        self._has_answered = True
        return answer

    def _end(self, code: int) -> str:
        if code < 0:
            return f"signal {-code}"
        if self._has_answered:
            return f"exit code {code}"
        # A new process imports the script that started it, and must not start it over.
        return f'exit code {code}; a script must start its work below if __name__ == "__main__":'

    def dismiss(self) -> None:
        if self.process.is_alive():
            self.process.terminate()
            self.process.join(_GRACE)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        self.pipe.close()


def _serve(pipe: Connection, outfit: Outfit, gpu: str | None) -> None:
    """Answer until the other end is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the driver, which ends us
    if gpu is not None:
        os.environ[_VISIBLE] = gpu  # before CUDA is first asked
    post = Outpost(outfit, "cpu" if gpu is None else "cuda")
    try:
        pipe.send(post.greet())
        while True:
            pipe.send(post.answer(pipe.recv()))
    except (EOFError, OSError):
        os._exit(0)  # the driver is gone; nothing here is worth waiting for


def visible_gpus(count: int) -> list[str]:
    """Name the GPUs this process sees, as ``CUDA_VISIBLE_DEVICES`` does.

    Parameters
    ----------
    count : int
        How many it sees.

    Returns
    -------
    list of str
        Numbers, or what the variable says.

    Examples
    --------
    >>> visible_gpus(0)
    []
    """
    named = [each.strip() for each in os.environ.get(_VISIBLE, "").split(",") if each.strip()]
    return (named or [str(each) for each in range(count)])[:count]
