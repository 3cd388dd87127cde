"""Cepstral statistics against librosa called directly."""

from __future__ import annotations

from typing import Any

import librosa
import numpy as np
import pytest
import scipy.fft
import torch

from marble_eval.encoders import Encoder
from marble_eval.encoders.mfcc import load_mfcc
from marble_eval.errors import SpecError

OPTIONS: dict[str, Any] = {
    "name": "mfcc",
    "sample_rate": 24000,
    "n_fft": 2048,
    "hop_length": 320,
    "n_mels": 128,
    "n_mfcc": 20,
}


def _noise(clips: int, samples: int) -> torch.Tensor:
    noise = torch.randn(clips, samples, generator=torch.Generator().manual_seed(0))
    return 0.1 * noise * (1.2 + torch.sin(torch.arange(samples) / 3000))


def test_frames_are_librosas_coefficients_and_their_changes() -> None:
    audio = _noise(2, 12000)
    states = load_mfcc(**OPTIONS).hidden_states(audio)
    assert states.shape == (2, 1, 38, 120)
    assert states.dtype == torch.float32
    for clip, found in zip(audio, states[:, 0], strict=True):
        # No bin of noise lies 80 dB below another, where librosa would cut it.
        mfcc = librosa.feature.mfcc(
            y=clip.numpy(), sr=24000, n_mfcc=20, n_fft=2048, hop_length=320, n_mels=128
        )
        first, second = (librosa.feature.delta(mfcc, order=order) for order in (1, 2))
        expected = np.concatenate([mfcc, first, second]).T
        np.testing.assert_allclose(found[:, :60], expected, rtol=0, atol=1e-3)
        for frame in found[:, 60:]:
            np.testing.assert_allclose(frame, expected.std(axis=0), rtol=0, atol=1e-3)


def test_a_coefficient_is_a_cosine_transform_of_the_bands() -> None:
    audio = _noise(1, 9000)
    power = librosa.feature.melspectrogram(y=audio[0].numpy(), sr=24000, hop_length=320)
    expected = scipy.fft.dct(10 * np.log10(power), axis=0, norm="ortho")[:20].T
    found = load_mfcc(**OPTIONS).hidden_states(audio)[0, 0, :, :20]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-3)


def test_a_steady_sound_does_not_change() -> None:
    clicks = torch.zeros(1, 24000)
    clicks[:, ::320] = 1.0  # one in each hop: every frame is the same
    states = load_mfcc(**OPTIONS).hidden_states(clicks)[0, 0, 10:-10]
    assert states[:, 20:60].abs().max() < 0.01
    assert states[:, :20].abs().max() > 10


def test_a_loud_clip_in_the_batch_changes_nothing() -> None:
    encoder, audio = load_mfcc(**OPTIONS), _noise(3, 6000)
    audio[1] *= 1e6  # 120 dB: librosa would cut the others
    together = encoder.hidden_states(audio)
    alone = torch.cat([encoder.hidden_states(clip) for clip in audio.chunk(3)])
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-3)


def test_it_is_an_encoder() -> None:
    encoder = load_mfcc(**OPTIONS)
    assert isinstance(encoder, Encoder)
    assert list(encoder.layers) == ["mfcc"]
    assert (encoder.width, encoder.frame_rate, encoder.normalise) == (120, 75.0, False)
    assert encoder.minimum_samples == 2560  # 9 frames
    assert encoder.hidden_states(_noise(1, 2560)).shape[2] == 9


@pytest.mark.parametrize("option", ["sample_rate", "n_fft", "hop_length", "n_mels", "n_mfcc"])
def test_every_option_is_in_the_fingerprint(option: str) -> None:
    before = load_mfcc(**OPTIONS).fingerprint()
    assert load_mfcc(**{**OPTIONS, option: OPTIONS[option] // 2}).fingerprint() != before
    assert load_mfcc(**{**OPTIONS, "name": "floor"}).fingerprint() == before


def test_the_fingerprint_changes_with_librosa(monkeypatch: pytest.MonkeyPatch) -> None:
    before = load_mfcc(**OPTIONS).fingerprint()
    monkeypatch.setattr("marble_eval.encoders.mfcc.version", lambda package: "99.0")
    assert load_mfcc(**OPTIONS).fingerprint() != before


@pytest.mark.parametrize("value", [0, -1, 2.5, True, "20", None])
def test_options_that_are_no_positive_integers_are_refused(value: Any) -> None:
    with pytest.raises(SpecError, match="encoder mfcc: 'n_mfcc' must be a positive integer"):
        load_mfcc(**{**OPTIONS, "n_mfcc": value})


def test_more_coefficients_than_bands_are_refused() -> None:
    with pytest.raises(SpecError, match=r"'n_mfcc' must be at most 128 bands\. Got 129"):
        load_mfcc(**{**OPTIONS, "n_mfcc": 129})


def test_a_clip_of_fewer_than_nine_frames_is_refused() -> None:
    with pytest.raises(ValueError, match=r"at least 2560 samples\. Got 2559"):
        load_mfcc(**OPTIONS).hidden_states(torch.zeros(1, 2559))


@pytest.mark.parametrize("audio", [torch.zeros(4000), torch.zeros(1, 4000, dtype=torch.int16)])
def test_audio_of_another_form_is_refused(audio: torch.Tensor) -> None:
    with pytest.raises(ValueError, match=r"audio must be float32 of shape \(batch, samples\)"):
        load_mfcc(**OPTIONS).hidden_states(audio)
