"""The encoders of this package, loaded: facts, a forward pass and a fingerprint.

Whatever the network, the audio it gets is checked here, and the words of a config for
place and precision are read here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from marble_eval.encoders import EncoderFacts
from marble_eval.errors import SpecError, near_misses

_PRECISIONS = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}


@dataclass(kw_only=True, eq=False)
class LoadedEncoder(EncoderFacts):
    """An encoder (see `marble_eval.encoders.Encoder`) made of its facts and its network.

    Attributes
    ----------
    network : callable
        (batch, samples) -> (batch, layer, frame, width), for audio that was checked.
    identity : str
        Its fingerprint: of weights, config, precision and implementation.
    """

    network: Callable[[torch.Tensor], torch.Tensor]
    identity: str

    def hidden_states(self, audio: torch.Tensor) -> torch.Tensor:
        """Encode clips of equal length: (batch, samples) -> (batch, layer, frame, width).

        Raises
        ------
        ValueError
            If the audio has other axes or another type, or is too short.
        """
        return self.network(checked(audio, self.minimum_samples))

    def fingerprint(self) -> str:
        """Return what identifies the weights, the network and its precision."""
        return self.identity


def checked(audio: torch.Tensor, minimum_samples: int) -> torch.Tensor:
    """Return clips (batch, samples) as they are, or refuse them."""
    if audio.ndim != 2 or audio.dtype != torch.float32:
        raise ValueError(
            f"audio must be float32 of shape (batch, samples). "
            f"Got {audio.dtype} of shape {tuple(audio.shape)}."
        )
    if audio.shape[1] < minimum_samples:
        raise ValueError(
            f"audio must have at least {minimum_samples} samples. "
            f"Got {audio.shape[1]}. Use longer clips."
        )
    return audio


def found_precision(precision: str, name: str) -> torch.dtype:
    """Return the number type that a config's word stands for.

    >>> found_precision("bfloat16", "hf")
    torch.bfloat16
    """
    if precision not in _PRECISIONS:
        raise SpecError(
            f"encoder {name}: 'precision' must be known. Got {precision!r}. "
            f"{near_misses(str(precision), _PRECISIONS)}"
        )
    return _PRECISIONS[precision]


def found_device(device: str, who: str) -> torch.device:
    """Return the device that a config's word stands for; "auto" is a GPU where there is one."""
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        found = torch.device(device)
    except RuntimeError as error:
        raise SpecError(
            f"{who}: 'device' must be auto, cpu, cuda or cuda:N. Got {device!r}."
        ) from error
    if found.type == "cuda" and not torch.cuda.is_available():
        raise SpecError(
            f"{who}: 'device' must be one of this machine. Got {device!r}, and PyTorch finds "
            f"no GPU. Use engine.device=auto or cpu; marble-eval doctor shows what there is."
        )
    return found
