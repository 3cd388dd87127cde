"""Chord: one of 25 classes in every frame of a track, from which chords in time are made.

A target is the class that sounds at the frame's own time; frames whose chord is ignored,
and those in gaps and behind the last end, are not trained on. Outputs are brought to one
frame rate for every encoder; there the likeliest class of each frame is taken, and equal
neighbours are one chord. Scores are of times as they were annotated, and counts are pooled
over a split; `marble_eval.metrics.chord` says what is ignored, and how gaps are scored.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import softmax

from marble_eval.data.annotations.chord_files import checked_chords, read_chords
from marble_eval.data.annotations.chords import Chords, chords_of, chords_text
from marble_eval.data.layouts import Reading, read_layouts
from marble_eval.data.layouts.jsonl import below
from marble_eval.decoding.interpolation import interpolated
from marble_eval.decoding.segments import equal_runs
from marble_eval.metrics.chord import (
    CHORDS,
    IGNORED,
    chords_at,
    classes_at,
    frame_counts,
    overlap_seconds,
)
from marble_eval.spec import FrameRules, TaskRules

if TYPE_CHECKING:
    from collections.abc import Sequence

    from marble_eval.data.layouts import Lists
    from marble_eval.spec import Annotation, TaskSpec, Track

FRAMES = True
LOSS = "cross-entropy"
# A long track is cut; a second is heard on both sides, so that the cut does not show.
RULES = TaskRules(clip_seconds=30.0, batch_of="clips", frames=FrameRules(context_seconds=1.0))
SCALED = False
AGGREGATIONS = ("mean-logits",)
LABELS = CHORDS
DRAFT = "accuracy of frames at the encoder's rate"

annotation_of = chords_of
text_of = chords_text

_V2 = ("start_time", "end_time", "chord_str")  # the fields of a chord in MARBLE v2's rows


def metrics_of(spec: TaskSpec) -> dict[str, bool]:
    """Name every metric of the kind, and say whether higher is better."""
    return {"frame_accuracy": True, "majmin": True, "root": True}


def columns_of(spec: TaskSpec) -> tuple[str, ...]:
    """Name the column of a table that names the file of chords."""
    return ("chords",)


def read_tracks(root: Path, spec: TaskSpec, lists: Lists) -> list[Track]:
    """Read the tracks; see `marble_eval.data.layouts.read_layouts`."""
    return read_layouts(Reading(root, spec, lists, partial(label_of, root=root), columns_of(spec)))


def label_of(row: Mapping[str, Any], field: str, spec: TaskSpec, *, root: Path) -> Annotation:
    """Read the chords of a track.

    Parameters
    ----------
    row : mapping of str to object
        A row of a table, with the name of a file of chords under ``chords``; or of JSON,
        with that name or the chords themselves there or under ``field``: a list of
        ``[start, end, name]``, or of MARBLE v2's mappings with ``start_time``,
        ``end_time`` and ``chord_str``.
    field : str
        Where they stand in a row without ``chords``.
    spec, root
        The card; the folder that names of files start from.

    Returns
    -------
    Annotation
        The canonical text, `marble_eval.data.annotations.chords.chords_text`.

    Raises
    ------
    ValueError
        If there are no chords, or a file, a time or a name breaks a rule.

    Examples
    --------
    >>> from marble_eval.spec import TaskSpec
    >>> row = {"label": [{"start_time": 0, "end_time": 2.5, "chord_str": "C:maj"}]}
    >>> label_of(row, "label", TaskSpec(name="Mine", kind="chord"), root=Path("."))
    '[[0.0,2.5,"C:maj"]]'
    """
    name = next((each for each in columns_of(spec) if each in row), field)
    value = row.get(name)
    try:
        if isinstance(value, str) and value:
            return text_of(read_chords(below(root, PurePosixPath(value))))
        if isinstance(value, list):
            rows = [_row_of(each) for each in value]
            intervals = np.array([row[:2] for row in rows], dtype=np.float64).reshape(-1, 2)
            return text_of(checked_chords(intervals, tuple(row[2] for row in rows)))
    except ValueError as error:
        raise ValueError(f"{name!r}: {error}") from None
    raise ValueError(
        f"{name!r} must name a file of chords below {root}, or be a list of chords, each "
        f'[0.0, 2.5, "C:maj"]. Got {value!r}.'
    )


def _row_of(chord: Any) -> tuple[float, float, str]:
    given: Any = [chord.get(each) for each in _V2] if isinstance(chord, Mapping) else chord
    types = [type(each) for each in given] if isinstance(given, list) else []
    if len(types) != 3 or not {*types[:2]} <= {int, float} or types[2] is not str:
        raise ValueError(
            f"a chord must be [start, end, name], times in seconds, or a mapping with "
            f"{', '.join(_V2)}. Got {chord!r}."
        )
    return given[0], given[1], given[2]


def labels_of(tracks: Sequence[Track], spec: TaskSpec) -> tuple[str, ...]:
    """Name the 25 classes, whether they occur or not."""
    return LABELS


def outputs(spec: TaskSpec) -> int:
    """Return how many outputs a probe needs for a frame: one a class."""
    return len(LABELS)


def encode(
    annotation: Chords,
    frames: int,
    rate: float,
    spec: TaskSpec,
    rules: FrameRules,
    *,
    widened: bool,
) -> np.ndarray:
    """Turn the chords of one track into targets of its frames.

    Parameters
    ----------
    annotation : Chords
        Times in seconds.
    frames : int
        How many frames the track has.
    rate : float
        Frames per second, in Hz; frame i stands for the time i / rate.
    spec, rules, widened
        Not asked: beside a chord there is another.

    Returns
    -------
    np.ndarray [shape=(frame, 25), float32]
        1 for the class that sounds at the frame's time, else 0. A row of nan is not
        trained on: the chord is ignored, or there is none.

    Examples
    --------
    >>> from marble_eval.spec import FrameRules, TaskSpec
    >>> chords = Chords(np.array([[0.0, 1.0], [1.0, 1.5]]), ("C:7", "X"))
    >>> spec = TaskSpec(name="Mine", kind="chord")
    >>> encode(chords, 4, 2.0, spec, FrameRules(), widened=True)[:, :3]
    array([[ 1.,  0.,  0.],
           [ 1.,  0.,  0.],
           [nan, nan, nan],
           [nan, nan, nan]], dtype=float32)
    """
    classes = classes_at(annotation, np.arange(frames) / rate)
    targets = np.zeros((frames, len(LABELS)), dtype=np.float32)
    targets[np.arange(frames), classes] = 1
    targets[classes == IGNORED] = np.nan
    return targets


def decode(logits: np.ndarray, rate: float, spec: TaskSpec, rules: FrameRules) -> Chords:
    """Find the chords of one whole track.

    Parameters
    ----------
    logits : np.ndarray [shape=(frame, 25)]
        Outputs of a probe before the softmax.
    rate : float
        Frames per second, in Hz.
    spec, rules
        The card; the common rate.

    Returns
    -------
    Chords
        Named as `LABELS` are, without gaps, from 0 to the end of the last frame.

    Examples
    --------
    >>> from marble_eval.spec import FrameRules, TaskSpec
    >>> logits = np.eye(25)[[0] * 10 + [24] * 10]
    >>> spec, rules = TaskSpec(name="Mine", kind="chord"), FrameRules(rate=10.0)
    >>> chords_text(decode(logits, 10.0, spec, rules))
    '[[0.0,0.95,"C:maj"],[0.95,2.0,"N"]]'
    """
    probabilities = softmax(np.asarray(logits, dtype=np.float32), axis=1)
    likeliest = interpolated(probabilities, rate, rules.rate).argmax(axis=1)
    runs = equal_runs(likeliest, rules.rate, len(logits) / rate)
    return Chords(runs.intervals, tuple(LABELS[each] for each in runs.values))


def score(reference: Chords, estimate: Chords, spec: TaskSpec, rules: FrameRules) -> np.ndarray:
    """Score one track by the card's metrics.

    Parameters
    ----------
    reference, estimate : Chords
        Times in seconds.
    spec, rules
        The card; the rate of ``frame_accuracy``.

    Returns
    -------
    np.ndarray [shape=(metric, 2), float64]
        Numerators and denominators: frames right and frames counted, or seconds right
        and seconds counted, so that the ratio of sums is weighted by duration. (0, 0)
        where the reference has nothing that counts.
    """
    counts = {
        "frame_accuracy": frame_counts(reference, estimate, rules.rate),
        **overlap_seconds(reference, estimate),
    }
    return np.array([counts[name] for name in spec.metrics], dtype=np.float64)


def draft_counts(
    logits: np.ndarray, annotation: Chords, rate: float, spec: TaskSpec, rules: FrameRules
) -> np.ndarray:
    """Score one track roughly: frames whose likeliest class is the target's.

    Parameters
    ----------
    logits, rate, spec, rules
        As for `decode`.
    annotation : Chords
        The reference, in seconds.

    Returns
    -------
    np.ndarray [shape=(2,), float64]
        Frames right, and frames that have a target.
    """
    classes = classes_at(annotation, np.arange(len(logits)) / rate)
    right = np.count_nonzero(logits.argmax(axis=1) == classes)  # never what is ignored
    return np.array([right, np.count_nonzero(classes != IGNORED)], dtype=np.float64)


def quantised(
    annotation: Chords, frames: int, rate: float, spec: TaskSpec, rules: FrameRules
) -> Chords:
    """Give the chords as this frame rate can hold them.

    Parameters
    ----------
    annotation, frames, rate, spec, rules
        As for `encode`.

    Returns
    -------
    Chords
        The names that sound at the times of the frames, each held for a frame. Gaps
        stay, and "X" becomes one. Names are the annotated ones, not the classes: the
        root of a suspended chord is scored, and no frame rate forbids to find it.

    Examples
    --------
    >>> from marble_eval.spec import FrameRules, TaskSpec
    >>> chords = Chords(np.array([[0.0, 0.6], [0.6, 1.0], [1.0, 2.0]]), ("C:7", "X", "D:sus4"))
    >>> spec = TaskSpec(name="Mine", kind="chord")
    >>> chords_text(quantised(chords, 8, 4.0, spec, FrameRules()))
    '[[0.0,0.625,"C:7"],[0.875,2.0,"D:sus4"]]'
    """
    names = sorted({*annotation.names} - {"X"})
    number_of = {name: number for number, name in enumerate(names)}
    # The last place is what sounds where there is no chord.
    numbers = np.array([number_of.get(name, -1) for name in (*annotation.names, "X")])
    sampled = numbers[chords_at(annotation, np.arange(frames) / rate)]
    runs = equal_runs(sampled, rate, frames / rate)
    held = runs.values >= 0
    return Chords(runs.intervals[held], tuple(names[each] for each in runs.values[held]))
