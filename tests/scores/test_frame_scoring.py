"""From decoded tracks to scores: recomputed from the table, intervals, ceilings and ties."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import mir_eval
import numpy as np
import pytest
import torch

from marble_eval.data.annotations.beat_files import Beats, beats_of
from marble_eval.data.annotations.chord_files import Chords, chords_of
from marble_eval.metrics.counts import ratio
from marble_eval.probes import Member, TrainedMember
from marble_eval.probes.grid import Trial
from marble_eval.probes.grid.frame_split import FrameSplit
from marble_eval.probes.grid.frames import FrameLayer, counts_of, estimates, train_frame_grid
from marble_eval.progress import Silence
from marble_eval.registry import Task
from marble_eval.scores.scoring import ChosenEvents, Scores, score_frames
from marble_eval.scores.split_scores import LEVEL, RESAMPLES, SEED
from marble_eval.scores.statistics import bootstrap_interval, bootstrap_weights
from marble_eval.spec import FrameRules
from tests.probes.grid.conftest import (
    BEAT_METRICS,
    RATE,
    RULES,
    WIDTH,
    annotation,
    frame_task,
    frames_plan,
    frames_split,
    frames_splits,
    like,
)

CPU = torch.device("cpu")
SEEDS = (0, 1)
LENGTHS = (90, 47, 60, 75, 62, 80, 55, 66)


class Scored:
    """A grid of a few tracks, decoded and scored."""

    def __init__(self, root: Path, kind: str) -> None:
        metrics = BEAT_METRICS if kind == "beat" else ("majmin", "root", "frame_accuracy")
        self.task = frame_task(kind, metrics)
        clearness = 0.3 if kind == "beat" else 0.7  # neither hopeless nor perfect
        self.data = frames_splits(root, self.task, lengths=LENGTHS, clearness=clearness)
        plan = frames_plan(self.task, rates=(1e-2,))
        self.trials, self.layers, _ = train_frame_grid(plan, self.data, Silence())
        self.chosen = max(self.layers, key=lambda each: each.valid)
        self.events = ChosenEvents(self.chosen, self.data, CPU)
        self.scores = score_frames(self.trials, self.layers, self.chosen, self.events, self.data)


@pytest.fixture(scope="module")
def every(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Scored]:
    return {kind: Scored(tmp_path_factory.mktemp(kind), kind) for kind in ("beat", "chord")}


@pytest.fixture(params=["beat", "chord"])
def scored(request: pytest.FixtureRequest, every: dict[str, Scored]) -> Scored:
    return every[request.param]


@pytest.fixture
def beats(every: dict[str, Scored]) -> Scored:
    return every["beat"]


def f_measures(references: Sequence[Beats], found: Sequence[Beats], event: str) -> list[float]:
    """Score the tracks in which something is to be found, by mir_eval."""
    pairs = zip(references, found, strict=True)
    times = [(getattr(one, event), getattr(two, event)) for one, two in pairs]
    return [
        mir_eval.beat.f_measure(one, two) if len(two) else 0.0 for one, two in times if len(one)
    ]


def pooled(references: Sequence[Beats], found: Sequence[Beats]) -> float:
    hits = events = 0
    for one, two in zip(references, found, strict=True):
        hits += len(mir_eval.util.match_events(one.beats, two.beats, 0.07))
        events += len(one.beats) + len(two.beats)
    return 2 * hits / events


def chord_scores(references: Sequence[Chords], found: Sequence[Chords]) -> list[float]:
    """Compare by mir_eval, weighted by duration over the whole split."""
    sums = np.zeros((2, 2))
    for one, two in zip(references, found, strict=True):
        ends = one.intervals.min(), one.intervals.max()
        intervals, names = mir_eval.util.adjust_intervals(
            two.intervals, list(two.names), *ends, mir_eval.chord.NO_CHORD, mir_eval.chord.NO_CHORD
        )
        merged, ours, theirs = mir_eval.util.merge_labeled_intervals(
            one.intervals, list(one.names), intervals, names
        )
        seconds = np.diff(merged, axis=1)[:, 0]
        for at, compare in enumerate((mir_eval.chord.majmin, mir_eval.chord.root)):
            right = compare(ours, theirs)
            sums[at] += (right * seconds)[right >= 0].sum(), seconds[right >= 0].sum()
    return [float(top / bottom) for top, bottom in sums]


def official_scores(kind: str, references: Sequence[Any], found: Sequence[Any]) -> dict[str, float]:
    if kind == "beat":
        return {
            "beat_f1": float(np.mean(f_measures(references, found, "beats"))),
            "downbeat_f1": float(np.mean(f_measures(references, found, "downbeats"))),
            "beat_f1_pooled": pooled(references, found),
        }
    return dict(zip(("majmin", "root"), chord_scores(references, found), strict=True))


def test_every_score_can_be_computed_again_from_the_table_alone(scored: Scored) -> None:
    """Events are written as text: any metric follows, without model or audio."""
    kind = scored.task.spec.kind
    read = beats_of if kind == "beat" else chords_of
    test = scored.scores.predictions.query("split == 'test'")
    of_seeds = []
    for seed in SEEDS:
        rows = test[test["seed"] == seed]
        assert rows["id"].tolist() == [each.id for each in scored.data["test"].tracks]
        pair = [[read(each) for each in rows[name]] for name in ("reference", "estimate")]
        of_seeds.append(official_scores(kind, *pair))
    for name in of_seeds[0]:
        score = scored.scores.metrics[name]
        values = [each[name] for each in of_seeds]
        assert score.seed_values == pytest.approx(values, abs=1e-6)
        assert score.value == pytest.approx(np.mean(values), abs=1e-6)
        assert score.seed_spread == pytest.approx(np.std(values, ddof=1), abs=1e-6)
        assert 0 < score.value < 1, "the case is too easy or too hard"
        assert (score.level, score.higher_is_better) == (LEVEL, True)
    assert list(scored.scores.metrics) == list(scored.task.spec.metrics)


def test_the_validation_score_follows_from_the_table_too(scored: Scored) -> None:
    kind, main = scored.task.spec.kind, scored.task.spec.main_metric
    read = beats_of if kind == "beat" else chords_of
    valid = scored.scores.predictions.query("split == 'valid'")
    values = []
    for seed in SEEDS:
        rows = valid[valid["seed"] == seed]
        pair = [[read(each) for each in rows[name]] for name in ("reference", "estimate")]
        values.append(official_scores(kind, *pair)[main])
    assert scored.chosen.valid == pytest.approx(np.mean(values), abs=1e-6)


def test_the_table_names_tracks_and_groups(scored: Scored) -> None:
    table = scored.scores.predictions
    assert table.columns.tolist() == [
        "split", "id", "recording", "group", "seed", "reference", "estimate"
    ]  # fmt: skip
    for name in ("valid", "test"):
        tracks = scored.data[name].tracks
        rows = table[table["split"] == name]
        assert rows["seed"].tolist() == [0] * len(tracks) + [1] * len(tracks)
        assert rows["id"].tolist() == [each.id for each in tracks] * 2
        assert rows["group"].tolist() == [each.group for each in tracks] * 2
        assert rows["reference"].tolist() == [str(each.label) for each in tracks] * 2


def test_grid_layers_and_choice_are_handed_on(scored: Scored) -> None:
    scores = scored.scores
    assert [(p.layer, p.setting, p.seed, p.epochs, p.best_epoch, p.valid) for p in scores.grid] == [
        (t.layer, t.setting, t.seed, t.epochs, t.best_epoch, t.valid) for t in scored.trials
    ]
    assert [(each.layer, each.setting, each.valid) for each in scores.layers] == [
        (each.layer, each.setting, each.valid) for each in scored.layers
    ]
    chosen = scored.chosen
    assert (scores.chosen.layer, scores.chosen.setting, scores.chosen.seeds) == (
        chosen.layer,
        chosen.setting,
        SEEDS,
    )
    assert scores.chosen.sum_weights == chosen.sum_weights
    main = scores.metrics[scored.task.spec.main_metric]
    (of_chosen,) = [each for each in scores.layers if each.layer == chosen.layer]
    assert (of_chosen.test.value, of_chosen.test.low, of_chosen.test.high) == pytest.approx(
        (main.value, main.low, main.high)
    )
    assert scores.labels == () and scores.confusion == ()


def test_a_remark_says_what_chose_what(scored: Scored) -> None:
    kind, main = scored.task.frame_kind, scored.task.spec.main_metric
    assert scored.scores.remarks == [
        f"epoch and learning rate chosen by {kind.draft} on validation, the layer by {main}"
    ]


def slowly_resampled(counts: np.ndarray, groups: Sequence[str]) -> list[list[float]]:
    """Score each resample (resample, metric), a track and a seed at a time."""
    found = []
    for weights in bootstrap_weights(np.array(groups), resamples=RESAMPLES, seed=SEED):
        values = []
        for metric in range(counts.shape[2]):
            of_seeds = []
            for of_seed in counts:
                top = bottom = 0.0
                for weight, (one, two) in zip(weights, of_seed[:, metric], strict=True):
                    top += weight * one
                    bottom += weight * two
                of_seeds.append(top / bottom if bottom else np.nan)
            values.append(float(np.mean(of_seeds)))
        found.append(values)
    return found


def test_intervals_are_those_of_a_slow_loop(scored: Scored) -> None:
    test = scored.data["test"]
    resampled = slowly_resampled(scored.events.counts, [each.group for each in test.tracks])
    without = [np.delete(scored.events.counts, at, axis=1) for at in range(len(test.tracks))]
    for at, score in enumerate(scored.scores.metrics.values()):
        interval = bootstrap_interval(
            [each[at] for each in resampled],
            0.95,
            groups=len(test.tracks),
            observed=score.value,
            left_out=[ratio(each.sum(axis=1))[:, at].mean() for each in without],
        )
        assert (score.low, score.high) == pytest.approx(interval[:2], abs=1e-9)
        assert score.low < score.value < score.high
        assert score.groups is None


def with_groups(split: FrameSplit, groups: Sequence[str]) -> FrameSplit:
    pairs = zip(split.tracks, groups, strict=True)
    return like(split, tracks=[replace(each, group=group) for each, group in pairs])


def test_tracks_of_one_group_are_drawn_together(beats: Scored) -> None:
    groups = [f"{at // 4}" for at in range(len(LENGTHS))]
    data = {name: with_groups(each, groups) for name, each in beats.data.items()}
    found = score_frames(beats.trials, beats.layers, beats.chosen, beats.events, data)
    resampled = np.array(slowly_resampled(beats.events.counts, groups))
    assert len(np.unique(resampled[:, 0].round(9))) <= 3  # one group twice, or each once
    for at, score in enumerate(found.metrics.values()):
        low, high = np.percentile(resampled[:, at], [2.5, 97.5])
        assert score.low <= low < high <= score.high
        assert score.counted == f"{score.n} in 2 groups"


def test_n_counts_the_tracks_in_which_something_is_to_be_found(beats: Scored) -> None:
    # Every third track has no downbeats: two of eight.
    n = {name: score.n for name, score in beats.scores.metrics.items()}
    assert n == {"beat_f1": 8, "downbeat_f1": 6, "beat_f1_pooled": 8}


def beats_without(count: int) -> list[Beats]:
    """Make up eight tracks; only so many have downbeats."""
    rng = np.random.default_rng(3)
    made = [annotation("beat", frames / RATE, rng, 0) for frames in LENGTHS]
    return [each if at < count else Beats(each.beats, np.empty(0)) for at, each in enumerate(made)]


def scores_of(root: Path, count: int) -> tuple[ChosenEvents, Scores]:
    task = frame_task("beat")
    data = frames_splits(root, task, lengths=LENGTHS, annotations=beats_without(count))
    plan = frames_plan(task, rates=(5e-2,), seeds=(0,), layers={"2": (2,)})
    trials, layers, _ = train_frame_grid(plan, data, Silence())
    events = ChosenEvents(layers[0], data, CPU)
    return events, score_frames(trials, layers, layers[0], events, data)


def test_a_metric_without_any_reference_has_no_score_and_is_named(tmp_path: Path) -> None:
    """A user's own beats may have no downbeats: that is no score of 0."""
    _, scores = scores_of(tmp_path, 0)
    assert list(scores.metrics) == ["beat_f1", "beat_f1_pooled"]
    assert scores.remarks[1:] == ["no test track has a reference for downbeat_f1: left out"]


def test_resamples_without_any_reference_have_no_value(tmp_path: Path) -> None:
    """Of eight tracks one has downbeats: a third of the resamples lack it, and are not 0."""
    events, scores = scores_of(tmp_path, 1)
    score = scores.metrics["downbeat_f1"]
    assert score.n == 1 and score.value > 0
    assert score.low == score.high == pytest.approx(score.value)
    assert events.scorable.tolist() == [8, 1, 8]


def test_one_seed_has_no_spread(tmp_path: Path) -> None:
    _, scores = scores_of(tmp_path, 8)
    for score in scores.metrics.values():
        assert (score.seed_spread, len(score.seed_values)) == (0.0, 1)


@pytest.mark.parametrize("rate", [75.0, 25.0, 10.0, 2.0])
def test_the_ceiling_is_what_the_references_score_when_rounded_to_frames(
    tmp_path: Path, rate: float
) -> None:
    task = frame_task("beat")
    split, reference = at_rate(tmp_path, task, rate)
    events = ChosenEvents(quiet_layer(), {"valid": split, "test": split}, CPU)
    rounded = [
        Beats(*(np.unique(np.floor(times * rate + 0.5)) / rate for times in each))
        for each in reference
    ]
    official = official_scores("beat", reference, rounded)
    assert dict(zip(BEAT_METRICS, events.ceilings.tolist(), strict=True)) == pytest.approx(official)
    if rate >= 25:  # half a frame is at most 0.02 s, and the window 0.07 s
        assert events.ceilings.tolist() == [1.0] * 3
    if rate == 2:
        assert 0.1 < events.ceilings[0] < 0.6


def at_rate(root: Path, task: Task, rate: float) -> tuple[FrameSplit, list[Beats]]:
    """Write tracks of 20 s with features of zeros at some frame rate."""
    rng = np.random.default_rng(8)
    references = [
        Beats(times, times[1::4])
        for times in (np.arange(rng.uniform(0, 1), 19.5, rng.uniform(0.4, 0.9)) for _ in range(4))
    ]
    lengths = [round(20 * rate)] * 4
    made = frames_split(root, task, name="test", lengths=lengths, annotations=references)
    return like(made, rate=rate), references


def quiet_layer() -> FrameLayer:
    """Make a layer whose probe finds nothing anywhere."""
    parameters = {"output": torch.zeros(WIDTH, 2), "output_bias": torch.full((1, 2), -9.0)}
    member = TrainedMember(Member("0", (0,), 1e-2, 0), parameters, 0.0, 1, 1, diverged=False)
    none = np.zeros((1, 4, 1, 2))
    return FrameLayer("0", 1e-2, (0,), 0.0, none, none, None, (member,))


def test_who_finds_nothing_scores_zero_below_the_same_ceiling(tmp_path: Path) -> None:
    split, _ = at_rate(tmp_path, frame_task("beat"), 25.0)
    events = ChosenEvents(quiet_layer(), {"valid": split, "test": split}, CPU)
    assert ratio(events.counts.sum(axis=1)).tolist() == [[0.0, 0.0, 0.0]]
    assert events.ceilings.tolist() == [1.0] * 3
    assert events.predictions["estimate"].unique().tolist() == ['{"beats":[],"downbeats":[]}']


def test_pooled_and_mean_scores_differ_as_they_should(tmp_path: Path) -> None:
    """One track of 20 beats all found, one of 4 beats none found, of two seeds the same."""
    task = frame_task("beat", ("beat_f1", "beat_f1_pooled"))
    many = Beats(np.arange(20) * 0.5 + 0.25, np.empty(0))
    few = Beats(np.arange(4) * 0.5 + 0.25, np.empty(0))
    split = frames_split(tmp_path, task, lengths=(210, 50), annotations=[many, few])
    nothing = Beats(np.empty(0), np.empty(0))
    counts = counts_of([[many, nothing]], split, task.spec.metrics)
    # Mean over tracks: (1 + 0) / 2. Pooled: 2 * 20 / ((20 + 20) + (4 + 0)).
    assert ratio(counts.sum(axis=1)).tolist() == [[0.5, pytest.approx(40 / 44)]]


def frame_layer(name: str, valid: np.ndarray, test: np.ndarray) -> FrameLayer:
    score = float(ratio(valid.sum(axis=1)).mean())
    return FrameLayer(name, 1e-2, (0,), score, valid, test, None, quiet_layer().members)


def counts_like(values: np.ndarray) -> np.ndarray:
    """One seed, a value a track."""
    return np.stack([values, np.ones_like(values)], axis=-1)[None, :, None]


def test_ties_are_told_on_validation_by_resamples_of_pairs(tmp_path: Path) -> None:
    task = frame_task("beat", ("beat_f1",))
    split = frames_split(tmp_path, task, name="test", lengths=[40] * 30)
    data = {"valid": split, "test": split}
    rng = np.random.default_rng(0)
    good = rng.uniform(0.6, 0.9, 30)
    near = good + rng.normal(0, 0.02, 30) - 0.001
    bad = good - 0.2 + rng.normal(0, 0.02, 30)
    layers = [
        frame_layer("good", counts_like(good), counts_like(bad)),
        frame_layer("near", counts_like(near), counts_like(bad)),
        # Worse by far on validation, better on test: not tied.
        frame_layer("bad", counts_like(bad), counts_like(good)),
    ]
    events = ChosenEvents(layers[0], data, CPU)
    scores = score_frames([Trial("good", 1e-2, 0, 3, 2, 0.5)], layers, layers[0], events, data)
    assert [(each.layer, each.tied) for each in scores.layers] == [
        ("good", True),
        ("near", True),
        ("bad", False),
    ]
    for found, expected in zip(scores.layers, (bad, bad, good), strict=True):
        assert found.test.value == pytest.approx(expected.mean())
        half = 1.96 * expected.std() / np.sqrt(30)  # the normal interval of a mean
        assert found.test.high - found.test.low == pytest.approx(2 * half, rel=0.15)


def test_events_are_those_of_every_seed_of_the_chosen_layer(beats: Scored) -> None:
    found = estimates(beats.chosen.members, beats.data["test"], CPU)
    expected = counts_of(found, beats.data["test"], BEAT_METRICS)
    np.testing.assert_array_equal(beats.events.counts, expected)
    np.testing.assert_array_equal(expected[:, :, :1], beats.chosen.test_counts)


def test_trimmed_beats_are_not_counted_anywhere(tmp_path: Path) -> None:
    """References and ceilings follow the rules as they are run."""
    task = frame_task("beat")
    rules: FrameRules = replace(RULES, trim_seconds=4.0)
    split = frames_split(
        tmp_path, task, name="test", lengths=LENGTHS, annotations=beats_without(8), rules=rules
    )
    events = ChosenEvents(quiet_layer(), {"valid": split, "test": split}, CPU)
    late = [int((each.beats >= 4.0).any()) for each in beats_without(8)]
    assert events.scorable[0] == sum(late) < len(LENGTHS)
    assert events.ceilings[0] == 1.0
