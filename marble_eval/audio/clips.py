"""From a file to the clips that an encoder is given.

The order is protocol (MARBLE v1): read, mix down, crop, resample, normalise if
the scope is the track, cut, normalise if the scope is the clip. A clip is padded
before it is normalised, as in MARBLE v2, whose processor sees the padded clip.
v2 itself cuts before it resamples, which moves a boundary by less than a sample
and the audio within 6 zero crossings of it.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from marble_eval.audio.reading import UnusableAudio, read
from marble_eval.audio.resampling import resample, resampler_version
from marble_eval.spec import Windowing
from marble_eval.units import samples_to_seconds, seconds_to_samples

_VARIANCE_FLOOR = 1e-7  # transformers' Wav2Vec2FeatureExtractor
_FORECAST_HZ = 1_000_000  # a header's seconds, counted in microseconds


class ClipBounds(NamedTuple):
    """A clip in its track, in samples; what ``length`` exceeds ``stop - start`` by is zeros."""

    start: int
    stop: int
    length: int


def clip_bounds(samples: int, sample_rate: int, windowing: Windowing) -> tuple[ClipBounds, ...]:
    """Cut a track of so many samples, cropped already, into clips, in order of time.

    Full clips begin every hop; one more, the tail, takes what they do not reach. There is
    at least one clip.
    """
    if samples < 1:
        raise ValueError(f"samples must be at least 1. Got {samples!r}.")
    if windowing.clip_seconds is None:
        return (ClipBounds(0, samples, samples),)
    clip = _at_least_one("clip_seconds", windowing.clip_seconds, sample_rate)
    hop = clip
    if windowing.hop_seconds is not None:
        hop = _at_least_one("hop_seconds", windowing.hop_seconds, sample_rate)
    full = max(0, (samples - clip) // hop + 1)
    bounds = [ClipBounds(index * hop, index * hop + clip, clip) for index in range(full)]
    start = full * hop
    rest = samples - start
    is_new = rest > 0 and (not bounds or bounds[-1].stop < samples)
    is_wanted = windowing.tail != "drop" and rest >= seconds_to_samples(
        windowing.tail_seconds, sample_rate
    )
    if is_new and (is_wanted or not bounds):
        length = clip if windowing.tail == "pad" else rest
        bounds.append(ClipBounds(start, samples, length))
    return tuple(bounds)


def _at_least_one(name: str, seconds: float, sample_rate: int) -> int:
    samples = seconds_to_samples(seconds, sample_rate)
    if samples < 1:
        raise ValueError(
            f"{name!r} must be at least one sample at {sample_rate} Hz. Got {seconds}."
        )
    return samples


def clip_count(seconds: float, windowing: Windowing) -> int:
    """Forecast the clips of a track from the duration in its header, in seconds.

    The forecast may be one off where the rest is within a sample of ``tail_seconds``, and is
    no better than the header: that of an mp3 can be an estimate.
    """
    used = seconds if windowing.crop_seconds is None else min(seconds, windowing.crop_seconds)
    return len(clip_bounds(seconds_to_samples(used, _FORECAST_HZ), _FORECAST_HZ, windowing))


def normalise(audio: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Give mono audio zero mean and unit variance: (audio - mean) / sqrt(variance + 1e-7).

    As transformers' ``Wav2Vec2FeatureExtractor`` does; silence stays silence.
    """
    if not audio.size:
        raise ValueError("audio must have samples. Got none.")
    scale = np.sqrt(np.var(audio) + np.float32(_VARIANCE_FLOOR))
    normalised: npt.NDArray[np.float32] = (audio - np.mean(audio)) / scale
    return normalised


def prepare(
    path: Path, *, sample_rate: int, windowing: Windowing, normalise: bool, minimum_samples: int
) -> list[npt.NDArray[np.float32]]:
    """Read a track and make the clips, each (samples,) float32, that an encoder is given.

    With ``normalise``, the scope is the track or each clip, as ``windowing.normalise`` says.
    UnusableAudio: as `read`, and if a clip, the tail included, is shorter than
    ``minimum_samples``: such a clip is never dropped in silence.
    """
    scope = windowing.normalise if normalise else None
    audio = whole_track(path, sample_rate, windowing, is_normalised=scope == "track")
    clips: list[npt.NDArray[np.float32]] = []
    for bounds in clip_bounds(len(audio), sample_rate, windowing):
        if bounds.length < minimum_samples:
            which = "" if not clips else "last clip of "
            held = samples_to_seconds(bounds.stop - bounds.start, sample_rate)
            needed = samples_to_seconds(minimum_samples, sample_rate)
            raise UnusableAudio(path, f"too short: {which}{held:.2f} s, {needed:.4g} s needed")
        clips.append(_cut(audio, bounds, is_normalised=scope == "clip"))
    return clips


def whole_track(
    path: Path, sample_rate: int, windowing: Windowing, *, is_normalised: bool
) -> npt.NDArray[np.float32]:
    """Read a track: mono, cropped, at the encoder's rate, normalised if asked."""
    audio, file_rate = read(path, windowing.channels)
    if windowing.crop_seconds is not None:
        audio = audio[: _at_least_one("crop_seconds", windowing.crop_seconds, file_rate)]
    audio = resample(audio, file_rate, sample_rate, windowing.resampler)
    return normalise(audio) if is_normalised else audio


def _cut(
    audio: npt.NDArray[np.float32], bounds: ClipBounds, *, is_normalised: bool
) -> npt.NDArray[np.float32]:
    clip = np.zeros(bounds.length, np.float32)
    clip[: bounds.stop - bounds.start] = audio[bounds.start : bounds.stop]
    return normalise(clip) if is_normalised else clip


def windowing_fingerprint(windowing: Windowing) -> dict[str, str | float | None]:
    """Return the plain values that identify the preprocessing."""
    return {
        **dataclasses.asdict(windowing),
        "resampler_version": resampler_version(windowing.resampler),
    }
