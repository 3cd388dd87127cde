"""Beats, from cells and rows to targets, decoded times and scores."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Literal

import mir_eval.beat
import numpy as np
import pytest
import torch

from marble_eval.data.annotations.beat_files import Beats, beats_of
from marble_eval.errors import ValidationError
from marble_eval.kinds.beat import KIND as beat
from marble_eval.metrics.beat import METRICS
from marble_eval.probes.losses import LOSSES
from marble_eval.spec import FrameRules, Layout, TaskSpec

SPEC = TaskSpec(name="Mine", kind="beat", labels=beat.labels, metrics=METRICS)
RULES = FrameRules()
NONE = np.array([])


def excerpt(tempo: float = 120.0, bar: int = 4, seconds: float = 30.0) -> Beats:
    """Return the beats of an excerpt whose first downbeat is its second beat."""
    beats = np.arange(0.31, seconds, 60 / tempo)
    return Beats(beats, beats[1::bar])


def activations(
    annotation: Beats, rate: float, *, seconds: float = 30.0, noise: float = 0.0, bias: float = -4.0
) -> np.ndarray:
    """Return logits of a probe that hears each event as a bump of 40 ms around its true time.

    Made from the times themselves, not from `encode`, so that the two check each other.
    """
    times = np.arange(round(seconds * rate)) / rate
    rng = np.random.default_rng(0)
    columns = [
        8 * np.exp(-0.5 * ((times[:, None] - events[None]) / 0.02) ** 2).max(axis=1, initial=0.0)
        for events in annotation
    ]
    logits = np.stack(columns, axis=1) + bias
    return np.asarray(logits + noise * rng.normal(size=logits.shape), dtype=np.float32)


def main(metric: str) -> TaskSpec:
    return replace(SPEC, metrics=(metric,))


def f_measure(reference: np.ndarray, estimate: np.ndarray, window: float = 0.07) -> float:
    return float(mir_eval.beat.f_measure(reference, estimate, window))


# --- targets ---


def test_an_event_is_one_in_its_nearest_frame_and_nothing_beside_it_outside_training() -> None:
    """At 75 Hz: 0.5 s is frame 37.5, which goes up; 1 s is 75; 1.006 s is 75.45."""
    annotation = Beats(np.array([0.5, 1.006]), np.array([1.0]))
    targets = beat.encode(annotation, 150, 75.0, SPEC, RULES, widened=False)
    assert targets.shape == (150, 2)
    assert targets.dtype == np.float32
    assert np.flatnonzero(targets[:, 0]).tolist() == [38, 75]
    assert np.flatnonzero(targets[:, 1]).tolist() == [75]
    assert set(np.unique(targets)) == {0, 1}


def test_frames_beside_an_event_get_the_widening_and_the_larger_where_two_meet() -> None:
    """Frames 10 and 13: 11 and 12 lie beside one and two away from the other."""
    annotation = Beats(np.array([1.0, 1.3]), NONE)
    targets = beat.encode(annotation, 20, 10.0, SPEC, RULES, widened=True)[:, 0]
    assert targets[8:16].tolist() == [0.25, 0.5, 1, 0.5, 0.5, 1, 0.5, 0.25]
    assert targets[:8].tolist() == [0] * 8
    rules = replace(RULES, widening=(0.9, 0.6, 0.3))
    targets = beat.encode(annotation, 20, 10.0, SPEC, rules, widened=True)[:, 0]
    assert targets[7:17] == pytest.approx([0.3, 0.6, 0.9, 1, 0.9, 0.9, 1, 0.9, 0.6, 0.3])
    none = beat.encode(annotation, 20, 10.0, SPEC, replace(RULES, widening=()), widened=True)
    assert np.flatnonzero(none[:, 0]).tolist() == [10, 13]


def test_events_at_either_end_keep_what_lies_inside() -> None:
    annotation = Beats(np.array([0.0, 1.9]), NONE)
    targets = beat.encode(annotation, 20, 10.0, SPEC, RULES, widened=True)[:, 0]
    assert targets[:4].tolist() == [1, 0.5, 0.25, 0]
    assert targets[-4:].tolist() == [0, 0.25, 0.5, 1]


def test_an_event_just_behind_the_last_frame_is_in_it_and_later_ones_are_left_out() -> None:
    """20 frames at 10 Hz end at 2 s: 1.96 and 2.04 s round to frame 20, 2.06 s to 21."""
    for time, found in ((1.96, [19]), (2.0, [19]), (2.04, [19]), (2.06, []), (5.0, [])):
        annotation = Beats(np.array([time]), NONE)
        targets = beat.encode(annotation, 20, 10.0, SPEC, RULES, widened=False)
        assert np.flatnonzero(targets[:, 0]).tolist() == found, time
        kept = beat.quantised(annotation, 20, 10.0, SPEC, RULES).beats
        assert kept.tolist() == [1.9] * len(found), time


def test_a_track_without_annotated_downbeats_trains_the_beats_alone() -> None:
    targets = beat.encode(Beats(np.array([1.0]), NONE), 20, 10.0, SPEC, RULES, widened=True)
    assert np.isfinite(targets[:, 0]).all()
    assert np.isnan(targets[:, 1]).all()
    both = beat.encode(Beats(np.array([1.0]), np.array([1.0])), 20, 10.0, SPEC, RULES, widened=True)
    assert np.isfinite(both).all()


def test_targets_are_what_the_loss_takes() -> None:
    """The gradient of the binary cross-entropy, as autograd has it."""
    targets = beat.encode(excerpt(seconds=4), 100, 25.0, SPEC, RULES, widened=True)
    outputs = torch.from_numpy(activations(excerpt(seconds=4), 25.0, seconds=4)).unsqueeze(0)
    loss = LOSSES[beat.loss]
    goals = loss.goals(torch.from_numpy(targets), beat.outputs(SPEC))
    asked = outputs.clone().requires_grad_()
    official = torch.nn.functional.binary_cross_entropy_with_logits(asked[0], goals)
    official.backward()  # type: ignore[no-untyped-call]
    assert asked.grad is not None
    ratio = loss.gradient(outputs.clone(), goals) / asked.grad
    assert torch.allclose(ratio, ratio.flatten()[0].expand_as(ratio), rtol=1e-3)


# --- decoding ---


@pytest.mark.parametrize("decoder", ["dbn", "peaks"])
@pytest.mark.parametrize("rate", [75.0, 50.0, 25.0])
def test_the_same_beats_are_found_at_any_frame_rate(
    rate: float, decoder: Literal["dbn", "peaks"]
) -> None:
    rules = replace(RULES, decoder=decoder)
    for tempo, bar in ((90.0, 4), (120.0, 4), (140.0, 3)):
        annotation = excerpt(tempo, bar)
        found = beat.decode(activations(annotation, rate), rate, SPEC, rules)
        assert f_measure(annotation.beats, found.beats) == 1
        assert f_measure(annotation.downbeats, found.downbeats) == 1
        scores = dict(
            zip(METRICS, beat.score(annotation, found, SPEC, rules).tolist(), strict=True)
        )
        assert scores["beat_f1"] == scores["downbeat_f1"] == [1, 1]
        assert scores["beat_cmlt"][0] > 0.95


def test_targets_decode_to_what_the_frame_rate_can_hold() -> None:
    """`encode`, taken for probabilities, and `quantised` have the same frames."""
    annotation = excerpt()
    for rate in (75.0, 25.0):
        frames = round(30 * rate)
        targets = beat.encode(annotation, frames, rate, SPEC, RULES, widened=False)
        logits = np.where(targets > 0, 6.0, -6.0)
        rules = replace(RULES, decoder="peaks", rate=rate)
        found = beat.decode(logits, rate, SPEC, rules)
        kept = beat.quantised(annotation, frames, rate, SPEC, rules)
        np.testing.assert_allclose(found.beats, kept.beats)
        np.testing.assert_allclose(found.downbeats, kept.downbeats)


def test_downbeats_need_the_range_of_bars() -> None:
    """A 4/4 bar at 120 a minute comes 30 times; from 55 on there must be events between."""
    annotation = excerpt(120.0, 4)
    logits = activations(annotation, 75.0)
    right = beat.decode(logits, 75.0, SPEC, RULES).downbeats
    assert f_measure(annotation.downbeats, right) == 1
    wrong = beat.decode(logits, 75.0, SPEC, replace(RULES, downbeat_tempo=RULES.tempo)).downbeats
    assert f_measure(annotation.downbeats, wrong) == pytest.approx(2 / 3, abs=0.05)
    assert len(wrong) == pytest.approx(2 * len(right), abs=1)


def test_the_network_bridges_a_beat_that_peaks_miss() -> None:
    annotation = excerpt()
    heard = Beats(np.delete(annotation.beats, [20, 33]), annotation.downbeats)
    logits = activations(heard, 50.0)
    found = {
        name: beat.decode(logits, 50.0, SPEC, replace(RULES, decoder=name)).beats
        for name in ("dbn", "peaks")
    }
    assert f_measure(annotation.beats, found["dbn"]) == 1
    n = len(annotation.beats)
    assert f_measure(annotation.beats, found["peaks"]) == pytest.approx(2 * (n - 2) / (2 * n - 2))


def test_a_doubled_peak_is_one_event_and_an_early_beat_another() -> None:
    """Half the shortest period is 0.14 s of beats, and 0.42 s of bars."""
    annotation = excerpt()
    for column, events, after, expected in (
        (0, annotation.beats, 0.12, 1),
        (0, annotation.beats, 0.2, 2),
        (1, annotation.downbeats, 0.38, 1),
        (1, annotation.downbeats, 0.5, 2),
    ):
        twice = np.sort(np.concatenate([events, events + after]))
        lower = activations(Beats(twice, twice), 75.0) - 0.5
        logits = np.maximum(lower, activations(Beats(events, events), 75.0))
        found = beat.decode(logits, 75.0, SPEC, replace(RULES, decoder="peaks"))[column]
        assert len(found) == pytest.approx(expected * len(events), abs=1)


def test_a_silent_track_has_no_peaks() -> None:
    found = beat.decode(np.full((100, 2), -9.0), 50.0, SPEC, replace(RULES, decoder="peaks"))
    assert found.beats.tolist() == found.downbeats.tolist() == []


# --- scores ---


def test_rules_reach_the_metrics() -> None:
    """Each beat 50 ms late: right within 0.07 s, wrong within 0.03; from 5 s on 50 of 60."""
    annotation = Beats(np.arange(0.0, 30.0, 0.5), NONE)
    late = Beats(annotation.beats + 0.05, NONE)
    spec = replace(SPEC, metrics=("beat_f1_pooled", "beat_f1"))
    assert beat.score(annotation, late, spec, RULES).tolist() == [[120, 120], [1, 1]]
    narrow = replace(RULES, tolerance=0.03)
    assert beat.score(annotation, late, spec, narrow).tolist() == [[0, 120], [0, 1]]
    trimmed = replace(RULES, trim_seconds=5.0)
    assert beat.score(annotation, late, spec, trimmed)[0].tolist() == [100, 100]


@pytest.mark.parametrize(
    ("rate", "right"), [(75.0, True), (50.0, True), (25.0, True), (5.0, False)]
)
def test_the_ceiling_is_one_where_half_a_frame_is_less_than_the_window(
    rate: float, right: bool
) -> None:
    annotation = excerpt(97.0)
    kept = beat.quantised(annotation, round(30 * rate), rate, SPEC, RULES)
    assert np.abs(kept.beats - annotation.beats).max() <= 0.5 / rate + 1e-9
    assert (beat.score(annotation, kept, main("beat_f1"), RULES)[0, 0] == 1) == right
    narrow = beat.score(annotation, kept, main("beat_f1_20ms"), RULES)[0, 0]
    assert narrow == pytest.approx(f_measure(annotation.beats, kept.beats, 0.02))


def test_two_beats_of_one_frame_become_one() -> None:
    annotation = Beats(np.array([0.22, 0.5, 0.52, 0.9]), np.array([0.22, 0.52]))
    kept = beat.quantised(annotation, 10, 10.0, SPEC, RULES)
    assert kept.beats.tolist() == [0.2, 0.5, 0.9]
    assert kept.downbeats.tolist() == [0.2, 0.5]


# --- the draft ---


@pytest.fixture
def peaks_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the likelihood out of the draft."""
    monkeypatch.setattr("marble_eval.kinds.beat._SURE", 0.0)


@pytest.mark.parametrize("metric", ["beat_f1", "beat_f1_pooled"])
def test_of_drafts_with_the_same_peaks_the_surer_one_is_better(metric: str) -> None:
    """A young probe's peaks are where they belong; the network needs them to be high."""
    annotation = excerpt()
    drafts = [
        beat.draft_counts(
            activations(annotation, 75.0, bias=bias), annotation, 75.0, main(metric), RULES
        )
        for bias in (-9.5, -7.0, -5.0)
    ]
    shares = [each[0] / each[1] for each in drafts]
    assert shares == sorted(shares) and shares[-1] > shares[0] + 0.002
    assert min(shares) > 0.9, "the likelihood must not outweigh the peaks"


@pytest.mark.usefixtures("peaks_alone")
@pytest.mark.parametrize("event", ["beat", "downbeat"])
@pytest.mark.parametrize("rate", [75.0, 25.0])
def test_the_draft_is_the_f_measure_of_peaks_of_the_main_event(event: str, rate: float) -> None:
    annotation = excerpt()
    logits = activations(annotation, rate)
    other = 1 - beat.labels.index(event)
    times, besides = annotation[1 - other], 0.01 * len(annotation[other])
    pooled = beat.draft_counts(logits, annotation, rate, main(f"{event}_f1_pooled"), RULES)
    assert pooled == pytest.approx([2 * (len(times) + besides)] * 2)
    # The other column has next to nothing to do with it.
    logits[:, other] = np.random.default_rng(0).normal(size=len(logits))
    for metric in ("f1", "cmlt", "information_gain"):
        found = beat.draft_counts(logits, annotation, rate, main(f"{event}_{metric}"), RULES)
        assert found[1] == pytest.approx(1.01)
        assert 1 < found[0] < 1.01


@pytest.mark.usefixtures("peaks_alone")
def test_of_two_drafts_alike_the_one_that_knows_the_downbeats_is_better() -> None:
    annotation = excerpt()
    knows = activations(annotation, 75.0)
    does_not = knows.copy()
    does_not[:, 1] = np.random.default_rng(0).normal(size=len(knows))
    better, worse = (
        beat.draft_counts(each, annotation, 75.0, main("beat_f1"), RULES)
        for each in (knows, does_not)
    )
    assert better[0] == pytest.approx(better[1]) and worse[0] < better[0] - 0.003


@pytest.mark.usefixtures("peaks_alone")
def test_the_draft_sees_what_is_missed_and_added() -> None:
    annotation = Beats(excerpt().beats, NONE)
    heard = Beats(np.append(annotation.beats[:-10], annotation.beats[3] + 0.25), NONE)
    logits = activations(Beats(np.sort(heard.beats), NONE), 50.0)
    n = len(annotation.beats)
    counts = beat.draft_counts(logits, annotation, 50.0, main("beat_f1_pooled"), RULES)
    assert counts.tolist() == [2 * (n - 10), n + n - 9]
    ratio = beat.draft_counts(logits, annotation, 50.0, main("beat_f1"), RULES)
    assert ratio.tolist() == [counts[0] / counts[1], 1]


@pytest.mark.usefixtures("peaks_alone")
def test_the_draft_is_trimmed_like_the_score() -> None:
    annotation = Beats(np.arange(0.1, 30.0, 0.5), NONE)
    heard = annotation.beats + np.where(annotation.beats < 5, 0.2, 0.0)
    logits = activations(Beats(heard, NONE), 75.0)
    trimmed = replace(RULES, trim_seconds=5.0)
    counts = beat.draft_counts(logits, annotation, 75.0, main("beat_f1_pooled"), trimmed)
    assert counts.tolist() == [100, 100]
    assert beat.draft_counts(logits, annotation, 75.0, main("beat_f1"), RULES)[0] < 1


@pytest.mark.usefixtures("peaks_alone")
def test_the_draft_of_a_narrow_metric_has_a_narrow_window() -> None:
    annotation = Beats(excerpt().beats, NONE)
    late = Beats(annotation.beats + 0.04, NONE)
    logits = activations(late, 75.0)
    assert beat.draft_counts(logits, annotation, 75.0, main("beat_f1"), RULES)[0] == 1
    assert beat.draft_counts(logits, annotation, 75.0, main("beat_f1_20ms"), RULES)[0] == 0


def test_a_young_probe_has_a_draft_though_no_probability_is_near_the_threshold() -> None:
    """Sharp peaks of at most sigmoid(-1.5), and later ones: the draft ranks them alike."""
    annotation = excerpt()
    logits = activations(annotation, 75.0, bias=-9.5)
    assert logits.max() < -1
    peaks = beat.decode(logits, 75.0, SPEC, replace(RULES, decoder="peaks"))
    assert len(peaks.beats) == len(annotation.beats)
    drafts = [
        beat.draft_counts(logits + shift, annotation, 75.0, main(metric), RULES)[0]
        for shift in (0, 2, 6)
        for metric in ("beat_f1", "downbeat_f1")
    ]
    assert min(drafts) > 0.95


def test_a_single_loud_accent_does_not_hide_the_other_beats() -> None:
    annotation = excerpt()
    logits = activations(annotation, 75.0, bias=-9.5)
    logits[int(logits[:, 0].argmax()), 0] = 8.0
    assert beat.draft_counts(logits, annotation, 75.0, main("beat_f1"), RULES)[0] > 0.95


def test_a_better_probe_has_a_better_draft() -> None:
    annotation = excerpt()
    drafts = [
        beat.draft_counts(
            activations(annotation, 75.0, noise=noise), annotation, 75.0, main("beat_f1"), RULES
        )[0]
        for noise in (8.0, 4.0, 2.0, 0.5)
    ]
    assert drafts == sorted(drafts)
    assert drafts[0] < 0.7
    assert drafts[-1] > 0.95


@pytest.mark.parametrize("metric", ["downbeat_f1", "downbeat_f1_pooled"])
def test_a_draft_without_a_reference_counts_nowhere(metric: str) -> None:
    annotation = Beats(excerpt().beats, NONE)
    logits = activations(excerpt(), 75.0)
    assert beat.draft_counts(logits, annotation, 75.0, main(metric), RULES).tolist() == [0, 0]


@pytest.mark.usefixtures("peaks_alone")
def test_outputs_that_are_all_alike_have_a_draft() -> None:
    for frames in (1, 3, 750):
        for rate in (0.5, 25.0):
            counts = beat.draft_counts(
                np.zeros((frames, 2)), excerpt(), rate, main("beat_f1"), RULES
            )
            assert 0 <= counts[0] <= counts[1] == pytest.approx(1.01)


# --- annotations ---


def test_a_cell_names_a_file_of_beats(tmp_path: Path) -> None:
    (tmp_path / "beats").mkdir()
    (tmp_path / "beats" / "a.beats").write_text("0.5 1\n1.0 2\n1.5 1\n")
    for row in (
        {"beats": "beats/a.beats", "label": "rock"},
        {"label": "data/Mine/beats/a.beats"},  # as MARBLE writes paths
        {"label": str(tmp_path / "beats" / "a.beats")},
    ):
        text = beat.label_of(row, "label", SPEC, root=tmp_path)
        assert beats_of(text).beats.tolist() == [0.5, 1, 1.5]
        assert beats_of(text).downbeats.tolist() == [0.5, 1.5]


@pytest.mark.parametrize(
    "value",
    [
        {"beat": [0.5, 1], "downbeat": [0.5], "tempo": 120.0, "meter": "4/4"},
        {"beats": [0.5, 1.0], "downbeats": [0.5]},
    ],
)
@pytest.mark.parametrize("field", ["label", "beats"])
def test_a_row_of_json_may_hold_the_times(value: object, field: str) -> None:
    text = beat.label_of({field: value}, "label", SPEC, root=Path())
    assert text == '{"beats":[0.5,1.0],"downbeats":[0.5]}'
    assert beat.text_of(beat.annotation_of(text)) == text


def test_downbeats_may_be_absent() -> None:
    text = beat.label_of({"label": {"beat": [0.5, 1]}}, "label", SPEC, root=Path())
    assert beats_of(text).downbeats.size == 0


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "must name a file of beats"),
        ("", "must name a file of beats"),
        (5, "must name a file of beats"),
        ([0.5, 1.0], "must name a file of beats"),
        ("none.beats", "none.beats: there is no such file"),
        ({}, "beats must be a list of times"),
        ({"tempo": 120.0}, "beats must be a list of times"),
        ({"beat": [0.5, 0.4]}, "beat 2: a beat must come after"),
        ({"beat": [0.5, "x"]}, "beats must be a list of times"),
        ({"beat": [-0.5]}, "0 or more"),
        ({"beat": [0.5, float("nan")]}, "must be a number of seconds"),
        ({"beat": [0.5], "downbeat": [1.0, 0.5]}, "downbeat 2: a beat must come after"),
        ({"beat": [500, 31000]}, "must be seconds, none later than 30000. Got 31000"),
    ],
)
def test_what_is_no_annotation_is_told_with_its_field(
    value: object, words: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match="'label'") as refusal:
        beat.label_of({"label": value}, "label", SPEC, root=tmp_path)
    assert words in str(refusal.value)


def lists(name: str) -> bytes:
    raise AssertionError(name)


def test_tracks_of_a_table_have_the_beats_of_their_files(tmp_path: Path) -> None:
    (tmp_path / "a.beats").write_text("0.5 1\n1.0 2\n1.5 3\n2.0 1\n")
    (tmp_path / "b.txt").write_text("0.25\n0.75\n")
    (tmp_path / "tracks.csv").write_text(
        "path,beats,split\na.wav,a.beats,train\nb.wav,b.txt,test\n"
    )
    tracks = beat.read_tracks(tmp_path, SPEC, lists)
    assert [(each.id, each.split) for each in tracks] == [("a", "train"), ("b", "test")]
    annotations = [beat.annotation_of(str(each.label)) for each in tracks]
    assert annotations[0].downbeats.tolist() == [0.5, 2.0]
    assert annotations[1].beats.tolist() == [0.25, 0.75]
    assert beat.labels_of(tracks, SPEC) == beat.labels == ("beat", "downbeat")


def test_all_faulty_rows_of_a_table_are_told_with_line_and_file(tmp_path: Path) -> None:
    (tmp_path / "a.beats").write_text("0.5 1\n0.4 2\n")
    (tmp_path / "tracks.csv").write_text(
        "path,beats,split\na.wav,a.beats,train\nb.wav,b.beats,test\nc.wav,,test\n"
    )
    with pytest.raises(ValidationError) as refusal:
        beat.read_tracks(tmp_path, SPEC, lists)
    told = str(refusal.value)
    assert "line 2: 'beats'" in told
    assert "a.beats, line 2" in told
    assert "line 3: 'beats'" in told
    assert "b.beats: there is no such file" in told
    assert "line 4: 'beats' must name a file" in told


def test_tracks_of_marble_s_rows_have_their_own_beats(tmp_path: Path) -> None:
    for split in ("train", "val", "test"):
        row = {
            "audio_path": f"data/GTZAN/genres/blues/{split}.wav",
            "label": {"beat": [0.5, 1.0], "downbeat": [], "tempo": 120.0, "meter": "4/4"},
        }
        (tmp_path / f"{split}.jsonl").write_text(json.dumps(row) + "\n")
    files = {"train": "train.jsonl", "valid": "val.jsonl", "test": "test.jsonl"}
    spec = replace(SPEC, data=(Layout("jsonl", files=files),))
    tracks = beat.read_tracks(tmp_path, spec, lists)
    assert [each.label for each in tracks] == ['{"beats":[0.5,1.0],"downbeats":[]}'] * 3
    assert [each.split for each in tracks] == ["train", "valid", "test"]


def test_the_kind_s_own_rules_are_those_of_an_estimate_for_every_frame() -> None:
    assert beat.estimate == "frame"
    assert beat.rules.frames == FrameRules(context_seconds=1.0)
    assert beat.rules.clip_seconds == 30
    assert (beat.rules.batch_of, beat.rules.scored, beat.rules.tail) == ("clips", "track", "keep")
    assert list(beat.metrics_of(SPEC)) == list(METRICS)
    assert next(iter(beat.metrics_of(SPEC))) == "beat_f1"
