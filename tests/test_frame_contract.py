"""What every task with an estimate for every frame must be, whatever it is.

A new folder is tested without a line here: annotations are made up for its kind, and
its card's own rules decode and score them. That the metrics are mir_eval's is shown
in the tests of the kinds.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from marble_eval.data.annotations.beat_files import Beats
from marble_eval.data.annotations.chord_files import Chords
from marble_eval.data.annotations.note_files import Notes
from marble_eval.registry import Task, load_task, task_names
from marble_eval.spec import Annotation, FrameRules, TaskRules

SECONDS = 12.0
SURE = 12.0  # a logit
CASES = [
    (name, protocol)
    for name in task_names()
    if load_task(name).kind.estimate == "frame"
    for protocol in load_task(name).spec.protocols
]


def made_up(kind: str) -> tuple[Any, Any]:
    """Return an annotation of 12 s, and an estimate in which nothing was found."""
    if kind == "beat":
        beats = 0.31 + np.arange(23) * 0.5
        return Beats(beats, beats[2::4]), Beats(np.empty(0), np.empty(0))
    if kind == "chord":
        edges = np.array([0.0, 2.03, 4.5, 7.77, 10.0, SECONDS])
        names = ("C:maj", "A:min7", "N", "F#:maj/3", "D:min")
        intervals = np.stack([edges[:-1], edges[1:]], axis=1)
        return Chords(intervals, names), Chords(np.array([[0.0, SECONDS]]), ("N",))
    onsets = np.arange(24) * 0.45 + 0.1
    pitches = 40 + (np.arange(24) * 7) % 40
    notes = Notes(np.stack([onsets, onsets + 0.31], axis=1), pitches)
    return notes, Notes(np.empty((0, 2)), np.empty(0, dtype=np.int64))


def logits_of(targets: np.ndarray) -> np.ndarray:
    """Outputs of a probe that knows every frame."""
    return np.asarray(np.where(np.nan_to_num(targets) >= 0.999, SURE, -SURE), dtype=np.float32)


@pytest.fixture(scope="module", params=CASES, ids=lambda case: f"{case[0]}-{case[1]}")
def case(request: pytest.FixtureRequest) -> tuple[Task, TaskRules, FrameRules]:
    task = load_task(request.param[0])
    rules = task.rules(request.param[1])
    assert rules.frames is not None
    return task, rules, rules.frames


def ratios(counts: np.ndarray) -> np.ndarray:
    return np.asarray(counts[:, 0] / np.maximum(counts[:, 1], 1e-12))


def test_there_are_such_tasks() -> None:
    assert {"GTZANBeat", "Chords1217", "MAESTRO", "Ballroom", "EmbeddedBeat"} <= {
        name for name, _ in CASES
    }


def test_annotations_are_written_and_read_back(case: tuple[Task, TaskRules, FrameRules]) -> None:
    task, *_ = case
    reference, _ = made_up(task.spec.kind)
    text = task.frame_kind.text_of(reference)
    assert isinstance(text, Annotation) and "\n" not in text
    assert task.frame_kind.text_of(task.frame_kind.annotation_of(str(text))) == text


def test_the_reference_itself_scores_one(case: tuple[Task, TaskRules, FrameRules]) -> None:
    task, _, rules = case
    reference, _ = made_up(task.spec.kind)
    counts = task.frame_kind.score(reference, reference, task.spec, rules)
    assert counts.shape == (len(task.spec.metrics), 2)
    assert ratios(counts) == pytest.approx(1.0)


def test_to_find_nothing_scores_little(case: tuple[Task, TaskRules, FrameRules]) -> None:
    task, _, rules = case
    reference, nothing = made_up(task.spec.kind)
    counts = task.frame_kind.score(reference, nothing, task.spec, rules)
    assert (counts[:, 0] <= 0.3 * np.maximum(counts[:, 1], 1e-12)).all()


@pytest.mark.parametrize("rate", [75.0, 50.0, 25.0])
def test_outputs_that_know_every_frame_are_decoded_to_the_ceiling(
    case: tuple[Task, TaskRules, FrameRules], rate: float
) -> None:
    """At any frame rate: the reference as frames hold it, and what is decoded from them."""
    task, _, rules = case
    spec = dataclasses.replace(task.spec, metrics=(task.spec.main_metric,))
    reference, _ = made_up(task.spec.kind)
    frames = round(SECONDS * rate)
    targets = task.frame_kind.encode(reference, frames, rate, spec, rules, widened=False)
    assert targets.shape == (frames, task.kind.outputs(spec)) and targets.dtype == np.float32
    assert np.nanmin(targets) >= 0 and np.nanmax(targets) <= 1
    decoded = task.frame_kind.decode(logits_of(targets), rate, spec, rules)
    held = task.frame_kind.quantised(reference, frames, rate, spec, rules)
    ceiling = float(ratios(task.frame_kind.score(reference, held, spec, rules))[0])
    found = float(ratios(task.frame_kind.score(reference, decoded, spec, rules))[0])
    assert 0.9 < ceiling <= 1.0
    assert found == pytest.approx(ceiling, abs=0.05)


def test_the_stand_in_of_an_epoch_knows_right_from_wrong(
    case: tuple[Task, TaskRules, FrameRules],
) -> None:
    task, _, rules = case
    reference, _ = made_up(task.spec.kind)
    targets = task.frame_kind.encode(reference, 900, 75.0, task.spec, rules, widened=False)
    rng = np.random.default_rng(0)
    right = task.frame_kind.draft_counts(logits_of(targets), reference, 75.0, task.spec, rules)
    wrong = task.frame_kind.draft_counts(
        rng.normal(0, 1, targets.shape).astype(np.float32), reference, 75.0, task.spec, rules
    )
    assert right.shape == wrong.shape == (2,)
    assert right[0] / right[1] > 0.95
    assert wrong[0] / wrong[1] < 0.6


def test_targets_are_widened_in_training_alone(case: tuple[Task, TaskRules, FrameRules]) -> None:
    task, _, rules = case
    reference, _ = made_up(task.spec.kind)
    plain, widened = (
        task.frame_kind.encode(reference, 900, 75.0, task.spec, rules, widened=each)
        for each in (False, True)
    )
    assert set(np.unique(plain[np.isfinite(plain)])) == {0.0, 1.0}
    if task.spec.kind == "beat" and rules.widening:
        expected = sorted({0.0, 1.0, *rules.widening})
        assert np.unique(widened).tolist() == pytest.approx(expected)
    else:
        assert np.array_equal(plain, widened, equal_nan=True)


def test_blocks_say_how_frames_are_cut(case: tuple[Task, TaskRules, FrameRules]) -> None:
    _, rules, frames = case
    assert (rules.hop_seconds, rules.tail, rules.batch_of, rules.scored) == (
        None,
        "keep",
        "clips",
        "track",
    )
    assert frames.rate >= 50
    assert frames.downbeat_tempo[0] < frames.tempo[0]
