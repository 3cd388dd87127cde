"""A worker: tracks go in, the features of their clips come out, in the same order.

Threads decode, resample and cut ahead of the encoder. On a CPU one thread a core
runs the encoder with one thread of arithmetic, which beats one call that uses every
core; on a GPU one thread feeds it batches, which are copied ahead. A worker knows no
store: a job names the clips that are wanted.
"""

from __future__ import annotations

import os
import time
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

import torch

from marble_eval.audio import UnusableAudio
from marble_eval.encoders import facts_of
from marble_eval.features.stores import ClipName
from marble_eval.features.workers.batches import (
    BatchSizes,
    Clip,
    bucketed,
    encode_batch,
    is_out_of_memory,
    send,
)
from marble_eval.features.workers.messages import EncodedClips
from marble_eval.files.fingerprint import file_digest
from marble_eval.one_thread import arithmetic_pool, one_thread
from marble_eval.probes.matrix_products import fast_products

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator

    import numpy as np

    from marble_eval.encoders import Encoder
    from marble_eval.features.clip_rules import Cut
    from marble_eval.features.workers.batches import Sent
    from marble_eval.features.workers.messages import Job, WorkerOptions

_Item = TypeVar("_Item")
_Value = TypeVar("_Value")


class Worker:
    """An encoder at work."""

    def __init__(self, encoder: Encoder, options: WorkerOptions) -> None:
        self._encoder, self._options = encoder, options
        self._device = torch.device(facts_of(encoder).device)
        on_gpu = self._device.type == "cuda"
        self._stream: torch.cuda.Stream | None = None  # that copies while another computes
        if on_gpu:
            self._stream = torch.cuda.Stream(self._device)  # type: ignore[no-untyped-call]
        self._sizes = BatchSizes(options.batch_clips or int(not on_gpu))
        # One per clip, or per track without any, in the order in which they are given out.
        self._order: deque[EncodedClips] = deque()
        self._encoded: dict[ClipName, list[np.ndarray]] = {}  # by form

    def encoded(self, jobs: Iterable[Job | None]) -> Generator[list[EncodedClips] | None]:
        """Encode tracks, in the order of the jobs.

        Jobs are taken a bounded number ahead; None says that no more can be had at the
        moment, and is yielded if then everything is done.
        """
        options = self._options
        readers = arithmetic_pool(options.readers, "reader")
        encoders = arithmetic_pool(options.encoders, "encoder")
        try:
            ahead = 2 * options.readers + options.encoders
            tracks = in_order(readers, self._read, jobs, ahead=ahead)
            batches = map(self._sent, bucketed(self._clips(tracks), self._sizes.of))
            with one_thread(), fast_products(self._device):
                for encoded in in_order(
                    encoders, self._encode, batches, ahead=options.encoders + 1
                ):
                    if encoded is not None:
                        (batch, _), features = encoded
                        for clip, *found in zip(batch, *features, strict=True):
                            self._encoded[clip.name] = found
                    finished = self._finished()
                    if finished or encoded is None:
                        yield finished or None
                if finished := self._finished():
                    yield finished
        finally:
            # After an error or Ctrl-C what has not begun is dropped.
            readers.shutdown(wait=True, cancel_futures=True)
            encoders.shutdown(wait=True, cancel_futures=True)

    def _read(self, job: Job) -> list[Cut] | str:
        """Cut a track, or return why that cannot be."""
        try:
            found = self._options.forms[0].cuts.cut(job.path)
        except UnusableAudio as error:
            return error.reason  # not the error: its traceback would hold the decoded audio
        # Features are kept under the digest, so they must be those of these bytes.
        return found if _is_unchanged(job) else "changed since its check"

    def _clips(self, tracks: Iterable[tuple[Job, list[Cut] | str] | None]) -> Iterator[Clip | None]:
        """Give the wanted clips their places in the order."""
        for track in tracks:
            if track is None:
                yield None
                continue
            (audio, path, clips, wanted), cuts = track
            if isinstance(cuts, str):
                is_lacking = not os.access(path, os.R_OK)
                self._put(audio, [], unusable=cuts, is_lacking=is_lacking)
                continue
            of = len(cuts)
            places = wanted if clips == of else tuple(range(of))
            if not places:
                self._put(audio, [])
            for place in places:
                name = ClipName(audio, place, of)
                self._put(audio, [name], is_last=place == places[-1])
                yield Clip(name, path, cuts[place])

    def _put(
        self,
        audio: str,
        names: list[ClipName],
        *,
        is_last: bool = True,
        unusable: str = "",
        is_lacking: bool = False,
    ) -> None:
        features: list[list[np.ndarray]] = [[] for _ in self._options.forms]
        self._order.append(EncodedClips(audio, names, features, is_last, unusable, is_lacking))

    def _sent(self, batch: list[Clip] | None) -> tuple[list[Clip], Sent | None] | None:
        if batch is None:
            return None
        if self._stream is None:
            return batch, None
        return batch, send(batch, self._device, self._stream)

    def _encode(self, item: tuple[list[Clip], Sent | None]) -> list[list[np.ndarray]]:
        batch, sent = item
        samples = batch[0].samples
        self._sizes.settle(samples, len(batch), lambda count: self._pace(batch[0], count))
        size, encoder, forms = self._sizes.of(samples), self._encoder, self._options.forms
        if len(batch) <= size:
            return encode_batch(encoder, batch, forms, self._device, sent)
        parts = [  # the trial found that fewer at once are faster
            encode_batch(encoder, batch[start : start + size], forms, self._device)
            for start in range(0, len(batch), size)
        ]
        return [[each for part in parts for each in part[at]] for at in range(len(forms))]

    def _pace(self, clip: Clip, count: int) -> float | None:
        """Measure the clips per second of the encoder; None if the memory is too small."""
        seconds = 0.0
        try:
            sent = send([clip] * count, self._device, None)
            for _ in range(2):  # the first call of a shape loads what later ones find
                began = time.perf_counter()
                with torch.inference_mode():
                    self._encoder.hidden_states(sent.audio)
                if self._device.type == "cuda":
                    torch.cuda.synchronize(self._device)
                seconds = time.perf_counter() - began
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            return None
        return count / seconds

    def _finished(self) -> list[EncodedClips]:
        """Take from the front what is encoded, clips of a track together."""
        found: list[EncodedClips] = []
        while self._order and all(name in self._encoded for name in self._order[0].names):
            each = self._order.popleft()
            if found and found[-1].audio == each.audio:
                found[-1] = found[-1]._replace(is_last=each.is_last)
            else:
                found.append(each._replace(names=[]))
            for name in each.names:
                found[-1].names.append(name)
                for kept, features in zip(found[-1].features, self._encoded.pop(name), strict=True):
                    kept.append(features)
        return found


def in_order(
    pool: ThreadPoolExecutor,
    function: Callable[[_Item], _Value],
    items: Iterable[_Item | None],
    *,
    ahead: int,
) -> Iterator[tuple[_Item, _Value] | None]:
    """Apply a function in a pool, at most ``ahead`` items at once, and yield in order.

    None says that no more items can be had at the moment: the oldest is then waited for,
    and None is yielded if none is under way.

    Examples
    --------
    >>> with ThreadPoolExecutor(2) as pool:
    ...     list(in_order(pool, abs, [-1, -2, None, None, None, 3], ahead=2))
    [(-1, 1), (-2, 2), None, None, (3, 3)]
    """
    waiting: deque[tuple[_Item, Future[_Value]]] = deque()
    for item in items:
        if item is not None:
            waiting.append((item, pool.submit(function, item)))
            if len(waiting) < ahead:
                continue
        if waiting:
            first, future = waiting.popleft()
            yield first, future.result()
        else:
            yield None
    while waiting:
        first, future = waiting.popleft()
        yield first, future.result()


def _is_unchanged(job: Job) -> bool:
    try:
        return file_digest(job.path) == job.audio
    except OSError:
        return False
