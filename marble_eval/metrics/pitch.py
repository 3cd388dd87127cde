"""Pitch of notes, counted in semitones: right up to the octave.

Pitches are MIDI numbers: 60 is middle C, 69 is A at 440 Hz, twelve make an octave. The
share of pitches that are right with their octave is `classification.accuracy`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, overload

from marble_eval.metrics.classification import Classes, accuracy, paired_classes
from marble_eval.metrics.item_weights import Reals

if TYPE_CHECKING:
    import numpy.typing as npt

_MIDI_NUMBERS = 128  # 0 to 127, MIDI 1.0


@overload
def chroma_accuracy(reference: Classes, estimate: Classes, *, weights: None = None) -> float: ...
@overload
def chroma_accuracy(reference: Classes, estimate: Classes, *, weights: npt.ArrayLike) -> Reals: ...
def chroma_accuracy(
    reference: Classes, estimate: Classes, *, weights: npt.ArrayLike | None = None
) -> float | Reals:
    """Give the share of notes whose pitch class was found, in whatever octave.

    Parameters
    ----------
    reference : np.ndarray [shape=(n,), int]
        Annotated pitch of each note as a MIDI number, 0 to 127.
    estimate : np.ndarray [shape=(n,), int]
        Predicted pitch of each note, same range.
    weights : array_like [shape=(..., n)] or None
        How often each note counts, not negative; None for once.

    Returns
    -------
    float or np.ndarray [shape=(...)]
        Accuracy in [0, 1], one for each row of weights. Higher is better.

    Raises
    ------
    ValueError
        If there is no note, the arrays do not fit together or a pitch is out of range.

    Examples
    --------
    An octave too high, a semitone too high, right:

    >>> import numpy as np
    >>> round(chroma_accuracy(np.array([60, 60, 61]), np.array([72, 61, 61])), 4)
    0.6667
    """
    reference, estimate = paired_classes(reference, estimate, _MIDI_NUMBERS)
    return accuracy(reference % 12, estimate % 12, weights=weights)
