"""The notes of whole tracks: from MIDI to targets, from outputs to scores."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import librosa
import mir_eval
import numpy as np
import pytest
from scipy.special import logit
from sklearn.metrics import f1_score, precision_recall_fscore_support

from marble_eval.data.annotations.note_files import Notes
from marble_eval.kinds.frames import KIND as frames
from marble_eval.probes.losses import LOSSES
from marble_eval.spec import FrameRules, Layout, TaskSpec

SPEC = TaskSpec(
    name="Mine",
    kind="frames",
    labels=frames.labels,
    metrics=("frame_f1", "frame_precision", "frame_recall", "note_f1", "note_f1_pooled"),
)
RULES = FrameRules(tolerance=0.05)


def notes_of(*rows: tuple[float, float, int]) -> Notes:
    return frames.annotation_of(json.dumps(rows))


def piece(seed: int, seconds: float = 30.0) -> Notes:
    """Make a piece whose notes of one pitch stay a tenth of a second apart."""
    generator = np.random.default_rng(seed)
    rows = []
    for pitch in range(21, 109, 3):
        edges = np.cumsum(generator.uniform(0.1, 1.5, size=int(4 * seconds)))
        edges = edges[edges < seconds - 0.1]
        rows += [(*each, pitch) for each in edges[: len(edges) // 2 * 2].reshape(-1, 2)]
    return notes_of(*sorted(rows))


def sure_outputs(notes: Notes, count: int, rate: float) -> np.ndarray:
    """Give the logits of a probe that is always right, and now more sure, now less."""
    targets = frames.encode(notes, count, rate, SPEC, RULES, widened=False)
    sureness = np.random.default_rng(0).uniform(3, 9, size=targets.shape)
    return np.where(targets > 0, sureness, -sureness)


def ratio(counts: np.ndarray) -> list[float]:
    ratios: list[float] = (counts[:, 0] / counts[:, 1]).tolist()
    return ratios


def test_the_kind_has_what_frame_kinds_have() -> None:
    assert frames.estimate == "frame"
    assert frames.loss in LOSSES
    assert frames.rules.frames == FrameRules(context_seconds=1.0, tolerance=0.05)
    assert frames.rules.clip_seconds == 30
    assert frames.labels_of([], SPEC) == frames.labels
    assert frames.outputs(SPEC) == len(frames.labels) == 88
    assert tuple(frames.metrics_of(SPEC)) == SPEC.metrics
    assert librosa.note_to_midi(list(frames.labels)).tolist() == list(range(21, 109))
    assert frames.text_of(frames.annotation_of("[[0.0,1.5,60]]")) == "[[0.0,1.5,60]]"


@pytest.mark.parametrize("widened", [True, False])
def test_a_note_is_on_from_the_frame_of_its_onset_up_to_that_of_its_end(widened: bool) -> None:
    # At 10 Hz, in frames: A0 1.4 to 3.6, so 1, 2 and 3; C8 5.0 to 5.2, so 5 alone; C4 8 to the
    # end; the last note starts behind it.
    notes = notes_of((0.14, 0.36, 21), (0.5, 0.52, 108), (0.8, 9.0, 60), (1.2, 9.0, 61))
    targets = frames.encode(notes, 10, 10.0, SPEC, RULES, widened=widened)
    assert targets.shape == (10, 88)
    assert targets.dtype == np.float32
    on = [tuple(each) for each in np.argwhere(targets).tolist()]
    assert on == [(1, 0), (2, 0), (3, 0), (5, 87), (8, 39), (9, 39)]
    assert {*np.unique(targets)} == {0.0, 1.0}


def test_a_track_without_notes_is_silence_to_be_learnt() -> None:
    targets = frames.encode(notes_of(), 10, 10.0, SPEC, RULES, widened=True)
    assert targets.shape == (10, 88)
    assert not targets.any()


@pytest.mark.parametrize("to_rate", [100.0, 50.0])
@pytest.mark.parametrize("rate", [75.0, 50.0, 25.0, 43.06640625])
def test_targets_decode_to_the_notes_that_they_were_made_from(rate: float, to_rate: float) -> None:
    """Onsets and ends lie within half a frame of each rate, and are neither early nor late."""
    notes = piece(0)
    found = frames.decode(
        sure_outputs(notes, round(30 * rate), rate), rate, SPEC, replace(RULES, rate=to_rate)
    )
    in_order = [np.lexsort((each.intervals[:, 0], each.pitches)) for each in (notes, found)]
    assert found.pitches[in_order[1]].tolist() == notes.pitches[in_order[0]].tolist()
    assert (np.diff(found.intervals[:, 0]) >= 0).all()
    late = found.intervals[in_order[1]] - notes.intervals[in_order[0]]
    # Probabilities of 0.95 and more, 0.05 and less, meet 0.5 near the middle between frames.
    most = 0.53 / rate + 0.5 / to_rate
    assert len(late) > 200
    assert np.abs(late).max() <= most
    assert np.abs(late.mean(axis=0)).max() < 4 * most / np.sqrt(3 * len(late))


@pytest.mark.parametrize("rate", [75.0, 50.0, 25.0])
def test_at_the_common_rate_itself_what_decodes_is_what_the_frames_can_hold(rate: float) -> None:
    notes, count = piece(1), round(30 * rate)
    found = frames.decode(sure_outputs(notes, count, rate), rate, SPEC, replace(RULES, rate=rate))
    held = frames.quantised(notes, count, rate, SPEC, RULES)
    np.testing.assert_array_equal(found.intervals, held.intervals)
    np.testing.assert_array_equal(found.pitches, held.pitches)


@pytest.mark.parametrize("rate", [150.0, 75.0, 25.0])
def test_notes_that_touch_the_ends_of_the_track_end_there(rate: float) -> None:
    notes = notes_of((0.0, 2.0, 60), (0.0, 1.0, 64), (1.0, 2.0, 67))
    found = frames.decode(sure_outputs(notes, round(2 * rate), rate), rate, SPEC, RULES)
    assert found.pitches.tolist() == [60, 64, 67]
    assert found.intervals[0].tolist() == [0.0, 2.0]
    assert (found.intervals[1, 0], found.intervals[2, 1]) == (0.0, 2.0)


def test_a_frame_is_on_from_the_threshold_on() -> None:
    logits = np.full((4, 88), -9.0)
    logits[1:3, 0], logits[1, 1] = logit(0.7), logit(0.69)
    rules = replace(RULES, rate=10.0, threshold=0.7)
    found = frames.decode(logits + 1e-6, 10.0, SPEC, rules)
    assert frames.text_of(found) == "[[0.1,0.3,21]]"
    assert frames.decode(logits - 1e-3, 10.0, SPEC, rules).intervals.shape == (0, 2)


def test_encoders_of_any_frame_rate_are_scored_alike() -> None:
    notes = piece(2)
    scores = []
    for rate in (25.0, 50.0, 75.0, 100.0):
        outputs = sure_outputs(notes, round(30 * rate), rate)
        found = frames.decode(outputs, rate, SPEC, RULES)
        scores.append(ratio(frames.score(notes, found, SPEC, RULES)))
    frame_f1, _, _, note_f1, pooled = np.transpose(scores)
    # An edge is 10 ms away on average at 25 Hz, where a note has two and lasts 0.8 s.
    assert frame_f1.min() > 1 - 2 * 0.01 / 0.8
    assert frame_f1[0] < frame_f1[1] < frame_f1[2]
    np.testing.assert_array_equal(note_f1, np.ones(4))
    np.testing.assert_array_equal(pooled, np.ones(4))


def test_a_piece_has_mir_eval_s_and_scikit_learn_s_scores() -> None:
    notes, generator = piece(3), np.random.default_rng(0)
    outputs = sure_outputs(notes, 2250, 75.0) + generator.normal(0, 3, size=(2250, 88))
    found = frames.decode(outputs, 75.0, SPEC, RULES)
    scores = dict(zip(SPEC.metrics, ratio(frames.score(notes, found, SPEC, RULES)), strict=True))
    _, _, official, _ = mir_eval.transcription.precision_recall_f1_overlap(
        notes.intervals,
        mir_eval.util.midi_to_hz(notes.pitches),
        found.intervals,
        mir_eval.util.midi_to_hz(found.pitches),
        offset_ratio=None,
    )
    times = np.arange(3000)[:, np.newaxis] / 100
    heard, sounding = (
        np.stack(
            [
                ((each.intervals[at, 0] <= times) & (times < each.intervals[at, 1])).any(axis=1)
                for at in (each.pitches == pitch for pitch in range(21, 109))
            ]
        ).ravel()
        for each in (notes, found)
    )
    precision, recall, f_measure, _ = precision_recall_fscore_support(
        heard, sounding, average="binary"
    )
    expected = (f_measure, precision, recall, official, official)
    assert scores == pytest.approx(dict(zip(SPEC.metrics, expected, strict=True)))
    assert 0.05 < official < 0.9


def test_the_tolerance_of_onsets_is_the_rules() -> None:
    spec = replace(SPEC, metrics=("note_f1",))
    reference, estimate = notes_of((1.0, 2.0, 60)), notes_of((1.06, 2.0, 60))
    assert frames.score(reference, estimate, spec, RULES).tolist() == [[0.0, 1.0]]
    wide = replace(RULES, tolerance=0.07)
    assert frames.score(reference, estimate, spec, wide).tolist() == [[1.0, 1.0]]


def test_a_reference_without_notes_counts_for_nothing() -> None:
    found = frames.score(notes_of(), notes_of((0, 1, 60)), SPEC, RULES)
    np.testing.assert_array_equal(found, np.zeros((5, 2)))
    drafted = frames.draft_counts(np.ones((10, 88)), notes_of(), 10.0, SPEC, RULES)
    assert drafted.tolist() == [0.0, 0.0]


@pytest.mark.parametrize("threshold", [0.5, 0.3])
def test_the_draft_is_the_f_measure_of_frames_against_their_targets(threshold: float) -> None:
    notes, rules = piece(4), replace(RULES, threshold=threshold)
    outputs = sure_outputs(notes, 750, 25.0) / 3
    outputs += np.random.default_rng(0).normal(0, 2, size=outputs.shape)
    targets = frames.encode(notes, 750, 25.0, SPEC, rules, widened=False)
    on = 1 / (1 + np.exp(-outputs)) >= threshold
    right, counted = frames.draft_counts(outputs, notes, 25.0, SPEC, rules)
    assert right / counted == pytest.approx(f1_score(targets.ravel() > 0, on.ravel()))
    assert 0.4 < right / counted < 0.9


def test_the_ceiling_of_a_frame_rate_is_what_its_frames_can_hold() -> None:
    # At 10 Hz: 1.4 to 3.6 frames are 1 to 4; a note that is struck again in the frame in which
    # it ends is one note; what is shorter than a frame has one; the rest is behind the end.
    notes = notes_of(
        (0.14, 0.36, 60), (0.4, 0.62, 61), (0.6, 0.9, 61), (0.71, 0.72, 62), (9, 10, 63)
    )
    held = frames.quantised(notes, 20, 10.0, SPEC, RULES)
    assert frames.text_of(held) == "[[0.1,0.4,60],[0.4,0.9,61],[0.7,0.8,62]]"
    pooled = frames.score(notes, held, SPEC, RULES)[-1]
    assert pooled.tolist() == [2 * 3, 5 + 3]


def test_ceilings_rise_with_the_frame_rate() -> None:
    notes = piece(5)
    ceilings = [
        ratio(
            frames.score(
                notes, frames.quantised(notes, round(30 * rate), rate, SPEC, RULES), SPEC, RULES
            )
        )
        for rate in (5.0, 25.0, 75.0)
    ]
    assert (np.diff(ceilings, axis=0)[:, 0] > 0).all()
    assert ceilings[0][3] < 0.9 < ceilings[1][3]  # at 5 Hz an onset can be 0.1 s away
    assert min(ceilings[2]) > 0.98


def test_twenty_minutes_are_kept_in_little_memory() -> None:
    generator = np.random.default_rng(0)
    onsets = np.sort(generator.uniform(0, 1195, size=20_000))
    notes = Notes(np.stack([onsets, onsets + 0.2], axis=1), generator.integers(21, 109, 20_000))
    held = frames.quantised(notes, 120_000, 100.0, SPEC, RULES)
    pooled = frames.score(notes, held, SPEC, RULES)[-1]
    assert pooled[0] / pooled[1] > 0.9


ROWS = [[0, 1.5, 60], [0.5, 2, 21]]
TEXT = "[[0.0,1.5,60],[0.5,2.0,21]]"


@pytest.mark.parametrize("row", [{"label": ROWS}, {"notes": ROWS[::-1], "label": "Bach"}])
def test_notes_may_stand_in_the_row(row: dict[str, object], tmp_path: Path) -> None:
    assert frames.label_of(row, "label", SPEC, root=tmp_path) == TEXT


def test_a_track_may_have_no_notes(tmp_path: Path) -> None:
    assert frames.label_of({"notes": []}, "label", SPEC, root=tmp_path) == "[]"


def write_midi(path: Path, *pitches: int) -> None:
    """Write a standard MIDI file by hand: one note a beat of half a second, half a beat long."""
    events = b"".join(
        bytes([0x00 if not at else 0x30, 0x90, pitch, 80, 0x30, 0x80, pitch, 0])
        for at, pitch in enumerate(pitches)
    )
    track = events + b"\x00\xff\x2f\x00"
    path.write_bytes(
        b"MThd" + (6).to_bytes(4, "big") + b"\x00\x00\x00\x01" + (96).to_bytes(2, "big")
        + b"MTrk" + len(track).to_bytes(4, "big") + track
    )  # fmt: skip


@pytest.mark.parametrize("written", ["midi/a.mid", "data/Mine/midi/a.mid"])
def test_notes_may_stand_in_a_midi_file_below_the_root(written: str, tmp_path: Path) -> None:
    (tmp_path / "midi").mkdir()
    write_midi(tmp_path / "midi/a.mid", 60, 108)
    for row in ({"notes": written}, {"label": written}):
        text = frames.label_of(row, "label", SPEC, root=tmp_path)
        assert text == "[[0.0,0.25,60],[0.5,0.75,108]]"


def test_a_midi_file_beyond_the_piano_is_told(tmp_path: Path) -> None:
    write_midi(tmp_path / "a.mid", 60, 20, 109, 109)
    with pytest.raises(ValueError, match=r"'notes': notes must lie .* 21 to 108\. Got 20, 109\."):
        frames.label_of({"notes": "a.mid"}, "label", SPEC, root=tmp_path)


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (None, "must name a MIDI file"),
        ("", "must name a MIDI file"),
        ({"a": 1}, "must name a MIDI file"),
        ("absent.mid", "absent.mid"),
        ([[0, 1]], "a note must be"),
        ([[0, 1, "60"]], "a note must be"),
        ([[0, 1, 60.5]], "a note must be"),
        ([[0, 1, True]], "a note must be"),
        ([60], "a note must be"),
        ([[0, 1, 109]], "must lie in the piano's range, 21 to 108. Got 109"),
        ([[0, 1, 20]], "must lie in the piano's range"),
        ([[0, 1, 128]], "MIDI number"),
        ([[1, 0, 60]], "note 1"),
        ([[0, float("inf"), 60]], "note 1"),
        ([[-1, 1, 60]], "note 1"),
    ],
)
def test_what_are_no_notes_is_told(value: object, told: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=told) as refused:
        frames.label_of({"notes": value}, "label", SPEC, root=tmp_path)
    assert str(refused.value).startswith("'notes'")


def test_a_table_names_audio_and_files_of_notes(tmp_path: Path) -> None:
    write_midi(tmp_path / "a.mid", 60, 64)
    (tmp_path / "b.csv").write_text("onset,end,pitch\n0.5,1.5,21\n")
    (tmp_path / "tracks.csv").write_text(
        "path,split,notes\na.wav,train,a.mid\nb.wav,valid,b.csv\nc.wav,test,a.mid\n"
    )
    tracks = frames.read_tracks(tmp_path, SPEC, lambda _: b"")
    texts = ["[[0.0,0.25,60],[0.5,0.75,64]]", "[[0.5,1.5,21]]"]
    assert [each.label for each in tracks] == [*texts, texts[0]]


def test_lines_of_json_are_read(tmp_path: Path) -> None:
    files = {split: f"Mine.{split}.jsonl" for split in ("train", "valid", "test")}
    for name in files.values():
        row = {"audio_path": f"data/audio/{name}.flac", "label": ROWS}
        (tmp_path / name).write_text(json.dumps(row) + "\n")
    spec = replace(SPEC, data=(Layout("jsonl", files=files),))
    assert [each.label for each in frames.read_tracks(tmp_path, spec, lambda _: b"")] == [TEXT] * 3
