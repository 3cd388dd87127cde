"""Resampling by a windowed sinc, as MARBLE does, or by soxr.

The resampler is part of the feature: torchaudio's default, which the published
tables went through, is only 18 to 28 dB from soxr's best on broadband audio. It
is computed here as a product of a strided view with a small matrix, so that
torchaudio is not needed. Source of the method: J. O. Smith, "Digital Audio
Resampling"; the constants are torchaudio's defaults.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import soxr
from numpy.lib.stride_tricks import as_strided

from marble_eval.spec.protocol import Resampler

_SINC_VERSION = 1  # raised when a sample can change
_ZEROS = 6  # zero crossings on each side: torchaudio's lowpass_filter_width
_ROLLOFF = 0.99  # cut-off as a share of the lower Nyquist frequency
_GROUP_SAMPLES = 32  # outputs made by one matrix; 16 to 48 measured equally fast
_SOXR_QUALITY = "HQ"


class _Group(NamedTuple):
    """Neighbouring outputs of a period: out[start:stop] = in[first:][:rows] @ weights."""

    start: int
    stop: int
    first: int
    weights: npt.NDArray[np.float32]


class _Kernel(NamedTuple):
    """The weights of one period: ``inputs`` samples in, ``outputs`` samples out."""

    inputs: int
    outputs: int
    margin: int  # samples before a period that its weights reach back to
    groups: tuple[_Group, ...]


def resample(
    audio: npt.NDArray[np.float32], from_rate: int, to_rate: int, method: Resampler
) -> npt.NDArray[np.float32]:
    """Bring mono audio (samples,) from one rate to another, in Hz.

    "torchaudio-sinc" gives ceil(samples * to_rate / from_rate) samples, "soxr-hq" the nearest
    whole number. "torchaudio-sinc" makes its kernel in float32, which is what agrees with
    torchaudio 2.11 to 2e-7; made in float64 it is up to 1.2e-5 away. Audio counts as zero
    beyond its ends.
    """
    if audio.ndim != 1 or not audio.size:
        raise ValueError(f"audio must be one channel of samples. Got shape {audio.shape}.")
    if from_rate <= 0 or to_rate <= 0:
        raise ValueError(f"sample rates must be positive. Got {from_rate!r} and {to_rate!r}.")
    _require_known(method)
    if from_rate == to_rate:
        return audio
    if method == "soxr-hq":
        return np.asarray(soxr.resample(audio, from_rate, to_rate, _SOXR_QUALITY), np.float32)
    return _sinc(audio, from_rate, to_rate)


def resampler_version(method: Resampler) -> str:
    """Return what identifies a resampler's samples, for the feature fingerprint."""
    _require_known(method)
    if method == "soxr-hq":
        return f"libsoxr {soxr.__libsoxr_version__} {_SOXR_QUALITY}"
    return f"sinc hann {_ZEROS} {_ROLLOFF}, version {_SINC_VERSION}"


def _require_known(method: str) -> None:
    if method not in ("torchaudio-sinc", "soxr-hq"):
        raise ValueError(f"method must be 'torchaudio-sinc' or 'soxr-hq'. Got {method!r}.")


def _sinc(audio: npt.NDArray[np.float32], from_rate: int, to_rate: int) -> npt.NDArray[np.float32]:
    common = math.gcd(from_rate, to_rate)
    kernel = _kernel(from_rate // common, to_rate // common)
    samples = -(-len(audio) * to_rate // from_rate)
    periods = -(-samples // kernel.outputs)
    reach = max(group.first + len(group.weights) for group in kernel.groups)
    padded = np.zeros(
        kernel.margin + max(len(audio), (periods - 1) * kernel.inputs + reach), np.float32
    )
    padded[kernel.margin : kernel.margin + len(audio)] = audio
    resampled = np.empty((periods, kernel.outputs), np.float32)
    for group in kernel.groups:
        inputs = as_strided(  # (period, input), periods apart in the same memory
            padded[kernel.margin + group.first :],
            (periods, len(group.weights)),
            (kernel.inputs * padded.itemsize, padded.itemsize),
            writeable=False,
        )
        resampled[:, group.start : group.stop] = inputs @ group.weights
    return resampled.reshape(-1)[:samples]


@lru_cache(maxsize=8)
def _kernel(from_part: int, to_part: int) -> _Kernel:
    """Lay out the weights of the reduced ratio for one or several of its periods.

    Several, where the inputs of a group would overlap with those of the next
    period: NumPy hands only views whose rows do not overlap to BLAS.
    """
    phases = _phase_weights(from_part, to_part)
    taps = phases.shape[1]
    margin = taps // 2 - 1
    longest = _GROUP_SAMPLES * from_part // to_part + 1 + taps
    repeats = max(-(-_GROUP_SAMPLES // to_part), -(-longest // from_part))
    outputs = np.arange(to_part * repeats)
    firsts = outputs * from_part // to_part - margin
    groups = []
    for start in range(0, len(outputs), _GROUP_SAMPLES):
        members = outputs[start : start + _GROUP_SAMPLES]
        first = int(firsts[start])
        weights = np.zeros((int(firsts[members[-1]]) + taps - first, len(members)), np.float32)
        rows = (firsts[members] - first)[:, None] + np.arange(taps)
        weights[rows, (members - start)[:, None]] = phases[members % to_part]
        groups.append(_Group(start, start + len(members), first, weights))
    return _Kernel(from_part * repeats, len(outputs), margin, tuple(groups))


def _phase_weights(from_part: int, to_part: int) -> npt.NDArray[np.float32]:
    """Return (phase, tap): the weights of the inputs around each output of a period."""
    cutoff = np.float32(min(from_part, to_part) * _ROLLOFF)
    margin = math.ceil(_ZEROS * from_part / (min(from_part, to_part) * _ROLLOFF))
    phase = np.arange(to_part)
    tap = (phase * from_part // to_part - margin)[:, None] + np.arange(2 * margin + 2)
    # float32 and this order of operations, because torchaudio's kernel has them.
    distance = tap.astype(np.float32) / np.float32(from_part)
    distance -= (phase.astype(np.float32) / np.float32(to_part))[:, None]
    crossings = np.clip(distance * cutoff, -_ZEROS, _ZEROS).astype(np.float32)
    window = np.cos(crossings * np.float32(np.pi) / np.float32(_ZEROS) / np.float32(2)) ** 2
    angle = crossings * np.float32(np.pi)
    with np.errstate(invalid="ignore"):
        sinc = np.where(angle == 0, np.float32(1), np.sin(angle) / angle)
    weights: npt.NDArray[np.float32] = sinc * window * np.float32(cutoff / from_part)
    return weights
