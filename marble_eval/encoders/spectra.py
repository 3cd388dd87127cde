"""Spectra without training: log-mel, MFCC, constant-Q and chroma, the floors to beat.

Each has one layer. A frame is what was measured there, followed by the standard deviation of
each value over the clip, the same in every frame: pooled by mean, a clip becomes means and
deviations. Decibels are relative to a power of 1, not to the clip's loudest, so that nothing
depends on other audio. Frame 0 is centred on the first sample.

The mel spectrum and the MFCCs are librosa's. Constant-Q magnitudes and chroma are those of
`librosa.cqt` and `librosa.feature.chroma_cqt` for a tuning of 0 (chroma up to about 0.04);
librosa makes its filters, 3 % longer, anew for each clip, which takes most of its time.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import librosa
import numpy as np
import torch

from marble_eval.encoders.loaded import LoadedEncoder
from marble_eval.encoders.networks.constant_q import ConstantQ
from marble_eval.errors import SpecError
from marble_eval.files.fingerprint import digest_of
from marble_eval.spec import UNSTATED, EncoderCard

_IMPLEMENTATION = 1  # raised when the same audio gives other features
_REACH = 9  # frames under a difference of MFCCs, librosa's default; zeros fill a shorter clip
_FLOOR = 1e-5  # a magnitude below counts as this, as in librosa.amplitude_to_db: -100 dB
_CLASSES = 12  # C, Db, … B; the lowest bin of the transform is a C
_BINS = 3  # to a semitone, so that an instrument a quarter of one off stays in its class
_SILENCE = 1e-30  # a magnitude below is left as it is


def load_mel(
    *,
    name: str,
    sample_rate: int,
    n_fft: int,
    hop_length: int,
    n_mels: int,
    card: EncoderCard = UNSTATED,
) -> LoadedEncoder:
    """Make the encoder of the mel spectrum in decibels, -100 or more; width 2 * n_mels."""
    _check(name, sample_rate=sample_rate, n_fft=n_fft, hop_length=hop_length, n_mels=n_mels)

    def measured(audio: torch.Tensor) -> torch.Tensor:
        return _with_deviation(
            _log_mel(audio, sample_rate, n_fft, hop_length, n_mels).swapaxes(1, 2)
        )

    return _spectrum(
        name,
        "log-mel",
        measured,
        sample_rate=sample_rate,
        hop_length=hop_length,
        width=2 * n_mels,
        minimum_samples=min(n_fft, _least(sample_rate)),
        card=card,
        identity=[
            *("log-mel", _IMPLEMENTATION, "librosa", version("librosa")),
            *(sample_rate, n_fft, hop_length, n_mels),
        ],
    )


def load_mfcc(
    *,
    name: str,
    sample_rate: int,
    n_fft: int,
    hop_length: int,
    n_mels: int,
    n_mfcc: int,
    card: EncoderCard = UNSTATED,
) -> LoadedEncoder:
    """Make the encoder of MFCCs with first and second differences; width 6 * n_mfcc.

    They are librosa's, but decibels are not cut 80 below the loudest, which may be in
    another clip.
    """
    _check(
        name,
        sample_rate=sample_rate,
        n_fft=n_fft,
        hop_length=hop_length,
        n_mels=n_mels,
        n_mfcc=n_mfcc,
    )
    if n_mfcc > n_mels:
        raise SpecError(f"encoder {name}: 'n_mfcc' must be at most {n_mels} bands. Got {n_mfcc}.")

    def measured(audio: torch.Tensor) -> torch.Tensor:
        frames = 1 + audio.shape[1] // hop_length
        missing = max(0, (_REACH - 1) * hop_length - audio.shape[1])
        padded = torch.nn.functional.pad(audio, (0, missing))
        decibels = _log_mel(padded, sample_rate, n_fft, hop_length, n_mels)
        cepstra = librosa.feature.mfcc(S=decibels, n_mfcc=n_mfcc)
        changes = [
            librosa.feature.delta(cepstra, width=_REACH, order=order, axis=-1) for order in (1, 2)
        ]
        measured = np.concatenate([cepstra, *changes], axis=1)[:, :, :frames]
        return _with_deviation(measured.swapaxes(1, 2))

    return _spectrum(
        name,
        "mfcc",
        measured,
        sample_rate=sample_rate,
        hop_length=hop_length,
        width=6 * n_mfcc,
        minimum_samples=_least(sample_rate),
        card=card,
        identity=[
            *("mfcc", _IMPLEMENTATION, "librosa", version("librosa")),
            *(sample_rate, n_fft, hop_length, n_mels, n_mfcc),
        ],
    )


def load_cqt(
    *,
    name: str,
    sample_rate: int,
    hop_length: int,
    n_bins: int,
    bins_per_octave: int,
    card: EncoderCard = UNSTATED,
) -> LoadedEncoder:
    """Make the encoder of constant-Q decibels, -100 or more, from C1 up; width 2 * n_bins."""
    _check(
        name,
        sample_rate=sample_rate,
        hop_length=hop_length,
        n_bins=n_bins,
        bins_per_octave=bins_per_octave,
    )
    transform = _transform(name, "n_bins", sample_rate, hop_length, n_bins, bins_per_octave)

    def measured(audio: torch.Tensor) -> torch.Tensor:
        decibels = 20 * transform(audio.detach().cpu()).clamp_min(_FLOOR).log10()
        return _beside_deviation(decibels)

    return _spectrum(
        name,
        "cqt",
        measured,
        sample_rate=sample_rate,
        hop_length=hop_length,
        width=2 * n_bins,
        minimum_samples=min(hop_length, _least(sample_rate)),
        card=card,
        identity=["cqt", _IMPLEMENTATION, sample_rate, hop_length, n_bins, bins_per_octave],
    )


def load_chroma(
    *,
    name: str,
    sample_rate: int,
    hop_length: int,
    octaves: int,
    card: EncoderCard = UNSTATED,
) -> LoadedEncoder:
    """Make the encoder of the twelve pitch classes from C up, the strongest at 1; width 24."""
    _check(name, sample_rate=sample_rate, hop_length=hop_length, octaves=octaves)
    bins = octaves * _CLASSES * _BINS
    transform = _transform(name, "octaves", sample_rate, hop_length, bins, _CLASSES * _BINS)
    # The middle bin of the three is in tune; the last bin lies just below the next C.
    classes = (torch.arange(bins) + _BINS // 2) // _BINS % _CLASSES
    fold = torch.nn.functional.one_hot(classes, _CLASSES).float()  # bin -> class

    def measured(audio: torch.Tensor) -> torch.Tensor:
        strengths = transform(audio.detach().cpu()) @ fold
        loudest = strengths.amax(dim=2, keepdim=True)
        relative = strengths / loudest.clamp_min(_SILENCE)
        return _beside_deviation(torch.where(loudest > _SILENCE, relative, strengths))

    return _spectrum(
        name,
        "chroma",
        measured,
        sample_rate=sample_rate,
        hop_length=hop_length,
        width=2 * _CLASSES,
        minimum_samples=min(hop_length, _least(sample_rate)),
        card=card,
        identity=["chroma", _IMPLEMENTATION, sample_rate, hop_length, octaves],
    )


def _least(sample_rate: int) -> int:
    """Return the shortest clip, that of MERT, so that both score the same items."""
    return -(-sample_rate // 60)  # 400 samples at 24 kHz; what a window lacks counts as zeros


def _check(name: str, **options: object) -> None:
    for option, value in options.items():
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise SpecError(
                f"encoder {name}: {option!r} must be a positive integer. Got {value!r}."
            )


def _transform(
    name: str, lowered: str, sample_rate: int, hop_length: int, bins: int, bins_per_octave: int
) -> ConstantQ:
    try:
        return ConstantQ(sample_rate, hop_length, bins, bins_per_octave)
    except ValueError as error:  # the transform's bins do not fit below half the rate
        raise SpecError(f"encoder {name}: {error} Lower {lowered!r}.") from error


def _spectrum(
    name: str,
    layer: str,
    measured: Callable[[torch.Tensor], torch.Tensor],
    *,
    sample_rate: int,
    hop_length: int,
    width: int,
    minimum_samples: int,
    card: EncoderCard,
    identity: list[Any],
) -> LoadedEncoder:
    return LoadedEncoder(
        name=name,
        sample_rate=sample_rate,
        frame_rate=sample_rate / hop_length,
        layers=[layer],
        width=width,
        minimum_samples=minimum_samples,
        revision="1",
        card=card,
        parameters=0,
        network=measured,
        identity=digest_of(identity),
    )


def _log_mel(
    audio: torch.Tensor, sample_rate: int, n_fft: int, hop_length: int, n_mels: int
) -> np.ndarray:
    """Measure decibels: (batch, samples) -> (batch, band, 1 + samples // hop_length)."""
    missing = max(0, n_fft - audio.shape[1])  # librosa would warn, and do the same
    samples = torch.nn.functional.pad(audio.detach().cpu(), (0, missing)).numpy()
    power = librosa.feature.melspectrogram(
        y=samples,
        sr=sample_rate,
        n_fft=n_fft,
        hop_length=hop_length,
        n_mels=n_mels,
    )
    frames = power[..., : 1 + audio.shape[1] // hop_length]
    decibels: np.ndarray = librosa.power_to_db(frames, ref=1.0, top_db=None)
    return decibels


def _with_deviation(measured: np.ndarray) -> torch.Tensor:
    """Append deviations over frames: (batch, frame, value) -> (batch, 1, frame, 2 * value)."""
    deviation = np.broadcast_to(measured.std(axis=1, keepdims=True), measured.shape)
    frames = np.concatenate([measured, deviation], axis=2, dtype=np.float32)
    return torch.from_numpy(frames).unsqueeze(1)


def _beside_deviation(measured: torch.Tensor) -> torch.Tensor:
    """Do the same in torch, whose sums differ from NumPy's in the last digit."""
    deviation = measured.std(dim=1, correction=0, keepdim=True).expand_as(measured)
    return torch.cat([measured, deviation], dim=2).unsqueeze(1)
