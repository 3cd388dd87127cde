"""What goes to a worker and what comes back: assignments and parcels.

All of it can be sent to another process or machine. The stores stay with the driver,
which alone writes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

    from marble_eval.features.stores import ClipName
    from marble_eval.features.workers.batch import Form


class Job(NamedTuple):
    """A track whose clips are to be encoded.

    Attributes
    ----------
    audio : str
        Digest of the file.
    path : Path
        The file.
    """

    audio: str
    path: Path


class Assignment(NamedTuple):
    """A job as a worker gets it.

    Attributes
    ----------
    number : int
        Place of the track among all.
    job : Job
        The track.
    clips : int or None
        How many clips it has, if that is known.
    wanted : tuple of int
        Which of them are to be encoded; not looked at where the track turns out to
        have another number of clips, of which all are wanted.
    """

    number: int
    job: Job
    clips: int | None
    wanted: tuple[int, ...]


class Parcel(NamedTuple):
    """Some clips of a track, encoded.

    Attributes
    ----------
    number : int
        Of the assignment.
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

    number: int
    names: list[ClipName]
    features: list[list[np.ndarray]]
    is_last: bool = True
    unusable: str = ""
    is_lacking: bool = False


@dataclass(frozen=True, slots=True)
class Terms:
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
        Threads of arithmetic of each of these, on a CPU.
    batch_clips : int
        Clips in a batch; 0 for one on a CPU and by trial on a GPU.
    """

    forms: tuple[Form, ...]
    readers: int
    encoders: int
    arithmetic: int
    batch_clips: int
