"""Networks that take what an extractor of their own makes of a clip of any length.

wav2vec 2.0 BERT, the encoders of Speech2Text, Moonshine and Parakeet, code of others: all
that is not known by its type. Nothing says where their frames lie, so that is measured.
"""

from __future__ import annotations

import inspect
import math
from typing import Any

import torch

from marble_eval.encoders.waveform_models import Grid, called, listed_states
from marble_eval.errors import SpecError


class ExtractedReader:
    """Any other network with an extractor; see `Reader`.

    Where its frames lie is measured with two short clips.

    Parameters
    ----------
    module : torch.nn.Module
        The network.
    extractor : object
        Its extractor.
    name : str
        Of the encoder, for messages.

    Raises
    ------
    SpecError
        If it does not run on audio alone, lists no hidden states, or takes one length only.
    """

    def __init__(self, module: torch.nn.Module, extractor: Any, name: str) -> None:
        self._extractor, self.normalise = extractor, False
        self._rate = int(extractor.sampling_rate)
        taken = inspect.signature(extractor.__call__).parameters
        self._options = {"truncation": False} if "truncation" in taken else {}
        short, long = self._rate, 9 * self._rate
        tried = [self._tried(module, samples, name) for samples in (short, long)]
        first, second = (max(each.shape[1] for each in states) for states in tried)
        if second <= first:
            raise SpecError(
                f"encoder {name}: {type(module).__name__} must give more frames for a longer clip. "
                f"Got {first} for 1 s and {second} for 9 s."
            )
        self.layers, self.width = len(tried[0]), max(each.shape[2] for each in tried[0])
        self.grid = Grid(
            sample_rate=self._rate,
            hop_samples=measured_hop(long - short, second - first, self._rate),
            minimum_samples=self._shortest(module, name),
        )

    def _shortest(self, module: torch.nn.Module, name: str) -> int:
        """Return the shortest of a few lengths that the network takes."""
        for parts in (10, 4, 2):
            try:
                self._tried(module, self._rate // parts, name)
            except SpecError:
                continue
            return self._rate // parts
        return self._rate

    def _tried(self, module: torch.nn.Module, samples: int, name: str) -> list[torch.Tensor]:
        noise = torch.randn(1, samples, generator=torch.Generator().manual_seed(0)) * 0.1
        device = next(module.parameters()).device
        try:
            inputs = {each: value.to(device) for each, value in self.inputs(noise).items()}
            with torch.inference_mode():
                return self.states(called(module, inputs))
        except Exception as error:  # whatever somebody's network raises for what it does not take
            first = " ".join(str(error).split())[:200]
            raise SpecError(
                f"encoder {name}: {type(module).__name__} must run on audio alone and list hidden "
                f"states. Got {type(error).__name__}: {first} Write an encoder for it "
                f"(encoder.target=module:function)."
            ) from error

    def inputs(self, audio: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return what the extractor makes of the clips."""
        return extracted(self._extractor, audio, self._rate, **self._options)

    def states(self, outputs: Any) -> list[torch.Tensor]:
        """Return every layer, the last as the network gives it out."""
        return listed_states(outputs)


def measured_hop(samples: int, frames: int, sample_rate: int) -> int:
    """Return the hop of a network that gives so many frames more for a longer clip.

    Parameters
    ----------
    samples, frames : int
        How much longer the clip is, and how many frames more there are: right to one.
    sample_rate : int
        In Hz.

    Returns
    -------
    int
        Samples between frames: of those that fit, the one that has most in common with the
        rate or with a power of two, for hops are round in milliseconds or in samples.

    Examples
    --------
    >>> measured_hop(128_000, 333, 16_000)
    384
    """
    lowest, highest = samples / (frames + 1), samples / max(frames - 1, 1)
    fitting = range(math.floor(lowest) + 1, math.ceil(highest)) or [round(samples / frames)]
    return max(
        fitting,
        key=lambda hop: (
            max(math.gcd(hop, sample_rate), math.gcd(hop, 4096)),
            -abs(hop * frames - samples),
        ),
    )


def extracted(
    extractor: Any, audio: torch.Tensor, sample_rate: int, **options: bool
) -> dict[str, torch.Tensor]:
    """Run an extractor on clips of equal length.

    Parameters
    ----------
    extractor : object
        transformers' or a checkpoint's own.
    audio : torch.Tensor [shape=(batch, samples), float32]
        The clips.
    sample_rate : int
        In Hz.
    **options : bool
        What else the extractor is told.

    Returns
    -------
    dict of str to torch.Tensor
        What it makes of them, on the CPU.
    """
    clips = list(audio.detach().cpu().numpy())
    made = extractor(clips, sampling_rate=sample_rate, return_tensors="pt", **options)
    return {name: value for name, value in made.items() if torch.is_tensor(value)}
