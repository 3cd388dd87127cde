"""What passes between the driver and its workers, in this process or on another machine.

The stores stay with the driver, which alone writes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np

    from marble_eval.features.clip_rules import Cuts
    from marble_eval.features.stores import ClipName


class Job(NamedTuple):
    """A track whose clips are to be encoded."""

    audio: str  # digest of the file
    path: Path  # the file
    clips: int | None = None  # its number of clips, if that is known
    # Which of them are to be encoded; all, where the track turns out to have another number.
    wanted: tuple[int, ...] = ()


class EncodedClips(NamedTuple):
    """Some clips of a track, encoded."""

    audio: str  # of the job
    names: list[ClipName]  # of the clips, which follow one another
    features: list[list[np.ndarray]]  # by form, then by clip
    is_last: bool = True  # whether the track ends here
    unusable: str = ""  # why the file cannot be used; empty if it can
    is_lacking: bool = False  # whether it cannot even be opened where the worker is


class Form(NamedTuple):
    """What is kept of the hidden states, and its number type."""

    cuts: Cuts
    dtype: str


@dataclass(frozen=True, slots=True)
class WorkerOptions:
    """How a worker works."""

    forms: tuple[Form, ...]  # how the audio is cut (by the first), and what is kept
    readers: int  # threads that decode
    encoders: int  # threads that encode, each with one thread of arithmetic; one on a GPU
    batch_clips: int  # clips in a batch; 0 for one on a CPU and by trial on a GPU


class Greeting(NamedTuple):
    """The first answer of a worker: machine and process, and what must equal the run's."""

    where: str
    identity: dict[str, str]


class WorkerDied(Exception):
    """There will be no more answers, and why."""


#: An exception is the error that ended the worker's attempt, to be raised by the driver.
Answer = Greeting | list[EncodedClips] | Exception


class WorkerHandle(Protocol):
    """A worker elsewhere, as the driver holds it."""

    def ask(self, jobs: list[Job]) -> None:
        """Hand over tracks and ask for encoded clips; only after the last answer."""
        ...

    def stop(self) -> None:
        """End it, whatever it does."""
        ...


class WorkerHost(Protocol):
    """Where workers run: processes of this machine, or a cluster."""

    def start(self) -> WorkerHandle:
        """Start a worker; its first answer, unasked, is a `Greeting`."""
        ...

    def answers(
        self, workers: Sequence[WorkerHandle], seconds: float
    ) -> list[tuple[WorkerHandle, Answer]]:
        """Wait until some of the workers answer, for so many seconds at most."""
        ...

    def close(self) -> None:
        """End what was started."""
        ...
