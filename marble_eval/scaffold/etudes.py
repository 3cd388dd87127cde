"""Études: pieces of eight seconds whose beats, chords or notes are annotated in time.

Each is the music of one track of a new task folder with an estimate for every frame, and
the file of its annotation. Clicks come at 80 to 160 beats a minute, the first of a bar
higher and louder; the 24 major and minor triads follow each other in any order; melodies
have one voice.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from marble_eval.metrics.chord import CHORDS
from marble_eval.scaffold.tones import SAMPLE_RATE, Player, Sound, seconds, tone

SECONDS = 8.0

_SLOWEST, _FASTEST = 80.0, 160.0  # beats a minute
_ACCENT, _BEAT = (96, 1.0), (84, 0.5)  # note and height of a click
_CHORDS = 6  # in a piece: four pieces have all 24
_SILENCE = 0.5  # seconds before the first chord
_SCALE = (60, 62, 64, 65, 67, 69, 71, 72)  # MIDI numbers, C major above middle C


class Etude(NamedTuple):
    """A piece.

    Attributes
    ----------
    annotation : str
        Content of the file of beats, chords or notes.
    sound : np.ndarray [shape=(samples,)]
        At `marble_eval.scaffold.tones.SAMPLE_RATE`.
    """

    annotation: str
    sound: Sound


def clicks(number: int, player: Player, rng: np.random.Generator) -> Etude:
    """Play clicks in bars of three or four; a line has the time and the place in the bar."""
    period = 60 / rng.uniform(_SLOWEST, _FASTEST)
    bar = 3 if number % 3 == 0 else 4
    times = np.arange(rng.uniform(0, period), SECONDS - 0.1, period)
    places = (np.arange(len(times)) + rng.integers(bar)) % bar + 1
    sound = 0.05 * tone(rng.uniform(40, 52) + player.tuning, seconds(SECONDS), 0.5 + player.decay)
    for at, place in zip(times, places, strict=True):
        note, height = _ACCENT if place == 1 else _BEAT
        time = seconds(0.1)
        click = height * np.exp(-40 * time) * tone(note + player.tuning, time, 0.3 + player.decay)
        _add(sound, click, at)
    lines = [f"{at:.4f} {place}\n" for at, place in zip(times, places, strict=True)]
    return Etude("".join(lines), sound)


def chords(number: int, player: Player, rng: np.random.Generator) -> Etude:
    """Play six triads after a silence; a line has start, end and name."""
    # Every four pieces share out all chords, so that each split has each of them.
    order = np.random.default_rng(number // 4).permutation(24)
    some = order[number % 4 * _CHORDS :][:_CHORDS]
    bounds = np.linspace(_SILENCE, SECONDS, _CHORDS + 1).round(3)
    sound = np.zeros(round(SECONDS * SAMPLE_RATE))
    lines = [f"0.000 {_SILENCE:.3f} N\n"]
    for which, start, end in zip(some.tolist(), bounds, bounds[1:], strict=False):
        minor, root = divmod(which, 12)
        time = seconds(end - start)
        for step in (0, 3 if minor else 4, 7):
            note = 48 + (root + step) % 12 + 12 * int(rng.integers(2))
            _add(sound, np.exp(-time) * tone(note + player.tuning, time, 1 + player.decay), start)
        lines.append(f"{start:.3f} {end:.3f} {CHORDS[which]}\n")
    return Etude("".join(lines), sound)


def melody(number: int, player: Player, rng: np.random.Generator) -> Etude:
    """Play notes of a scale with rests between them; a line has onset, end and MIDI number."""
    sound = np.zeros(round(SECONDS * SAMPLE_RATE))
    lines = ["onset,end,pitch\n"]
    onset = rng.uniform(0.1, 0.5)
    while (end := onset + rng.uniform(0.3, 0.8)) < SECONDS:
        pitch = int(rng.choice(_SCALE))
        time = seconds(end - onset)
        _add(sound, np.exp(-time) * tone(pitch + player.tuning, time, 0.5 + player.decay), onset)
        lines.append(f"{onset:.4f},{end:.4f},{pitch}\n")
        onset = end + rng.uniform(0.1, 0.3)
    return Etude("".join(lines), sound)


def _add(sound: Sound, part: Sound, start: float) -> None:
    at = round(start * SAMPLE_RATE)
    sound[at : at + len(part)] += part[: len(sound) - at]
