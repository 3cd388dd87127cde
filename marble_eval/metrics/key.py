"""Keys of pieces, and two scores that give a near miss part of a point.

A key is a class from 0 to 23: C, Db, … B major, then C, Db, … B minor, as in MARBLE.
The two scores differ in one rule. MIREX has credited a perfect fifth on either side of
the reference since 2017; mir_eval's release 0.8.2, from which MARBLE's published
figures come, credits only the fifth above, and its next release is to change that.
So that no upgrade moves a figure, both rules are written here under names of their own:
`weighted_score` as published, `mirex_score` as MIREX has it. They differ on the 24 pairs
such as C major taken for F major.
"""

from __future__ import annotations

import re
from typing import overload

import numpy as np
import numpy.typing as npt

from marble_eval.metrics.classification import Classes, paired_classes
from marble_eval.metrics.item_weights import Reals, as_given, item_weights

_TONICS = ("C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B")

#: Names of the keys, in the order of their classes.
KEYS: tuple[str, ...] = tuple(f"{tonic} {mode}" for mode in ("major", "minor") for tonic in _TONICS)

_NATURALS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}  # semitones above C
_ACCIDENTALS = {"": 0, "#": 1, "♯": 1, "b": -1, "♭": -1, "-": -1}
# A letter alone is major only as a capital, since many write c for C minor; M is major, m minor.
_NAME = re.compile(
    # music21 writes B flat as B-; but B-major is B major, whose hyphen is none of its own.
    r"(?P<tonic>[A-Ga-g])(?P<accidental>[#♯b♭]|-(?=[\s:_]|$)|)"
    r"(?:\s*[:_-]?\s*(?:(?P<major>M|(?i:maj|major))|(?P<minor>m|(?i:min|minor))))?"
)


def key_index(name: str) -> int:
    """Give the class of a key from its name.

    Parameters
    ----------
    name : str
        Tonic and mode: "F# minor", "Gb min", "f♯:min", "Am", "A maj"; a capital alone
        is major.

    Returns
    -------
    int
        Class from 0 to 23, the place in `KEYS`; the same for enharmonic names.

    Raises
    ------
    ValueError
        If the name is not that of a major or minor key.

    Examples
    --------
    >>> key_index("Db major"), key_index("C#:maj"), key_index("Am"), key_index("Bb")
    (1, 1, 21, 10)
    """
    found = _NAME.fullmatch(name.strip()) if isinstance(name, str) else None
    if found is None or (found["tonic"].islower() and not (found["major"] or found["minor"])):
        raise ValueError(
            f"a key must be a tonic from A to G, # or b where needed, and major or minor, "
            f"like 'F# minor' or 'Eb major'. Got {name!r}."
        )
    tonic = _NATURALS[found["tonic"].upper()] + _ACCIDENTALS[found["accidental"]]
    return tonic % 12 + (12 if found["minor"] else 0)


@overload
def weighted_score(reference: Classes, estimate: Classes, *, weights: None = None) -> float: ...
@overload
def weighted_score(reference: Classes, estimate: Classes, *, weights: npt.ArrayLike) -> Reals: ...
def weighted_score(
    reference: Classes, estimate: Classes, *, weights: npt.ArrayLike | None = None
) -> float | Reals:
    """Give the mean key score as published: of the fifths, only the one above has credit.

    The same key earns 1, a key of the same mode a perfect fifth above the reference 0.5,
    the relative key 0.3, the parallel key 0.2, any other 0.

    Parameters
    ----------
    reference : np.ndarray [shape=(n,), int]
        Annotated key of each item, 0 to 23 in the order of `KEYS`.
    estimate : np.ndarray [shape=(n,), int]
        Predicted key of each item, same range.
    weights : array_like [shape=(..., n)] or None
        How often each item counts, not negative; None for once.

    Returns
    -------
    float or np.ndarray [shape=(...)]
        Score in [0, 1], one for each row of weights. Higher is better.

    Raises
    ------
    ValueError
        If there is no item, the arrays do not fit together or a key is out of range.

    Notes
    -----
    Equal to ``mir_eval.key.weighted_score`` of release 0.8.2.

    Examples
    --------
    G major for C major, then F major for C major:

    >>> weighted_score(np.array([0, 0]), np.array([7, 5]))
    0.25
    """
    return _score(reference, estimate, weights, fifths=(7,))


@overload
def mirex_score(reference: Classes, estimate: Classes, *, weights: None = None) -> float: ...
@overload
def mirex_score(reference: Classes, estimate: Classes, *, weights: npt.ArrayLike) -> Reals: ...
def mirex_score(
    reference: Classes, estimate: Classes, *, weights: npt.ArrayLike | None = None
) -> float | Reals:
    """Give the mean key score of MIREX since 2017: both fifths have credit.

    The same key earns 1, a key of the same mode a perfect fifth above or below the
    reference 0.5, the relative key 0.3, the parallel key 0.2, any other 0.

    Parameters
    ----------
    reference : np.ndarray [shape=(n,), int]
        Annotated key of each item, 0 to 23 in the order of `KEYS`.
    estimate : np.ndarray [shape=(n,), int]
        Predicted key of each item, same range.
    weights : array_like [shape=(..., n)] or None
        How often each item counts, not negative; None for once.

    Returns
    -------
    float or np.ndarray [shape=(...)]
        Score in [0, 1], one for each row of weights. Higher is better.

    Raises
    ------
    ValueError
        If there is no item, the arrays do not fit together or a key is out of range.

    Examples
    --------
    G major for C major, then F major for C major:

    >>> mirex_score(np.array([0, 0]), np.array([7, 5]))
    0.5
    """
    return _score(reference, estimate, weights, fifths=(5, 7))


def _score(
    reference: Classes,
    estimate: Classes,
    weights: npt.ArrayLike | None,
    *,
    fifths: tuple[int, ...],
) -> float | Reals:
    reference, estimate = paired_classes(reference, estimate, len(KEYS))
    counts = item_weights(weights, len(reference))
    # Semitones upwards; the difference of unsigned numbers would wrap.
    interval = (estimate.astype(np.int64) - reference.astype(np.int64)) % 12
    same_mode = reference // 12 == estimate // 12
    # The relative of a major key lies 9 semitones above it, that of a minor key 3.
    to_relative = np.where(reference < 12, 9, 3)
    points = np.select(
        [
            same_mode & (interval == 0),
            same_mode & np.isin(interval, fifths),
            ~same_mode & (interval == to_relative),
            ~same_mode & (interval == 0),
        ],
        [1.0, 0.5, 0.3, 0.2],
        default=0.0,
    )
    return as_given(counts @ points / counts.sum(axis=-1), weights)
