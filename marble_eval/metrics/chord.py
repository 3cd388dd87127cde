"""Chords of a track: the 25 classes that a probe has, and how much of a song is right.

The classes are C major to B major, C minor to B minor and N, no chord. A chord that
contains a major or a minor triad counts as that triad, whatever is added above or below
it; one that contains neither or both (suspended, augmented, diminished, a bare fifth) and
"X", which has no name, are ignored: neither trained on nor scored. N is a class.

Names are read and compared by `mir_eval.chord` (Harte's notation; Raffel et al., ISMIR
2014). Two things are settled here before it is asked. What a reference leaves out, a gap
between two chords, is ignored; mir_eval would hold the chord before the gap over it. What
an estimate leaves out is N, within it as at its ends. Without gaps the shares of seconds
are those of `mir_eval.chord.evaluate`.
"""

from __future__ import annotations

import mir_eval.chord
import numpy as np

from marble_eval.data.annotations.chord_files import Chords
from marble_eval.metrics.note import PITCH_CLASSES

#: Names of the classes, in order.
CHORDS: tuple[str, ...] = (
    *(f"{root}:{mode}" for mode in ("maj", "min") for root in PITCH_CLASSES),
    "N",
)

#: In place of a class: not trained on, not scored.
IGNORED = -1


def chord_class(name: str) -> int:
    """Give the class of a chord.

    Parameters
    ----------
    name : str
        Harte's notation: "A:min7/5", "Db", "N", "X".

    Returns
    -------
    int
        Place in `CHORDS`, 0 to 24, the same for enharmonic names; `IGNORED` for what is none of
        these.

    Raises
    ------
    ValueError
        If mir_eval cannot read the name.

    Notes
    -----
    mir_eval's own majmin comparison is stricter: a bass note or an added degree between
    root and fifth that is not of the triad ("C/2", "C:maj(4)") excludes the chord there.

    Examples
    --------
    >>> [chord_class(name) for name in ("C:7", "C#", "Db:maj7", "A:min7/b3", "N", "X", "C:sus4")]
    [0, 1, 1, 21, 24, -1, -1]
    """
    try:
        root, semitones, _ = mir_eval.chord.encode(name)
    except mir_eval.chord.InvalidChordException as error:
        raise ValueError(
            f"a chord must be written in Harte's notation, like 'A:min7', 'N' or 'X'. "
            f"Got {name!r} ({error})."
        ) from None
    if root < 0:
        return CHORDS.index("N") if name == "N" else IGNORED
    major, minor = (bool(semitones[triad].all()) for triad in ([0, 4, 7], [0, 3, 7]))
    if major == minor:
        return IGNORED
    return int(root) + (0 if major else 12)


def chords_at(chords: Chords, times: np.ndarray) -> np.ndarray:
    """Return which of the chords sounds at each time; -1 in gaps and outside.

    A chord sounds from its start up to, not including, its end.
    """
    if not chords.names:
        return np.full(len(times), -1, dtype=np.int64)
    starts, ends = chords.intervals.T
    found = np.searchsorted(starts, times, side="right") - 1
    return np.where((found >= 0) & (times < ends[found]), found, -1)


def classes_at(chords: Chords, times: np.ndarray) -> np.ndarray:
    """Return the class at each time (s); `IGNORED` in gaps and where the chord is ignored."""
    class_of = {name: chord_class(name) for name in set(chords.names)}  # few names in a song
    classes = np.array([*(class_of[name] for name in chords.names), IGNORED], dtype=np.int64)
    return np.asarray(classes[chords_at(chords, times)])


def frame_counts(reference: Chords, estimate: Chords, rate: float) -> np.ndarray:
    """Count the frames of the right class, and those that count.

    Parameters
    ----------
    reference, estimate : Chords
        Seconds; they may have gaps and different lengths.
    rate : float
        Frames per second; frame i is the time i / rate.

    Returns
    -------
    np.ndarray [shape=(2,), int64]
        Frames right, and frames in which the reference has a class.

    Notes
    -----
    The frame accuracy of MARBLE v2, but for its faults: there X was taken for N, an N
    for the chord before it, and the last chord went on behind its end.

    Examples
    --------
    >>> reference = Chords(np.array([[0.0, 1.0], [1.0, 2.0]]), ("C:7", "X"))
    >>> estimate = Chords(np.array([[0.0, 0.8], [0.8, 2.0]]), ("C:maj", "G:maj"))
    >>> frame_counts(reference, estimate, 10.0)
    array([ 8, 10])
    """
    if not reference.names:
        return np.zeros(2, dtype=np.int64)
    times = np.arange(int(np.ceil(reference.intervals[-1, 1] * rate)) + 1) / rate
    right = classes_at(reference, times)
    found = classes_at(estimate, times)
    found[chords_at(estimate, times) < 0] = CHORDS.index("N")
    counted = right != IGNORED
    return np.array([np.count_nonzero(counted & (right == found)), np.count_nonzero(counted)])


def overlap_seconds(reference: Chords, estimate: Chords) -> dict[str, np.ndarray]:
    """Measure for how long the chords agree, by the rules of MIREX.

    Parameters
    ----------
    reference, estimate : Chords
        Seconds; they may have gaps and different lengths.

    Returns
    -------
    dict of str to np.ndarray [shape=(2,), float64]
        ``majmin`` (root, and major or minor or N) and ``root``: seconds right and seconds
        counted. Their ratio is the score of a song in [0, 1]; the ratio of sums over songs
        is weighted by duration.

    Examples
    --------
    The root of a suspended chord can be right, its mode cannot:

    >>> reference = Chords(np.array([[0.0, 3.0], [3.0, 4.0]]), ("C:maj", "D:sus4"))
    >>> estimate = Chords(np.array([[0.0, 2.0], [2.0, 4.0]]), ("C:maj", "D:min"))
    >>> {rule: seconds.tolist() for rule, seconds in overlap_seconds(reference, estimate).items()}
    {'majmin': [2.0, 3.0], 'root': [3.0, 4.0]}
    """
    names = sorted({*reference.names, *estimate.names, "N", "X"})
    times = np.unique([*reference.intervals.flat, *estimate.intervals.flat])
    if reference.names:
        times = np.unique(times.clip(reference.intervals[0, 0], reference.intervals[-1, 1]))
    right, found = (
        _places(each, names, nothing)[chords_at(each, times[:-1])]
        for each, nothing in ((reference, "X"), (estimate, "N"))
    )
    # mir_eval compares each pair of names once, whatever the length of the song.
    pairs, pair_of = np.unique(right * len(names) + found, return_inverse=True)
    seconds = np.bincount(pair_of, weights=np.diff(times))
    rights, founds = ([names[each] for each in half] for half in np.divmod(pairs, len(names)))
    overlaps = {}
    for rule, compared in (("majmin", mir_eval.chord.majmin), ("root", mir_eval.chord.root)):
        agreement = compared(rights, founds) if rights else np.zeros(0)
        counted = agreement >= 0  # -1 is what the rule excludes
        overlaps[rule] = np.array([agreement[counted] @ seconds[counted], seconds[counted].sum()])
    return overlaps


def _places(chords: Chords, names: list[str], nothing: str) -> np.ndarray:
    """Give the place of each chord's name, and at the end that of what stands for no chord."""
    place_of = {name: place for place, name in enumerate(names)}
    return np.array([place_of[name] for name in (*chords.names, nothing)])
