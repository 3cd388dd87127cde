"""Fill the feature cache: decode ahead, encode side by side, write in order.

Threads read and cut the audio ahead of the encoder. On a CPU one thread a core
runs the encoder with one thread of arithmetic, which beats one call that uses
every core; on a GPU one thread feeds it batches. Clips are batched only with
clips of their own length, since padding would change the features of their
neighbours (group norm runs over time). Records are written in the order of the
tracks, so a run that was killed and resumed leaves the same bytes.
"""

from __future__ import annotations

import os
import time
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import torch

from marble_eval.audio import UnusableAudio
from marble_eval.errors import MarbleError
from marble_eval.features.batch import Clip, Keep, encode_batch
from marble_eval.features.index import ClipName
from marble_eval.fingerprint import file_digest
from marble_eval.matrix_products import fast_products

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    import numpy as np

    from marble_eval.encoders import Encoder
    from marble_eval.features.cuts import Cut, Cuts
    from marble_eval.features.frame_store import FrameStore
    from marble_eval.features.store import FeatureStore
    from marble_eval.progress import Progress
    from marble_eval.spec import EngineSpec

_Item = TypeVar("_Item")
_Value = TypeVar("_Value")

_FIRST_GUESS = 6  # batches after which the time left is estimated for the first time


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
    store: FeatureStore | FrameStore,
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
    store : FeatureStore or FrameStore
        Where the features go.
    cuts : Cuts
        How tracks are cut, and what is kept.
    expected_clips : int
        Clips to be encoded by the files' headers, for the bar and the time left.
    engine : EngineSpec
        How wide the work is done.
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
        does not hold even one clip, or the disk is full.
    """
    outcome = Extraction()
    started = time.perf_counter()
    device = torch.device(getattr(encoder, "device", "cpu"))
    workers = 1 if device.type != "cpu" else engine.workers or _cores()
    batch_clips = engine.batch_clips or (1 if device.type == "cpu" else 16)
    threads_before = torch.get_num_threads()

    def read(job: Job) -> list[Cut] | UnusableAudio:
        try:
            found = cuts.cut(job.path)
        except UnusableAudio as error:
            # Not itself: its traceback would hold the decoded audio.
            return UnusableAudio(error.path, error.reason)
        # Features are kept under the digest, so they must be those of these bytes.
        return found if _is_unchanged(job) else UnusableAudio(job.path, "changed since its check")

    keeps = [Keep(cuts, store), *([] if beside is None else [beside])]

    def encode(batch: list[Clip]) -> list[list[np.ndarray]]:
        if device.type == "cpu":
            torch.set_num_threads(max(1, _cores() // workers))
        return encode_batch(encoder, batch, keeps, device)

    progress.begin("encode", expected_clips)
    forecast = _Forecast(expected_clips, progress)
    readers = ThreadPoolExecutor(engine.readers, thread_name_prefix="reader")
    encoders = ThreadPoolExecutor(workers, thread_name_prefix="encoder")
    try:
        tracks = _in_order(readers, read, jobs, ahead=2 * engine.readers + workers)
        batches = _batches(_clips(tracks, store, outcome), batch_clips)
        with fast_products(device):
            for batch, features in _in_order(encoders, encode, batches, ahead=workers + 1):
                for keep, kept in zip(keeps, features, strict=True):
                    _write(keep.store, batch, kept)
                outcome.encoded += len(batch)
                progress.advance(len(batch))
                forecast.batch_done(len(batch))
    finally:
        # After an error or Ctrl-C what has not begun is dropped; what is written stays.
        readers.shutdown(wait=True, cancel_futures=True)
        encoders.shutdown(wait=True, cancel_futures=True)
        torch.set_num_threads(threads_before)
        store.abandon()
        progress.end()
    outcome.seconds = time.perf_counter() - started
    return outcome


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


def _is_unchanged(job: Job) -> bool:
    try:
        return file_digest(job.path) == job.audio
    except OSError:
        return False


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1


def _in_order(
    pool: ThreadPoolExecutor,
    function: Callable[[_Item], _Value],
    items: Iterable[_Item],
    *,
    ahead: int,
) -> Iterator[tuple[_Item, _Value]]:
    """Apply a function in a pool, a bounded number of items ahead, in order."""
    waiting: deque[tuple[_Item, Future[_Value]]] = deque()
    for item in items:
        waiting.append((item, pool.submit(function, item)))
        if len(waiting) >= ahead:
            first, future = waiting.popleft()
            yield first, future.result()
    while waiting:
        first, future = waiting.popleft()
        yield first, future.result()


def _clips(
    tracks: Iterable[tuple[Job, list[Cut] | UnusableAudio]],
    store: FeatureStore | FrameStore,
    outcome: Extraction,
) -> Iterator[Clip]:
    """Name the clips that are not stored yet; another process may be at work too."""
    for job, read in tracks:
        if isinstance(read, UnusableAudio):
            outcome.unusable.append(read)
            continue
        store.refresh()
        for number in store.wanted(job.audio, len(read)):
            yield Clip(ClipName(job.audio, number, len(read)), job.path, read[number])


def _batches(clips: Iterable[Clip], most: int) -> Iterator[list[Clip]]:
    """Join neighbours of equal length."""
    batch: list[Clip] = []
    for clip in clips:
        if batch and (len(batch) == most or clip.samples != batch[0].samples):
            yield batch
            batch = []
        batch.append(clip)
    if batch:
        yield batch


def _write(store: FeatureStore | FrameStore, batch: list[Clip], features: list[np.ndarray]) -> None:
    try:
        store.append([clip.name for clip in batch], features)
    except OSError as error:
        raise MarbleError(
            f"{store.folder}: features must be writable. Got: {error.strerror or error}. What is "
            f"there stays good; make room, or set MARBLE_EVAL_HOME to another disk, and run again."
        ) from error
