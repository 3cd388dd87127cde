"""Chords of whole tracks: from files to targets, from outputs to scores."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import mir_eval
import numpy as np
import pytest
from sklearn.metrics import accuracy_score

from marble_eval.data.annotations.chord_files import Chords
from marble_eval.errors import ValidationError
from marble_eval.kinds.chord import KIND as chord
from marble_eval.metrics.chord import chord_class
from marble_eval.probes.losses import LOSSES
from marble_eval.spec import FrameRules, Layout, TaskSpec

SPEC = TaskSpec(
    name="Mine", kind="chord", labels=chord.labels, metrics=("frame_accuracy", "majmin", "root")
)
RULES = FrameRules()
NAMES = ("C:maj", "C:min", "F#:7", "Ab:min7/b3", "D/5", "N")


def chords_of(*rows: tuple[float, float, str]) -> Chords:
    return chord.annotation_of(json.dumps(rows))


def song(seed: int, seconds: float = 60.0, names: tuple[str, ...] = NAMES) -> Chords:
    """Make a song of chords from half a second on, each unlike the one before it."""
    generator = np.random.default_rng(seed)
    edges = np.cumsum(generator.uniform(0.5, 3.0, size=int(2 * seconds)))
    edges = np.array([0.0, *edges[edges < seconds - 0.5], seconds])
    at = np.cumsum(generator.integers(1, len(names), size=len(edges) - 1)) % len(names)
    return Chords(np.stack([edges[:-1], edges[1:]], axis=1), tuple(names[each] for each in at))


def sure_outputs(chords: Chords, frames: int, rate: float) -> np.ndarray:
    """Give the logits of a probe that is right and sure; what has no target is N."""
    targets = chord.encode(chords, frames, rate, SPEC, RULES, widened=False)
    targets[np.isnan(targets).any(axis=1)] = np.eye(25)[24]
    return 20 * targets


def ratio(counts: np.ndarray) -> list[float]:
    ratios: list[float] = (counts[:, 0] / counts[:, 1]).tolist()
    return ratios


def test_the_kind_has_what_frame_kinds_have() -> None:
    assert chord.estimate == "frame"
    assert chord.loss in LOSSES
    assert chord.rules.frames == FrameRules(context_seconds=1.0)
    assert chord.rules.clip_seconds == 30
    assert chord.labels_of([], SPEC) == chord.labels
    assert chord.outputs(SPEC) == len(chord.labels) == 25
    assert list(chord.metrics_of(SPEC)) == ["frame_accuracy", "majmin", "root"]
    assert chord.text_of(chord.annotation_of('[[0.0,1.5,"A:min"]]')) == '[[0.0,1.5,"A:min"]]'


@pytest.mark.parametrize("widened", [True, False])
def test_a_frame_has_the_class_that_sounds_at_its_own_time(widened: bool) -> None:
    # At 4 Hz: 0, 0.25 | 0.5 X | 0.75 N | 1.0 a gap | 1.25 and 1.5 | 1.75 is behind the end.
    chords = chords_of((0, 0.4, "C"), (0.4, 0.6, "X"), (0.6, 0.9, "N"), (1.25, 1.7, "A:min7"))
    targets = chord.encode(chords, 9, 4.0, SPEC, RULES, widened=widened)
    assert targets.shape == (9, 25)
    assert targets.dtype == np.float32
    known = [0, 1, 3, 5, 6]
    assert np.isnan(targets[[2, 4, 7, 8]]).all()
    np.testing.assert_array_equal(targets[known], np.eye(25)[[0, 0, 24, 21, 21]])


def test_what_has_no_class_is_not_trained_on() -> None:
    chords = chords_of((0, 1, "C:sus4"), (1, 2, "G:aug"), (2, 3, "D:dim7"), (3, 4, "E:5"))
    targets = chord.encode(chords, 16, 4.0, SPEC, RULES, widened=True)
    assert np.isnan(targets).all()


@pytest.mark.parametrize("to_rate", [100.0, 50.0])
@pytest.mark.parametrize("rate", [75.0, 50.0, 25.0, 43.06640625])
def test_targets_decode_to_the_chords_that_they_were_made_from(rate: float, to_rate: float) -> None:
    """A boundary lies within half a frame of each rate, and on neither side more than the other."""
    errors = []
    for seed in range(8):
        chords = song(seed)
        frames = round(60 * rate)
        found = chord.decode(
            sure_outputs(chords, frames, rate), rate, SPEC, replace(RULES, rate=to_rate)
        )
        expected = [chord.labels[chord_class(name)] for name in chords.names]
        assert list(found.names) == expected
        assert found.intervals[0, 0] == 0.0
        assert found.intervals[-1, 1] == frames / rate
        np.testing.assert_array_equal(found.intervals[1:, 0], found.intervals[:-1, 1])
        errors.append(found.intervals[1:, 0] - chords.intervals[1:, 0])
    late = np.concatenate(errors)
    most = 0.5 / rate + 0.5 / to_rate
    assert np.abs(late).max() <= most + 1e-9
    # The mean of some 250 errors that are even over the range stays within 4 of its deviations.
    assert abs(late.mean()) < 4 * most / np.sqrt(3 * len(late))


def test_probabilities_are_interpolated_and_then_the_likeliest_is_taken() -> None:
    # In a tenth of a second C falls from 0.9 to 0.2 and D rises from 0.1 to 0.8. At 50 Hz C is
    # 0.9, 0.76, 0.62, 0.48, so D takes over between the third and the fourth frame, at 0.05 s.
    # Their logarithms would not cross before the fifth.
    logits = np.full((2, 25), -30.0)
    logits[:, [0, 2]] = np.log([[0.9, 0.1], [0.2, 0.8]])
    found = chord.decode(logits, 10.0, SPEC, replace(RULES, rate=50.0))
    assert found.names == ("C:maj", "D:maj")
    np.testing.assert_allclose(found.intervals, [[0, 0.05], [0.05, 0.2]])


def test_encoders_of_any_frame_rate_are_scored_on_the_same_frames() -> None:
    chords = song(3)
    right, counted = np.transpose(
        [
            chord.score(
                chords,
                chord.decode(sure_outputs(chords, round(60 * rate), rate), rate, SPEC, RULES),
                SPEC,
                RULES,
            )[0]
            for rate in (25.0, 50.0, 75.0, 100.0)
        ]
    )
    assert counted.tolist() == [6000] * 4
    # A boundary costs a quarter of a frame of 40 ms on average, of which there are some 34.
    assert (right >= 6000 - len(chords.names) * 0.5 * 100 / 25).all()
    assert (right[1:] >= right[0]).all()


@pytest.mark.parametrize("seed", range(3))
def test_a_song_has_mir_eval_s_scores(seed: int) -> None:
    reference = song(seed, names=(*NAMES, "X", "G:sus4", "E:dim"))
    outputs = sure_outputs(song(50 + seed), 4500, 75.0)
    outputs[:2000] = sure_outputs(reference, 4500, 75.0)[:2000]
    estimate = chord.decode(outputs, 75.0, SPEC, RULES)
    official = mir_eval.chord.evaluate(
        reference.intervals, list(reference.names), estimate.intervals, list(estimate.names)
    )
    _, majmin, root = ratio(chord.score(reference, estimate, SPEC, RULES))
    assert (majmin, root) == pytest.approx((official["majmin"], official["root"]))
    assert 0.4 < majmin < 0.8


def test_metrics_come_in_the_card_s_order_with_their_own_denominators() -> None:
    reference = chords_of((0, 2, "C"), (2, 3, "D:sus4"), (3, 4, "X"))
    estimate = chords_of((0, 1, "C"), (1, 4, "D"))
    spec = replace(SPEC, metrics=("root", "frame_accuracy"))
    assert chord.score(reference, estimate, spec, RULES).tolist() == [[2.0, 3.0], [100.0, 200.0]]
    spec = replace(SPEC, metrics=("majmin",))
    assert chord.score(reference, estimate, spec, RULES).tolist() == [[1.0, 2.0]]


def test_two_songs_are_pooled_by_duration() -> None:
    # 5 of 10 s, and 90 of 90 s: 95 of 100 s, where the mean of songs were 0.75.
    pairs = [
        (chords_of((0, 10, "C")), chords_of((0, 5, "C"), (5, 10, "G"))),
        (chords_of((0, 90, "N")), chords_of((0, 90, "N"))),
    ]
    total = np.sum([chord.score(*each, SPEC, RULES) for each in pairs], axis=0)
    assert ratio(total) == pytest.approx([0.95, 0.95, 0.95])


def test_nothing_to_score_is_nothing_over_nothing() -> None:
    found = chord.score(chords_of((0, 5, "X")), chords_of((0, 5, "C")), SPEC, RULES)
    np.testing.assert_array_equal(found, np.zeros((3, 2)))


def test_the_draft_is_the_accuracy_of_frames_that_have_a_target() -> None:
    chords = song(1, names=(*NAMES, "X", "C:aug"))
    outputs = np.random.default_rng(0).normal(size=(1600, 25)).astype(np.float32)
    targets = chord.encode(chords, 1600, 25.0, SPEC, RULES, widened=False)
    outputs += 3 * np.nan_to_num(targets)
    known = ~np.isnan(targets).any(axis=1)
    right = accuracy_score(
        targets[known].argmax(axis=1), outputs[known].argmax(axis=1), normalize=False
    )
    counts = chord.draft_counts(outputs, chords, 25.0, SPEC, RULES)
    assert counts.tolist() == [right, known.sum()]
    assert 0.3 < right / known.sum() < 0.95
    assert known.sum() < 1500


def test_the_ceiling_of_a_frame_rate_is_what_its_frames_can_hold() -> None:
    # At 2 Hz frames stand at 0, 0.5, 1.0 and 1.5 s; C is held to halfway, at 0.75 s, so that
    # 0.1 s of it are lost; then D. X is left out, and so is what lies behind the frames.
    chords = chords_of((0, 0.85, "C:7"), (0.85, 1.2, "D:sus4"), (1.2, 1.8, "X"), (1.8, 9, "E"))
    held = chord.quantised(chords, 4, 2.0, SPEC, RULES)
    assert chord.text_of(held) == '[[0.0,0.75,"C:7"],[0.75,1.25,"D:sus4"]]'
    scores = chord.score(chords_of((0, 0.85, "C:7"), (0.85, 1.2, "D:sus4")), held, SPEC, RULES)
    np.testing.assert_allclose(scores, np.array([[75, 85], [0.75, 0.85], [1.1, 1.2]]))


def test_ceilings_rise_with_the_frame_rate_and_no_probe_passes_them_by_much() -> None:
    chords = song(4, names=(*NAMES, "G:sus4"))
    ceilings = []
    for rate in (5.0, 25.0, 75.0):
        frames = round(60 * rate)
        held = chord.quantised(chords, frames, rate, SPEC, RULES)
        ceilings.append(ratio(chord.score(chords, held, SPEC, RULES)))
        found = chord.decode(sure_outputs(chords, frames, rate), rate, SPEC, RULES)
        best = ratio(chord.score(chords, found, SPEC, RULES))
        assert best[1] <= ceilings[-1][1] + 0.005
        assert best[2] < ceilings[-1][2]  # a suspended chord's root has no class
    assert (np.diff(ceilings, axis=0) > 0).all()
    assert min(ceilings[-1]) > 0.99


ROWS = [[0, 1.5, "C:maj"], [1.5, 3.25, "N"]]
V2 = [{"start_time": a, "end_time": b, "chord_str": name} for a, b, name in ROWS]
TEXT = '[[0.0,1.5,"C:maj"],[1.5,3.25,"N"]]'


@pytest.mark.parametrize(
    "row", [{"label": V2}, {"label": ROWS}, {"chords": ROWS, "label": "rock"}, {"chords": V2}]
)
def test_chords_may_stand_in_the_row(row: dict[str, object], tmp_path: Path) -> None:
    assert chord.label_of(row, "label", SPEC, root=tmp_path) == TEXT


@pytest.mark.parametrize("written", ["lab/a.lab", "data/Mine/lab/a.lab"])
def test_chords_may_stand_in_a_file_below_the_root(written: str, tmp_path: Path) -> None:
    (tmp_path / "lab").mkdir()
    (tmp_path / "lab/a.lab").write_text("0.0 1.5 C:maj\n1.5 3.25 N\n")
    for row in ({"chords": written}, {"label": written}):
        assert chord.label_of(row, "label", SPEC, root=tmp_path) == TEXT


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (None, "must name a file of chords"),
        ("", "must name a file of chords"),
        (3, "must name a file of chords"),
        ("absent.lab", "absent.lab"),
        ([[0, 1]], "a chord must be"),
        ([[0, 1, 2]], "a chord must be"),
        ([["0", 1, "C"]], "a chord must be"),
        ([[True, 1, "C"]], "a chord must be"),
        (["C"], "a chord must be"),
        ([{"start_time": 0, "chord_str": "C"}], "a chord must be"),
        ([[0, 1, "H:maj"]], "H:maj"),
        ([[0, float("nan"), "C"]], "nan"),
        ([[2, 1, "C"]], "must end after it starts"),
        ([[0, 2, "C"], [1, 3, "D"]], "must start when the one before it has ended"),
    ],
)
def test_what_are_no_chords_is_told(value: object, told: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=told) as refused:
        chord.label_of({"chords": value}, "label", SPEC, root=tmp_path)
    assert str(refused.value).startswith("'chords'")


def test_a_row_without_chords_is_told(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="'label' must name a file of chords"):
        chord.label_of({}, "label", SPEC, root=tmp_path)


def test_a_table_names_audio_and_files_of_chords(tmp_path: Path) -> None:
    (tmp_path / "a.lab").write_text("0.0 1.5 C:maj\n1.5 3.25 N\n")
    (tmp_path / "b.csv").write_text("start,end,chord\n0,2,A:min\n")
    (tmp_path / "tracks.csv").write_text(
        "path,split,chords\na.wav,train,a.lab\nb.wav,valid,b.csv\nc.wav,test,a.lab\n"
    )
    for name in "abc":
        (tmp_path / f"{name}.wav").write_text(name)
    tracks = chord.read_tracks(tmp_path, SPEC, lambda _: b"")
    assert [each.label for each in tracks] == [TEXT, '[[0.0,2.0,"A:min"]]', TEXT]
    assert [each.split for each in tracks] == ["train", "valid", "test"]
    (tmp_path / "a.lab").write_text("0.0 1.5 C:mjr\n")
    with pytest.raises(ValidationError, match=r"2 rows break a rule(.|\n)*line 2(.|\n)*C:mjr"):
        chord.read_tracks(tmp_path, SPEC, lambda _: b"")


def test_marble_v2_s_lines_are_read(tmp_path: Path) -> None:
    files = {split: f"Chords1217.{split}.jsonl" for split in ("train", "valid", "test")}
    for name in files.values():
        row = {"audio_path": f"data/audio/{name}.flac", "label": V2, "duration": 3.25}
        (tmp_path / name).write_text(json.dumps(row) + "\n")
    spec = replace(SPEC, data=(Layout("jsonl", files=files),))
    assert [each.label for each in chord.read_tracks(tmp_path, spec, lambda _: b"")] == [TEXT] * 3
