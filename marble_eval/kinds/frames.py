"""Frames: which of the piano's 88 notes sound in every frame of a track.

A note's targets are 1 from the frame nearest to its onset up to the one nearest to its
end, and in at least one frame. Outputs are brought to one frame rate for every encoder;
where a probability reaches the threshold the note sounds, and frames that touch are one
note. So a note that is struck again before a frame without it has passed cannot be told
from one that is held: the ceiling shows what that costs. Scores are of times as they were
annotated. A track without notes in its reference counts for nothing, false alarms too.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import expit, logit

from marble_eval.data.annotations.memory import remembered
from marble_eval.data.annotations.note_files import (
    Notes,
    checked_notes,
    notes_of,
    notes_text,
    read_notes,
)
from marble_eval.decoding.interpolation import interpolated
from marble_eval.decoding.segments import Segments, active_frames, active_runs
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
from marble_eval.metrics.metric import Metric
from marble_eval.metrics.note import METRICS, note_counts, note_name
from marble_eval.spec import Annotation, FrameRules

if TYPE_CHECKING:
    from marble_eval.spec import TaskSpec

LOWEST, HIGHEST = 21, 108  # A0 and C8, the ends of a piano's keyboard

_LABELS = tuple(note_name(pitch) for pitch in range(LOWEST, HIGHEST + 1))
_READER = "notes of a piano 2"  # the number is raised when a MIDI file gives other notes


def _metric(name: str) -> Metric:
    written = name.replace("_", " ").replace("f1", "F1")
    return Metric(name, "percent", written=written, citation="raffel2014mireval")


_SCALE = (60, 62, 64, 65, 67, 69, 71, 72)  # of the example: MIDI numbers, C major


def _melody(number: int, player: Player, rng: np.random.Generator) -> Piece:
    """Play a melody of one voice, with rests."""
    sound, lines = silence(), ["onset,end,pitch\n"]
    onset = rng.uniform(0.1, 0.5)
    while (end := onset + rng.uniform(0.3, 0.8)) < ETUDE_SECONDS:
        pitch = rng.choice(_SCALE)
        time = seconds(end - onset)
        add(sound, np.exp(-time) * tone(pitch + player.tuning, time, 0.5 + player.decay), onset)
        lines.append(f"{onset:.4f},{end:.4f},{pitch}\n")
        onset = end + rng.uniform(0.1, 0.3)
    return Piece(sound, annotation="".join(lines))


_EXAMPLE = Example(
    target="which of a piano's 88 notes sound at each time",
    summary="Melodies of one voice",
    labels="""\
# The labels are the 88 notes, and need not be named. A file of notes is MIDI, or has a line for
# each: onset, end, MIDI number (21 to 108).
""",
    play=_melody,
    chance=2 / 9,  # all eight notes always on have a precision of an eighth at most
    cell="audio/take 1.mid",
    cell_text="""\
- `notes`: the file of its notes, relative to this folder, or absolute. MIDI (`.mid`),
  whose sustain pedal is heeded and whose drums are left out; or a line for each note:
  onset and end in seconds, MIDI number from 21 to 108, as in `0.5,1.25,60`. `.csv`
  with commas, `.tsv` with tabs, `.txt` with spaces.
""",
    columns=("notes",),
    suffix=".notes.csv",  # a table of tracks ends with .csv too, and is no file of notes
    frames="""\
#       threshold: 0.5                  # probability from which a note sounds
#       tolerance: 0.05                 # how far an estimate may lie from an onset, in seconds
""",
)


class Frames(FrameKind[Notes]):
    """Which of a piano's 88 notes sound at each time."""

    name = "frames"
    loss = "binary-cross-entropy"
    example = _EXAMPLE
    metrics = tuple(_metric(each) for each in METRICS)
    labels = _LABELS
    # The tolerance is that of mir_eval.transcription.
    rules = replace(FrameKind.rules, frames=FrameRules(context_seconds=1.0, tolerance=0.05))
    draft = "F-measure of frames at the encoder's rate"
    column = "notes"
    file = "a MIDI file"
    form = "a list of notes, each [0.0, 2.5, 60]"

    def read_file(self, path: Path) -> Annotation:
        """Read a file of notes; MIDI files, which are slow to read, are remembered."""
        if path.suffix.lower() not in (".mid", ".midi"):
            return _read_text(path)
        return Annotation(remembered(path, _read_text, reader=_READER))

    def events_of(self, value: object) -> Notes | None:
        """Read a list of ``[onset, end, MIDI number]``."""
        if not isinstance(value, list):
            return None
        for each in value:
            types = [type(number) for number in each] if isinstance(each, list) else []
            if len(types) != 3 or not {*types} <= {int, float} or types[2] is not int:
                raise ValueError(
                    f"a note must be [onset, end, pitch], in seconds and a MIDI number. "
                    f"Got {each!r}."
                )
        table = np.array(value, dtype=np.float64).reshape(-1, 3)
        return _of_piano(checked_notes(table[:, :2], table[:, 2].astype(np.int64)))

    def annotation_of(self, text: str) -> Notes:
        """Read the canonical text; see `marble_eval.data.annotations.note_files`."""
        return notes_of(text)

    def text_of(self, events: Notes) -> Annotation:
        """Write the canonical text."""
        return notes_text(events)

    def encode(
        self,
        annotation: Notes,
        frames: int,
        rate: float,
        spec: TaskSpec,
        rules: FrameRules,
        *,
        widened: bool,
    ) -> np.ndarray:
        """Turn notes into targets (frame, 88), float32: 1 where a note sounds, else 0.

        Examples
        --------
        >>> from marble_eval.spec import FrameRules, TaskSpec
        >>> notes = Notes(np.array([[0.26, 1.0], [1.0, 1.0]]), np.array([21, 22]))
        >>> spec = TaskSpec(name="Mine", kind="frames")
        >>> KIND.encode(notes, 4, 2.0, spec, FrameRules(), widened=True)[:, :2].T
        array([[0., 1., 0., 0.],
               [0., 0., 1., 0.]], dtype=float32)
        """
        return _roll(annotation, frames, rate).astype(np.float32)

    def decode(self, logits: np.ndarray, rate: float, spec: TaskSpec, rules: FrameRules) -> Notes:
        """Find the notes of a track, by onset, in outputs (frame, 88) before the sigmoid."""
        end = len(logits) / rate
        probabilities = interpolated(expit(np.asarray(logits, dtype=np.float32)), rate, rules.rate)
        runs = active_runs(probabilities >= rules.threshold, rules.rate)
        # Between a frame that is off and one that is on, which begins at its own time, the line
        # crosses the middle half a frame early, and is seen half a frame of the common rate late.
        moved = runs.intervals + (0.5 / rate - 0.5 / rules.rate)
        inside = (runs.intervals > 0) & (runs.intervals < end)  # the ends of the track stay
        intervals = np.clip(np.where(inside, moved, runs.intervals), 0, end)
        return Notes(intervals, runs.values + LOWEST)

    def score(
        self, reference: Notes, estimate: Notes, spec: TaskSpec, rules: FrameRules
    ) -> np.ndarray:
        """Score one track by the card's metrics; see `marble_eval.metrics.note.note_counts`."""
        return note_counts(
            reference, estimate, spec.metrics, rate=rules.rate, tolerance_s=rules.tolerance
        )

    def method_of(self, rules: FrameRules | None) -> str:
        """Write when a note sounds, and what counts as found."""
        if rules is None:
            return ""
        return (
            f"a frame has a note from a probability of {rules.threshold:g}, and an onset "
            f"counts within {1000 * rules.tolerance:g} ms"
        )

    def draft_counts(
        self, logits: np.ndarray, annotation: Notes, rate: float, spec: TaskSpec, rules: FrameRules
    ) -> np.ndarray:
        """Give 2 TP and 2 TP + FP + FN of the frames; (0, 0) where the reference has no notes."""
        if not len(annotation.pitches):
            return np.zeros(2)
        heard = _roll(annotation, len(logits), rate)
        found = logits >= logit(rules.threshold)
        hits = np.count_nonzero(heard & found)
        sum_of_both = np.count_nonzero(heard) + np.count_nonzero(found)
        return np.array([2 * hits, sum_of_both], dtype=np.float64)

    def quantised(
        self, annotation: Notes, frames: int, rate: float, spec: TaskSpec, rules: FrameRules
    ) -> Notes:
        """Move onsets and ends to those of their frames.

        Notes of one pitch that touch there are one, and what lies behind the end is left out.

        Examples
        --------
        >>> from marble_eval.spec import FrameRules, TaskSpec
        >>> notes = Notes(np.array([[0.26, 1.0], [1.1, 1.4], [1.0, 1.0]]), np.array([60, 60, 67]))
        >>> spec = TaskSpec(name="Mine", kind="frames")
        >>> notes_text(KIND.quantised(notes, 4, 2.0, spec, FrameRules()))
        '[[0.5,1.5,60],[1.0,1.5,67]]'
        """
        runs = active_runs(_roll(annotation, frames, rate), rate)
        return Notes(runs.intervals, runs.values + LOWEST)


def _read_text(path: Path) -> Annotation:
    return notes_text(_of_piano(read_notes(path)))


def _of_piano(notes: Notes) -> Notes:
    outside = notes.pitches[(notes.pitches < LOWEST) | (notes.pitches > HIGHEST)]
    if outside.size:
        raise ValueError(
            f"notes must lie in the piano's range, {LOWEST} to {HIGHEST}. Got "
            f"{', '.join(str(each) for each in np.unique(outside))}."
        )
    return notes


def _roll(notes: Notes, frames: int, rate: float) -> np.ndarray:
    """Say in which frames each of the 88 notes sounds, (frame, note)."""
    sounding = Segments(notes.intervals, notes.pitches - LOWEST)
    return active_frames(sounding, frames, len(_LABELS), rate)


KIND = Frames()
