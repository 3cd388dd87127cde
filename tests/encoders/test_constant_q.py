"""The constant-Q transform against its definition, worked by hand and with SciPy."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.signal import fftconvolve
from scipy.signal.windows import hann

from marble_eval.encoders.networks.constant_q import ConstantQ

RATE, HOP = 16000, 320


def _length(frequency: float) -> int:
    """Q periods, rounded up; Q = 1 / (2 ** (1 / 12) - 1) = 16.817."""
    return math.ceil(RATE / frequency / (2 ** (1 / 12) - 1))


def _noise(clips: int, samples: int) -> torch.Tensor:
    return torch.randn(clips, samples, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("index", [0, 1, 11, 12, 50, 83])
def test_a_bin_is_a_windowed_wave_convolved_with_the_audio(index: int) -> None:
    audio = _noise(1, 9600)

    magnitudes = ConstantQ(RATE, HOP, 84, 12)(audio)

    frequency = 32.7 * 2 ** (index / 12)
    length = _length(frequency)
    # nnAudio's window starts length / 2 samples, rounded up, before the frame's centre.
    before = math.ceil(length / 2)
    window = hann(length, sym=False)
    wave = np.exp(-2j * np.pi * frequency / RATE * np.arange(-before, length - before))
    kernel = window / window.sum() * wave
    silence = np.zeros(length)
    padded = np.concatenate([silence, audio[0].double().numpy(), silence])
    # fftconvolve turns its kernel round: turned beforehand it correlates.
    correlated = fftconvolve(padded, kernel[::-1], mode="valid")
    centres = np.arange(1 + 9600 // HOP) * HOP
    expected = math.sqrt(length) * np.abs(correlated[centres - before + length])
    np.testing.assert_allclose(magnitudes[0, :, index], expected, rtol=0, atol=1e-5)


def test_a_tone_at_a_bins_frequency_is_half_the_root_of_its_window() -> None:
    # cos = (e^+ + e^-) / 2; the window sums to 1 and nearly cancels e^-; times sqrt(length).
    index = 57  # 880 Hz and a little
    frequency = 32.7 * 2 ** (index / 12)
    tone = torch.cos(2 * math.pi * frequency / RATE * torch.arange(RATE, dtype=torch.float64))

    magnitudes = ConstantQ(RATE, HOP, 84, 12)(tone.float().unsqueeze(0))[0, 25]

    assert magnitudes.argmax() == index
    assert magnitudes[index].item() == pytest.approx(math.sqrt(_length(frequency)) / 2, rel=1e-3)


@pytest.mark.parametrize(("samples", "frames"), [(319, 1), (320, 2), (16000, 51)])
def test_frames_start_at_the_first_sample(samples: int, frames: int) -> None:
    assert ConstantQ(RATE, HOP, 84, 12)(_noise(2, samples)).shape == (2, frames, 84)


def test_clips_do_not_depend_on_each_other() -> None:
    transform, audio = ConstantQ(RATE, HOP, 84, 12), _noise(3, 4000)

    together = transform(audio)

    alone = torch.cat([transform(clip) for clip in audio.chunk(3)])
    torch.testing.assert_close(together, alone, rtol=0, atol=2e-5)


def test_bins_that_do_not_fill_an_octave_are_the_first_of_it() -> None:
    audio = _noise(1, 4000)

    some = ConstantQ(RATE, HOP, 30, 12)(audio)

    torch.testing.assert_close(some, ConstantQ(RATE, HOP, 84, 12)(audio)[:, :, :30])


def test_bins_above_half_the_sample_rate_are_refused() -> None:
    with pytest.raises(ValueError, match=r"must lie below 8000 Hz\. Got 8371\.2 Hz"):
        ConstantQ(RATE, HOP, 97, 12)


@pytest.mark.parametrize(("bins", "per_octave"), [(0, 12), (6, 0)])
def test_no_bins_are_refused(bins: int, per_octave: int) -> None:
    with pytest.raises(ValueError, match="must be positive"):
        ConstantQ(RATE, HOP, bins, per_octave)
