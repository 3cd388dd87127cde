"""The music of a new task folder: tones and chords whose labels an encoder can hear.

Twenty-eight players play three short pieces each, or twenty an étude each where the answer
changes within a track. A player is a group: tuning and loudness of an own, and all pieces
in one split, 48, 18 and 18 for training, validation and test, or 12, 4 and 4. The same kind
of task always gets the same samples.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from marble_eval.metrics.key import key_index
from marble_eval.scaffold.etudes import ETUDES
from marble_eval.scaffold.tones import Player, Sound, seconds, tone

_SECONDS = 0.4
_SPLITS = ("train",) * 16 + ("valid",) * 6 + ("test",) * 6  # of the players
_PIECES = 3
_ETUDE_SPLITS = ("train",) * 12 + ("valid",) * 4 + ("test",) * 4
_LOUDEST = 0.5  # of full scale

_TIMBRES = ("bright", "hollow", "pure")
_TAGS = ("bell", "drone", "hiss")
_KEYS = ("C major", "A minor", "Eb major", "F# minor", "G major", "Bb minor")
_PITCHES = (60, 62, 64, 65, 67, 69)  # MIDI numbers, C to A above middle C


class Performance(NamedTuple):
    """One track of the new data set.

    Attributes
    ----------
    name : str
        Of its file, without extension.
    labels : dict of str to str
        What stands in each label column; the name of the annotation's file where there is one.
    split : str
        "train", "valid" or "test".
    group : str
        The player.
    sound : np.ndarray [shape=(samples,)]
        In [-0.5, 0.5], at `marble_eval.scaffold.tones.SAMPLE_RATE`.
    annotation : str
        Content of its file; empty where the table has the label itself.
    """

    name: str
    labels: dict[str, str]
    split: str
    group: str
    sound: Sound
    annotation: str = ""


def performances(kind: str) -> list[Performance]:
    """Play the pieces of a data set.

    Parameters
    ----------
    kind : str
        One of `marble_eval.kinds.KINDS`.

    Returns
    -------
    list of Performance
        84 pieces of 0.4 s, or 20 études of 8 s; by player.

    Raises
    ------
    KeyError
        If there is no music for the kind.

    Examples
    --------
    >>> first = performances("pitch")[0]
    >>> first.name, first.labels, first.split, first.group
    ('player-01_1', {'label': '60'}, 'train', 'player-01')
    """
    rng = np.random.default_rng(1234)
    if kind in ETUDES:
        return _etudes(kind, rng)
    play = _PLAY[kind]
    played = []
    for number, split in enumerate(_SPLITS):
        player = _player(rng)
        for piece in range(_PIECES):
            labels, sound = play(number * _PIECES + piece, player, rng)
            name = f"player-{number + 1:02d}"
            sound = _recorded(sound, player, rng)
            played.append(Performance(f"{name}_{piece + 1}", labels, split, name, sound))
    return played


def _etudes(kind: str, rng: np.random.Generator) -> list[Performance]:
    form = ETUDES[kind]
    played = []
    for number, split in enumerate(_ETUDE_SPLITS):
        player = _player(rng)
        annotation, sound = form.play(number, player, rng)
        name = f"player-{number + 1:02d}"
        labels = {form.column: f"{name}{form.suffix}"}
        sound = _recorded(sound, player, rng)
        played.append(Performance(name, labels, split, name, sound, annotation))
    return played


def _player(rng: np.random.Generator) -> Player:
    return Player(rng.uniform(-0.2, 0.2), rng.uniform(0, 0.2), rng.uniform(0.7, 1))


def _recorded(sound: Sound, player: Player, rng: np.random.Generator) -> Sound:
    """Add the noise of the room, and make it as loud as the player is."""
    sound = sound + 0.005 * rng.standard_normal(len(sound))
    height = float(np.abs(sound).max())
    return sound * (player.loudness * _LOUDEST / height)


def _timbre(number: int, player: Player, rng: np.random.Generator) -> tuple[dict[str, str], Sound]:
    label = _TIMBRES[number % 3]
    decay = {"bright": 0.1, "hollow": 0.3, "pure": 2.5}[label] + player.decay
    note = rng.uniform(55, 67) + player.tuning
    return {"label": label}, tone(note, seconds(_SECONDS), decay, odd=label == "hollow")


def _mixture(number: int, player: Player, rng: np.random.Generator) -> tuple[dict[str, str], Sound]:
    # Eight mixtures in turn: each tag is on in half of them, and one mixture has none.
    tags = [tag for place, tag in enumerate(_TAGS) if number >> place & 1]
    time = seconds(_SECONDS)
    sound = 0.2 * tone(rng.uniform(60, 72) + player.tuning, time, 1.0)
    if "bell" in tags:
        strokes = np.exp(-8 * (time % 0.3))
        sound = sound + strokes * tone(rng.uniform(90, 96), time, 0.7, odd=True)
    if "drone" in tags:
        sound = sound + tone(rng.uniform(36, 40), time, 0.4 + player.decay)
    if "hiss" in tags:
        sound = sound + 0.15 * rng.standard_normal(len(time))
    return {"label": ";".join(tags)}, sound


def _shade(number: int, player: Player, rng: np.random.Generator) -> tuple[dict[str, str], Sound]:
    brightness, sustain = np.round(rng.uniform(0, 1, size=2), 2)
    time = seconds(_SECONDS)
    sound = tone(57 + player.tuning, time, 1.0 - 0.8 * brightness)
    fading = 10 ** (-2 * (1 - sustain) * time / _SECONDS)  # by 40 dB if nothing is sustained
    return {"brightness": f"{brightness:.2f}", "sustain": f"{sustain:.2f}"}, sound * fading


def _cadence(number: int, player: Player, rng: np.random.Generator) -> tuple[dict[str, str], Sound]:
    label = _KEYS[number % len(_KEYS)]
    mode, tonic = divmod(key_index(label), 12)
    time = seconds(_SECONDS)
    chords = np.array_split(time, 4)
    played = [
        sum(
            tone(48 + (tonic + root + step) % 12 + 12 * octave + player.tuning, chord, 1.0)
            for step in (0, 3 if mode and root != 7 else 4, 7)  # the dominant is always major
            for octave in (0, 1)
        )
        for root, chord in zip((0, 5, 7, 0), chords, strict=True)
    ]
    return {"label": label}, np.concatenate([np.asarray(each) for each in played])


def _note(number: int, player: Player, rng: np.random.Generator) -> tuple[dict[str, str], Sound]:
    pitch = _PITCHES[number % len(_PITCHES)]
    time = seconds(_SECONDS)
    sound = tone(pitch + player.tuning, time, rng.uniform(0.3, 1.2) + player.decay)
    return {"label": str(pitch)}, sound * np.exp(-2 * time)


_PLAY: dict[str, Callable[[int, Player, np.random.Generator], tuple[dict[str, str], Sound]]] = {
    "classification": _timbre,
    "tagging": _mixture,
    "regression": _shade,
    "key": _cadence,
    "pitch": _note,
}
