"""Fill the feature cache: workers encode, and this process alone writes, in order.

Clips are encoded by whom the engine names: threads of this process, processes with a
GPU each, or a Ray cluster. Records are written in the order of the tracks, one by one,
so a run that was killed and resumed, or lost workers, leaves the same bytes. Only the
size of a batch may move a number, by the rounding of its sums.
"""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING

from marble_eval.audio import UnusableAudio
from marble_eval.errors import MarbleError
from marble_eval.features.workers.assignment import Assignment, Job
from marble_eval.features.workers.batch import Keep
from marble_eval.features.workers.engines import encoded

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy as np

    from marble_eval.encoders import Encoder
    from marble_eval.features.clip_rules import Cuts
    from marble_eval.features.stores import ClipName, Store
    from marble_eval.progress import Progress
    from marble_eval.spec import EngineSpec

__all__ = ["Extraction", "Job", "extract"]

_FIRST_GUESS = 6  # batches after which the time left is estimated for the first time


@dataclass(slots=True)
class Extraction:
    """What happened while the cache was filled.

    Attributes
    ----------
    encoded : int
        Clips encoded.
    seconds : float
        Wall time.
    unusable : list of UnusableAudio
        Files that could not be decoded or are no longer those that were digested,
        in the order of the jobs.
    """

    encoded: int = 0
    seconds: float = 0.0
    unusable: list[UnusableAudio] = field(default_factory=list)


def extract(
    jobs: Sequence[Job],
    encoder: Encoder,
    store: Store,
    cuts: Cuts,
    *,
    expected_clips: int,
    engine: EngineSpec,
    progress: Progress,
    beside: Keep | None = None,
) -> Extraction:
    """Encode every clip that the store does not hold.

    Parameters
    ----------
    jobs : sequence of Job
        Tracks, in the order in which they are to be written.
    encoder : Encoder
        What encodes them.
    store : Store
        Where the features go.
    cuts : Cuts
        How tracks are cut, and what is kept.
    expected_clips : int
        Clips to be encoded by the files' headers, for the bar and the time left.
    engine : EngineSpec
        Where and how wide the work is done.
    progress : Progress
        Who is told.
    beside : Keep, optional
        What else is kept of the same clips; it costs next to nothing, and another task
        on this audio finds it.

    Returns
    -------
    Extraction
        Counts, and the files that could not be decoded; the others are encoded
        all the same.

    Raises
    ------
    MarbleError
        If an encoder's output has the wrong shape or is not finite, if memory
        does not hold even one clip, if the engine's workers cannot be had or kept
        alive, or the disk is full.
    """
    outcome = Extraction()
    started = time.perf_counter()
    keeps = [Keep(cuts, store), *([] if beside is None else [beside])]
    forms = tuple(each.form for each in keeps)
    assignments = _assignments(jobs, store)
    progress.begin("encode", expected_clips)
    forecast = _Forecast(expected_clips, progress)
    try:
        arriving = encoded(assignments, len(jobs), encoder, forms, engine, progress)
        with closing(arriving):
            for parcels in arriving:
                outcome.unusable += [
                    UnusableAudio(jobs[each.number].path, each.unusable)
                    for each in parcels
                    if each.unusable
                ]
                names = [name for each in parcels for name in each.names]
                if not names:
                    continue
                for at, keep in enumerate(keeps):
                    features = chain.from_iterable(each.features[at] for each in parcels)
                    _write(keep.store, names, list(features))
                outcome.encoded += len(names)
                progress.advance(len(names))
                forecast.batch_done(len(names))
    finally:
        store.abandon()  # what is written stays
        progress.end()
    outcome.seconds = time.perf_counter() - started
    return outcome


def _assignments(jobs: Sequence[Job], store: Store) -> Iterator[Assignment]:
    """Ask for what is not stored yet; another process may be at work too."""
    for number, job in enumerate(jobs):
        store.refresh()
        clips = store.clip_count(job.audio)
        wanted = () if clips is None else tuple(store.wanted(job.audio, clips))
        yield Assignment(number, job, clips, wanted)


class _Forecast:
    """Say once, after a few batches, how long all clips will take."""

    def __init__(self, expected_clips: int, progress: Progress) -> None:
        self._expected, self._progress = expected_clips, progress
        self._batches = self._clips = 0
        self._began = 0.0

    def batch_done(self, clips: int) -> None:
        """Count a batch; the first is no measure, since things load on first use."""
        self._batches += 1
        if self._batches == 1:
            self._began = time.perf_counter()
            return
        self._clips += clips
        if self._batches == _FIRST_GUESS:
            pace = (time.perf_counter() - self._began) / self._clips
            self._progress.say(f"about {pace * self._expected / 60:.1f} min for all clips")


def _write(store: Store, names: list[ClipName], features: list[np.ndarray]) -> None:
    try:
        store.append(names, features)
    except OSError as error:
        raise MarbleError(
            f"{store.folder}: features must be writable. Got: {error.strerror or error}. What is "
            f"there stays good; make room, or set MARBLE_EVAL_HOME to another disk, and run again."
        ) from error
