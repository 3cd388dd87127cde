"""Beats and downbeats, in seconds from the start of the track."""

from __future__ import annotations

import json
from typing import NamedTuple

import numpy as np

from marble_eval.spec import Annotation


class Beats(NamedTuple):
    """The beats of a track: times in seconds, rising, downbeats included; and the downbeats.

    Downbeats, the first beats of bars, are empty where they are not annotated.
    """

    beats: np.ndarray
    downbeats: np.ndarray


def beats_text(beats: Beats) -> Annotation:
    """Write beats as one line of JSON, which `beats_of` reads back exactly."""
    values = {name: times.tolist() for name, times in beats._asdict().items()}
    return Annotation(json.dumps(values, separators=(",", ":")))


def beats_of(text: str) -> Beats:
    """Read what `beats_text` wrote."""
    values = json.loads(text)
    return Beats(*(np.array(values[name], dtype=np.float64) for name in Beats._fields))
