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
    """A track whose clips are to be encoded.

    Attributes
    ----------
    audio : str
        Digest of the file.
    path : Path
        The file.
    clips : int or None
        Its number of clips, if that is known.
    wanted : tuple of int
        Which of them are to be encoded; all, where the track turns out to have another number.
    """

    audio: str
    path: Path
    clips: int | None = None
    wanted: tuple[int, ...] = ()


class EncodedClips(NamedTuple):
    """Some clips of a track, encoded.

    Attributes
    ----------
    audio : str
        Of the job.
    names : list of ClipName
        Of the clips, which follow one another.
    features : list of list of np.ndarray
        By form, then by clip.
    is_last : bool
        Whether the track ends here.
    unusable : str
        Why the file cannot be used; empty if it can.
    is_lacking : bool
        Whether it cannot even be opened where the worker is.
    """

    audio: str
    names: list[ClipName]
    features: list[list[np.ndarray]]
    is_last: bool = True
    unusable: str = ""
    is_lacking: bool = False


class Form(NamedTuple):
    """What is kept of the hidden states, and its number type."""

    cuts: Cuts
    dtype: str


@dataclass(frozen=True, slots=True)
class WorkerOptions:
    """How a worker works.

    Attributes
    ----------
    forms : tuple of Form
        How the audio is cut (by the first), and what is kept.
    readers : int
        Threads that decode.
    encoders : int
        Threads that encode; one on a GPU.
    arithmetic : int
        Threads of arithmetic per encoding thread, on a CPU.
    batch_clips : int
        Clips in a batch; 0 for one on a CPU and by trial on a GPU.
    """

    forms: tuple[Form, ...]
    readers: int
    encoders: int
    arithmetic: int
    batch_clips: int


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
