"""Spectra against librosa, Fourier transforms made by hand, and chords that are known."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import librosa
import numpy as np
import pytest
import scipy.fft
import torch

from marble_eval.encoders import Encoder
from marble_eval.encoders.loaded import LoadedEncoder
from marble_eval.encoders.spectra import load_chroma, load_cqt, load_mel, load_mfcc
from marble_eval.errors import SpecError

RATE = 24000
LOADS: dict[str, Callable[..., LoadedEncoder]] = {
    "mel": load_mel,
    "mfcc": load_mfcc,
    "cqt": load_cqt,
    "chroma": load_chroma,
}
OPTIONS: dict[str, dict[str, Any]] = {
    "mel": {"sample_rate": RATE, "n_fft": 2048, "hop_length": 320, "n_mels": 128},
    "mfcc": {"sample_rate": RATE, "n_fft": 2048, "hop_length": 320, "n_mels": 128, "n_mfcc": 20},
    "cqt": {"sample_rate": RATE, "hop_length": 512, "n_bins": 84, "bins_per_octave": 12},
    "chroma": {"sample_rate": RATE, "hop_length": 2048, "octaves": 7},
}
SHORTEST = dict.fromkeys(("mel", "mfcc", "cqt", "chroma"), 400)  # as MERT


def load(kind: str, **options: Any) -> LoadedEncoder:
    return LOADS[kind](**{"name": kind, **OPTIONS[kind], **options})


@pytest.fixture(scope="module")
def mel() -> LoadedEncoder:
    return load("mel")


@pytest.fixture(scope="module")
def mfcc() -> LoadedEncoder:
    return load("mfcc")


@pytest.fixture(scope="module")
def cqt() -> LoadedEncoder:
    return load("cqt")


@pytest.fixture(scope="module")
def chroma() -> LoadedEncoder:
    return load("chroma")


def _noise(clips: int, samples: int) -> torch.Tensor:
    return 0.1 * torch.randn(clips, samples, generator=torch.Generator().manual_seed(0))


# --- all four ---


@pytest.mark.parametrize(
    ("kind", "option"), [(kind, option) for kind, options in OPTIONS.items() for option in options]
)
def test_every_option_is_in_the_fingerprint(kind: str, option: str) -> None:
    before = load(kind).fingerprint()
    assert load(kind, **{option: OPTIONS[kind][option] - 1}).fingerprint() != before
    assert load(kind, name="floor").fingerprint() == before


@pytest.mark.parametrize("kind", LOADS)
def test_the_implementation_is_in_the_fingerprint(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = load(kind).fingerprint()
    monkeypatch.setattr("marble_eval.encoders.spectra._IMPLEMENTATION", 99)
    assert load(kind).fingerprint() != before


@pytest.mark.parametrize("kind", ["mel", "mfcc"])
def test_the_fingerprint_changes_with_librosa(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before = load(kind).fingerprint()
    monkeypatch.setattr("marble_eval.encoders.spectra.version", lambda package: "99.0")
    assert load(kind).fingerprint() != before


@pytest.mark.parametrize("value", [0, -1, 2.5, True, "128", None])
@pytest.mark.parametrize(
    ("kind", "option"),
    [("mel", "n_mels"), ("mfcc", "n_mfcc"), ("cqt", "n_bins"), ("chroma", "octaves")],
)
def test_options_that_are_no_positive_integers_are_refused(
    kind: str, option: str, value: Any
) -> None:
    with pytest.raises(SpecError, match=f"encoder {kind}: '{option}' must be a positive integer"):
        load(kind, **{option: value})


@pytest.mark.parametrize("kind", LOADS)
def test_a_clip_too_short_is_refused(kind: str) -> None:
    encoder, shortest = load(kind), SHORTEST[kind]
    with pytest.raises(ValueError, match=rf"at least {shortest} samples\. Got {shortest - 1}"):
        encoder.hidden_states(torch.zeros(1, shortest - 1))
    assert encoder.hidden_states(_noise(1, shortest)).shape[2] >= 1


@pytest.mark.parametrize("kind", LOADS)
def test_a_loud_clip_in_the_batch_changes_nothing(kind: str) -> None:
    encoder, audio = load(kind), _noise(3, 6000)
    audio[1] *= 1e6  # 120 dB: librosa would cut the others
    together = encoder.hidden_states(audio)
    alone = torch.cat([encoder.hidden_states(clip) for clip in audio.chunk(3)])
    torch.testing.assert_close(together, alone, rtol=0, atol=0.01)


# --- mel ---


def test_frames_are_decibels_of_mel_bands_and_their_deviation(mel: LoadedEncoder) -> None:
    audio = _noise(2, 12000)

    states = mel.hidden_states(audio)

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


def test_mel_silence_is_the_floor_and_has_no_deviation(mel: LoadedEncoder) -> None:
    states = mel.hidden_states(torch.zeros(1, 4000))

    floor = torch.full((1, 1, 13, 128), -100.0)  # 10 * log10(1e-10)
    torch.testing.assert_close(states[..., :128], floor)
    assert (states[..., 128:] == 0).all()


def test_a_loud_beginning_leaves_the_silent_end_at_the_floor(mel: LoadedEncoder) -> None:
    audio = torch.cat([100 * _noise(1, 8000), torch.zeros(1, 8000)], dim=1)

    states = mel.hidden_states(audio)[0, 0]

    assert states[:20, :128].min() > 0  # at least 100 dB above the end
    torch.testing.assert_close(states[-1, :128], torch.full((128,), -100.0))


def test_mel_is_an_encoder(mel: LoadedEncoder) -> None:
    assert isinstance(mel, Encoder)
    assert list(mel.layers) == ["log-mel"]
    assert mel.width == 256
    assert mel.frame_rate == 75.0
    assert mel.normalise is False


# --- mfcc ---


def _swelling(clips: int, samples: int) -> torch.Tensor:
    noise = torch.randn(clips, samples, generator=torch.Generator().manual_seed(0))
    return 0.1 * noise * (1.2 + torch.sin(torch.arange(samples) / 3000))


def test_frames_are_librosas_coefficients_and_their_changes(mfcc: LoadedEncoder) -> None:
    audio = _swelling(2, 12000)
    states = mfcc.hidden_states(audio)
    assert states.shape == (2, 1, 38, 120)
    assert states.dtype == torch.float32
    for clip, found in zip(audio, states[:, 0], strict=True):
        # No bin of noise lies 80 dB below another, where librosa would cut it.
        cepstra = librosa.feature.mfcc(
            y=clip.numpy(), sr=24000, n_mfcc=20, n_fft=2048, hop_length=320, n_mels=128
        )
        first, second = (librosa.feature.delta(cepstra, order=order) for order in (1, 2))
        expected = np.concatenate([cepstra, first, second]).T
        np.testing.assert_allclose(found[:, :60], expected, rtol=0, atol=1e-3)
        for frame in found[:, 60:]:
            np.testing.assert_allclose(frame, expected.std(axis=0), rtol=0, atol=1e-3)


def test_a_coefficient_is_a_cosine_transform_of_the_bands(mfcc: LoadedEncoder) -> None:
    audio = _swelling(1, 9000)
    power = librosa.feature.melspectrogram(y=audio[0].numpy(), sr=24000, hop_length=320)
    expected = scipy.fft.dct(10 * np.log10(power), axis=0, norm="ortho")[:20].T
    found = mfcc.hidden_states(audio)[0, 0, :, :20]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-3)


def test_a_steady_sound_does_not_change(mfcc: LoadedEncoder) -> None:
    clicks = torch.zeros(1, 24000)
    clicks[:, ::320] = 1.0  # one in each hop: every frame is the same
    states = mfcc.hidden_states(clicks)[0, 0, 10:-10]
    assert states[:, 20:60].abs().max() < 0.01
    assert states[:, :20].abs().max() > 10


def test_mfcc_is_an_encoder(mfcc: LoadedEncoder) -> None:
    assert isinstance(mfcc, Encoder)
    assert list(mfcc.layers) == ["mfcc"]
    assert (mfcc.width, mfcc.frame_rate, mfcc.normalise) == (120, 75.0, False)
    assert mfcc.hidden_states(_swelling(1, 2560)).shape[2] == 9


def test_more_coefficients_than_bands_are_refused() -> None:
    with pytest.raises(SpecError, match=r"'n_mfcc' must be at most 128 bands\. Got 129"):
        load("mfcc", n_mfcc=129)


# --- cqt ---


def _tone(bins: int, seconds: float = 2.0) -> torch.Tensor:
    time = torch.arange(round(seconds * RATE), dtype=torch.float64) / RATE
    return torch.cos(2 * math.pi * 32.7 * 2 ** (bins / 12) * time).float()[None]


def _librosa(clip: torch.Tensor) -> np.ndarray:
    """Return librosa's own spectrum in decibels, (frame, bin)."""
    spectrum = librosa.cqt(
        clip.numpy(), sr=RATE, hop_length=512, fmin=32.7, n_bins=84, bins_per_octave=12, tuning=0.0
    )
    decibels: np.ndarray = librosa.amplitude_to_db(np.abs(spectrum), ref=1.0, top_db=None).T
    return decibels


def test_frames_of_noise_are_librosas(cqt: LoadedEncoder) -> None:
    audio = _noise(1, 3 * RATE)
    found, expected = cqt.hidden_states(audio)[0, 0, :, :84].numpy(), _librosa(audio[0])
    assert found.shape == expected.shape == (141, 84)
    # librosa's filters are 3 % longer; where noise cancels itself, decibels say little.
    heard = expected > -10
    assert np.abs(found - expected)[heard].mean() < 0.3
    assert np.abs(found.mean(axis=0) - expected.mean(axis=0)).max() < 0.3


@pytest.mark.parametrize("bins", [0, 9, 33, 57, 83])
def test_a_tone_is_as_loud_as_librosa_says(cqt: LoadedEncoder, bins: int) -> None:
    audio = _tone(bins)
    found, expected = cqt.hidden_states(audio)[0, 0, 47, :84], _librosa(audio[0])[47]
    assert found.argmax() == expected.argmax() == bins
    # 10 log10(1.03) = 0.13 dB, and what the longest filter misses at the clip's ends.
    assert found[bins].item() == pytest.approx(expected[bins], abs=0.3)
    # By definition half the root of the window's length: Q periods, Q = 1 / (2 ** (1 / 12) - 1).
    length = math.ceil(RATE / (32.7 * 2 ** (bins / 12)) / (2 ** (1 / 12) - 1))
    assert found[bins].item() == pytest.approx(20 * math.log10(math.sqrt(length) / 2), abs=0.05)


def test_cqt_the_second_half_is_the_deviation_over_the_clip(cqt: LoadedEncoder) -> None:
    states = cqt.hidden_states(torch.cat([_tone(33), _tone(57)], dim=1))[0, 0].double().numpy()
    expected = np.sqrt(((states[:, :84] - states[:, :84].mean(axis=0)) ** 2).mean(axis=0))
    assert expected[[33, 57]].min() > 10
    for frame in states[:, 84:]:
        np.testing.assert_allclose(frame, expected, rtol=0, atol=1e-3)


def test_cqt_silence_is_the_floor_and_has_no_deviation(cqt: LoadedEncoder) -> None:
    states = cqt.hidden_states(torch.zeros(1, RATE))
    torch.testing.assert_close(states[..., :84], torch.full((1, 1, 47, 84), -100.0))
    assert states[..., 84:].abs().max() < 1e-4


def test_twice_the_level_is_six_decibels_more(cqt: LoadedEncoder) -> None:
    audio = _noise(1, RATE)
    louder = cqt.hidden_states(2 * audio) - cqt.hidden_states(audio)
    torch.testing.assert_close(
        louder[..., :84], torch.full((1, 1, 47, 84), 6.0206), rtol=0, atol=1e-3
    )
    assert louder[..., 84:].abs().max() < 1e-3


def test_cqt_is_an_encoder(cqt: LoadedEncoder) -> None:
    assert isinstance(cqt, Encoder)
    assert list(cqt.layers) == ["cqt"]
    assert (cqt.width, cqt.frame_rate, cqt.normalise) == (168, 46.875, False)


def test_bins_above_half_the_sample_rate_are_refused() -> None:
    with pytest.raises(SpecError, match=r"encoder cqt: the highest bin .* Lower 'n_bins'"):
        load("cqt", n_bins=108)


# --- chroma ---


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


def _mean(chroma: LoadedEncoder, audio: torch.Tensor) -> torch.Tensor:
    """Return the pooled pitch classes of one clip."""
    return chroma.hidden_states(audio)[0, 0, :, :12].mean(dim=0)


def test_a_c_major_triad_lights_c_e_and_g(chroma: LoadedEncoder) -> None:
    mean = _mean(chroma, _chord(60, 64, 67))
    assert sorted(mean.topk(3).indices.tolist()) == [0, 4, 7]
    others = [at for at in range(12) if at not in (0, 4, 7)]
    # The overtones bring a B and a D besides, at a quarter of their notes' fundamentals.
    assert mean[[0, 4, 7]].min() > 2 * mean[others].max()


@pytest.mark.parametrize("semitones", [1, 3, 7, 11])
def test_transposition_rolls_the_pitch_classes(chroma: LoadedEncoder, semitones: int) -> None:
    low = _mean(chroma, _chord(48, 52, 55))
    high = _mean(chroma, _chord(48 + semitones, 52 + semitones, 55 + semitones))
    torch.testing.assert_close(high, low.roll(semitones), rtol=0, atol=0.03)
    assert (low - low.roll(semitones)).abs().max() > 0.5


@pytest.mark.parametrize("octave", [2, 3, 5, 6])
def test_the_octave_does_not_matter(chroma: LoadedEncoder, octave: int) -> None:
    audio = _chord(12 * (octave + 1) + 2, overtones=1)
    assert _mean(chroma, audio).argmax() == 2


@pytest.mark.parametrize("detuned", [-0.3, 0.3])
def test_an_instrument_out_of_tune_stays_in_its_classes(
    chroma: LoadedEncoder, detuned: float
) -> None:
    mean = _mean(chroma, _chord(60 + detuned, 64 + detuned, 67 + detuned))
    assert sorted(mean.topk(3).indices.tolist()) == [0, 4, 7]


@pytest.mark.parametrize("audio", ["noise", "chord", "half silent"])
def test_frames_are_librosas_chroma(chroma: LoadedEncoder, audio: str) -> None:
    clip = _noise(1, 3 * RATE) if audio == "noise" else _chord(45, 52, 60, 64, 69, seconds=3.0)
    if audio == "half silent":
        clip[:, RATE:] = 0
    states = chroma.hidden_states(clip)
    expected = librosa.feature.chroma_cqt(
        y=clip[0].numpy(), sr=RATE, hop_length=2048, tuning=0.0, n_octaves=7, bins_per_octave=36
    ).T
    found = states[0, 0, :, :12].numpy()
    assert found.shape == expected.shape
    # Frames that a filter reaches only with its tail hold next to nothing, scaled up to 1.
    heard = slice(0, 11) if audio == "half silent" else slice(None)
    assert np.abs(found - expected)[heard].max() < 0.05
    assert np.abs(found - expected)[heard].mean() < 0.005


def test_chroma_the_second_half_is_the_deviation_over_the_clip(chroma: LoadedEncoder) -> None:
    states = chroma.hidden_states(torch.cat([_chord(60), _chord(67)], dim=1))
    classes = states[0, 0, :, :12].double().numpy()
    expected = np.sqrt(((classes - classes.mean(axis=0)) ** 2).mean(axis=0))
    assert expected[[0, 7]].min() > 0.3
    for frame in states[0, 0, :, 12:]:
        np.testing.assert_allclose(frame, expected, rtol=0, atol=1e-5)


def test_silence_has_no_pitch_class(chroma: LoadedEncoder) -> None:
    assert (chroma.hidden_states(torch.zeros(1, RATE)) == 0).all()


@pytest.mark.parametrize("gain", [1e-6, 0.01, 100.0])
def test_loudness_changes_nothing(chroma: LoadedEncoder, gain: float) -> None:
    audio = _noise(1, RATE)
    torch.testing.assert_close(
        chroma.hidden_states(gain * audio), chroma.hidden_states(audio), rtol=0, atol=1e-4
    )


def test_chroma_is_an_encoder(chroma: LoadedEncoder) -> None:
    assert isinstance(chroma, Encoder)
    assert list(chroma.layers) == ["chroma"]
    assert chroma.width == 24
    assert chroma.frame_rate == pytest.approx(11.71875)
    assert chroma.normalise is False
    states = chroma.hidden_states(_noise(2, RATE))
    assert (states.shape, states.dtype) == ((2, 1, 12, 24), torch.float32)


def test_octaves_above_half_the_sample_rate_are_refused() -> None:
    with pytest.raises(SpecError, match=r"encoder chroma: the highest bin .* Lower 'octaves'"):
        load("chroma", octaves=9)
