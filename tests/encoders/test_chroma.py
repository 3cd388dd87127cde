"""Chroma statistics against librosa, and chords whose pitch classes are known."""

from __future__ import annotations

from typing import Any

import librosa
import numpy as np
import pytest
import torch

from marble_eval.encoders import Encoder
from marble_eval.encoders.chroma import ChromaEncoder, load_chroma
from marble_eval.errors import SpecError

RATE, HOP = 24000, 2048
OPTIONS: dict[str, Any] = {"name": "chroma", "sample_rate": RATE, "hop_length": HOP, "octaves": 7}


@pytest.fixture(scope="module")
def encoder() -> ChromaEncoder:
    return load_chroma(**OPTIONS)


def _chord(*midi: float, seconds: float = 2.0, overtones: int = 4) -> torch.Tensor:
    """Return notes, given as MIDI numbers, sounding together with some overtones."""
    time = np.arange(round(seconds * RATE)) / RATE
    pitches = [440 * 2 ** ((each - 69) / 12) for each in midi]
    sound = sum(
        np.sin(2 * np.pi * pitch * order * time) / 2**order
        for pitch in pitches
        for order in range(1, overtones + 1)
    )
    return torch.from_numpy(np.asarray(0.1 * sound)).float()[None]


def _noise(clips: int, samples: int) -> torch.Tensor:
    return 0.1 * torch.randn(clips, samples, generator=torch.Generator().manual_seed(0))


def _mean(encoder: ChromaEncoder, audio: torch.Tensor) -> torch.Tensor:
    """Return the pooled pitch classes of one clip."""
    return encoder.hidden_states(audio)[0, 0, :, :12].mean(dim=0)


def test_a_c_major_triad_lights_c_e_and_g(encoder: ChromaEncoder) -> None:
    mean = _mean(encoder, _chord(60, 64, 67))
    assert sorted(mean.topk(3).indices.tolist()) == [0, 4, 7]
    others = [at for at in range(12) if at not in (0, 4, 7)]
    # The overtones bring a B and a D besides, at a quarter of their notes' fundamentals.
    assert mean[[0, 4, 7]].min() > 2 * mean[others].max()


@pytest.mark.parametrize("semitones", [1, 3, 7, 11])
def test_transposition_rolls_the_pitch_classes(encoder: ChromaEncoder, semitones: int) -> None:
    low = _mean(encoder, _chord(48, 52, 55))
    high = _mean(encoder, _chord(48 + semitones, 52 + semitones, 55 + semitones))
    torch.testing.assert_close(high, low.roll(semitones), rtol=0, atol=0.03)
    assert (low - low.roll(semitones)).abs().max() > 0.5


@pytest.mark.parametrize("octave", [2, 3, 5, 6])
def test_the_octave_does_not_matter(encoder: ChromaEncoder, octave: int) -> None:
    audio = _chord(12 * (octave + 1) + 2, overtones=1)
    assert _mean(encoder, audio).argmax() == 2


@pytest.mark.parametrize("detuned", [-0.3, 0.3])
def test_an_instrument_out_of_tune_stays_in_its_classes(
    encoder: ChromaEncoder, detuned: float
) -> None:
    mean = _mean(encoder, _chord(60 + detuned, 64 + detuned, 67 + detuned))
    assert sorted(mean.topk(3).indices.tolist()) == [0, 4, 7]


@pytest.mark.parametrize("audio", ["noise", "chord", "half silent"])
def test_frames_are_librosas_chroma(encoder: ChromaEncoder, audio: str) -> None:
    clip = _noise(1, 3 * RATE) if audio == "noise" else _chord(45, 52, 60, 64, 69, seconds=3.0)
    if audio == "half silent":
        clip[:, RATE:] = 0
    states = encoder.hidden_states(clip)
    expected = librosa.feature.chroma_cqt(
        y=clip[0].numpy(), sr=RATE, hop_length=HOP, tuning=0.0, n_octaves=7, bins_per_octave=36
    ).T
    found = states[0, 0, :, :12].numpy()
    assert found.shape == expected.shape
    # Frames that a filter reaches only with its tail hold next to nothing, scaled up to 1.
    heard = slice(0, 11) if audio == "half silent" else slice(None)
    assert np.abs(found - expected)[heard].max() < 0.05
    assert np.abs(found - expected)[heard].mean() < 0.005


def test_the_second_half_is_the_deviation_over_the_clip(encoder: ChromaEncoder) -> None:
    states = encoder.hidden_states(torch.cat([_chord(60), _chord(67)], dim=1))
    chroma = states[0, 0, :, :12].double().numpy()
    expected = np.sqrt(((chroma - chroma.mean(axis=0)) ** 2).mean(axis=0))
    assert expected[[0, 7]].min() > 0.3
    for frame in states[0, 0, :, 12:]:
        np.testing.assert_allclose(frame, expected, rtol=0, atol=1e-5)


def test_silence_has_no_pitch_class(encoder: ChromaEncoder) -> None:
    assert (encoder.hidden_states(torch.zeros(1, RATE)) == 0).all()


@pytest.mark.parametrize("gain", [1e-6, 0.01, 100.0])
def test_loudness_changes_nothing(encoder: ChromaEncoder, gain: float) -> None:
    audio = _noise(1, RATE)
    torch.testing.assert_close(
        encoder.hidden_states(gain * audio), encoder.hidden_states(audio), rtol=0, atol=1e-4
    )


def test_a_loud_clip_in_the_batch_changes_nothing(encoder: ChromaEncoder) -> None:
    audio = _noise(3, RATE)
    audio[1] *= 100
    together = encoder.hidden_states(audio)
    alone = torch.cat([encoder.hidden_states(clip) for clip in audio.chunk(3)])
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-4)


def test_it_is_an_encoder(encoder: ChromaEncoder) -> None:
    assert isinstance(encoder, Encoder)
    assert list(encoder.layers) == ["chroma"]
    assert encoder.width == 24
    assert encoder.frame_rate == pytest.approx(11.71875)
    assert encoder.normalise is False
    states = encoder.hidden_states(_noise(2, RATE))
    assert (states.shape, states.dtype) == ((2, 1, 12, 24), torch.float32)


@pytest.mark.parametrize("option", ["sample_rate", "hop_length", "octaves"])
def test_every_option_is_in_the_fingerprint(encoder: ChromaEncoder, option: str) -> None:
    changed = load_chroma(**{**OPTIONS, option: OPTIONS[option] - 1})
    assert changed.fingerprint() != encoder.fingerprint()
    assert load_chroma(**{**OPTIONS, "name": "floor"}).fingerprint() == encoder.fingerprint()


def test_the_fingerprint_changes_with_the_implementation(
    encoder: ChromaEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("marble_eval.encoders.chroma._IMPLEMENTATION", 99)
    assert load_chroma(**OPTIONS).fingerprint() != encoder.fingerprint()


@pytest.mark.parametrize("value", [0, -1, 2.5, True, "7", None])
def test_options_that_are_no_positive_integers_are_refused(value: Any) -> None:
    with pytest.raises(SpecError, match="encoder chroma: 'octaves' must be a positive integer"):
        load_chroma(**{**OPTIONS, "octaves": value})


def test_octaves_above_half_the_sample_rate_are_refused() -> None:
    with pytest.raises(SpecError, match=r"encoder chroma: the highest bin .* Lower 'octaves'"):
        load_chroma(**{**OPTIONS, "octaves": 9})


def test_a_clip_shorter_than_a_hop_is_refused(encoder: ChromaEncoder) -> None:
    with pytest.raises(ValueError, match=r"at least 2048 samples\. Got 2047"):
        encoder.hidden_states(torch.zeros(1, 2047))


@pytest.mark.parametrize("audio", [torch.zeros(4000), torch.zeros(1, 4000, dtype=torch.int16)])
def test_audio_of_another_form_is_refused(encoder: ChromaEncoder, audio: torch.Tensor) -> None:
    with pytest.raises(ValueError, match=r"audio must be float32 of shape \(batch, samples\)"):
        encoder.hidden_states(audio)
