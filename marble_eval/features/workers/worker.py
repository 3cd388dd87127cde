"""A worker: tracks go in, the features of their clips come out, in the same order.

Threads decode, resample and cut ahead of the encoder. On a CPU one thread a core
runs the encoder with one thread of arithmetic, which beats one call that uses every
core; on a GPU one thread feeds it batches, which are copied ahead. A worker knows no
store: it is told which clips are wanted, and what it gives may be written anywhere.
"""

from __future__ import annotations

import os
import time
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import torch

from marble_eval.audio import UnusableAudio
from marble_eval.encoders import facts_of
from marble_eval.features.stores import ClipName
from marble_eval.features.workers.assignment import Parcel
from marble_eval.features.workers.batch import Clip, encode_batch, is_out_of_memory, send
from marble_eval.features.workers.batches import BatchSizes, bucketed
from marble_eval.files.fingerprint import file_digest
from marble_eval.probes.matrix_products import fast_products

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator

    import numpy as np

    from marble_eval.encoders import Encoder
    from marble_eval.features.clip_rules import Cut
    from marble_eval.features.workers.assignment import Assignment, Job, Terms
    from marble_eval.features.workers.batch import Sent

_Item = TypeVar("_Item")
_Value = TypeVar("_Value")


@dataclass(slots=True)
class _Slot:
    """A place in the order in which features are given out; a track without any has one."""

    number: int
    is_last: bool
    clip: Clip | None = None
    name: ClipName | None = None
    features: list[np.ndarray] | None = None
    unusable: str = ""
    is_lacking: bool = False

    @property
    def samples(self) -> int:
        """Return the length of the clip."""
        return self.clip.samples if self.clip else 0


class Worker:
    """An encoder at work.

    Parameters
    ----------
    encoder : Encoder
        What encodes.
    terms : Terms
        How.
    """

    def __init__(self, encoder: Encoder, terms: Terms) -> None:
        self._encoder, self._terms = encoder, terms
        self._device = torch.device(facts_of(encoder).device)
        on_gpu = self._device.type == "cuda"
        self._stream: torch.cuda.Stream | None = None  # that copies while another computes
        if on_gpu:
            self._stream = torch.cuda.Stream(self._device)  # type: ignore[no-untyped-call]
        self._sizes = BatchSizes(terms.batch_clips or int(not on_gpu))
        self._slots: deque[_Slot] = deque()

    def parcels(self, assignments: Iterable[Assignment | None]) -> Generator[list[Parcel] | None]:
        """Encode tracks.

        Parameters
        ----------
        assignments : iterable of Assignment
            Taken a bounded number ahead; None says that no more can be had at the moment.

        Yields
        ------
        list of Parcel, or None
            In the order of the assignments; None if no more can be had at the moment
            and everything is done.

        Raises
        ------
        MarbleError
            As `encode_batch`.
        """
        terms, before = self._terms, torch.get_num_threads()
        readers = ThreadPoolExecutor(terms.readers, thread_name_prefix="reader")
        encoders = ThreadPoolExecutor(terms.encoders, thread_name_prefix="encoder")
        try:
            ahead = 2 * terms.readers + terms.encoders
            tracks = in_order(readers, self._read, assignments, ahead=ahead)
            batches = map(self._sent, bucketed(self._clips(tracks), self._sizes.of))
            with fast_products(self._device):
                for encoded in in_order(encoders, self._encode, batches, ahead=terms.encoders + 1):
                    if encoded is not None:
                        (batch, _), features = encoded
                        for slot, *found in zip(batch, *features, strict=True):
                            slot.features, slot.clip = found, None
                    finished = self._finished()
                    if finished or encoded is None:
                        yield finished or None
                if finished := self._finished():
                    yield finished
        finally:
            # After an error or Ctrl-C what has not begun is dropped.
            readers.shutdown(wait=True, cancel_futures=True)
            encoders.shutdown(wait=True, cancel_futures=True)
            torch.set_num_threads(before)

    def _read(self, assignment: Assignment) -> list[Cut] | str:
        """Cut a track, or say why that cannot be."""
        job = assignment.job
        try:
            found = self._terms.forms[0].cuts.cut(job.path)
        except UnusableAudio as error:
            return error.reason  # not the error: its traceback would hold the decoded audio
        # Features are kept under the digest, so they must be those of these bytes.
        return found if _is_unchanged(job) else "changed since its check"

    def _clips(
        self, tracks: Iterable[tuple[Assignment, list[Cut] | str] | None]
    ) -> Iterator[_Slot | None]:
        """Give the wanted clips their places; what has no clip is in its place at once."""
        for track in tracks:
            if track is None:
                yield None
                continue
            (number, job, clips, wanted), cuts = track
            if isinstance(cuts, str):
                lacking = not os.access(job.path, os.R_OK)
                slot = _Slot(number, is_last=True, unusable=cuts, is_lacking=lacking)
                self._slots.append(slot)
                continue
            of = len(cuts)
            places = wanted if clips == of else tuple(range(of))
            if not places:
                self._slots.append(_Slot(number, is_last=True))
            for place in places:
                name = ClipName(job.audio, place, of)
                clip = Clip(name, job.path, cuts[place])
                slot = _Slot(number, is_last=place == places[-1], clip=clip, name=name)
                self._slots.append(slot)
                yield slot

    def _sent(self, batch: list[_Slot] | None) -> tuple[list[_Slot], Sent | None] | None:
        if batch is None:
            return None
        if self._stream is None:
            return batch, None
        return batch, send(_clips_of(batch), self._device, self._stream)

    def _encode(self, item: tuple[list[_Slot], Sent | None]) -> list[list[np.ndarray]]:
        batch, sent = _clips_of(item[0]), item[1]
        if self._device.type == "cpu":
            torch.set_num_threads(self._terms.arithmetic)
        samples = batch[0].samples
        self._sizes.settle(samples, len(batch), lambda count: self._pace(batch[0], count))
        size, encoder, forms = self._sizes.of(samples), self._encoder, self._terms.forms
        if len(batch) <= size:
            return encode_batch(encoder, batch, forms, self._device, sent)
        parts = [  # the trial found that fewer at once are faster
            encode_batch(encoder, batch[start : start + size], forms, self._device)
            for start in range(0, len(batch), size)
        ]
        return [[each for part in parts for each in part[at]] for at in range(len(forms))]

    def _pace(self, clip: Clip, count: int) -> float | None:
        """Measure how many clips a second the encoder takes; None if the memory is too small."""
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

    def _finished(self) -> list[Parcel]:
        """Take from the front what is encoded, clips of a track together."""
        parcels: list[Parcel] = []
        forms = range(len(self._terms.forms))
        while self._slots and self._slots[0].clip is None:
            slot = self._slots.popleft()
            if not parcels or parcels[-1].number != slot.number:
                parcels.append(Parcel(slot.number, [], [[] for _ in forms], False))
            parcel = parcels[-1]
            if slot.name is not None and slot.features is not None:
                parcel.names.append(slot.name)
                for kept, features in zip(parcel.features, slot.features, strict=True):
                    kept.append(features)
            parcels[-1] = parcel._replace(
                is_last=slot.is_last, unusable=slot.unusable, is_lacking=slot.is_lacking
            )
        return parcels


def in_order(
    pool: ThreadPoolExecutor,
    function: Callable[[_Item], _Value],
    items: Iterable[_Item | None],
    *,
    ahead: int,
) -> Iterator[tuple[_Item, _Value] | None]:
    """Apply a function in a pool, a bounded number of items ahead, in order.

    Parameters
    ----------
    pool : ThreadPoolExecutor
        Where it is applied.
    function : callable
        From an item to a value.
    items : iterable
        None says that no more can be had at the moment: the oldest is waited for.
    ahead : int
        Items under way at once.

    Yields
    ------
    (item, value), or None
        None if no more can be had at the moment and none is under way.

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


def _clips_of(batch: list[_Slot]) -> list[Clip]:
    return [slot.clip for slot in batch if slot.clip is not None]


def _is_unchanged(job: Job) -> bool:
    try:
        return file_digest(job.path) == job.audio
    except OSError:
        return False
