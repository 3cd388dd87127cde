"""Play notes on sampled instruments: notes in, mono audio out, the same every time.

The synthesiser is tinysoundfont, the instruments are the General MIDI programs
of TimGM6mb.sf2, which is read where the pretty_midi package put it and is never
copied (GPL-2). Programs count from 0. Audio is float32 in [-1, 1]; levels are
the RMS over the whole clip in decibels below full scale (dBFS). Events fall on
exact samples, and one clip's sound is over before the next begins.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import soundfile as sf
from scipy.signal import butter, sosfilt

from marble_eval.embedded.composer import Note
from marble_eval.errors import MissingError
from marble_eval.units import seconds_to_samples

if TYPE_CHECKING:
    from numpy.typing import NDArray

SOUNDFONT = "TimGM6mb.sf2"

# Some recordings of the soundfont drift: up to 0.7 of the alto sax's energy lies below 30 Hz.
_HIGH_PASS_HZ = 40.0
_FADE_SECONDS = 0.01  # at the end of a clip, where notes would otherwise be cut with a click
_SILENCE_SECONDS = 0.1  # ten times the synthesiser's release after "all sounds off"
_INSTALL = 'Run: pip install "marble-eval[demo]" && pip install --no-deps tinysoundfont'


def soundfont_path() -> Path:
    """Find the soundfont inside the installed pretty_midi package.

    Returns
    -------
    Path
        The file, where the package has it.

    Raises
    ------
    MissingError
        If the package is not installed or lacks the file.

    Examples
    --------
    >>> soundfont_path().name
    'TimGM6mb.sf2'
    """
    package = importlib.util.find_spec("pretty_midi")
    if package is None or package.origin is None:
        raise MissingError(
            f"the embedded demo: must find pretty_midi, which holds the soundfont {SOUNDFONT}. "
            f"Got no such package. {_INSTALL}"
        )
    path = Path(package.origin).parent / SOUNDFONT
    if not path.is_file():
        raise MissingError(
            f"{path}: must be the soundfont that pretty_midi ships. Got no file. {_INSTALL}"
        )
    return path


def _synthesiser(sample_rate: int) -> Any:
    try:
        import tinysoundfont  # noqa: PLC0415 - an optional package
    except ImportError as error:
        raise MissingError(
            f"the embedded demo: must find tinysoundfont, which plays the instruments. "
            f"Got {error}. {_INSTALL}"
        ) from None
    return tinysoundfont.Synth(samplerate=sample_rate)


class Renderer:
    """A synthesiser with the soundfont loaded.

    Parameters
    ----------
    sample_rate : int
        Rate of the audio it makes, in Hz.

    Raises
    ------
    MissingError
        If tinysoundfont or the soundfont is absent; the message has the command.
    """

    def __init__(self, sample_rate: int) -> None:
        path = soundfont_path()
        self.sample_rate = sample_rate
        self._synth = _synthesiser(sample_rate)
        self._font = self._synth.sfload(str(path))

    def render(self, notes: Sequence[Note], program: int, *, seconds: float) -> NDArray[np.float32]:
        """Play notes on one instrument.

        Parameters
        ----------
        notes : sequence of Note
            What is played; sound that outlasts the clip is faded out at its end.
        program : int
            General MIDI program, 0 to 127.
        seconds : float
            Length of the clip, in seconds.

        Returns
        -------
        np.ndarray [shape=(samples,), float32]
            The mean of the synthesiser's two channels.

        Raises
        ------
        ValueError
            If the soundfont has no such program.

        Examples
        --------
        >>> Renderer(24000).render([Note(0.0, 0.5, 69, 90)], 73, seconds=1.0).shape
        (24000,)
        """
        if not 0 <= program <= 127 or not self._synth.sfpreset_name(self._font, 0, program):
            raise ValueError(f"program must be one of {SOUNDFONT}, 0 to 127. Got {program!r}.")
        self._synth.program_select(0, self._font, 0, program)
        total = seconds_to_samples(seconds, self.sample_rate)
        try:
            audio = _high_passed(self._play(notes, total), self.sample_rate)
        finally:
            self._synth.sounds_off()
            self._advance(seconds_to_samples(_SILENCE_SECONDS, self.sample_rate))
        fade = min(seconds_to_samples(_FADE_SECONDS, self.sample_rate), total)
        audio[total - fade :] *= np.linspace(1.0, 0.0, fade, dtype=np.float32)
        return audio

    def _play(self, notes: Sequence[Note], total: int) -> NDArray[np.float32]:
        blocks = []
        played = 0
        for sample, pitch, velocity in self._events(notes):
            blocks.append(self._advance(min(sample, total) - played))
            played = min(sample, total)
            if velocity:
                self._synth.noteon(0, pitch, velocity)
            else:
                self._synth.noteoff(0, pitch)
        blocks.append(self._advance(total - played))
        return np.concatenate(blocks)

    def _events(self, notes: Sequence[Note]) -> list[tuple[int, int, int]]:
        """Return (sample, pitch, velocity), where a note ends before another begins."""
        events = []
        for note in notes:
            end = note.onset_seconds + note.duration_seconds
            events.append((note.onset_seconds, note.pitch, note.velocity))
            events.append((end, note.pitch, 0))
        at_samples = [
            (seconds_to_samples(time, self.sample_rate), pitch, velocity)
            for time, pitch, velocity in events
        ]
        return sorted(at_samples, key=lambda event: (event[0], event[2] > 0, event[1], event[2]))

    def _advance(self, samples: int) -> NDArray[np.float32]:
        if samples == 0:
            return np.zeros(0, dtype=np.float32)
        stereo = np.frombuffer(self._synth.generate_simple(samples), dtype=np.float32)
        return (stereo[0::2] + stereo[1::2]) * np.float32(0.5)


def _high_passed(audio: NDArray[np.float32], sample_rate: int) -> NDArray[np.float32]:
    sections = butter(4, _HIGH_PASS_HZ, "highpass", fs=sample_rate, output="sos")
    filtered: NDArray[np.float32] = sosfilt(sections, audio.astype(np.float64)).astype(np.float32)
    return filtered


def at_level(audio: NDArray[np.float32], level_dbfs: float) -> NDArray[np.float32]:
    """Scale audio to a level.

    Parameters
    ----------
    audio : np.ndarray [shape=(samples,), float32]
        A clip that is not silent.
    level_dbfs : float
        RMS of the result, in dBFS.

    Returns
    -------
    np.ndarray [shape=(samples,), float32]
        The clip at that level, to within a thousandth of a decibel.

    Raises
    ------
    ValueError
        If the clip is silent or would be clipped at that level.

    Examples
    --------
    >>> at_level(np.array([0.5, -0.5], dtype=np.float32), -20.0).round(3).tolist()
    [0.10000000149011612, -0.10000000149011612]
    """
    rms = float(np.sqrt(np.mean(np.square(audio, dtype=np.float64))))
    if not rms > 0.0:
        raise ValueError(f"audio must not be silent. Got an RMS of {rms!r}.")
    # Rounded, so that the order in which a CPU adds up the squares moves no sample.
    now_dbfs = round(20.0 * float(np.log10(rms)), 3)
    scaled = audio * np.float32(10.0 ** ((level_dbfs - now_dbfs) / 20.0))
    peak = float(np.max(np.abs(scaled)))
    if peak >= 1.0:
        raise ValueError(f"audio must stay below full scale at {level_dbfs} dBFS. Got {peak:.3f}.")
    return scaled


def write_wav(path: Path, audio: NDArray[np.float32], sample_rate: int) -> None:
    """Write a mono clip as a 16-bit wav file.

    Parameters
    ----------
    path : Path
        File to be written.
    audio : np.ndarray [shape=(samples,), float32]
        Samples in (-1, 1).
    sample_rate : int
        Rate of the audio, in Hz.
    """
    samples = np.round(audio.astype(np.float64) * 32767.0).astype(np.int16)
    sf.write(path, samples, sample_rate, subtype="PCM_16", format="WAV")
