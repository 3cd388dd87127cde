"""What happens to a rendered clip on its way to a file: room, noise, level.

Audio is mono float32; levels are the RMS over the whole clip in decibels below
full scale (dBFS). The reverberator is Schroeder's ("Natural sounding artificial
reverberation", JAES 10(3), 1962): four combs side by side, two all-passes in a
row. It is computed in blocks of one delay, by additions and products of single
samples alone, so that every CPU gives the same bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import soundfile as sf
from numpy.typing import NDArray
from scipy.signal import lfilter

from marble_eval.units import seconds_to_samples

_COMB_SECONDS = (0.0297, 0.0371, 0.0411, 0.0437)
_ALL_PASS_SECONDS = (0.0126, 0.005)  # longer than Schroeder's, for fewer blocks
_ALL_PASS_GAIN = 0.7
_NOISE_POLE = 0.9  # bends white noise towards the low end, as of a room or a tape


def reverberated(
    audio: NDArray[np.float32], sample_rate: int, *, decay_seconds: float, wet: float
) -> NDArray[np.float32]:
    """Put a clip into a room."""
    if not decay_seconds > 0.0 or not 0.0 <= wet <= 1.0:
        raise ValueError(
            f"decay_seconds must be positive and wet lie in 0 to 1. Got {decay_seconds!r}, {wet!r}."
        )
    dry = audio.astype(np.float64)
    room = np.zeros_like(dry)
    for seconds in _COMB_SECONDS:
        gain = 10.0 ** (-3.0 * seconds / decay_seconds)
        room += _comb(dry, seconds_to_samples(seconds, sample_rate), gain) / len(_COMB_SECONDS)
    for seconds in _ALL_PASS_SECONDS:
        room = _all_pass(room, seconds_to_samples(seconds, sample_rate), _ALL_PASS_GAIN)
    return ((1.0 - wet) * dry + wet * room).astype(np.float32)


def _rows(audio: NDArray[np.float64], delay: int) -> NDArray[np.float64]:
    """Cut audio into rows of one delay; the last is filled up with silence."""
    padded = np.zeros(-(-len(audio) // delay) * delay)
    padded[: len(audio)] = audio
    return padded.reshape(-1, delay)


def _comb(audio: NDArray[np.float64], delay: int, gain: float) -> NDArray[np.float64]:
    """Return y[n] = x[n] + gain * y[n - delay]."""
    rows = _rows(audio, delay)
    for before, row in pairwise(rows):
        np.add(row, gain * before, out=row)
    return rows.reshape(-1)[: len(audio)]


def _all_pass(audio: NDArray[np.float64], delay: int, gain: float) -> NDArray[np.float64]:
    """Return y[n] = -gain * x[n] + x[n - delay] + gain * y[n - delay]."""
    rows = _rows(audio, delay)
    passed = -gain * rows
    passed[1:] += rows[:-1]
    for before, row in pairwise(passed):
        np.add(row, gain * before, out=row)
    return passed.reshape(-1)[: len(audio)]


def noisy(
    audio: NDArray[np.float32], rng: np.random.Generator, *, snr_db: float
) -> NDArray[np.float32]:
    """Add noise that is stronger at low frequencies."""
    noise = lfilter([1.0], [1.0, -_NOISE_POLE], rng.standard_normal(len(audio)))
    gain = 10.0 ** ((_level_dbfs(audio) - _level_dbfs(noise) - snr_db) / 20.0)
    added: NDArray[np.float32] = (audio.astype(np.float64) + gain * noise).astype(np.float32)
    return added


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Where clips are recorded: what room and noise are drawn from, evenly."""

    # Lowest and highest value; see `reverberated` and `noisy`.
    decay_seconds: tuple[float, float]
    wet: tuple[float, float]
    snr_db: tuple[float, float]


def recorded(
    audio: NDArray[np.float32],
    sample_rate: int,
    rng: np.random.Generator,
    *,
    surroundings: Surroundings,
    level_dbfs: float,
) -> NDArray[np.float32]:
    """Record a clip in a room with some noise, at a level."""
    decay_seconds, wet, snr_db = (
        round(float(rng.uniform(*bounds)), 3)
        for bounds in (surroundings.decay_seconds, surroundings.wet, surroundings.snr_db)
    )
    in_room = reverberated(audio, sample_rate, decay_seconds=decay_seconds, wet=wet)
    return at_level(noisy(in_room, rng, snr_db=snr_db), level_dbfs)


def _level_dbfs(audio: NDArray[np.float32] | NDArray[np.float64]) -> float:
    """Return the RMS in dBFS, rounded so that no CPU's order of additions moves a sample."""
    rms = float(np.sqrt(np.mean(np.square(audio, dtype=np.float64))))
    if not rms > 0.0:
        raise ValueError(f"audio must not be silent. Got an RMS of {rms!r}.")
    return round(20.0 * float(np.log10(rms)), 3)


def at_level(audio: NDArray[np.float32], level_dbfs: float) -> NDArray[np.float32]:
    """Scale audio to a level."""
    scaled = audio * np.float32(10.0 ** ((level_dbfs - _level_dbfs(audio)) / 20.0))
    peak = float(np.max(np.abs(scaled)))
    if peak >= 1.0:
        raise ValueError(f"audio must stay below full scale at {level_dbfs} dBFS. Got {peak:.3f}.")
    return scaled


def write_wav(path: Path, audio: NDArray[np.float32], sample_rate: int) -> None:
    """Write a mono clip as a 16-bit wav file."""
    samples = np.round(audio.astype(np.float64) * 32767.0).astype(np.int16)
    sf.write(path, samples, sample_rate, subtype="PCM_16", format="WAV")
