"""Batches of clips: gathered by length, encoded, pooled, checked.

Only clips of equal length share a batch, since padding would change the features of
their neighbours (group norm runs over time). Clips wait for others of their length, but
no clip lets more than two batches pass. How many clips a GPU should get at once depends
on network, clip and card, so it is tried. A batch that the memory does not hold is
encoded in halves and counts as the same batch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeVar

import numpy as np
import torch

from marble_eval.errors import MarbleError
from marble_eval.features.pooling import check_hidden_states
from marble_eval.features.workers.messages import Form

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from marble_eval.encoders import Encoder
    from marble_eval.features.clip_rules import Cut, Cuts
    from marble_eval.features.stores import ClipName, Store

_GAIN = 1.05  # growth of the throughput below which a larger batch does not pay
_LARGEST = 64  # clips
_WORTH = 8  # clips of one length that wait together before a trial is worth its time


@dataclass(frozen=True, slots=True)
class Clip:
    """A clip, ready for the encoder; the path is for messages."""

    name: ClipName
    path: Path
    cut: Cut

    @property
    def samples(self) -> int:
        """Return the length of the audio."""
        return len(self.cut.audio)


class Keep(NamedTuple):
    """How features are made from the hidden states, and the store they go to."""

    cuts: Cuts
    store: Store

    @property
    def form(self) -> Form:
        """Return how the features are made, which is known without a store."""
        return Form(self.cuts, self.store.describe()["dtype"])


class _Long(Protocol):
    @property
    def samples(self) -> int:
        """Return the length."""
        ...


_Clip = TypeVar("_Clip", bound=_Long)


def bucketed(
    clips: Iterable[_Clip | None], size: Callable[[int], int]
) -> Iterator[list[_Clip] | None]:
    """Join clips of equal length; ``size`` gives the clips in a batch from their samples.

    A batch is complete when it is full, when two batches' worth of clips came after its
    first, or when None says that no more clips can be had at the moment; None is yielded
    if then nothing waits.

    Examples
    --------
    >>> from types import SimpleNamespace as Clip
    >>> clips = [Clip(samples=each) for each in (9, 9, 5, 9, 9)]
    >>> [[clip.samples for clip in batch] for batch in bucketed(clips, lambda samples: 2)]
    [[9, 9], [9, 9], [5]]
    """
    buckets: dict[int, list[_Clip]] = {}  # in the order of their first clips
    since: dict[int, int] = {}
    for number, clip in enumerate(clips):
        if clip is None:
            oldest = next(iter(buckets), None)
            yield None if oldest is None else buckets.pop(oldest)
            continue
        bucket = buckets.setdefault(clip.samples, [])
        if not bucket:
            since[clip.samples] = number
        bucket.append(clip)
        if len(bucket) >= size(clip.samples):
            yield buckets.pop(clip.samples)
        oldest = next(iter(buckets), None)
        if oldest is not None and number - since[oldest] >= 2 * size(oldest):
            yield buckets.pop(oldest)
    yield from buckets.values()


def paying_size(measure: Callable[[int], float | None], largest: int = _LARGEST) -> int:
    """Double the batch while ``measure``, from clips to throughput, grows by more than 5 %.

    A throughput of None means that the memory does not hold so many clips.
    """
    size, best = 1, measure(1)
    while best is not None and 2 * size <= largest:
        found = measure(2 * size)
        if found is None or found <= _GAIN * best:
            break
        size, best = 2 * size, found
    return size


class BatchSizes:
    """How many clips go in one batch, by their length; ``fixed`` is 0 to find each by a trial."""

    def __init__(self, fixed: int) -> None:
        self._fixed = fixed
        self._found: dict[int, int] = {}

    def of(self, samples: int) -> int:
        """Return the clips in a batch; before its trial, those that are worth one."""
        return self._fixed or self._found.get(samples, _WORTH)

    def settle(self, samples: int, waiting: int, measure: Callable[[int], float | None]) -> None:
        """Try a length, unless it is settled or too few clips of it wait together."""
        if not self._fixed and samples not in self._found and waiting >= _WORTH:
            self._found[samples] = paying_size(measure)


class Sent(NamedTuple):
    """Audio (batch, samples) on its way to the device; ``arrived`` is None on a CPU."""

    audio: torch.Tensor
    arrived: torch.cuda.Event | None


def send(batch: list[Clip], device: torch.device, stream: torch.cuda.Stream | None) -> Sent:
    """Start to copy a batch to the device, by a stream beside the one that computes."""
    audio = torch.from_numpy(np.stack([clip.cut.audio for clip in batch]))
    if stream is None:
        return Sent(audio.to(device), None)
    with torch.cuda.stream(stream):  # only pinned memory is copied beside the computing
        there = audio.pin_memory().to(device, non_blocking=True)
        arrived = torch.cuda.Event()  # type: ignore[no-untyped-call]
        arrived.record(stream)
    return Sent(there, arrived)


def encode_batch(
    encoder: Encoder,
    batch: list[Clip],
    forms: Sequence[Form],
    device: torch.device,
    sent: Sent | None = None,
) -> list[list[np.ndarray]]:
    """Return by form and clip what is kept: (layer, width) or (layer, frame, width).

    The clips have one length; ``sent`` is their audio, if it was sent before. MarbleError:
    the encoder's output has the wrong shape or is not finite (as float16, if that is
    stored), or memory does not hold even one clip.
    """
    try:
        pooled = _pooled(encoder, batch, forms, sent or send(batch, device, None))
        return [
            [_checked(*each, encoder, form) for each in zip(found, batch, strict=True)]
            for form, found in zip(forms, pooled, strict=True)
        ]
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        if len(batch) == 1:
            instead = "engine.workers=1" if device.type == "cpu" else "engine.device=cpu"
            raise MarbleError(
                f"{batch[0].path}: one clip of {batch[0].samples} samples must fit into memory "
                f"on {device}. It does not. Take {instead}, encoder.precision=bfloat16 or a "
                f"protocol with shorter clips."
            ) from error
    # Out of the except block: while the error lives, so do the tensors of the failed call.
    if device.type == "cuda":
        torch.cuda.empty_cache()
    middle = len(batch) // 2
    first, second = (
        encode_batch(encoder, half, forms, device) for half in (batch[:middle], batch[middle:])
    )
    return [[*one, *other] for one, other in zip(first, second, strict=True)]


def _pooled(
    encoder: Encoder, batch: list[Clip], forms: Sequence[Form], sent: Sent
) -> list[list[np.ndarray]]:
    if sent.arrived is not None:
        computing = torch.cuda.current_stream(sent.audio.device)
        computing.wait_event(sent.arrived)
        sent.audio.record_stream(computing)  # its memory is not given away before it is read
    with torch.inference_mode():
        hidden_states = encoder.hidden_states(sent.audio)
        if not isinstance(hidden_states, torch.Tensor):
            raise MarbleError(
                f"{encoder.name}: hidden_states must return a tensor. "
                f"Got {type(hidden_states).__name__} for {batch[0].path}."
            )
        try:
            _check_shape(hidden_states, encoder, batch)
            cuts = [clip.cut for clip in batch]
            return [each.cuts.pooled(hidden_states, cuts) for each in forms]
        except ValueError as error:
            raise MarbleError(f"{encoder.name}, {batch[0].path}: {error}") from error


def _check_shape(hidden_states: torch.Tensor, encoder: Encoder, batch: list[Clip]) -> None:
    check_hidden_states(hidden_states)
    clips, layers, _, width = hidden_states.shape
    if (clips, layers, width) != (len(batch), len(encoder.layers), encoder.width):
        raise ValueError(
            f"must return {len(encoder.layers)} layers of width {encoder.width} for each of "
            f"{len(batch)} clips, as it declares. Got the shape {tuple(hidden_states.shape)}."
        )


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error means that the memory did not hold a batch.

    Only the allocator of a GPU has an error of its own. One that fails on a CPU or in a
    CUDA library is a plain RuntimeError, known by its words.
    """
    words = str(error).lower()
    return isinstance(error, torch.cuda.OutOfMemoryError | MemoryError) or any(
        each in words
        for each in ("allocate memory", "not enough memory", "out of memory", "alloc_failed")
    )


def _checked(pooled: np.ndarray, clip: Clip, encoder: Encoder, form: Form) -> np.ndarray:
    with np.errstate(over="ignore"):
        features = pooled.astype(form.dtype)
    if not np.isfinite(features).all():
        layer = int(np.argwhere(~np.isfinite(features))[0][0])
        too_large = np.isfinite(pooled).all()
        names = [encoder.layers[at] for at in form.cuts.layers]
        raise MarbleError(
            f"{clip.path}: features must be finite. Got "
            f"{'values beyond float16' if too_large else 'nan or inf'} in layer "
            f"{(names or encoder.layers)[layer]} of {encoder.name}. "
            + ("Take features.dtype=float32." if too_large else "Check the encoder's weights.")
        )
    return features
