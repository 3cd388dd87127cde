"""Log-mel statistics against Fourier transforms made by hand."""

from __future__ import annotations

from typing import Any

import librosa
import numpy as np
import pytest
import torch

from marble_eval.encoders import Encoder
from marble_eval.encoders.mel import load_mel
from marble_eval.errors import SpecError

OPTIONS: dict[str, Any] = {
    "name": "mel",
    "sample_rate": 24000,
    "n_fft": 2048,
    "hop_length": 320,
    "n_mels": 128,
}


def _noise(clips: int, samples: int) -> torch.Tensor:
    return 0.1 * torch.randn(clips, samples, generator=torch.Generator().manual_seed(0))


def test_frames_are_decibels_of_mel_bands_and_their_deviation() -> None:
    audio = _noise(2, 12000)

    states = load_mel(**OPTIONS).hidden_states(audio)

    padded = np.pad(audio.double().numpy(), ((0, 0), (1024, 1024)))
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(2048) / 2048)
    frames = np.stack([padded[:, at : at + 2048] * window for at in range(0, 12001, 320)], axis=1)
    power = np.abs(np.fft.rfft(frames)) ** 2
    bands = librosa.filters.mel(sr=24000, n_fft=2048, n_mels=128)
    decibels = 10 * np.log10(np.maximum(1e-10, power @ bands.T))
    assert states.shape == (2, 1, 38, 256)
    assert states.dtype == torch.float32
    np.testing.assert_allclose(states[:, 0, :, :128], decibels, rtol=0, atol=1e-3)
    deviation = np.sqrt(((decibels - decibels.mean(1, keepdims=True)) ** 2).mean(1))
    for frame in range(38):
        np.testing.assert_allclose(states[:, 0, frame, 128:], deviation, rtol=0, atol=1e-3)


def test_silence_is_the_floor_and_has_no_deviation() -> None:
    states = load_mel(**OPTIONS).hidden_states(torch.zeros(1, 4000))

    floor = torch.full((1, 1, 13, 128), -100.0)  # 10 * log10(1e-10)
    torch.testing.assert_close(states[..., :128], floor)
    assert (states[..., 128:] == 0).all()


def test_a_loud_beginning_leaves_the_silent_end_at_the_floor() -> None:
    audio = torch.cat([100 * _noise(1, 8000), torch.zeros(1, 8000)], dim=1)

    states = load_mel(**OPTIONS).hidden_states(audio)[0, 0]

    assert states[:20, :128].min() > 0  # at least 100 dB above the end
    torch.testing.assert_close(states[-1, :128], torch.full((128,), -100.0))


def test_a_loud_clip_in_the_batch_changes_nothing() -> None:
    encoder, audio = load_mel(**OPTIONS), _noise(3, 6000)
    audio[1] *= 100

    together = encoder.hidden_states(audio)

    alone = torch.cat([encoder.hidden_states(clip) for clip in audio.chunk(3)])
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-4)


def test_it_is_an_encoder() -> None:
    encoder = load_mel(**OPTIONS)

    assert isinstance(encoder, Encoder)
    assert list(encoder.layers) == ["log-mel"]
    assert encoder.width == 256
    assert encoder.frame_rate == 75.0
    assert encoder.normalise is False


@pytest.mark.parametrize("option", ["sample_rate", "n_fft", "hop_length", "n_mels"])
def test_every_option_is_in_the_fingerprint(option: str) -> None:
    changed = load_mel(**{**OPTIONS, option: OPTIONS[option] // 2})

    assert changed.fingerprint() != load_mel(**OPTIONS).fingerprint()
    assert load_mel(**{**OPTIONS, "name": "floor"}).fingerprint() == (
        load_mel(**OPTIONS).fingerprint()
    )


def test_the_fingerprint_changes_with_librosa(monkeypatch: pytest.MonkeyPatch) -> None:
    before = load_mel(**OPTIONS).fingerprint()
    monkeypatch.setattr("marble_eval.encoders.mel.version", lambda package: "99.0")

    assert load_mel(**OPTIONS).fingerprint() != before


@pytest.mark.parametrize("value", [0, -1, 2.5, True, "128", None])
def test_options_that_are_no_positive_integers_are_refused(value: Any) -> None:
    with pytest.raises(SpecError, match="encoder mel: 'n_mels' must be a positive integer"):
        load_mel(**{**OPTIONS, "n_mels": value})


def test_a_clip_shorter_than_the_window_is_refused() -> None:
    with pytest.raises(ValueError, match=r"at least 2048 samples\. Got 2047"):
        load_mel(**OPTIONS).hidden_states(torch.zeros(1, 2047))


@pytest.mark.parametrize("audio", [torch.zeros(4000), torch.zeros(1, 4000, dtype=torch.int16)])
def test_audio_of_another_form_is_refused(audio: torch.Tensor) -> None:
    with pytest.raises(ValueError, match=r"audio must be float32 of shape \(batch, samples\)"):
        load_mel(**OPTIONS).hidden_states(audio)
