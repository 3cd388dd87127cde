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

import numpy as np
import torch

from marble_eval.audio import UnusableAudio, prepare
from marble_eval.errors import MarbleError
from marble_eval.features.store import ClipName, FeatureStore
from marble_eval.pooling import clip_means

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from marble_eval.encoders import Encoder
    from marble_eval.progress import Progress
    from marble_eval.spec import EngineSpec, Windowing

_Item = TypeVar("_Item")
_Value = TypeVar("_Value")

_FIRST_GUESS = 3  # batches after which the time left is estimated for the first time


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


@dataclass(frozen=True, slots=True)
class Clip:
    """A clip, ready for the encoder."""

    name: ClipName
    path: Path
    audio: np.ndarray


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
        Files that could not be decoded, in the order of the jobs.
    """

    encoded: int = 0
    seconds: float = 0.0
    unusable: list[UnusableAudio] = field(default_factory=list)


def extract(
    jobs: Sequence[Job],
    encoder: Encoder,
    store: FeatureStore,
    windowing: Windowing,
    *,
    normalise: bool,
    expected_clips: int,
    engine: EngineSpec,
    progress: Progress,
) -> Extraction:
    """Encode every clip that the store does not hold.

    Parameters
    ----------
    jobs : sequence of Job
        Tracks, in the order in which they are to be written.
    encoder : Encoder
        What encodes them.
    store : FeatureStore
        Where the features go.
    windowing : Windowing
        How tracks become clips.
    normalise : bool
        Whether the waveform is normalised.
    expected_clips : int
        Clips to be encoded by the files' headers, for the bar and the time left.
    engine : EngineSpec
        How wide the work is done.
    progress : Progress
        Who is told.

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
    minimum = int(getattr(encoder, "minimum_samples", 1))

    def read(job: Job) -> list[np.ndarray] | UnusableAudio:
        try:
            return prepare(
                job.path,
                sample_rate=encoder.sample_rate,
                windowing=windowing,
                normalise=normalise,
                minimum_samples=minimum,
            )
        except UnusableAudio as error:
            return error

    def encode(batch: list[Clip]) -> np.ndarray:
        if device.type == "cpu":
            torch.set_num_threads(max(1, _cores() // workers))
        return _encode(encoder, batch, store, device)

    progress.begin("encode", expected_clips)
    readers = ThreadPoolExecutor(engine.readers, thread_name_prefix="reader")
    encoders = ThreadPoolExecutor(workers, thread_name_prefix="encoder")
    try:
        tracks = _in_order(readers, read, jobs, ahead=2 * engine.readers + workers)
        batches = _batches(_clips(tracks, store, outcome), batch_clips)
        encoded = _in_order(encoders, encode, batches, ahead=workers + 1)
        for count, (batch, features) in enumerate(encoded, start=1):
            outcome.encoded += _write(store, batch, features)
            progress.advance(len(batch))
            if count == _FIRST_GUESS:
                pace = (time.perf_counter() - started) / outcome.encoded
                progress.say(f"about {pace * expected_clips / 60:.1f} min for all clips")
    finally:
        # After an error or Ctrl-C what has not begun is dropped; what is written stays.
        readers.shutdown(wait=True, cancel_futures=True)
        encoders.shutdown(wait=True, cancel_futures=True)
        torch.set_num_threads(threads_before)
        progress.end()
    outcome.seconds = time.perf_counter() - started
    return outcome


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
    tracks: Iterable[tuple[Job, list[np.ndarray] | UnusableAudio]],
    store: FeatureStore,
    outcome: Extraction,
) -> Iterator[Clip]:
    """Name the clips that are not stored yet; another process may be at work too."""
    for job, read in tracks:
        if isinstance(read, UnusableAudio):
            outcome.unusable.append(read)
            continue
        store.refresh()
        for number, audio in enumerate(read):
            name = ClipName(job.audio, number, len(read))
            if name not in store:
                yield Clip(name, job.path, audio)


def _batches(clips: Iterable[Clip], most: int) -> Iterator[list[Clip]]:
    """Join neighbours of equal length."""
    batch: list[Clip] = []
    for clip in clips:
        if batch and (len(batch) == most or len(clip.audio) != len(batch[0].audio)):
            yield batch
            batch = []
        batch.append(clip)
    if batch:
        yield batch


def _encode(
    encoder: Encoder, batch: list[Clip], store: FeatureStore, device: torch.device
) -> np.ndarray:
    """Encode a batch, in halves where the memory does not hold it."""
    audio = torch.from_numpy(np.stack([clip.audio for clip in batch]))
    try:
        with torch.inference_mode():
            pooled = clip_means(encoder.hidden_states(audio.to(device)))
    except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
        if not _is_out_of_memory(error):
            raise
        if len(batch) == 1:
            raise MarbleError(
                f"{batch[0].path}: one clip of {audio.shape[1]} samples does not fit into memory "
                f"on {device}. Take engine.device=cpu, encoder.precision=bfloat16 or a protocol "
                f"with shorter clips."
            ) from error
        middle = len(batch) // 2
        if device.type == "cuda":
            torch.cuda.empty_cache()
        halves = (batch[:middle], batch[middle:])
        return np.concatenate([_encode(encoder, half, store, device) for half in halves])
    return _checked(pooled.cpu().numpy(), batch, store)


def _is_out_of_memory(error: BaseException) -> bool:
    # A CPU allocation that fails raises a plain RuntimeError ("DefaultCPUAllocator: can't
    # allocate memory"): it can be told from others by its words only.
    words = str(error).lower()
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or (
        "can't allocate memory" in words or "not enough memory" in words
    )


def _checked(pooled: np.ndarray, batch: list[Clip], store: FeatureStore) -> np.ndarray:
    if pooled.shape != (len(batch), *store.shape):
        raise MarbleError(
            f"the encoder must return {store.shape[0]} layers of width {store.shape[1]} for each "
            f"of {len(batch)} clips, as it declares. Got the shape {pooled.shape} after pooling."
        )
    with np.errstate(over="ignore"):
        features = pooled.astype(store.describe()["dtype"])
    if not np.isfinite(features).all():
        clip, layer = (int(each) for each in np.argwhere(~np.isfinite(features))[0][:2])
        too_large = np.isfinite(pooled).all()
        raise MarbleError(
            f"{batch[clip].path}: features must be finite. Got "
            f"{'values beyond float16' if too_large else 'nan or inf'} in layer {layer}. "
            + ("Take features=float32." if too_large else "Check the encoder's weights.")
        )
    return features


def _write(store: FeatureStore, batch: list[Clip], features: np.ndarray) -> int:
    try:
        return store.append([clip.name for clip in batch], features)
    except OSError as error:
        raise MarbleError(
            f"{store.folder}: features cannot be written: {error.strerror}. What is there stays "
            f"good; make room, or set MARBLE_EVAL_HOME to another disk, and run again."
        ) from error
