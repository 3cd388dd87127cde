"""Play notes on sampled instruments: notes in, mono audio out, the same every time.

The synthesiser is tinysoundfont, the instruments are the General MIDI programs
and drum kits of TimGM6mb.sf2, which is read where the pretty_midi package put it
and is never copied (GPL-2). Programs count from 0. Audio is float32; events fall
on exact samples, and one clip's sound is over before the next begins. In a mix
every part has a channel of its own, whose volume makes the programs equally loud.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, sosfilt

from marble_eval.embedded.composer import Note
from marble_eval.errors import MissingError
from marble_eval.units import seconds_to_samples

SOUNDFONT = "TimGM6mb.sf2"

# Some recordings of the soundfont drift: up to 0.7 of the alto sax's energy lies below 30 Hz.
_HIGH_PASS_HZ = 40.0
_FADE_SECONDS = 0.01  # at the end of a clip, where notes would otherwise be cut with a click
_SILENCE_SECONDS = 0.1  # ten times the synthesiser's release after "all sounds off"
# A soundfont's drum kits are presets of this bank (SoundFont 2.01, section 7.2).
_DRUM_BANK = 128
_VOLUME = 7  # MIDI controller; the synthesiser's gain is the cube of its value
_DECIBELS_PER_DECADE = 60.0  # of the controller's value, since the gain is its cube
# What programs are balanced by: notes from C3 to C5; bass drum, snare and hi-hats of a kit.
_BALANCE_PITCHES = {False: (48, 55, 60, 67, 72), True: (36, 38, 42, 46)}
_BALANCE_SECONDS = 0.5
_FAINTEST_POWER = 1e-12  # for programs that are mute where they are measured
_BALANCED_DBFS = -38.0  # about as loud as the softest program is at full volume
_INSTALL = "Run: pip install pretty_midi && pip install --no-deps tinysoundfont"


def soundfont_path() -> Path:
    """Find the soundfont inside the installed pretty_midi package."""
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


@dataclass(frozen=True, slots=True)
class Part:
    """What one instrument plays in a mix."""

    program: int  # General MIDI program, or the number of a drum kit (0 is the standard one)
    # What is played; the pitch of a drum kit's note is the drum, as in General MIDI.
    notes: tuple[Note, ...]
    level_db: float = 0.0  # loudness beside the other parts, in decibels
    drums: bool = False  # true for a drum kit


class Renderer:
    """A synthesiser with the soundfont loaded."""

    def __init__(self, sample_rate: int) -> None:
        path = soundfont_path()
        self.sample_rate = sample_rate
        self._synth = _synthesiser(sample_rate)
        self._font = self._synth.sfload(str(path))
        self._loudness: dict[tuple[int, bool], float] = {}

    def render(self, notes: Sequence[Note], program: int, *, seconds: float) -> NDArray[np.float32]:
        """Play notes on one instrument."""
        self._select(0, program, drums=False)
        return self._sounded(self._events([(0, notes)]), seconds)

    def mix(
        self, parts: Sequence[Part], *, seconds: float, tuning_semitones: float = 0.0
    ) -> NDArray[np.float32]:
        """Play several parts at once, each on its own instrument."""
        if not 1 <= len(parts) <= 15:
            raise ValueError(f"parts must be 1 to 15, a MIDI channel each. Got {len(parts)}.")
        for channel, part in enumerate(parts, start=1):
            volume = self._volume(part)
            self._select(channel, part.program, drums=part.drums)
            self._synth.control_change(channel, _VOLUME, volume)
            self._synth.set_tuning(channel, 0.0 if part.drums else tuning_semitones)
        voices = [(channel, part.notes) for channel, part in enumerate(parts, start=1)]
        return self._sounded(self._events(voices), seconds)

    def _select(self, channel: int, program: int, *, drums: bool) -> None:
        bank = _DRUM_BANK if drums else 0
        if not 0 <= program <= 127 or not self._synth.sfpreset_name(self._font, bank, program):
            what = "drum kit" if drums else "program"
            raise ValueError(f"{what} must be one of {SOUNDFONT}, 0 to 127. Got {program!r}.")
        self._synth.program_select(channel, self._font, bank, program, drums)

    def _volume(self, part: Part) -> int:
        """Return the controller value that gives a part its level."""
        if (part.program, part.drums) not in self._loudness:
            self._loudness[part.program, part.drums] = self._measured(part.program, part.drums)
        gain_db = _BALANCED_DBFS + part.level_db - self._loudness[part.program, part.drums]
        return min(127, max(1, round(127 * 10 ** (gain_db / _DECIBELS_PER_DECADE))))

    def _measured(self, program: int, drums: bool) -> float:
        """Return a program's level in dBFS, to a tenth, which no CPU's arithmetic moves."""
        pitches = _BALANCE_PITCHES[drums]
        notes = [
            Note(at * _BALANCE_SECONDS, _BALANCE_SECONDS, pitch, 90)
            for at, pitch in enumerate(pitches)
        ]
        self._select(0, program, drums=drums)
        audio = self._sounded(self._events([(0, notes)]), len(notes) * _BALANCE_SECONDS)
        power = float(np.mean(np.square(audio, dtype=np.float64)))
        return round(10.0 * float(np.log10(max(power, _FAINTEST_POWER))), 1)

    def _sounded(self, events: list[_Event], seconds: float) -> NDArray[np.float32]:
        total = seconds_to_samples(seconds, self.sample_rate)
        try:
            audio = _high_passed(self._play(events, total), self.sample_rate)
        finally:
            self._synth.sounds_off()
            self._advance(seconds_to_samples(_SILENCE_SECONDS, self.sample_rate))
        fade = min(seconds_to_samples(_FADE_SECONDS, self.sample_rate), total)
        audio[total - fade :] *= np.linspace(1.0, 0.0, fade, dtype=np.float32)
        return audio

    def _play(self, events: list[_Event], total: int) -> NDArray[np.float32]:
        blocks = []
        played = 0
        for sample, velocity, channel, pitch in events:
            blocks.append(self._advance(min(sample, total) - played))
            played = min(sample, total)
            if velocity:
                self._synth.noteon(channel, pitch, velocity)
            else:
                self._synth.noteoff(channel, pitch)
        blocks.append(self._advance(total - played))
        return np.concatenate(blocks)

    def _events(self, voices: Sequence[tuple[int, Sequence[Note]]]) -> list[_Event]:
        """Return the events of (channel, notes), where a note ends before another begins."""
        events = []
        for channel, notes in voices:
            for note in notes:
                end = note.onset_seconds + note.duration_seconds
                for time, velocity in ((note.onset_seconds, note.velocity), (end, 0)):
                    sample = seconds_to_samples(time, self.sample_rate)
                    events.append(_Event(sample, velocity, channel, note.pitch))
        return sorted(
            events,
            key=lambda each: (
                each.sample,
                each.velocity > 0,
                each.channel,
                each.pitch,
                each.velocity,
            ),
        )

    def _advance(self, samples: int) -> NDArray[np.float32]:
        if samples == 0:
            return np.zeros(0, dtype=np.float32)
        stereo = np.frombuffer(self._synth.generate_simple(samples), dtype=np.float32)
        return (stereo[0::2] + stereo[1::2]) * np.float32(0.5)


class _Event(NamedTuple):
    """A note that begins, or ends (velocity 0)."""

    sample: int
    velocity: int
    channel: int
    pitch: int


def _high_passed(audio: NDArray[np.float32], sample_rate: int) -> NDArray[np.float32]:
    sections = butter(4, _HIGH_PASS_HZ, "highpass", fs=sample_rate, output="sos")
    filtered: NDArray[np.float32] = sosfilt(sections, audio.astype(np.float64)).astype(np.float32)
    return filtered
