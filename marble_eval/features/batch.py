"""One batch of clips through the encoder: pooled, checked, ready to be stored.

Clips of a batch have one length, since padding would change the features of their
neighbours (group norm runs over time). A batch that the memory does not hold goes
through in halves and is the same batch still.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from marble_eval.errors import MarbleError
from marble_eval.pooling import clip_means

if TYPE_CHECKING:
    from pathlib import Path

    from marble_eval.encoders import Encoder
    from marble_eval.features.store import ClipName, FeatureStore


@dataclass(frozen=True, slots=True)
class Clip:
    """A clip, ready for the encoder.

    Attributes
    ----------
    name : ClipName
        Under which its features are stored.
    path : Path
        The file it was cut from, for messages.
    audio : np.ndarray [shape=(samples,), float32]
        At the encoder's rate.
    """

    name: ClipName
    path: Path
    audio: np.ndarray


def encode_batch(
    encoder: Encoder, batch: list[Clip], store: FeatureStore, device: torch.device
) -> np.ndarray:
    """Encode clips, in halves where the memory does not hold them all.

    Parameters
    ----------
    encoder : Encoder
        What encodes them.
    batch : list of Clip
        One or more, of equal length.
    store : FeatureStore
        Whose shape and number type the features must have.
    device : torch.device
        Where the encoder wants the audio.

    Returns
    -------
    np.ndarray [shape=(clip, layer, width)]
        Mean over the frames, in the store's number type.

    Raises
    ------
    MarbleError
        If the encoder's output has the wrong shape or is not finite, also as
        float16 where that is stored, or if memory does not hold even one clip.
    """
    try:
        return _checked(_pooled(encoder, batch, device), encoder, batch, store)
    except (MemoryError, RuntimeError) as error:
        if not _is_out_of_memory(error):
            raise
        if len(batch) == 1:
            instead = "engine.workers=1" if device.type == "cpu" else "engine.device=cpu"
            raise MarbleError(
                f"{batch[0].path}: one clip of {len(batch[0].audio)} samples must fit into memory "
                f"on {device}. It does not. Take {instead}, encoder.precision=bfloat16 or a "
                f"protocol with shorter clips."
            ) from error
    # Out of the except block: while the error lives, so do the tensors of the failed call.
    if device.type == "cuda":
        torch.cuda.empty_cache()
    middle = len(batch) // 2
    halves = (batch[:middle], batch[middle:])
    return np.concatenate([encode_batch(encoder, half, store, device) for half in halves])


def _pooled(encoder: Encoder, batch: list[Clip], device: torch.device) -> np.ndarray:
    audio = torch.from_numpy(np.stack([clip.audio for clip in batch]))
    with torch.inference_mode():
        hidden_states = encoder.hidden_states(audio.to(device))
        if not isinstance(hidden_states, torch.Tensor):
            raise MarbleError(
                f"{encoder.name}: hidden_states must return a tensor. "
                f"Got {type(hidden_states).__name__} for {batch[0].path}."
            )
        try:
            pooled = clip_means(hidden_states)
        except ValueError as error:
            raise MarbleError(f"{encoder.name}, {batch[0].path}: {error}") from error
        return np.asarray(pooled.cpu())


def _is_out_of_memory(error: BaseException) -> bool:
    # Only the allocator of a GPU has an error of its own. One that fails on a CPU
    # ("DefaultCPUAllocator: can't allocate memory") or in a CUDA library is a plain
    # RuntimeError, told from others by its words.
    words = str(error).lower()
    return isinstance(error, torch.cuda.OutOfMemoryError | MemoryError) or any(
        each in words
        for each in ("allocate memory", "not enough memory", "out of memory", "alloc_failed")
    )


def _checked(
    pooled: np.ndarray, encoder: Encoder, batch: list[Clip], store: FeatureStore
) -> np.ndarray:
    if pooled.shape != (len(batch), *store.shape):
        raise MarbleError(
            f"{encoder.name}: must return {store.shape[0]} layers of width {store.shape[1]} for "
            f"each of {len(batch)} clips, as it declares. Got the shape {pooled.shape} after "
            f"pooling, from {batch[0].path}."
        )
    with np.errstate(over="ignore"):
        features = pooled.astype(store.describe()["dtype"])
    if not np.isfinite(features).all():
        clip, layer = (int(each) for each in np.argwhere(~np.isfinite(features))[0][:2])
        too_large = np.isfinite(pooled).all()
        raise MarbleError(
            f"{batch[clip].path}: features must be finite. Got "
            f"{'values beyond float16' if too_large else 'nan or inf'} in layer "
            f"{encoder.layers[layer]} of {encoder.name}. "
            + ("Take features=float32." if too_large else "Check the encoder's weights.")
        )
    return features
