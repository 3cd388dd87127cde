"""The grid over frames: what is trained and decoded, and that test has no part in the choice."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import mir_eval
import numpy as np
import pytest
import torch

from marble_eval.data.annotations.beat_files import Beats
from marble_eval.errors import MarbleError, SpecError
from marble_eval.metrics.counts import ratio
from marble_eval.probes import Member, TrainedMember
from marble_eval.probes.grid import GridPlan, check_serves
from marble_eval.probes.grid.frame_split import FrameSplit
from marble_eval.probes.grid.frame_training import frame_outputs, train_on_frames
from marble_eval.probes.grid.frames import FrameLayer, counts_of, estimates, train_frame_grid
from marble_eval.probes.logistic import LogisticProbe
from marble_eval.progress import Silence
from marble_eval.results.caveats import Notes, note_sentences
from marble_eval.spec import TrainedProbe
from tests.probes.grid.conftest import (
    MLP,
    NAMES,
    frame_task,
    frames_plan,
    frames_split,
    frames_splits,
    like,
)

CPU = torch.device("cpu")
RATES = (1e-2, 5e-2)
LAYERS = [*NAMES, "sum"]


class Telling(Silence):
    """Take down the stages and their steps."""

    def __init__(self) -> None:
        self.stages: list[tuple[str, int]] = []
        self.done, self.ended = [0], 0

    def begin(self, title: str, total: int) -> None:
        self.stages.append((title, total))
        self.done.append(0)

    def advance(self, steps: int = 1) -> None:
        self.done[-1] += steps

    def end(self) -> None:
        self.ended += 1


class Grid:
    """A grid that has been trained, and all that went into it."""

    def __init__(self, root: Path, kind: str) -> None:
        self.task = frame_task(kind)
        self.data = frames_splits(root, self.task)
        self.plan = frames_plan(self.task)
        self.progress = Telling()
        self.trials, self.layers, self.notes = train_frame_grid(self.plan, self.data, self.progress)


@pytest.fixture(scope="module", params=["beat", "chord"])
def grid(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Grid:
    return Grid(tmp_path_factory.mktemp("grid"), request.param)


def test_every_layer_meets_every_rate_and_the_best_rate_every_seed(grid: Grid) -> None:
    first = [(each.layer, each.setting) for each in grid.trials if each.seed == 0]
    assert first == [(layer, rate) for layer in LAYERS for rate in RATES]
    second = [(each.layer, each.setting) for each in grid.trials if each.seed == 1]
    assert second == [(each.layer, each.setting) for each in grid.layers]
    assert [each.layer for each in grid.layers] == LAYERS
    assert grid.notes == Notes()
    for layer in grid.layers:
        of_layer = [each for each in grid.trials if each.layer == layer.layer and each.seed == 0]
        best = max(each.valid for each in of_layer)
        assert next(each for each in of_layer if each.valid == best).setting == layer.setting
        assert layer.seeds == (0, 1)
        assert [each.member.seed for each in layer.members] == [0, 1]
        assert {each.member.learning_rate for each in layer.members} == {layer.setting}


def test_clearer_layers_score_higher(grid: Grid) -> None:
    """Layer 0 is noise."""
    valid = {each.layer: each.valid for each in grid.layers}
    assert max(valid["2"], valid["sum"]) > valid["0"] + 0.2


def test_a_layer_s_score_is_that_of_its_decoded_tracks(grid: Grid) -> None:
    """Track by track with mir_eval, pooled or averaged as the metric asks."""
    layer = grid.layers[2]
    for name, counts in (("valid", layer.valid_counts), ("test", layer.test_counts)):
        split = grid.data[name]
        assert counts.shape == (2, len(split), 1, 2)
        of_seeds = []
        for trained in layer.members:
            stack = {name: each[None] for name, each in trained.parameters.items()}
            sums = np.zeros(2)
            for track in range(len(split)):
                (logits,) = frame_outputs(stack, trained.member.reads, split, track, CPU)
                source = split.source
                found = grid.task.frame_kind.decode(
                    logits, source.rate, grid.task.spec, source.rules
                )
                sums += official_counts(split.annotation(track), found)
            of_seeds.append(sums[0] / sums[1])
        sums = counts.sum(axis=1)[:, 0]
        assert (sums[:, 0] / sums[:, 1]).tolist() == pytest.approx(of_seeds, abs=1e-6)
        if name == "valid":
            assert layer.valid == pytest.approx(np.mean(of_seeds), abs=1e-6)


def official_counts(reference: Any, estimate: Any) -> np.ndarray:
    """Compute the main metric's numerator and denominator by mir_eval."""
    if isinstance(reference, Beats):
        return np.array([mir_eval.beat.f_measure(reference.beats, estimate.beats), 1.0])
    labels = [list(each.names) for each in (reference, estimate)]
    intervals, ours, theirs = mir_eval.util.merge_labeled_intervals(
        reference.intervals,
        labels[0],
        *mir_eval.util.adjust_intervals(
            estimate.intervals,
            labels[1],
            reference.intervals.min(),
            reference.intervals.max(),
            mir_eval.chord.NO_CHORD,
            mir_eval.chord.NO_CHORD,
        ),
    )
    seconds = np.diff(intervals, axis=1)[:, 0]
    right = mir_eval.chord.majmin(ours, theirs)
    counted = right >= 0  # X has -1
    return np.array([(right * seconds)[counted].sum(), seconds[counted].sum()])


def test_the_shares_of_the_sum_add_up_and_leave_the_input_out(grid: Grid) -> None:
    assert [each.sum_weights is None for each in grid.layers] == [True] * 3 + [False]
    shares = grid.layers[-1].sum_weights
    assert shares is not None
    assert list(shares) == ["1", "2"]
    assert sum(shares.values()) == pytest.approx(1)
    assert shares["1"] != shares["2"], "the shares have not been learnt"


def test_a_probe_trained_by_itself_is_that_of_the_grid(grid: Grid) -> None:
    member = grid.layers[1].members[1].member
    (alone,) = train_on_frames(
        [member],
        grid.plan.training_rules(),
        grid.data["train"],
        grid.data["valid"],
        device=CPU,
        progress=Silence(),
    )
    of_grid = grid.layers[1].members[1]
    assert (alone.best_epoch, alone.epochs) == (of_grid.best_epoch, of_grid.epochs)
    for name, value in alone.parameters.items():
        torch.testing.assert_close(of_grid.parameters[name], value, atol=1e-6, rtol=1e-5)
    (trial,) = [each for each in grid.trials if each.layer == "1" and each.seed == 1]
    assert (trial.epochs, trial.best_epoch) == (alone.epochs, alone.best_epoch)
    assert trial.valid == pytest.approx(alone.valid_score, abs=1e-9)


def test_stages_are_told(grid: Grid) -> None:
    # 4 layers: two rates of one seed, then the best of the other.
    assert grid.progress.stages == [
        ("epochs of 8 probes", 8),
        ("epochs of 4 probes", 8),
        ("decode", 4),
    ]
    assert grid.progress.done[-1] == 4 and grid.progress.ended == 3


def test_seeds_and_tracks_are_told_apart(grid: Grid) -> None:
    """Both seeds together give what each gives alone, in the order of the tracks."""
    split, members = grid.data["test"], grid.layers[1].members
    together = estimates(members, split, CPU)
    text_of = grid.task.frame_kind.text_of
    alone = [estimates([each], split, CPU)[0] for each in members]
    assert [[text_of(each) for each in of_seed] for of_seed in together] == [
        [text_of(each) for each in of_seed] for of_seed in alone
    ]
    assert [len(each) for each in together] == [5, 5]
    counts = counts_of(together, split, grid.task.spec.metrics)
    assert counts.shape == (2, 5, len(grid.task.spec.metrics), 2)
    for at, name in enumerate(grid.task.spec.metrics):
        of_one = counts_of([together[1]], split, (name,))
        np.testing.assert_array_equal(of_one[0, :, 0], counts[1, :, at])


def same(one: FrameLayer, other: FrameLayer) -> bool:
    return (one.layer, one.setting, one.seeds, one.valid) == (
        other.layer,
        other.setting,
        other.seeds,
        other.valid,
    )


def test_nothing_that_is_chosen_depends_on_the_test_split(tmp_path: Path, grid: Grid) -> None:
    other = frames_split(tmp_path, grid.task, name="other", seed=17, clearness=0.0)
    data = {**grid.data, "test": other}
    trials, layers, notes = train_frame_grid(grid.plan, data, Silence())
    assert (trials, notes) == (grid.trials, grid.notes)
    for one, two in zip(layers, grid.layers, strict=True):
        assert same(one, two)
        np.testing.assert_array_equal(one.valid_counts, two.valid_counts)
    assert any(
        not np.array_equal(one.test_counts, two.test_counts)
        for one, two in zip(layers, grid.layers, strict=True)
    )


def scored_by(plan: GridPlan, data: dict[str, FrameSplit], **functions: Any) -> dict[str, Any]:
    """Put functions in the place of the task's own; returns the arguments of the grid."""
    task = plan.task.overriding(**functions)
    splits = {name: like(each, task=task) for name, each in data.items()}
    return {"plan": replace(plan, task=task), "data": splits, "progress": Silence()}


def test_the_rate_is_chosen_by_the_stand_in_and_the_layer_is_scored_by_the_main_metric(
    tmp_path: Path,
) -> None:
    """A stand-in that likes no probe better than another: the first epoch and rate win."""
    task = frame_task("beat")
    data = frames_splits(tmp_path, task)
    given = scored_by(
        frames_plan(task, seeds=(0,)),
        data,
        draft_counts=lambda *_: np.array([0.25, 1.0]),
        score=lambda *_: np.array([[0.75, 1.0]]),
    )
    trials, layers, _ = train_frame_grid(**given)
    assert {each.setting for each in layers} == {RATES[0]}
    assert {(each.best_epoch, each.epochs, each.valid) for each in trials} == {(1, 5, 0.25)}
    assert {each.valid for each in layers} == {0.75}


def test_the_score_of_a_split_is_a_ratio_of_sums(tmp_path: Path) -> None:
    """Of five tracks 1 of 2, 3 of 10, then nothing to be found: 4 of 12."""
    task = frame_task("beat")
    counts = [[1.0, 2.0], [3.0, 10.0], [0.0, 0.0], [0.0, 0.0], [0.0, 0.0]]
    told = iter([np.array([each]) for each in counts * 8])
    given = scored_by(
        frames_plan(task, seeds=(0,)),
        frames_splits(tmp_path, task),
        score=lambda *_: next(told),
    )
    _, layers, _ = train_frame_grid(**given)
    assert [each.valid for each in layers] == [pytest.approx(1 / 3)] * 4


def test_the_card_s_rates_go_before_the_protocol_s(tmp_path: Path) -> None:
    task = frame_task("beat")
    plan = frames_plan(task, seeds=(0,), layers={"2": (2,)})
    plan = replace(plan, rules=replace(plan.rules, learning_rates=(2e-2,)))
    trials, layers, _ = train_frame_grid(plan, frames_splits(tmp_path, task), Silence())
    assert [each.setting for each in trials] == [each.setting for each in layers] == [2e-2]


@pytest.mark.parametrize("probe", [MLP, TrainedProbe("linear", 0, 0.0)], ids=["mlp", "linear"])
def test_a_rate_far_too_large_is_no_reason_to_fail(tmp_path: Path, probe: TrainedProbe) -> None:
    task = frame_task("beat")
    layers_wanted = {"0": (0,), "2": (2,), "sum": (1, 2)}
    plan = frames_plan(task, rates=(1e6, 1e-2), probe=probe, seeds=(0,), layers=layers_wanted)
    trials, layers, _ = train_frame_grid(plan, frames_splits(tmp_path, task), Silence())
    assert [each.layer for each in layers] == list(layers_wanted)
    assert all(math.isfinite(each.valid) for each in trials)
    assert all(math.isfinite(each.valid) for each in layers)


def test_a_rate_that_diverges_is_told_and_never_chosen(tmp_path: Path) -> None:
    task = frame_task("beat")
    plan = frames_plan(task, rates=(1e38, 1e-2), probe=MLP)
    trials, layers, notes = train_frame_grid(plan, frames_splits(tmp_path, task), Silence())
    assert {each.setting for each in trials} == {each.setting for each in layers} == {1e-2}
    assert [each.layer for each in layers] == LAYERS
    assert note_sentences(notes) == [
        "learning rate 1e+38, seed 0: outputs no longer finite at layer 0, 1, 2, sum; "
        "it was the first epoch"
    ]


def test_a_layer_with_infinite_features_is_left_out_and_told(tmp_path: Path) -> None:
    """The learned sum is over layers 1 and 2, and shares the fate of layer 1."""
    task = frame_task("beat")
    data = frames_splits(tmp_path, task, spoilt=1)
    trials, layers, notes = train_frame_grid(frames_plan(task), data, Silence())
    assert [each.layer for each in layers] == ["0", "2"]
    assert {each.layer for each in trials} == {"0", "2"}
    assert note_sentences(notes) == [
        *(
            f"learning rate {rate:g}, seed 0: outputs no longer finite at layer 1, sum; "
            f"it was the first epoch"
            for rate in RATES
        ),
        "layer 1 is left out: no probe of it kept finite outputs with every seed",
        "layer sum is left out: no probe of it kept finite outputs with every seed",
    ]
    # The others are as they would be without it.
    sound, _, _ = train_frame_grid(
        frames_plan(task), frames_splits(tmp_path / "sound", task), Silence()
    )
    assert trials == [each for each in sound if each.layer in ("0", "2")]


def test_a_grid_of_which_nothing_is_left_is_an_error(tmp_path: Path) -> None:
    task = frame_task("beat")
    plan = frames_plan(task, rates=(1e38,), probe=MLP)
    with pytest.raises(MarbleError, match=r"finite outputs\. Got none: learning rate 1e\+38, seed"):
        train_frame_grid(plan, frames_splits(tmp_path, task), Silence())


def test_a_probe_that_is_solved_is_refused() -> None:
    with pytest.raises(SpecError, match=r"probe=logreg .* kind beat .* Take probe=linear"):
        check_serves(LogisticProbe((1.0,)), frame_task("beat"))


@pytest.mark.parametrize("fails", ["draft_counts", "decode", "score"])
def test_stages_end_and_threads_are_given_back_after_an_error(tmp_path: Path, fails: str) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("no score today")

    task, progress = frame_task("beat"), Telling()
    data = frames_splits(tmp_path, task, lengths=(30, 30))
    given = scored_by(frames_plan(task, seeds=(0,)), data, **{fails: fail})
    before = torch.get_num_threads(), torch.get_float32_matmul_precision()
    with pytest.raises(RuntimeError, match="no score today"):
        train_frame_grid(**{**given, "progress": progress})
    assert progress.ended == len(progress.stages) == (1 if fails == "draft_counts" else 2)
    assert (torch.get_num_threads(), torch.get_float32_matmul_precision()) == before


def test_a_ratio_of_nothing_is_zero_and_says_nothing() -> None:
    counts = np.array([[[1.0, 4.0], [0.0, 0.0]], [[3.0, 3.0], [0.0, 2.0]]])
    assert ratio(counts).tolist() == [[0.25, 0.0], [1.0, 0.0]]


def test_a_trained_probe_of_known_weights_finds_what_is_there(tmp_path: Path) -> None:
    """Features that are the targets themselves, and a probe that hands them on."""
    task = frame_task("beat")
    split = frames_split(tmp_path, task, lengths=(100, 80), layers=1)
    store = split.source.store
    for track, audio in enumerate(store.tracks()):
        goals = np.nan_to_num(
            task.frame_kind.encode(
                split.annotation(track),
                split.frames[track],
                split.source.rate,
                task.spec,
                split.source.rules,
                widened=False,
            )
        )
        content = np.zeros((1, *goals.shape[:1], 6), dtype=np.float32)
        content[0, :, :2] = goals
        with (store.folder / audio[:2] / f"{audio}.frames").open("r+b") as stream:
            stream.write(content.tobytes())
    weights = torch.zeros(6, 2)
    weights[0, 0] = weights[1, 1] = 20.0
    known = TrainedMember(
        Member("0", (0,), 1e-2, 0),
        {"output": weights, "output_bias": torch.full((1, 2), -10.0)},
        valid_score=1.0,
        best_epoch=1,
        epochs=1,
        diverged=False,
    )
    (found,) = estimates([known], split, CPU)
    for track, events in enumerate(found):
        reference = split.annotation(track)
        assert np.abs(events.beats - reference.beats).max() <= 0.5 / 20 + 1e-9
        assert len(events.downbeats) == len(reference.downbeats)
