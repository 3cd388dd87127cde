"""Constant-Q statistics against librosa called directly, and tones that are known."""

from __future__ import annotations

import math
from typing import Any

import librosa
import numpy as np
import pytest
import torch

from marble_eval.encoders import Encoder
from marble_eval.encoders.cqt import CqtEncoder, load_cqt
from marble_eval.errors import SpecError

RATE, HOP = 24000, 512
OPTIONS: dict[str, Any] = {
    "name": "cqt",
    "sample_rate": RATE,
    "hop_length": HOP,
    "n_bins": 84,
    "bins_per_octave": 12,
}


@pytest.fixture(scope="module")
def encoder() -> CqtEncoder:
    return load_cqt(**OPTIONS)


def _noise(clips: int, samples: int) -> torch.Tensor:
    return 0.1 * torch.randn(clips, samples, generator=torch.Generator().manual_seed(0))


def _tone(bins: int, seconds: float = 2.0) -> torch.Tensor:
    time = torch.arange(round(seconds * RATE), dtype=torch.float64) / RATE
    return torch.cos(2 * math.pi * 32.7 * 2 ** (bins / 12) * time).float()[None]


def _librosa(clip: torch.Tensor) -> np.ndarray:
    """Return librosa's own spectrum in decibels, (frame, bin)."""
    spectrum = librosa.cqt(
        clip.numpy(), sr=RATE, hop_length=HOP, fmin=32.7, n_bins=84, bins_per_octave=12, tuning=0.0
    )
    decibels: np.ndarray = librosa.amplitude_to_db(np.abs(spectrum), ref=1.0, top_db=None).T
    return decibels


def test_frames_of_noise_are_librosas(encoder: CqtEncoder) -> None:
    audio = _noise(1, 3 * RATE)
    found, expected = encoder.hidden_states(audio)[0, 0, :, :84].numpy(), _librosa(audio[0])
    assert found.shape == expected.shape == (141, 84)
    # librosa's filters are 3 % longer; where noise cancels itself, decibels say little.
    heard = expected > -10
    assert np.abs(found - expected)[heard].mean() < 0.3
    assert np.abs(found.mean(axis=0) - expected.mean(axis=0)).max() < 0.3


@pytest.mark.parametrize("bins", [0, 9, 33, 57, 83])
def test_a_tone_is_as_loud_as_librosa_says(encoder: CqtEncoder, bins: int) -> None:
    audio = _tone(bins)
    found, expected = encoder.hidden_states(audio)[0, 0, 47, :84], _librosa(audio[0])[47]
    assert found.argmax() == expected.argmax() == bins
    # 10 log10(1.03) = 0.13 dB, and what the longest filter misses at the clip's ends.
    assert found[bins].item() == pytest.approx(expected[bins], abs=0.3)
    # By definition half the root of the window's length: Q periods, Q = 1 / (2 ** (1 / 12) - 1).
    length = math.ceil(RATE / (32.7 * 2 ** (bins / 12)) / (2 ** (1 / 12) - 1))
    assert found[bins].item() == pytest.approx(20 * math.log10(math.sqrt(length) / 2), abs=0.05)


def test_the_second_half_is_the_deviation_over_the_clip(encoder: CqtEncoder) -> None:
    states = encoder.hidden_states(torch.cat([_tone(33), _tone(57)], dim=1))[0, 0].double().numpy()
    expected = np.sqrt(((states[:, :84] - states[:, :84].mean(axis=0)) ** 2).mean(axis=0))
    assert expected[[33, 57]].min() > 10
    for frame in states[:, 84:]:
        np.testing.assert_allclose(frame, expected, rtol=0, atol=1e-3)


def test_silence_is_the_floor_and_has_no_deviation(encoder: CqtEncoder) -> None:
    states = encoder.hidden_states(torch.zeros(1, RATE))
    torch.testing.assert_close(states[..., :84], torch.full((1, 1, 47, 84), -100.0))
    assert states[..., 84:].abs().max() < 1e-4


def test_twice_the_level_is_six_decibels_more(encoder: CqtEncoder) -> None:
    audio = _noise(1, RATE)
    louder = encoder.hidden_states(2 * audio) - encoder.hidden_states(audio)
    torch.testing.assert_close(
        louder[..., :84], torch.full((1, 1, 47, 84), 6.0206), rtol=0, atol=1e-3
    )
    assert louder[..., 84:].abs().max() < 1e-3


def test_a_loud_clip_in_the_batch_changes_nothing(encoder: CqtEncoder) -> None:
    audio = _noise(3, RATE)
    audio[1] *= 100
    together = encoder.hidden_states(audio)
    alone = torch.cat([encoder.hidden_states(clip) for clip in audio.chunk(3)])
    torch.testing.assert_close(together, alone, rtol=0, atol=0.01)


def test_it_is_an_encoder(encoder: CqtEncoder) -> None:
    assert isinstance(encoder, Encoder)
    assert list(encoder.layers) == ["cqt"]
    assert (encoder.width, encoder.frame_rate, encoder.normalise) == (168, 46.875, False)


@pytest.mark.parametrize("option", ["sample_rate", "hop_length", "n_bins", "bins_per_octave"])
def test_every_option_is_in_the_fingerprint(encoder: CqtEncoder, option: str) -> None:
    changed = load_cqt(**{**OPTIONS, option: OPTIONS[option] + 1})
    assert changed.fingerprint() != encoder.fingerprint()
    assert load_cqt(**{**OPTIONS, "name": "floor"}).fingerprint() == encoder.fingerprint()


@pytest.mark.parametrize("value", [0, -1, 2.5, True, "84", None])
def test_options_that_are_no_positive_integers_are_refused(value: Any) -> None:
    with pytest.raises(SpecError, match="encoder cqt: 'n_bins' must be a positive integer"):
        load_cqt(**{**OPTIONS, "n_bins": value})


def test_bins_above_half_the_sample_rate_are_refused() -> None:
    with pytest.raises(SpecError, match=r"encoder cqt: the highest bin .* Lower 'n_bins'"):
        load_cqt(**{**OPTIONS, "n_bins": 108})


def test_a_clip_shorter_than_a_hop_is_refused(encoder: CqtEncoder) -> None:
    with pytest.raises(ValueError, match=r"at least 512 samples\. Got 511"):
        encoder.hidden_states(torch.zeros(1, 511))


@pytest.mark.parametrize("audio", [torch.zeros(4000), torch.zeros(1, 4000, dtype=torch.int16)])
def test_audio_of_another_form_is_refused(encoder: CqtEncoder, audio: torch.Tensor) -> None:
    with pytest.raises(ValueError, match=r"audio must be float32 of shape \(batch, samples\)"):
        encoder.hidden_states(audio)
