"""The data set that `marble-eval init task` writes for a kind, and what its music is made of.

A kind has an `Example`: words for the card and the README, and pieces that are synthesised.
Twenty-eight players play three short pieces each or, where the answer changes within a
track, twenty an étude of eight seconds each.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

SAMPLE_RATE = 16000  # Hz; enough for the overtones, and small files
SECONDS = 0.4  # of a short piece
ETUDE_SECONDS = 8.0

Sound = npt.NDArray[np.float64]


class Player(NamedTuple):
    """What is the same in all pieces of a player.

    The tuning is in semitones, the decay of overtones is added to that of the piece, and the
    loudest sample of a piece is proportional to the loudness, in (0, 1].
    """

    tuning: float
    decay: float
    loudness: float


class Piece(NamedTuple):
    """A track: its samples at `SAMPLE_RATE`, and its cells in the label columns.

    Where the label is a file, ``annotation`` is the content, and there are no cells.
    """

    sound: Sound
    cells: tuple[str, ...] = ()
    annotation: str = ""


@dataclass(frozen=True)
class Example:
    """What a new task folder of a kind is like.

    Attributes
    ----------
    target : str
        What a target is: "one class a track".
    summary : str
        Of the music.
    labels : str
        The card's ``labels`` with its comment, in lines.
    play : callable
        From the number of the piece, its player and random numbers to the piece.
    cell : str
        A row of the table in its label columns.
    cell_text : str
        An item of a Markdown list on the label columns.
    columns : tuple of str
        The label columns.
    chance : float
        What a guess earns by the first metric; a probe on the music earns more.
    suffix : str
        Of the annotation's file; empty where the table has the label itself.
    frames : str
        Rules that one may want to change, as lines of a commented block.
    encoder, floor : str
        The encoder without weights that can learn it, and what that computes.
    """

    target: str
    summary: str
    labels: str
    play: Callable[[int, Player, np.random.Generator], Piece]
    cell: str
    cell_text: str
    columns: tuple[str, ...] = ("label",)
    chance: float = 0.0
    suffix: str = ""
    frames: str = ""
    encoder: str = "mel"
    floor: str = "log-mel statistics"


def seconds(length: float) -> Sound:
    """Return the times of the samples of so many seconds."""
    return np.arange(round(length * SAMPLE_RATE)) / SAMPLE_RATE


def tone(note: float, time: Sound, decay: float, *, odd: bool = False) -> Sound:
    """Play a MIDI number with up to fifteen overtones below half the sample rate.

    The k-th overtone has the height exp(-decay * k). Odd ones alone sound hollow, as a
    clarinet does.
    """
    frequency = 440 * 2 ** ((note - 69) / 12)
    orders = [each for each in range(1, 17, 2 if odd else 1) if each * frequency < SAMPLE_RATE / 2]
    return np.asarray(
        sum(np.exp(-decay * (k - 1)) * np.sin(2 * np.pi * k * frequency * time) for k in orders)
    )


def silence() -> Sound:
    """Return an étude without a sound yet."""
    return np.zeros(round(ETUDE_SECONDS * SAMPLE_RATE))


def add(sound: Sound, part: Sound, start: float) -> None:
    """Mix a part into a sound in place, from so many seconds on."""
    at = round(start * SAMPLE_RATE)
    sound[at : at + len(part)] += part[: len(sound) - at]
