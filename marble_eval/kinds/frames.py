"""Frames: which of the piano's 88 notes sound in every frame of a track.

A note's targets are 1 from the frame nearest to its onset up to the one nearest to its
end, and in at least one frame. Outputs are brought to one frame rate for every encoder;
where a probability reaches the threshold the note sounds, and frames that touch are one
note. So a note that is struck again before a frame without it has passed cannot be told
from one that is held: `quantised` says what that costs. Scores are of times as they were
annotated. A track without notes in its reference counts for nothing, false alarms too.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import expit, logit

from marble_eval.data.annotations.memory import remembered
from marble_eval.data.annotations.note_files import checked_notes, read_notes
from marble_eval.data.annotations.notes import Notes, notes_of, notes_text
from marble_eval.data.layouts import Reading, read_layouts
from marble_eval.data.layouts.jsonl import below
from marble_eval.decoding.interpolation import interpolated
from marble_eval.decoding.segments import Segments, active_frames, active_runs
from marble_eval.metrics.note import METRICS, note_counts, note_name
from marble_eval.spec import Annotation, FrameRules, TaskRules

if TYPE_CHECKING:
    from collections.abc import Sequence

    from marble_eval.data.layouts import Lists
    from marble_eval.spec import TaskSpec, Track

LOWEST, HIGHEST = 21, 108  # A0 and C8, the ends of a piano's keyboard

FRAMES = True
LOSS = "binary-cross-entropy"
# A long track is cut; a second is heard on both sides, so that the cut does not show.
# The tolerance is that of mir_eval.transcription.
RULES = TaskRules(
    clip_seconds=30.0,
    batch_of="clips",
    frames=FrameRules(context_seconds=1.0, tolerance=0.05),
)
SCALED = False
AGGREGATIONS = ("mean-logits",)
LABELS = tuple(note_name(pitch) for pitch in range(LOWEST, HIGHEST + 1))
DRAFT = "F-measure of frames at the encoder's rate"
_READER = "notes of a piano 2"  # the number is raised when a MIDI file gives other notes

annotation_of = notes_of
text_of = notes_text


def metrics_of(spec: TaskSpec) -> dict[str, bool]:
    """Name every metric of the kind, and say whether higher is better."""
    return dict.fromkeys(METRICS, True)


def columns_of(spec: TaskSpec) -> tuple[str, ...]:
    """Name the column of a table that names the file of notes."""
    return ("notes",)


def read_tracks(root: Path, spec: TaskSpec, lists: Lists) -> list[Track]:
    """Read the tracks; see `marble_eval.data.layouts.read_layouts`."""
    return read_layouts(Reading(root, spec, lists, partial(label_of, root=root), columns_of(spec)))


def label_of(row: Mapping[str, Any], field: str, spec: TaskSpec, *, root: Path) -> Annotation:
    """Read the notes of a track.

    Parameters
    ----------
    row : mapping of str to object
        A row of a table, with the name of a MIDI file under ``notes``; or of JSON, with
        that name or the notes themselves, a list of ``[onset, end, pitch]``, there or
        under ``field``.
    field : str
        Where they stand in a row without ``notes``.
    spec, root
        The card; the folder that names of files start from.

    Returns
    -------
    Annotation
        The canonical text, `marble_eval.data.annotations.notes.notes_text`.

    Raises
    ------
    ValueError
        If there are no notes, a file or its notes break a rule, or a pitch lies outside
        the 88.

    Examples
    --------
    >>> from marble_eval.spec import TaskSpec
    >>> row = {"label": [[0, 2.5, 60]]}
    >>> label_of(row, "label", TaskSpec(name="Mine", kind="frames"), root=Path("."))
    '[[0.0,2.5,60]]'
    """
    name = next((each for each in columns_of(spec) if each in row), field)
    value = row.get(name)
    try:
        if isinstance(value, str) and value:
            return _text_of_file(below(root, PurePosixPath(value)))
        if isinstance(value, list):
            return text_of(_of_piano(_notes_of(value)))
    except ValueError as error:
        raise ValueError(f"{name!r}: {error}") from None
    raise ValueError(
        f"{name!r} must name a MIDI file below {root}, or be a list of notes, each "
        f"[0.0, 2.5, 60]. Got {value!r}."
    )


def _text_of_file(path: Path) -> Annotation:
    if path.suffix.lower() not in (".mid", ".midi"):
        return _read_text(path)
    return Annotation(remembered(path, _read_text, reader=_READER))


def _read_text(path: Path) -> Annotation:
    return text_of(_of_piano(read_notes(path)))


def _notes_of(rows: list[Any]) -> Notes:
    for each in rows:
        kinds = [type(number) for number in each] if isinstance(each, list) else []
        if len(kinds) != 3 or not {*kinds} <= {int, float} or kinds[2] is not int:
            raise ValueError(
                f"a note must be [onset, end, pitch], in seconds and a MIDI number. Got {each!r}."
            )
    table = np.array(rows, dtype=np.float64).reshape(-1, 3)
    return checked_notes(table[:, :2], table[:, 2].astype(np.int64))


def _of_piano(notes: Notes) -> Notes:
    outside = notes.pitches[(notes.pitches < LOWEST) | (notes.pitches > HIGHEST)]
    if outside.size:
        raise ValueError(
            f"notes must lie in the piano's range, {LOWEST} to {HIGHEST}. Got "
            f"{', '.join(str(each) for each in np.unique(outside))}."
        )
    return notes


def labels_of(tracks: Sequence[Track], spec: TaskSpec) -> tuple[str, ...]:
    """Name the 88 notes, whether they occur or not."""
    return LABELS


def outputs(spec: TaskSpec) -> int:
    """Return how many outputs a probe needs for a frame: one a note."""
    return len(LABELS)


def encode(
    annotation: Notes, frames: int, rate: float, spec: TaskSpec, rules: FrameRules, *, widened: bool
) -> np.ndarray:
    """Turn the notes of one track into targets of its frames.

    Parameters
    ----------
    annotation : Notes
        Seconds, and MIDI numbers from 21 to 108.
    frames : int
        How many frames the track has.
    rate : float
        Frames per second, in Hz; frame i stands for the time i / rate.
    spec, rules, widened
        Not asked: a note has a length of its own.

    Returns
    -------
    np.ndarray [shape=(frame, 88), float32]
        1 where a note sounds, else 0. Notes behind the last frame have none.

    Examples
    --------
    >>> from marble_eval.spec import FrameRules, TaskSpec
    >>> notes = Notes(np.array([[0.26, 1.0], [1.0, 1.0]]), np.array([21, 22]))
    >>> spec = TaskSpec(name="Mine", kind="frames")
    >>> encode(notes, 4, 2.0, spec, FrameRules(), widened=True)[:, :2].T
    array([[0., 1., 0., 0.],
           [0., 0., 1., 0.]], dtype=float32)
    """
    return _roll(annotation, frames, rate).astype(np.float32)


def _roll(notes: Notes, frames: int, rate: float) -> np.ndarray:
    """Say in which frames each of the 88 notes sounds, (frame, note)."""
    sounding = Segments(notes.intervals, notes.pitches - LOWEST)
    return active_frames(sounding, frames, len(LABELS), rate)


def decode(logits: np.ndarray, rate: float, spec: TaskSpec, rules: FrameRules) -> Notes:
    """Find the notes of one whole track.

    Parameters
    ----------
    logits : np.ndarray [shape=(frame, 88)]
        Outputs of a probe before the sigmoid.
    rate : float
        Frames per second, in Hz.
    spec, rules
        The card; the common rate, and the threshold.

    Returns
    -------
    `Notes`
        By onset, then by pitch.
    """
    end = len(logits) / rate
    probabilities = interpolated(expit(np.asarray(logits, dtype=np.float32)), rate, rules.rate)
    runs = active_runs(probabilities >= rules.threshold, rules.rate)
    # Between a frame that is off and one that is on, which begins at its own time, the line
    # crosses the middle half a frame early, and is seen half a frame of the common rate late.
    moved = runs.intervals + (0.5 / rate - 0.5 / rules.rate)
    inside = (runs.intervals > 0) & (runs.intervals < end)  # the ends of the track stay
    intervals = np.clip(np.where(inside, moved, runs.intervals), 0, end)
    return Notes(intervals, runs.values + LOWEST)


def score(reference: Notes, estimate: Notes, spec: TaskSpec, rules: FrameRules) -> np.ndarray:
    """Score one track by the card's metrics.

    Parameters
    ----------
    reference, estimate : Notes
        Seconds and MIDI numbers.
    spec, rules
        The card; the rate of the frame scores, and how far onsets may lie apart.

    Returns
    -------
    np.ndarray [shape=(metric, 2), float64]
        Numerators and denominators; see `marble_eval.metrics.note.note_counts`.
    """
    return note_counts(
        reference, estimate, spec.metrics, rate=rules.rate, tolerance_s=rules.tolerance
    )


def draft_counts(
    logits: np.ndarray, annotation: Notes, rate: float, spec: TaskSpec, rules: FrameRules
) -> np.ndarray:
    """Score one track roughly: the F-measure of its frames against its targets.

    Parameters
    ----------
    logits, rate, spec, rules
        As for `decode`.
    annotation : Notes
        The reference.

    Returns
    -------
    np.ndarray [shape=(2,), float64]
        2 TP and 2 TP + FP + FN; (0, 0) where the reference has no notes.
    """
    if not len(annotation.pitches):
        return np.zeros(2)
    heard = _roll(annotation, len(logits), rate)
    found = logits >= logit(rules.threshold)
    hits = np.count_nonzero(heard & found)
    return np.array([2 * hits, np.count_nonzero(heard) + np.count_nonzero(found)], dtype=np.float64)


def quantised(
    annotation: Notes, frames: int, rate: float, spec: TaskSpec, rules: FrameRules
) -> Notes:
    """Give the notes as this frame rate can hold them.

    Parameters
    ----------
    annotation, frames, rate, spec, rules
        As for `encode`.

    Returns
    -------
    `Notes`
        Onsets and ends at those of their frames. Notes of one pitch that touch there
        are one, and what lies behind the end is left out, as in `encode`.

    Examples
    --------
    >>> from marble_eval.spec import FrameRules, TaskSpec
    >>> notes = Notes(np.array([[0.26, 1.0], [1.1, 1.4], [1.0, 1.0]]), np.array([60, 60, 67]))
    >>> spec = TaskSpec(name="Mine", kind="frames")
    >>> notes_text(quantised(notes, 4, 2.0, spec, FrameRules()))
    '[[0.5,1.5,60],[1.0,1.5,67]]'
    """
    runs = active_runs(_roll(annotation, frames, rate), rate)
    return Notes(runs.intervals, runs.values + LOWEST)
