"""Networks on the waveform: strided convolutions, then a transformer.

HuBERT, wav2vec 2.0, WavLM, data2vec-audio (music2vec is one), UniSpeech, SEW and their
like. All share the convolutions' names in ``config.json``, which say where frames lie.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import torch

from marble_eval.encoders.repository import Repository
from marble_eval.errors import SpecError


class Window(NamedTuple):
    """A cut of a clip that the network sees at once, and the frames that are taken of it."""

    start_samples: int
    first_frame: int
    skipped_frames: int
    frames: int


@dataclass(frozen=True, slots=True)
class Grid:
    """Where the frames of a network lie.

    Attributes
    ----------
    sample_rate : int
        Rate of the audio, in Hz.
    hop_samples : int
        Samples between frames.
    minimum_samples : int
        Shortest clip.
    reach_samples : int
        Samples that the first frame needs to be there; later ones each a hop more.
    window_frames, window_samples : int or None
        What the network takes at once; None if there is no bound.
    """

    sample_rate: int
    hop_samples: int
    minimum_samples: int
    reach_samples: int = 1
    window_frames: int | None = None
    window_samples: int | None = None

    def windows(self, samples: int) -> Iterator[Window]:
        """Cut a clip into what the network takes at once, for every frame once.

        Windows follow each other without overlap; the last begins earlier, so that it is
        full, and gives the frames that are left. All begin on the frames of the clip.

        Parameters
        ----------
        samples : int
            Length of the clip.

        Yields
        ------
        Window
            In order; one for a network without a bound, whose frames are counted later.

        Examples
        --------
        >>> [tuple(each) for each in Grid(10, 1, 1, window_frames=30).windows(45)]
        [(0, 0, 0, 30), (15, 30, 15, 15)]
        """
        if self.window_frames is None:
            yield Window(0, 0, 0, 0)
            return
        frames = max(1, (samples - self.reach_samples) // self.hop_samples + 1)
        for first in range(0, frames, self.window_frames):
            start = max(0, min(first, frames - self.window_frames))
            count = min(self.window_frames, frames - first)
            yield Window(start * self.hop_samples, first, first - start, count)


class Reader(Protocol):
    """How a family of networks takes audio, and where it lists hidden states.

    Attributes
    ----------
    grid : Grid
        Where its frames lie.
    normalise : bool
        Whether the checkpoint wants the waveform normalised.
    layers, width : int
        How many layers it lists, and the size of the widest.
    """

    grid: Grid
    normalise: bool
    layers: int
    width: int

    def inputs(self, audio: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return what the network is called with, for float32 (batch, samples)."""
        ...

    def states(self, outputs: Any) -> list[torch.Tensor]:
        """Return each layer as (batch, frame, width of its own), the input first."""
        ...


class WaveformReader:
    """Networks that take the waveform itself; see `Reader`.

    Parameters
    ----------
    config : object
        transformers' config of the network.
    repository : Repository
        The checkpoint, which says the rate and whether audio is normalised.
    sample_rate : int or None
        The rate where the checkpoint says none, in Hz.
    name : str
        Of the encoder, for messages.

    Raises
    ------
    SpecError
        If the rate is not known, or said twice.
    """

    def __init__(
        self, config: Any, repository: Repository, sample_rate: int | None, name: str
    ) -> None:
        # SEW's transformer takes several frames as one, and cannot do with fewer.
        samples = int(getattr(config, "squeeze_factor", 1))
        for kernel, stride in zip(config.conv_kernel[::-1], config.conv_stride[::-1], strict=True):
            samples = (samples - 1) * stride + kernel
        self.grid = Grid(
            sample_rate=rate_of(repository, sample_rate, name),
            hop_samples=math.prod(config.conv_stride),
            minimum_samples=samples,
        )
        self.normalise = normalised(repository)
        self.layers, self.width = 1 + config.num_hidden_layers, config.hidden_size

    def inputs(self, audio: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return the audio as it is: normalising belongs to the protocol."""
        return {"input_values": audio}

    def states(self, outputs: Any) -> list[torch.Tensor]:
        """Return every layer, the last as the network gives it out."""
        return listed_states(outputs)


def called(module: torch.nn.Module, inputs: dict[str, torch.Tensor]) -> Any:
    """Call a network so that it lists its hidden states; some can do nothing else.

    Parameters
    ----------
    module : torch.nn.Module
        The network.
    inputs : dict of str to torch.Tensor
        What it is called with.

    Returns
    -------
    transformers.ModelOutput
        What it gives.
    """
    taken = inspect.signature(module.forward).parameters
    if "output_hidden_states" in taken or any(
        each.kind is each.VAR_KEYWORD for each in taken.values()
    ):
        return module(**inputs, output_hidden_states=True)
    return module(**inputs)


def listed_states(outputs: Any) -> list[torch.Tensor]:
    """Return the hidden states that a network lists, the last as it gives it out.

    Networks with norms before attention list their last layer without the norm that ends
    it, SEW before it is brought back to the finer frames: ``last_hidden_state`` has both.

    Parameters
    ----------
    outputs : transformers.ModelOutput
        With ``hidden_states``.

    Returns
    -------
    list of torch.Tensor [shape=(batch, frame, width)]
        The transformer's input, then each layer.

    Raises
    ------
    ValueError
        If none are listed.
    """
    listed = getattr(outputs, "hidden_states", None)
    if torch.is_tensor(listed):  # some code of others' gives the last layer alone
        listed = (listed,)
    if not listed or not all(torch.is_tensor(each) and each.ndim == 3 for each in listed):
        raise ValueError("the network must list hidden states of shape (batch, frame, width).")
    last = getattr(outputs, "last_hidden_state", None)
    return [*listed[:-1], listed[-1] if last is None else last]


def rate_of(repository: Repository, sample_rate: int | None, name: str) -> int:
    """Return the sample rate, as the checkpoint or else the user says.

    Parameters
    ----------
    repository : Repository
        The checkpoint.
    sample_rate : int or None
        What the user says, in Hz.
    name : str
        Of the encoder, for messages.

    Returns
    -------
    int
        In Hz.

    Raises
    ------
    SpecError
        If neither says it, or both and not the same.
    """
    stated = repository.preprocessor.get("sampling_rate")
    rate = stated if sample_rate is None else sample_rate
    if not isinstance(rate, int) or isinstance(rate, bool) or rate < 1:
        raise SpecError(
            f"encoder {name}: the sample rate of {repository.origin} must be a positive integer. "
            f"Its preprocessor_config.json and 'sample_rate' give {rate!r}. "
            f"Add encoder.sample_rate=16000, or what it was trained with."
        )
    if stated is not None and stated != rate:
        raise SpecError(
            f"encoder {name}: 'sample_rate' must be null or what the checkpoint says. "
            f"Got {rate} and {stated!r}."
        )
    return rate


def normalised(repository: Repository) -> bool:
    """Say whether a checkpoint on the waveform wants it normalised.

    Parameters
    ----------
    repository : Repository
        The checkpoint.

    Returns
    -------
    bool
        ``do_normalize`` of its preprocessor, true where it is left out, as in transformers.
    """
    return bool(repository.preprocessor.get("do_normalize", True))
