"""Études: pieces of eight seconds whose beats, chords or notes are annotated in time.

Each is a track of a new task folder with an estimate for every frame, and the file of its
annotation. Clicks come at 80 to 160 beats a minute in bars of three or four, the first of
a bar lower. The 24 major and minor triads follow each other in any order. A melody has
one voice, with rests.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from marble_eval.metrics.chord import CHORDS
from marble_eval.scaffold.tones import SAMPLE_RATE, Player, Sound, seconds, tone

_SECONDS = 8.0

_SLOWEST, _FASTEST = 80.0, 160.0  # beats a minute
_DOWNBEAT, _BEAT = 57, 96  # MIDI numbers of the clicks
_TRIADS = 24
_CHORDS = 6  # in a piece, so that four pieces share out the triads
_SILENCE = 0.5  # seconds before the first chord
_SCALE = (60, 62, 64, 65, 67, 69, 71, 72)  # MIDI numbers, C major from middle C on


class Etude(NamedTuple):
    """A piece.

    Attributes
    ----------
    annotation : str
        Content of its file of beats, chords or notes.
    sound : np.ndarray [shape=(samples,)]
        At `marble_eval.scaffold.tones.SAMPLE_RATE`.
    """

    annotation: str
    sound: Sound


class Form(NamedTuple):
    """What the études of a kind of task are.

    Attributes
    ----------
    column : str
        Of the table, with the name of the annotation's file.
    suffix : str
        Of that file, behind the name of the audio file without extension.
    play : callable
        From the number of the piece, its player and random numbers to the piece.
    """

    column: str
    suffix: str
    play: Callable[[int, Player, np.random.Generator], Etude]


def _clicks(number: int, player: Player, rng: np.random.Generator) -> Etude:
    period = 60 / rng.uniform(_SLOWEST, _FASTEST)
    beats_in_bar = 3 if number % 3 == 0 else 4
    times = np.arange(rng.uniform(0, period), _SECONDS - 0.1, period)
    places = (np.arange(len(times)) + rng.integers(beats_in_bar)) % beats_in_bar + 1
    sound, time, lines = _silence(), seconds(0.1), []
    for at, place in zip(times, places, strict=True):
        note = _DOWNBEAT if place == 1 else _BEAT
        click = tone(note + player.tuning, time, 0.7 + player.decay)
        _add(sound, np.exp(-40 * time) * click, at)
        lines.append(f"{at:.4f} {place}\n")
    return Etude("".join(lines), sound)


def _changes(number: int, player: Player, rng: np.random.Generator) -> Etude:
    # The same order for four pieces that follow each other: each split has all triads.
    order = np.random.default_rng(number * _CHORDS // _TRIADS).permutation(_TRIADS).tolist()
    start = number * _CHORDS % _TRIADS
    bounds = np.linspace(_SILENCE, _SECONDS, _CHORDS + 1)
    sound, lines = _silence(), [f"0.000 {_SILENCE:.3f} N\n"]
    for triad, at, end in zip(order[start:][:_CHORDS], bounds, bounds[1:], strict=False):
        minor, root = divmod(triad, 12)
        time = seconds(end - at)
        for step in (0, 3 if minor else 4, 7):
            note = 48 + (root + step) % 12 + 12 * rng.integers(2)
            _add(sound, np.exp(-time) * tone(note + player.tuning, time, 1 + player.decay), at)
        lines.append(f"{at:.3f} {end:.3f} {CHORDS[triad]}\n")
    return Etude("".join(lines), sound)


def _melody(number: int, player: Player, rng: np.random.Generator) -> Etude:
    sound, lines = _silence(), ["onset,end,pitch\n"]
    onset = rng.uniform(0.1, 0.5)
    while (end := onset + rng.uniform(0.3, 0.8)) < _SECONDS:
        pitch = rng.choice(_SCALE)
        time = seconds(end - onset)
        _add(sound, np.exp(-time) * tone(pitch + player.tuning, time, 0.5 + player.decay), onset)
        lines.append(f"{onset:.4f},{end:.4f},{pitch}\n")
        onset = end + rng.uniform(0.1, 0.3)
    return Etude("".join(lines), sound)


def _silence() -> Sound:
    return np.zeros(round(_SECONDS * SAMPLE_RATE))


def _add(sound: Sound, part: Sound, start: float) -> None:
    at = round(start * SAMPLE_RATE)
    sound[at : at + len(part)] += part[: len(sound) - at]


#: By kind of task.
ETUDES = {
    "beat": Form("beats", ".beats", _clicks),
    "chord": Form("chords", ".lab", _changes),
    # A table of tracks ends with .csv too, and is no file of notes.
    "frames": Form("notes", ".notes.csv", _melody),
}
