"""Beats and downbeats, in seconds from the start of the track."""

from __future__ import annotations

import json
from typing import NamedTuple

import numpy as np

from marble_eval.spec import Annotation


class Beats(NamedTuple):
    """The beats of a track.

    Attributes
    ----------
    beats : np.ndarray [shape=(beat,)]
        Times in seconds, rising; downbeats included.
    downbeats : np.ndarray [shape=(downbeat,)]
        Times of the first beats of bars; empty where they are not annotated.
    """

    beats: np.ndarray
    downbeats: np.ndarray


def beats_text(beats: Beats) -> Annotation:
    """Write beats as one line of JSON.

    Parameters
    ----------
    beats : Beats
        Times in seconds.

    Returns
    -------
    Annotation
        The same for the same times, which `beats_of` reads back exactly.

    Examples
    --------
    >>> beats_text(Beats(np.array([0.5, 1.0]), np.array([0.5])))
    '{"beats":[0.5,1.0],"downbeats":[0.5]}'
    """
    values = {name: times.tolist() for name, times in beats._asdict().items()}
    return Annotation(json.dumps(values, separators=(",", ":")))


def beats_of(text: str) -> Beats:
    """Read what `beats_text` wrote.

    Parameters
    ----------
    text : str
        JSON.

    Returns
    -------
    Beats
        Times in seconds.
    """
    values = json.loads(text)
    return Beats(*(np.array(values[name], dtype=np.float64) for name in Beats._fields))
