"""Audio files as mono float32 arrays in [-1, 1], and the files that cannot be.

wav, aiff, au, flac, ogg and mp3 are decoded by libsndfile. Channels are mixed
down here: the mean, not the -3 dB rule of ffmpeg, which is 1.414 times as loud.
libsndfile reads half a wav, aiff, au, ogg or mp3 without a word, so what the
container promises is held against what is there: a cut file is refused, and so is one
that holds more than its header counts.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
import numpy.typing as npt
import soundfile

from marble_eval.audio.containers import is_uncompressed, mp3_frames, shortfall, surplus
from marble_eval.files.recognised import HEAD_BYTES, instead_of_content, instead_of_file
from marble_eval.spec.protocol import Channels

_FORMATS = ("WAV", "WAVEX", "AIFF", "AU", "FLAC", "OGG", "MP3")
_LEAST_HZ, _MOST_HZ = 100, 1_000_000  # beyond, resampling takes all memory for no sound
_LOUDEST = 2.0**31  # integers of 32 bits as floats; the power of 1e30 is beyond float32
_UNKNOWN_SAMPLES = 2**62  # libsndfile says 2**63 - 1 for a flac without a length


class UnusableAudio(ValueError):
    """A file is not there, not audio, not whole, or silent.

    The reason is short: "missing", "is a folder", "empty (0 bytes)", "unreadable: ...",
    "truncated: ...", "would be read in part: ...", "no audio: ...", "no samples",
    "too short: ...", "too loud: ...", "not finite", "silent".
    """

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(path, reason)  # both in args, so that it survives pickling
        self.path = path
        self.reason = reason

    def __str__(self) -> str:
        return (
            f"{self.path}: must be a whole audio file with something to hear. "
            f"Got: {self.reason}. Check the path, or fetch or convert the file again."
        )


class AudioFacts(NamedTuple):
    """The header of an audio file: rate in Hz, samples per channel, channels."""

    sample_rate: int
    samples: int
    channels: int

    @property
    def seconds(self) -> float:
        """Return the duration, in seconds."""
        return self.samples / self.sample_rate


def inspect(path: Path) -> AudioFacts:
    """Read the header of an audio file, known by content, not by name, and no audio.

    UnusableAudio: there is no such file, it cannot be opened as audio, has no samples, or is
    cut short and the container shows it without decoding (not flac, mp3). The samples of an
    mp3 are exact where a Xing or Info header counts them. Without one they are the file's
    size over the first frame's bit rate: within a frame at a constant bit rate, far off at a
    varying one (`read` refuses those).
    """
    with _opened(path) as stream:
        return AudioFacts(stream.samplerate, stream.frames, stream.channels)


def read(path: Path, channels: Channels) -> tuple[npt.NDArray[np.float32], int]:
    """Decode a whole audio file to one channel: (samples,) float32 with full scale 1, and Hz.

    UnusableAudio: as `inspect`, and if the audio cannot be decoded to its end, holds fewer
    samples than promised, has NaN or infinity in it, or is zero throughout.

    A cut file cannot be told from a whole one if it is an mp3 that has no Xing header, or
    has lost exactly one frame (some encoders count the header as one), or a wav, aiff or au
    whose size was not known when it was written. A cut flac is "unreadable" in its decoder's
    words. Bytes changed on the way are noticed in flac and ogg, which have checksums.
    """
    if channels not in ("mean", "first"):
        raise ValueError(f"channels must be 'mean' or 'first'. Got {channels!r}.")
    with _opened(path) as stream:
        promised, sample_rate, container = stream.frames, stream.samplerate, stream.format
        audio = _mono(_decoded(path, stream), channels)
    if container == "MP3":
        _require_whole_mp3(path, len(audio), sample_rate)
    elif len(audio) != promised:
        raise UnusableAudio(path, f"truncated: {len(audio)} of {promised} samples")
    if not np.isfinite(audio).all():
        raise UnusableAudio(path, "not finite")
    peak = max(float(audio.max()), -float(audio.min()))
    if peak > _LOUDEST:
        raise UnusableAudio(path, f"too loud: {peak:.1e} times full scale")
    if not audio.any():
        raise UnusableAudio(path, "silent")
    return audio, sample_rate


def cheap_to_read(path: Path) -> bool:
    """Return whether a file is uncompressed (by content), so that reading it all costs little.

    Such files can be checked with `read` before any encoding; others are better checked
    while they are decoded for it.
    """
    with _bytes_of(path) as stream:
        return is_uncompressed(stream.read(4))


def require_file(path: Path) -> None:
    """Refuse what is no regular file, such as a FIFO, before it is opened."""
    try:
        other = instead_of_file(path)
    except (FileNotFoundError, NotADirectoryError):
        raise UnusableAudio(path, "missing") from None
    except OSError as error:
        raise UnusableAudio(path, f"unreadable: {error.strerror}") from None
    if other:
        raise UnusableAudio(path, f"is {other}")


@contextmanager
def _opened(path: Path) -> Iterator[soundfile.SoundFile]:
    """Open a file for decoding, having refused what its header gives away."""
    with _bytes_of(path) as stream:
        size = path.stat().st_size
        lacking = shortfall(stream, size)
        stream.seek(0)
        beyond = surplus(stream, size)
    if path.suffix.lower() == ".raw":  # soundfile would ask for its sample rate
        raise UnusableAudio(path, "unreadable: raw samples without a header")
    try:
        audio = soundfile.SoundFile(path)
    except soundfile.LibsndfileError as error:
        said = f"unreadable: {error.error_string}"
        if lacking or beyond:
            said = f"truncated: {lacking}" if lacking else f"would be read in part: {beyond}"
        raise UnusableAudio(path, said.rstrip(".")) from None
    with audio:
        if audio.format not in _FORMATS or audio.subtype in ("MPEG_LAYER_I", "MPEG_LAYER_II"):
            raise UnusableAudio(path, f"unreadable: {audio.format} with {audio.subtype}")
        if lacking:
            raise UnusableAudio(path, f"truncated: {lacking}")
        if not _LEAST_HZ <= audio.samplerate <= _MOST_HZ:
            raise UnusableAudio(path, f"unreadable: its header says {audio.samplerate} Hz")
        if beyond:
            raise UnusableAudio(path, f"would be read in part: {beyond}")
        if audio.frames == 0:
            raise UnusableAudio(path, "no samples")
        if audio.frames >= _UNKNOWN_SAMPLES:
            raise UnusableAudio(path, "unreadable: the header does not say how long it is")
        yield audio


@contextmanager
def _bytes_of(path: Path) -> Iterator[BinaryIO]:
    require_file(path)
    try:
        stream = path.open("rb")
    except OSError as error:
        raise UnusableAudio(path, f"unreadable: {error.strerror}") from None
    with stream:
        head = stream.read(HEAD_BYTES)
        if not head:
            raise UnusableAudio(path, "empty (0 bytes)")
        if other := instead_of_content(head):
            raise UnusableAudio(path, f"no audio: {other.rstrip('.')}")
        stream.seek(0)
        yield stream


def _decoded(path: Path, stream: soundfile.SoundFile) -> npt.NDArray[np.float32]:
    """Return (sample, channel).

    In one piece: soundfile seeks after every read, and in an mp3 that moves the
    decoder, so that samples behind the border of a block come out otherwise.
    """
    try:
        audio: npt.NDArray[np.float32] = stream.read(dtype="float32", always_2d=True)
    except soundfile.LibsndfileError as error:
        said = error.error_string.removeprefix("Error : ").rstrip(".")
        raise UnusableAudio(path, f"unreadable: {said}") from None
    except MemoryError:
        raise UnusableAudio(path, f"unreadable: no memory for {stream.frames} samples") from None
    return audio


def _mono(audio: npt.NDArray[np.float32], channels: Channels) -> npt.NDArray[np.float32]:
    mono = audio[:, 0].copy()
    if channels == "mean":
        for other in audio.T[1:]:  # ten times as fast as audio.mean(axis=1)
            mono += other
        mono /= audio.shape[1]
    return mono


def _require_whole_mp3(path: Path, decoded: int, sample_rate: int) -> None:
    """Refuse an mp3 that ends early, or whose length libsndfile had to guess too low."""
    frames = mp3_frames(path.read_bytes())
    if frames.promised is not None:
        # Some encoders count the frame of the Xing header too: one less is no fault.
        missing = frames.promised - frames.held
        if missing > 1 or (missing == 1 and frames.is_cut):
            raise UnusableAudio(path, f"truncated: {frames.held} of {frames.promised} frames")
    elif decoded <= (frames.held - 1) * frames.frame_samples:
        held_seconds = frames.held * frames.frame_samples / sample_rate
        raise UnusableAudio(
            path,
            "unreadable: the bit rate varies and no Xing header says how long it is, so that the "
            f"decoder stops after {decoded / sample_rate:.2f} of {held_seconds:.2f} s",
        )
