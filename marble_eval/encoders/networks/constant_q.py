"""Constant-Q magnitudes, which MERT-v0 can take beside its convolutions' output.

The transform is Brown's (JASA 1991) with the conventions of nnAudio's `CQT1992v2`,
the one MERT was trained with: a periodic Hann window of `Q` periods with a sum of 1,
centred on the frame, zeros outside the clip, and the magnitude multiplied by the
square root of the window's length, as librosa does.
"""

from __future__ import annotations

import math

import numpy as np
import torch

from marble_eval.encoders.networks.hubert import convolve

_LOWEST_HZ = 32.7  # C1, as MERT's code has it


class ConstantQ:
    """The transform with its kernels, ready to be used from several threads at once."""

    def __init__(
        self,
        sample_rate: int,
        hop_samples: int,
        bins: int,
        bins_per_octave: int,
        device: torch.device | None = None,
    ) -> None:
        if bins < 1 or bins_per_octave < 1:
            raise ValueError(
                f"bins and bins_per_octave must be positive. Got {bins!r} and {bins_per_octave!r}."
            )
        frequencies = _LOWEST_HZ * 2.0 ** (np.arange(bins) / bins_per_octave)
        if frequencies[-1] > sample_rate / 2:
            raise ValueError(
                f"the highest bin must lie below {sample_rate / 2:g} Hz. "
                f"Got {frequencies[-1]:.1f} Hz. Use fewer bins."
            )
        q = 1 / (2 ** (1 / bins_per_octave) - 1)
        lengths = np.ceil(q * sample_rate / frequencies).astype(int)
        self._hop = hop_samples
        # An octave's kernels are convolved together: padded to the longest of them they
        # cost half as much again, padded to the longest of all five times as much.
        self._octaves = [
            _kernels(frequencies[at] / sample_rate, lengths[at]).to(device)
            for at in (slice(low, low + bins_per_octave) for low in range(0, bins, bins_per_octave))
        ]

    def __call__(self, audio: torch.Tensor) -> torch.Tensor:
        """Transform clips: (batch, samples) -> (batch, 1 + samples // hop_samples, bin)."""
        frames = 1 + audio.shape[1] // self._hop
        magnitudes = []
        for kernels in self._octaves:
            reach = kernels.shape[2] // 2
            padded = torch.nn.functional.pad(audio, (reach, reach))
            parts = convolve(padded.unsqueeze(2), kernels, stride=self._hop)[:, :frames]
            real, imaginary = parts.chunk(2, dim=2)
            magnitudes.append(torch.sqrt(real.square() + imaginary.square()))
        return torch.cat(magnitudes, dim=2)


def _kernels(periods: np.ndarray, lengths: np.ndarray) -> torch.Tensor:
    """Make the cosines, then the sines, of frequencies given in periods per sample."""
    reach = math.ceil(lengths.max() / 2)
    kernels = np.zeros((2 * len(lengths), 1, 2 * reach))
    for index, (frequency, length) in enumerate(zip(periods, lengths, strict=True)):
        start = -math.ceil(length / 2)  # an odd window has one sample more before its centre
        # Periodic, as nnAudio takes it from SciPy, which would load for half a second.
        window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length)
        wave = np.exp(2j * np.pi * frequency * np.arange(start, start + length))
        kernel = math.sqrt(length) * window / window.sum() * wave
        kernels[index, 0, reach + start : reach + start + length] = kernel.real
        kernels[len(lengths) + index, 0, reach + start : reach + start + length] = kernel.imag
    return torch.from_numpy(kernels).float()
