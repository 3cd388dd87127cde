"""Chord: one of 25 classes in every frame of a track, from which chords in time are made.

A target is the class that sounds at the frame's own time; frames whose chord is ignored,
and those in gaps and behind the last end, are not trained on. Outputs are brought to one
frame rate for every encoder; there the likeliest class of each frame is taken, and equal
neighbours are one chord. Scores are of times as they were annotated, and counts are pooled
over a split; `marble_eval.metrics.chord` says what is ignored, and how gaps are scored.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import softmax

from marble_eval.data.annotations.chord_files import (
    Chords,
    checked_chords,
    chords_of,
    chords_text,
    read_chords,
)
from marble_eval.decoding.interpolation import interpolated
from marble_eval.decoding.segments import equal_runs
from marble_eval.kinds.example import (
    ETUDE_SECONDS,
    Example,
    Piece,
    Player,
    add,
    seconds,
    silence,
    tone,
)
from marble_eval.kinds.kind import FrameKind
from marble_eval.metrics.chord import (
    CHORDS,
    IGNORED,
    chords_at,
    classes_at,
    frame_counts,
    overlap_seconds,
)
from marble_eval.metrics.metric import Metric

if TYPE_CHECKING:
    from marble_eval.spec import Annotation, FrameRules, TaskSpec

_V2 = ("start_time", "end_time", "chord_str")  # the fields of a chord in MARBLE v2's rows

_TRIADS, _IN_A_PIECE = 24, 6  # of the example: four pieces share out the triads
_SILENCE = 0.5  # seconds before its first chord


def _changes(number: int, player: Player, rng: np.random.Generator) -> Piece:
    """Play the major and minor triads in any order."""
    # The same order for four pieces that follow each other: each split has all triads.
    order = np.random.default_rng(number * _IN_A_PIECE // _TRIADS).permutation(_TRIADS).tolist()
    start = number * _IN_A_PIECE % _TRIADS
    bounds = np.linspace(_SILENCE, ETUDE_SECONDS, _IN_A_PIECE + 1)
    sound, lines = silence(), [f"0.000 {_SILENCE:.3f} N\n"]
    for triad, at, end in zip(order[start:][:_IN_A_PIECE], bounds, bounds[1:], strict=False):
        minor, root = divmod(triad, 12)
        time = seconds(end - at)
        for step in (0, 3 if minor else 4, 7):
            note = 48 + (root + step) % 12 + 12 * rng.integers(2)
            add(sound, np.exp(-time) * tone(note + player.tuning, time, 1 + player.decay), at)
        lines.append(f"{at:.3f} {end:.3f} {CHORDS[triad]}\n")
    return Piece(sound, annotation="".join(lines))


_EXAMPLE = Example(
    target="its chord at each time, one of 24 major and minor triads or none",
    summary="Major and minor triads, one after another",
    labels="""\
# The labels are the 24 triads and N, no chord, and need not be named. A file of chords has a line
# for each: start, end, and a name such as C, A:min7/b3, N, or X for what is not to be scored.
""",
    play=_changes,
    chance=1 / 24,
    cell="audio/take 1.lab",
    cell_text="""\
- `chords`: the file of its chords, relative to this folder, or absolute. A line for
  each chord: start and end in seconds, and its name, as in `0.0 2.5 A:min7/b3`. A
  chord counts as the major or minor triad in it; `N` is no chord, and `X`, like what
  has no such triad (`C:sus4`), is not scored. `.lab` and `.txt` with spaces, `.csv`
  with commas, `.tsv` with tabs, or `.jams`.
""",
    columns=("chords",),
    suffix=".lab",
    encoder="chroma",
    floor="chroma statistics",
)


class Chord(FrameKind[Chords]):
    """One of 24 major and minor triads or none at each time."""

    name = "chord"
    loss = "cross-entropy"
    example = _EXAMPLE
    metrics = (
        Metric("frame_accuracy", "percent", citation="raffel2014mireval"),
        Metric("majmin", "percent", citation="raffel2014mireval"),
        Metric("root", "percent", citation="raffel2014mireval"),
    )
    labels = CHORDS
    draft = "accuracy of frames at the encoder's rate"
    column = "chords"
    file = "a file of chords"
    form = 'a list of chords, each [0.0, 2.5, "C:maj"]'

    def read_file(self, path: Path) -> Annotation:
        """Read a file of chords."""
        return self.text_of(read_chords(path))

    def events_of(self, value: object) -> Chords | None:
        """Read a list of ``[start, end, name]``, or of MARBLE v2's mappings.

        Examples
        --------
        >>> KIND.events_of([{"start_time": 0, "end_time": 2.5, "chord_str": "C:maj"}]).names
        ('C:maj',)
        """
        if not isinstance(value, list):
            return None
        rows = [_row_of(each) for each in value]
        intervals = np.array([row[:2] for row in rows], dtype=np.float64).reshape(-1, 2)
        return checked_chords(intervals, tuple(row[2] for row in rows))

    def annotation_of(self, text: str) -> Chords:
        """Read the canonical text; see `marble_eval.data.annotations.chord_files`."""
        return chords_of(text)

    def text_of(self, events: Chords) -> Annotation:
        """Write the canonical text."""
        return chords_text(events)

    def encode(
        self,
        annotation: Chords,
        frames: int,
        rate: float,
        spec: TaskSpec,
        rules: FrameRules,
        *,
        widened: bool,
    ) -> np.ndarray:
        """Turn chords into targets (frame, 25): 1 for the class at the frame's time, else 0.

        A row of nan is not trained on: the chord is ignored, or there is none.

        Examples
        --------
        >>> from marble_eval.spec import FrameRules, TaskSpec
        >>> chords = Chords(np.array([[0.0, 1.0], [1.0, 1.5]]), ("C:7", "X"))
        >>> spec = TaskSpec(name="Mine", kind="chord")
        >>> KIND.encode(chords, 4, 2.0, spec, FrameRules(), widened=True)[:, :3]
        array([[ 1.,  0.,  0.],
               [ 1.,  0.,  0.],
               [nan, nan, nan],
               [nan, nan, nan]], dtype=float32)
        """
        classes = classes_at(annotation, np.arange(frames) / rate)
        targets = np.zeros((frames, len(CHORDS)), dtype=np.float32)
        targets[np.arange(frames), classes] = 1
        targets[classes == IGNORED] = np.nan
        return targets

    def decode(self, logits: np.ndarray, rate: float, spec: TaskSpec, rules: FrameRules) -> Chords:
        """Find the chords of a track in outputs (frame, 25) before the softmax.

        Without gaps, from 0 to the end of the last frame.

        Examples
        --------
        >>> from marble_eval.spec import FrameRules, TaskSpec
        >>> logits = np.eye(25)[[0] * 10 + [24] * 10]
        >>> spec, rules = TaskSpec(name="Mine", kind="chord"), FrameRules(rate=10.0)
        >>> chords_text(KIND.decode(logits, 10.0, spec, rules))
        '[[0.0,0.95,"C:maj"],[0.95,2.0,"N"]]'
        """
        probabilities = softmax(np.asarray(logits, dtype=np.float32), axis=1)
        likeliest = interpolated(probabilities, rate, rules.rate).argmax(axis=1)
        runs = equal_runs(likeliest, rules.rate, len(logits) / rate)
        return Chords(runs.intervals, tuple(CHORDS[each] for each in runs.values))

    def score(
        self, reference: Chords, estimate: Chords, spec: TaskSpec, rules: FrameRules
    ) -> np.ndarray:
        """Score one track: frames right of frames counted, or seconds of seconds (metric, 2).

        (0, 0) where the reference has nothing that counts.
        """
        counts = {
            "frame_accuracy": frame_counts(reference, estimate, rules.rate),
            **overlap_seconds(reference, estimate),
        }
        return np.array([counts[name] for name in spec.metrics], dtype=np.float64)

    def draft_counts(
        self, logits: np.ndarray, annotation: Chords, rate: float, spec: TaskSpec, rules: FrameRules
    ) -> np.ndarray:
        """Count frames whose likeliest class is the target's, of frames that have a target."""
        classes = classes_at(annotation, np.arange(len(logits)) / rate)
        right = np.count_nonzero(logits.argmax(axis=1) == classes)  # never what is ignored
        return np.array([right, np.count_nonzero(classes != IGNORED)], dtype=np.float64)

    def quantised(
        self, annotation: Chords, frames: int, rate: float, spec: TaskSpec, rules: FrameRules
    ) -> Chords:
        """Hold for a frame each the names that sound at the times of the frames.

        Gaps stay, and "X" becomes one. Names are the annotated ones, not the classes: the
        root of a suspended chord is scored, and no frame rate forbids to find it.

        Examples
        --------
        >>> from marble_eval.spec import FrameRules, TaskSpec
        >>> chords = Chords(np.array([[0.0, 0.6], [0.6, 1.0], [1.0, 2.0]]), ("C:7", "X", "D:sus4"))
        >>> spec = TaskSpec(name="Mine", kind="chord")
        >>> chords_text(KIND.quantised(chords, 8, 4.0, spec, FrameRules()))
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


def _row_of(chord: Any) -> tuple[float, float, str]:
    given: Any = [chord.get(each) for each in _V2] if isinstance(chord, Mapping) else chord
    types = [type(each) for each in given] if isinstance(given, list) else []
    if len(types) != 3 or not {*types[:2]} <= {int, float} or types[2] is not str:
        raise ValueError(
            f"a chord must be [start, end, name], times in seconds, or a mapping with "
            f"{', '.join(_V2)}. Got {chord!r}."
        )
    return given[0], given[1], given[2]


KIND = Chord()
