"""One of transformers' networks run over clips: windows in, a block of hidden states out.

Layers of different widths and frame rates are brought to one block: narrower ones filled
up with zeros, coarser ones repeated onto the frames of the finest.
"""

from __future__ import annotations

import contextlib
import inspect
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import torch


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


class TransformerNetwork:
    """A network with its reader, ready to be used from several threads at once."""

    def __init__(
        self,
        module: torch.nn.Module,
        reader: Reader,
        *,
        dtype: torch.dtype,
        device: torch.device,
        keeps_nothing: bool,
    ) -> None:
        self._module, self._reader = module, reader
        self._dtype, self._device = dtype, device
        self._turn: contextlib.AbstractContextManager[Any] = (
            contextlib.nullcontext() if keeps_nothing else threading.Lock()
        )

    def hidden_states(self, audio: torch.Tensor) -> torch.Tensor:
        """Run the network: (batch, samples) -> (batch, layer, frame, width)."""
        grid = self._reader.grid
        found = []
        for window in grid.windows(audio.shape[1]):
            end = None
            if grid.window_samples is not None:
                end = window.start_samples + grid.window_samples
            layers = self._run(audio[:, window.start_samples : end])
            if grid.window_frames is None:
                frames = max(each.shape[1] for each in layers)
                return on_one_grid(layers, frames, self._reader.width)
            states = on_one_grid(layers, grid.window_frames, self._reader.width)
            found.append(
                states[:, :, window.skipped_frames : window.skipped_frames + window.frames]
            )
        return torch.cat(found, dim=2)

    def _run(self, audio: torch.Tensor) -> Sequence[torch.Tensor]:
        """Return the layers of clips that the network takes at once."""
        inputs = {
            name: value.to(self._device) for name, value in self._reader.inputs(audio).items()
        }
        lowered = self._dtype != torch.float32
        with (
            self._turn,
            torch.inference_mode(),
            torch.autocast(self._device.type, dtype=self._dtype, enabled=lowered),
        ):
            layers = self._reader.states(called(self._module, inputs))
        if len(layers) != self._reader.layers:
            raise ValueError(
                f"{type(self._module).__name__} must list {self._reader.layers} layers, as its "
                f"config says. Got {len(layers)}."
            )
        return layers


def on_one_grid(layers: Sequence[torch.Tensor], frames: int, width: int) -> torch.Tensor:
    """Bring layers (batch, frame, width), each on its own grid, to (batch, layer, frames, width).

    Coarser layers have each frame several times, narrower ones end with zeros. What comes
    out may be trained on.
    """
    first = layers[0]
    # Made outside inference mode, so that what is trained on it may keep it.
    states = torch.zeros((len(first), len(layers), frames, width), device=first.device)
    for at, layer in enumerate(layers):
        given = layer.shape[1]
        times = max(1, round(frames / given))  # a frame that is left over repeats the last
        place = (torch.arange(frames, device=layer.device) // times).clamp_max(given - 1)
        states[:, at, :, : layer.shape[2]] = layer if given == frames else layer[:, place]
    return states


def called(module: torch.nn.Module, inputs: dict[str, torch.Tensor]) -> Any:
    """Call a network so that it lists its hidden states; some can do nothing else."""
    taken = inspect.signature(module.forward).parameters
    if "output_hidden_states" in taken or any(
        each.kind is each.VAR_KEYWORD for each in taken.values()
    ):
        return module(**inputs, output_hidden_states=True)
    return module(**inputs)


def listed_states(outputs: Any) -> list[torch.Tensor]:
    """Return the hidden states (batch, frame, width) of each layer, the last as it is given out.

    Networks with norms before attention list their last layer without the norm that ends
    it, SEW before it is brought back to the finer frames: ``last_hidden_state`` has both.
    """
    listed = getattr(outputs, "hidden_states", None)
    if torch.is_tensor(listed):  # some code of others' gives the last layer alone
        listed = (listed,)
    if not listed or not all(torch.is_tensor(each) and each.ndim == 3 for each in listed):
        raise ValueError("the network must list hidden states of shape (batch, frame, width).")
    last = getattr(outputs, "last_hidden_state", None)
    return [*listed[:-1], listed[-1] if last is None else last]
