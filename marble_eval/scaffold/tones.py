"""What the music of a new task folder is made of: players, and the tones of an instrument."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

SAMPLE_RATE = 16000  # Hz; enough for the overtones, and small files

Sound = npt.NDArray[np.float64]


class Player(NamedTuple):
    """What is the same in all pieces of a player.

    Attributes
    ----------
    tuning : float
        In semitones.
    decay : float
        Of the overtones, added to that of the piece.
    loudness : float
        Of the loudest that is played, in (0, 1].
    """

    tuning: float
    decay: float
    loudness: float


def seconds(length: float) -> Sound:
    """Return the times of some samples.

    Parameters
    ----------
    length : float
        In seconds.

    Returns
    -------
    np.ndarray [shape=(samples,)]
        Seconds from 0 on, at `SAMPLE_RATE`.
    """
    return np.arange(round(length * SAMPLE_RATE)) / SAMPLE_RATE


def tone(note: float, time: Sound, decay: float, *, odd: bool = False) -> Sound:
    """Play a note.

    Parameters
    ----------
    note : float
        MIDI number, also between two keys.
    time : np.ndarray [shape=(samples,)]
        In seconds.
    decay : float
        The k-th overtone has the height exp(-decay * k), the ground tone 1.
    odd : bool, optional
        Whether every second overtone is left out, as in a clarinet's hollow sound.

    Returns
    -------
    np.ndarray [shape=(samples,)]
        All overtones below half the sample rate, at most the first fifteen.
    """
    frequency = 440 * 2 ** ((note - 69) / 12)
    orders = [each for each in range(1, 17, 2 if odd else 1) if each * frequency < SAMPLE_RATE / 2]
    return np.asarray(
        sum(np.exp(-decay * (k - 1)) * np.sin(2 * np.pi * k * frequency * time) for k in orders)
    )
