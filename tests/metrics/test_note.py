"""Notes and their frames against mir_eval, scikit-learn and arithmetic by hand."""

from __future__ import annotations

import librosa
import mir_eval
import numpy as np
import pytest
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from marble_eval.data.annotations.note_files import Notes
from marble_eval.metrics.note import (
    METRICS,
    frame_counts,
    matched_notes,
    note_counts,
    note_name,
)

NOTHING = Notes(np.zeros((0, 2)), np.zeros(0, dtype=np.int64))


def notes_of(*rows: tuple[float, float, int]) -> Notes:
    return Notes(np.array([row[:2] for row in rows]), np.array([row[2] for row in rows]))


def piece(seed: int, notes: int, seconds: float, pitches: int = 88, grid: float = 0.0) -> Notes:
    """Make notes at random times, or at multiples of the grid."""
    generator = np.random.default_rng(seed)
    onsets = generator.uniform(0, seconds, size=notes)
    onsets = np.round(onsets / grid) * grid if grid else onsets
    ends = onsets + generator.uniform(0.02, 0.6, size=notes)
    numbers = generator.integers(21, 21 + pitches, size=notes)
    return Notes(np.stack([onsets, ends], axis=1), numbers)


def shaken(notes: Notes, seed: int, by: float) -> Notes:
    """Move notes, give some another pitch, and leave some out."""
    generator = np.random.default_rng(seed)
    moved = np.abs(notes.intervals + generator.normal(0, by, size=(len(notes.pitches), 1)))
    numbers = notes.pitches + generator.choice([0, 0, 0, 0, 1, 12], size=len(notes.pitches))
    kept = generator.random(len(notes.pitches)) < 0.9
    return Notes(np.sort(moved[kept], axis=1), numbers[kept])


def official(reference: Notes, estimate: Notes, tolerance: float) -> tuple[float, int]:
    """Give mir_eval's F-measure of onsets, and its number of pairs."""
    hertz = [mir_eval.util.midi_to_hz(each.pitches) for each in (reference, estimate)]
    given = (reference.intervals, hertz[0], estimate.intervals, hertz[1])
    options = {"onset_tolerance": tolerance, "offset_ratio": None}
    f_measure = mir_eval.transcription.precision_recall_f1_overlap(*given, **options)[2]
    return f_measure, len(mir_eval.transcription.match_notes(*given, **options))


def roll(notes: Notes, rate: float, frames: int) -> np.ndarray:
    """Ask of every frame and note whether it sounds, one by one; pitches 0 to 127."""
    times = np.arange(frames)[:, np.newaxis] / rate
    sounds = (notes.intervals[:, 0] <= times) & (times < notes.intervals[:, 1])
    return np.stack([sounds[:, notes.pitches == pitch].any(axis=1) for pitch in range(128)], axis=1)


def test_every_midi_number_has_librosa_s_name() -> None:
    assert [librosa.note_to_midi(note_name(pitch)) for pitch in range(128)] == list(range(128))


@pytest.mark.parametrize("tolerance", [0.05, 0.07, 0.02])
@pytest.mark.parametrize("seed", range(6))
def test_as_many_notes_are_matched_as_by_mir_eval(seed: int, tolerance: float) -> None:
    """Few pitches and crowded onsets, so that the pairs must be chosen; grids meet the edge."""
    grid = (0.0, 0.01, 0.0125)[seed % 3]
    reference = piece(seed, 250, 6.0, pitches=3, grid=grid)
    for estimate in (
        piece(100 + seed, 230, 6.0, pitches=3, grid=grid),
        shaken(reference, seed, 0.04),
    ):
        pairs = matched_notes(reference, estimate, tolerance)
        assert pairs == official(reference, estimate, tolerance)[1]
        assert pairs == matched_notes(estimate, reference, tolerance)
        assert 20 < pairs < 230


def test_notes_are_matched_one_to_one_and_as_many_as_can_be() -> None:
    # 0.00 may take 0.05, but 0.04 too; 0.09 needs 0.05 or 0.14. All three find one.
    reference = notes_of((0.0, 1, 60), (0.04, 1, 60), (0.09, 1, 60))
    estimate = notes_of((0.14, 1, 60), (0.05, 1, 60), (0.04, 1, 60))
    assert matched_notes(reference, estimate, 0.05) == 3
    assert matched_notes(reference, notes_of((0.04, 1, 60)), 0.05) == 1


@pytest.mark.parametrize(
    ("onset", "pairs"), [(1.05, 1), (0.95, 1), (1.05004, 1), (1.0501, 0), (0.9499, 0)]
)
def test_the_tolerance_itself_is_near_enough_and_tenths_of_milliseconds_count(
    onset: float, pairs: int
) -> None:
    reference, estimate = notes_of((1.0, 2.0, 60)), notes_of((onset, 2.0, 60))
    assert matched_notes(reference, estimate, 0.05) == pairs
    assert official(reference, estimate, 0.05)[1] == pairs


@pytest.mark.parametrize("interval", [1, -1, 12, -12])
def test_a_note_of_another_pitch_is_no_match(interval: int) -> None:
    reference, estimate = notes_of((1.0, 2.0, 60)), notes_of((1.0, 2.0, 60 + interval))
    assert matched_notes(reference, estimate, 0.05) == 0
    assert official(reference, estimate, 0.05)[1] == 0


def test_ends_do_not_matter_to_matching() -> None:
    reference, estimate = notes_of((1.0, 2.0, 60)), notes_of((1.0, 1.01, 60))
    assert matched_notes(reference, estimate, 0.05) == 1


@pytest.mark.parametrize("rate", [100.0, 75.0, 31.25])
def test_frames_are_counted_as_scikit_learn_counts_them(rate: float) -> None:
    reference = piece(3, 120, 8.0, pitches=10)
    estimate = shaken(reference, 4, 0.05)
    frames = int(10 * rate)
    expected = confusion_matrix(
        roll(reference, rate, frames).ravel(), roll(estimate, rate, frames).ravel()
    )
    hits, false_alarms, misses = frame_counts(reference, estimate, rate)
    assert [hits, false_alarms, misses] == [expected[1, 1], expected[0, 1], expected[1, 0]]
    assert min(hits, false_alarms, misses) > 100


def test_a_note_sounds_at_its_onset_and_no_more_at_its_end() -> None:
    # At 10 Hz the frames 0.3, 0.4, 0.5 and, of the other, 0.5 alone; 0.3 is not 3 * 0.1.
    assert frame_counts(notes_of((0.3, 0.6, 60)), NOTHING, 10.0).tolist() == [0, 0, 3]
    assert frame_counts(NOTHING, notes_of((0.41, 0.51, 60)), 10.0).tolist() == [0, 1, 0]
    # One that passes between two frames sounds in none.
    assert frame_counts(notes_of((0.41, 0.49, 60)), NOTHING, 10.0).tolist() == [0, 0, 0]


def test_overlapping_notes_of_one_pitch_sound_once() -> None:
    reference = notes_of((0.0, 0.5, 60), (0.3, 1.0, 60))
    assert frame_counts(reference, notes_of((0.0, 1.0, 60)), 10.0).tolist() == [10, 0, 0]


def test_all_scores_of_a_piece_are_those_of_the_references() -> None:
    reference = piece(5, 300, 20.0)
    estimate = shaken(reference, 6, 0.03)
    counts = note_counts(reference, estimate, METRICS, rate=100.0, tolerance_s=0.05)
    scores = dict(zip(METRICS, (counts[:, 0] / counts[:, 1]).tolist(), strict=True))
    frames = [roll(each, 100.0, 2200).ravel() for each in (reference, estimate)]
    precision, recall, f_measure, _ = precision_recall_fscore_support(*frames, average="binary")
    onset_f, pairs = official(reference, estimate, 0.05)
    assert scores == pytest.approx(
        {
            "frame_f1": f_measure,
            "frame_precision": precision,
            "frame_recall": recall,
            "note_f1": onset_f,
            "note_f1_pooled": onset_f,
        }
    )
    assert counts[METRICS.index("note_f1")].tolist() == [pytest.approx(onset_f), 1.0]
    assert counts[METRICS.index("note_f1_pooled"), 0] == 2 * pairs
    assert 0.5 < onset_f < 0.95


def test_tracks_are_pooled_by_their_counts_and_averaged_by_their_scores() -> None:
    # One of one found, F 1; one of three found and no other named, F 2/(3+1) = 1/2.
    short = (notes_of((0, 1, 60)), notes_of((0, 1, 60)))
    long = (notes_of((0, 1, 60), (2, 3, 60), (4, 5, 60)), notes_of((0, 1, 60)))
    names = ("note_f1", "note_f1_pooled", "frame_recall")
    total = sum(note_counts(*each, names, rate=10.0, tolerance_s=0.05) for each in (short, long))
    assert isinstance(total, np.ndarray)
    mean, pooled, recall = (total[:, 0] / total[:, 1]).tolist()
    assert mean == pytest.approx((1 + 1 / 2) / 2)
    assert pooled == pytest.approx(2 * 2 / (4 + 2))
    assert recall == pytest.approx((10 + 10) / (10 + 30))


def test_a_track_without_reference_counts_for_nothing_and_one_without_estimate_for_zero() -> None:
    note = notes_of((0, 1, 60))
    nothing = note_counts(NOTHING, note, METRICS, rate=10.0, tolerance_s=0.05)
    np.testing.assert_array_equal(nothing, np.zeros((5, 2)))
    unheard = note_counts(note, NOTHING, METRICS, rate=10.0, tolerance_s=0.05)
    assert unheard.tolist() == [[0, 10], [0, 0], [0, 10], [0, 1], [0, 1]]
    perfect = note_counts(note, note, METRICS, rate=10.0, tolerance_s=0.05)
    assert (perfect[:, 0] == perfect[:, 1]).all()


def test_only_the_metrics_asked_for_come_and_in_their_order() -> None:
    note = notes_of((0, 1, 60))
    counts = note_counts(note, note, ("note_f1_pooled", "frame_f1"), rate=10.0, tolerance_s=0.05)
    assert counts.tolist() == [[2.0, 2.0], [20.0, 20.0]]


def test_a_piece_of_twenty_thousand_notes_is_matched_at_once() -> None:
    """mir_eval's tables would take 3.2 GB each; the count here needs a few lists."""
    reference = piece(7, 20_000, 1200.0)
    estimate = Notes(reference.intervals + 0.03, reference.pitches)
    assert matched_notes(reference, estimate, 0.05) == 20_000
