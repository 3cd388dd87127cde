"""One of transformers' networks run over clips: windows in, a block of hidden states out.

Layers of different widths and frame rates are brought to one block: narrower ones filled
up with zeros, coarser ones repeated onto the frames of the finest.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Sequence
from typing import Any

import torch

from marble_eval.encoders.waveform_models import Reader, called


class TransformerNetwork:
    """A network with its reader, ready to be used from several threads at once.

    Parameters
    ----------
    module : torch.nn.Module
        In evaluation mode and float32.
    reader : Reader
        How it takes audio.
    dtype : torch.dtype
        In which its matrix products and convolutions are computed (torch's autocast);
        weights, norms and residuals stay float32.
    device : torch.device
        Where it is.
    keeps_nothing : bool
        Whether the network keeps nothing between calls; if it may, as one that caches
        positions does, threads take turns.
    """

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
        """Run the network.

        Parameters
        ----------
        audio : torch.Tensor [shape=(batch, samples), float32]
            Clips of equal length, at least ``reader.grid.minimum_samples`` long.

        Returns
        -------
        torch.Tensor [shape=(batch, layer, frame, width), float32]
            The transformer's input, then what each of its layers gave.

        Raises
        ------
        ValueError
            If the audio has other axes or another type, or is too short.
        """
        grid = self._reader.grid
        if audio.ndim != 2 or audio.dtype != torch.float32:
            raise ValueError(
                f"audio must be float32 of shape (batch, samples). "
                f"Got {audio.dtype} of shape {tuple(audio.shape)}."
            )
        if audio.shape[1] < grid.minimum_samples:
            raise ValueError(
                f"audio must have at least {grid.minimum_samples} samples. "
                f"Got {audio.shape[1]}. Use longer clips."
            )
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
    """Bring layers to one number of frames and one width.

    Parameters
    ----------
    layers : sequence of torch.Tensor [shape=(batch, frame, width)]
        What each layer gave, on a grid of its own over the same clip.
    frames, width : int
        Of the finest and of the widest.

    Returns
    -------
    torch.Tensor [shape=(batch, layer, frames, width), float32]
        Coarser layers have each frame several times, narrower ones end with zeros. It may
        be trained on.

    Examples
    --------
    >>> coarse, fine = torch.tensor([[[1.0], [2.0]]]), torch.ones(1, 4, 2)
    >>> on_one_grid([coarse, fine], 4, 2)[0, 0].tolist()
    [[1.0, 0.0], [1.0, 0.0], [2.0, 0.0], [2.0, 0.0]]
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
