"""One batch of clips through the encoder: pooled, checked, ready to be stored.

Clips of a batch have one length, since padding would change the features of their
neighbours (group norm runs over time). A batch that the memory does not hold goes
through in halves and is the same batch still.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from marble_eval.errors import MarbleError
from marble_eval.features.pooling import check_hidden_states

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from marble_eval.encoders import Encoder
    from marble_eval.features.clip_rules import Cut, Cuts
    from marble_eval.features.stores import ClipName, Store


@dataclass(frozen=True, slots=True)
class Clip:
    """A clip, ready for the encoder.

    Attributes
    ----------
    name : ClipName
        Under which its features are stored.
    path : Path
        The file it was cut from, for messages.
    cut : Cut
        Its audio, at the encoder's rate.
    """

    name: ClipName
    path: Path
    cut: Cut

    @property
    def samples(self) -> int:
        """Return the length of the audio."""
        return len(self.cut.audio)


class Form(NamedTuple):
    """How features are made of what the encoder gives; known without a store.

    Attributes
    ----------
    cuts : Cuts
        How they are made from the hidden states.
    dtype : str
        Their number type.
    """

    cuts: Cuts
    dtype: str


class Keep(NamedTuple):
    """Something that is kept of what the encoder gives.

    Attributes
    ----------
    cuts : Cuts
        How it is made from the hidden states.
    store : Store
        Where it goes; its shape and number type are those of the features.
    """

    cuts: Cuts
    store: Store

    @property
    def form(self) -> Form:
        """Return how the features are made."""
        return Form(self.cuts, self.store.describe()["dtype"])


class Sent(NamedTuple):
    """The audio of a batch on its way to the device.

    Attributes
    ----------
    audio : torch.Tensor [shape=(batch, samples), float32]
        On the device.
    arrived : torch.cuda.Event or None
        When it is there; None on a CPU, where it is at once.
    """

    audio: torch.Tensor
    arrived: torch.cuda.Event | None


def send(batch: list[Clip], device: torch.device, stream: torch.cuda.Stream | None) -> Sent:
    """Start to copy a batch to the device.

    Parameters
    ----------
    batch : list of Clip
        One or more, of equal length.
    device : torch.device
        Where the encoder wants the audio.
    stream : torch.cuda.Stream or None
        What copies while the encoder computes; None on a CPU, where nothing is copied.

    Returns
    -------
    Sent
        For `encode_batch`.
    """
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
    """Encode clips, in halves where the memory does not hold them all.

    Parameters
    ----------
    encoder : Encoder
        What encodes them.
    batch : list of Clip
        One or more, of equal length.
    forms : sequence of Form
        What is kept of them.
    device : torch.device
        Where the encoder wants the audio.
    sent : Sent, optional
        The audio of this batch, if it was sent before.

    Returns
    -------
    list of list of np.ndarray [shape=(layer, width) or (layer, frame, width)]
        For each of ``forms`` what is kept of each clip, in its number type.

    Raises
    ------
    MarbleError
        If the encoder's output has the wrong shape or is not finite, also as
        float16 where that is stored, or if memory does not hold even one clip.
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
    """Say whether an error means that the memory did not hold a batch.

    Only the allocator of a GPU has an error of its own. One that fails on a CPU or in a
    CUDA library is a plain RuntimeError, told from others by its words.

    Examples
    --------
    >>> is_out_of_memory(RuntimeError("DefaultCPUAllocator: can't allocate memory"))
    True
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
