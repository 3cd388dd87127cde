"""The MusiCNN network (arXiv 1711.02520, 1909.06654): a log-mel spectrogram, heard in patches.

A front-end hears timbre (kernels over many bands) and rhythm (kernels over many frames),
each taken at its strongest band; three convolutions over time follow, and a back-end
pools a patch of 187 frames. The spectrogram is librosa's of 2019, when the weights were
trained: reflected at both ends. It stays in float32 where the original's is cast to
float16, which overflows from a mel power of 6.6 on, as loud music has it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import librosa
import torch

from marble_eval.encoders.networks.hubert import convolve

SAMPLE_RATE, WINDOW, HOP = 16000, 512, 256
#: Mel bands, tags, and frames that the network hears together (3 s).
BANDS, TAGS, PATCH = 96, 50, 187
#: Channels of a timbral and a temporal convolution, of the middle ones, and units behind.
TIMBRAL, TEMPORAL, MIDDLE, DENSE = 204, 51, 64, 200
#: Frames of every convolution that hears timbre; bands and frames of the front-end's.
FRAMES, SPECTRAL, RHYTHMIC = 7, (38, 67), (128, 64, 32)
#: Channels of the front-end, and of front-end and middle together.
FRONT = 2 * TIMBRAL + 3 * TEMPORAL
WIDEST = FRONT + 3 * MIDDLE
#: Layers in the order of the network, named as the original's features.
LAYERS = (
    *("timbral", "temporal", "cnn1", "cnn2", "cnn3"),
    *("mean_pool", "max_pool", "penultimate", "logits"),
)
_EPSILON = 1e-3  # of TensorFlow's batch normalisation
_FRONT = (*SPECTRAL, *RHYTHMIC)
_CONVOLUTIONS = ("conv2d", *(f"conv2d_{index}" for index in range(1, len(_FRONT) + 3)))


def weight_sizes() -> dict[str, tuple[int, ...]]:
    """List the tensors of a network, under their names in the checkpoints."""
    kernels = [(FRAMES, bands, 1, TIMBRAL) for bands in SPECTRAL]
    kernels += [(frames, 1, 1, TEMPORAL) for frames in RHYTHMIC]
    kernels += [(FRAMES, channels, 1, MIDDLE) for channels in (FRONT, MIDDLE, MIDDLE)]
    sizes: dict[str, tuple[int, ...]] = {}
    for index, kernel in enumerate(kernels):
        layer = f"conv2d_{index}" if index else "conv2d"
        sizes |= {f"{layer}/kernel": kernel, f"{layer}/bias": kernel[-1:]}
    for layer, inputs, units in (("dense", 2 * WIDEST, DENSE), ("dense_1", DENSE, TAGS)):
        sizes |= {f"{layer}/kernel": (inputs, units), f"{layer}/bias": (units,)}
    # One norm of the spectrogram, one behind each convolution, one on either side of "dense".
    normed = [1, *(kernel[-1] for kernel in kernels), 2 * WIDEST, DENSE]
    for index, channels in enumerate(normed):
        norm = f"batch_normalization_{index}" if index else "batch_normalization"
        for part in ("gamma", "beta", "moving_mean", "moving_variance"):
            sizes[f"{norm}/{part}"] = (channels,)
    return sizes


class _Convolution(NamedTuple):
    """A convolution with its batch normalisation, which stands behind the rectifier."""

    kernel: torch.Tensor  # (channel, input channel, tap)
    bias: torch.Tensor
    scale: torch.Tensor
    shift: torch.Tensor

    def finished(self, x: torch.Tensor) -> torch.Tensor:
        """Rectify and normalise what the kernel gives."""
        return torch.relu(x + self.bias) * self.scale + self.shift


def _norm(weights: Mapping[str, torch.Tensor], index: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Fold a batch normalisation into a factor and a summand."""
    name = f"batch_normalization_{index}" if index else "batch_normalization"
    scale = weights[f"{name}/gamma"] / (weights[f"{name}/moving_variance"] + _EPSILON).sqrt()
    return scale, weights[f"{name}/beta"] - weights[f"{name}/moving_mean"] * scale


class Musicnn:
    """The network with its weights, ready to be used from several threads at once."""

    def __init__(self, weights: Mapping[str, torch.Tensor], device: torch.device) -> None:
        weights = {name: weight.to(device) for name, weight in weights.items()}
        filters = librosa.filters.mel(sr=SAMPLE_RATE, n_fft=WINDOW, n_mels=BANDS)
        self._filters = torch.from_numpy(filters.T.copy()).to(device)
        self._window = torch.hann_window(WINDOW, device=device)
        self._input = _norm(weights, 0)
        parts = [_convolution(weights, index) for index in range(len(_CONVOLUTIONS))]
        self._timbral, self._temporal = parts[: len(SPECTRAL)], parts[len(SPECTRAL) : len(_FRONT)]
        self._middle = parts[len(_FRONT) :]
        self._pooled, self._behind = _norm(weights, 9), _norm(weights, 10)
        self._dense = weights["dense/kernel"], weights["dense/bias"]
        self._output = weights["dense_1/kernel"], weights["dense_1/bias"]
        # On a CPU a few patches stay in its cache; a GPU is to be kept busy.
        self._together = 4 if device.type == "cpu" else 64

    def hidden_states(self, audio: torch.Tensor) -> torch.Tensor:
        """Encode clips: (batch, samples) -> (batch, layer, 1 + samples // 256, 753)."""
        frames = 1 + audio.shape[1] // HOP
        # Made outside inference mode, so that what is trained on it may keep it.
        states = torch.zeros((len(audio), len(LAYERS), frames, WIDEST), device=self._window.device)
        # Patches follow on each other; the last one ends with the clip, and gives the
        # frames that no other has.
        firsts = range(0, frames, PATCH)
        starts = [max(0, min(first, frames - PATCH)) for first in firsts]
        with torch.inference_mode():
            log_mel = self.log_mel(audio)
            if frames < PATCH:  # repeated, as in training ("pad_short" of the released config)
                log_mel = log_mel[:, torch.arange(PATCH, device=log_mel.device) % frames]
            patches = torch.stack([log_mel[:, at : at + PATCH] for at in starts], dim=1)
            groups = [
                self._layers(each) for each in torch.split(patches.flatten(0, 1), self._together)
            ]
            for layer, parts in enumerate(zip(*groups, strict=True)):
                values = torch.cat(parts).reshape(len(audio), len(starts), PATCH, -1)
                for patch, (first, start) in enumerate(zip(firsts, starts, strict=True)):
                    end = min(first + PATCH, frames)
                    part = values[:, patch, first - start : end - start]
                    states[:, layer, first:end, : part.shape[2]] = part
        return states

    def log_mel(self, audio: torch.Tensor) -> torch.Tensor:
        """Measure log10(10000 * power + 1): (batch, samples) -> (batch, 1 + samples // 256, 96)."""
        spectrum = torch.stft(
            audio.to(self._window.device),
            *(WINDOW, HOP, WINDOW, self._window),
            center=True,
            pad_mode="reflect",
            return_complex=True,
        )
        power = torch.view_as_real(spectrum).square().sum(dim=-1).transpose(1, 2)
        return torch.log10(10000 * (power @ self._filters) + 1)

    def _layers(self, patches: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Run patches (patch, frame, band); return each layer as (patch, frame, width)."""
        scale, shift = self._input
        normed = patches * scale + shift
        timbral = torch.cat([_heard_over_bands(normed, each) for each in self._timbral], dim=2)
        temporal = torch.cat([_heard_over_frames(normed, each) for each in self._temporal], dim=2)
        front = torch.cat([timbral, temporal], dim=2)
        middle: list[torch.Tensor] = []
        for part in self._middle:
            x = middle[-1] if middle else front
            heard = part.finished(convolve(x, part.kernel, padding=FRAMES // 2))
            middle.append(heard + x if middle else heard)
        dense = torch.cat([front, *middle], dim=2)
        highest, mean = dense.amax(dim=1), dense.mean(dim=1)
        scale, shift = self._pooled
        # The maximum and the mean of a channel stand side by side.
        flat = torch.stack([highest, mean], dim=2).flatten(1) * scale + shift
        scale, shift = self._behind
        penultimate = torch.relu(torch.addmm(self._dense[1], flat, self._dense[0])) * scale + shift
        logits = torch.addmm(self._output[1], penultimate, self._output[0])
        once = [
            each.unsqueeze(1).expand(-1, PATCH, -1) for each in (mean, highest, penultimate, logits)
        ]
        return timbral, temporal, *middle, *once


def _signs(scale: torch.Tensor) -> torch.Tensor:
    return torch.where(scale < 0, -1.0, 1.0)


def _convolution(weights: Mapping[str, torch.Tensor], index: int) -> _Convolution:
    """Lay out a convolution."""
    name = _CONVOLUTIONS[index]
    kernel = weights[f"{name}/kernel"].squeeze(2).movedim(2, 0)  # channel frame band
    scale, shift = _norm(weights, 1 + index)
    if index < len(_FRONT):  # a negative factor makes the weakest band the strongest
        kernel = kernel * _signs(scale)[:, None, None]
    if index >= len(SPECTRAL):  # over frames, with bands as channels; else the other way round
        kernel = kernel.transpose(1, 2)
    return _Convolution(kernel, weights[f"{name}/bias"], scale, shift)


def _strongest(heard: torch.Tensor, part: _Convolution) -> torch.Tensor:
    """Take each channel at the band where, rectified and normalised, it is strongest.

    Both steps are monotonous, so that they can wait until the band is found.
    """
    return part.finished(heard.amax(dim=1) * _signs(part.scale))


def _heard_over_bands(x: torch.Tensor, part: _Convolution) -> torch.Tensor:
    """Convolve over bands, with seven frames as channels: (patch, frame, channel)."""
    padded = torch.nn.functional.pad(x, (0, 0, FRAMES // 2, FRAMES // 2))
    windows = padded.unfold(1, FRAMES, 1)  # patch frame band tap
    heard = convolve(windows.flatten(0, 1), part.kernel)  # patch*frame band channel
    return _strongest(heard, part).reshape(*x.shape[:2], -1)


def _heard_over_frames(x: torch.Tensor, part: _Convolution) -> torch.Tensor:
    """Convolve each band over time: (patch, frame, channel)."""
    taps = part.kernel.shape[2]
    # TensorFlow's "same": of an odd number of zeros the greater half stands behind.
    padded = torch.nn.functional.pad(x.transpose(1, 2), ((taps - 1) // 2, taps // 2))
    heard = convolve(padded.flatten(0, 1).unsqueeze(2), part.kernel)  # patch*band frame channel
    return _strongest(heard.reshape(len(x), BANDS, x.shape[1], -1), part)
