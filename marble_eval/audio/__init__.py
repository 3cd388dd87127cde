"""Audio on its way to an encoder: files, sample rates, clips.

Arrays are mono float32 with full scale 1; times are seconds at every border, and
samples inside. A file that is missing, cut short, silent or not finite raises
`UnusableAudio` and is never skipped or shortened without a word.
"""

from marble_eval.audio.clips import (
    ClipBounds,
    clip_bounds,
    clip_count,
    normalise,
    prepare,
    whole_track,
    windowing_fingerprint,
)
from marble_eval.audio.reading import (
    AudioFacts,
    UnusableAudio,
    cheap_to_read,
    inspect,
    read,
    require_file,
)
from marble_eval.audio.resampling import resample, resampler_version

__all__ = [
    "AudioFacts",
    "ClipBounds",
    "UnusableAudio",
    "cheap_to_read",
    "clip_bounds",
    "clip_count",
    "inspect",
    "normalise",
    "prepare",
    "read",
    "require_file",
    "resample",
    "resampler_version",
    "whole_track",
    "windowing_fingerprint",
]
