"""The whole grid: what is trained, what is chosen, and that test has no part in it."""

from __future__ import annotations

import math
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from marble_eval.errors import MarbleError
from marble_eval.probes import Member, ProbeData
from marble_eval.probes.grid import GridOutcome, GridPlan, layer_choices, run_grid
from marble_eval.probes.logistic import LogisticProbe
from marble_eval.probes.matrix_products import fast_products
from marble_eval.probes.training import predict, train_group
from marble_eval.progress import Silence
from marble_eval.registry import load_task
from marble_eval.registry.configuration import load_engine, load_protocol
from marble_eval.results.caveats import note_sentences
from marble_eval.spec import TaskSpec, TrainedProbe

NAMES = ("0", "1", "2", "3")
CLASSES, WIDTH = 10, 16
RATES = (1e-3, 1e-2)


def split(tracks: int, seed: int) -> ProbeData:
    """Draw clusters that grow clearer from layer to layer, 1 to 3 clips a track."""
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(99).normal(size=(len(NAMES), CLASSES, WIDTH))
    counts, classes = rng.integers(1, 4, tracks), rng.integers(CLASSES, size=tracks)
    noise = rng.normal(size=(len(NAMES), counts.sum(), WIDTH))
    features = (
        centres[:, np.repeat(classes, counts)] + np.array([9.0, 4, 2, 1.5])[:, None, None] * noise
    )
    return ProbeData(
        torch.from_numpy(features).half(), torch.from_numpy(counts), torch.from_numpy(classes)
    )


def splits() -> dict[str, ProbeData]:
    return {"train": split(80, 0), "valid": split(40, 1), "test": split(30, 2)}


def plan(*, rates: tuple[float, ...] = RATES, seeds: int = 2, **changes: Any) -> GridPlan:
    task, protocol = load_task("GTZAN"), load_protocol("marble-v1")
    given = GridPlan(
        task=task,
        layers=layer_choices(NAMES, "all", protocol),
        layer_names=NAMES,
        probe=TrainedProbe("mlp", 12, 0.2),
        protocol=replace(protocol, batch_tracks=16, learning_rates=rates),
        rules=replace(
            task.spec.protocols["marble-v1"], max_epochs=12, plateau_patience=1, stop_patience=4
        ),
        seeds=tuple(range(seeds)),
        engine=load_engine("local"),
        device=torch.device("cpu"),
    )
    return replace(given, **changes)


class Counting(Silence):
    """Take down how far the work has got."""

    def __init__(self) -> None:
        self.total = self.done = self.ended = 0

    def begin(self, title: str, total: int) -> None:
        self.total = total

    def advance(self, steps: int = 1) -> None:
        self.done += steps

    def end(self) -> None:
        self.ended += 1


@pytest.fixture(scope="module")
def outcome() -> GridOutcome:
    return run_grid(plan(), splits(), Silence())


def test_every_layer_meets_every_rate_and_the_best_rate_every_seed(outcome: GridOutcome) -> None:
    layers = [*NAMES, "sum"]
    first = [(each.layer, each.setting) for each in outcome.trials if each.seed == 0]
    assert first == [(layer, rate) for layer in layers for rate in RATES]
    second = [(each.layer, each.setting) for each in outcome.trials if each.seed == 1]
    assert second == [(each.layer, each.setting) for each in outcome.layers]
    assert [each.layer for each in outcome.layers] == layers
    assert note_sentences(outcome.notes) == []
    for layer in outcome.layers:
        of_layer = [each for each in outcome.trials if each.layer == layer.layer]
        best = max(each.valid for each in of_layer if each.seed == 0)
        chosen = [each for each in of_layer if each.setting == layer.setting]
        assert chosen[0].valid == best
        assert layer.valid == pytest.approx(np.mean([each.valid for each in chosen]))
        assert layer.seeds == (0, 1)
        assert layer.valid_outputs.shape == (2, 40, CLASSES)
        assert layer.test_outputs.shape == (2, 30, CLASSES)
    assert outcome.chosen.valid == max(each.valid for each in outcome.layers)
    assert outcome.chosen.layer in ("3", "sum"), "the clearest layer was not found"


def test_the_validation_score_is_that_of_the_outputs_that_are_kept(outcome: GridOutcome) -> None:
    targets = splits()["valid"].targets.numpy()
    for layer in outcome.layers:
        scores = [(each.argmax(1) == targets).mean() for each in layer.valid_outputs]
        assert layer.valid == pytest.approx(np.mean(scores))


def test_the_shares_of_the_sum_add_up_and_leave_the_input_out(outcome: GridOutcome) -> None:
    assert [each.sum_weights is None for each in outcome.layers] == [True] * 4 + [False]
    shares = outcome.layers[-1].sum_weights
    assert shares is not None
    assert list(shares) == ["1", "2", "3"]
    assert sum(shares.values()) == pytest.approx(1)
    assert len(set(shares.values())) == 3, "the shares have not been learnt"


@pytest.mark.parametrize("group", [1, 3, 100])
def test_the_size_of_the_groups_changes_nothing(outcome: GridOutcome, group: int) -> None:
    engine = replace(load_engine("local"), group_members=group)
    other = run_grid(plan(engine=engine), splits(), Silence())
    assert other.trials == outcome.trials
    assert other.chosen.layer == outcome.chosen.layer
    for ours, theirs in zip(other.layers, outcome.layers, strict=True):
        np.testing.assert_allclose(ours.test_outputs, theirs.test_outputs, atol=1e-5)


def test_the_grid_gives_what_one_probe_trained_by_itself_gives(outcome: GridOutcome) -> None:
    data, given = splits(), plan()
    layer = outcome.layers[2]
    targets = data["valid"].targets.numpy()

    with fast_products(torch.device("cpu")):
        (alone,) = train_group(
            [Member("2", (2,), layer.setting, 1)],
            given.training_rules(),
            data["train"],
            data["valid"],
            monitor=lambda outputs: float((outputs.argmax(1) == targets).mean()),
            device=torch.device("cpu"),
        )
    stack = {name: value[None] for name, value in alone.parameters.items()}
    expected = predict(stack, [alone.member], data["test"], "mean-logits")[0].numpy()
    np.testing.assert_allclose(layer.test_outputs[1], expected, atol=1e-5)


@pytest.mark.parametrize("probe", ["mlp", "logreg"])
def test_nothing_that_is_chosen_depends_on_the_test_split(probe: str) -> None:
    spec = plan().probe if probe == "mlp" else LogisticProbe((0.01, 1.0))
    data = splits()
    first = run_grid(plan(probe=spec), data, Silence())
    other = ProbeData(
        torch.randn_like(data["test"].features, dtype=torch.float32) * 50,
        data["test"].clips.flip(0),
        data["test"].targets.roll(1),
    )
    second = run_grid(plan(probe=spec), {**data, "test": other}, Silence())
    assert second.trials == first.trials
    assert second.notes == first.notes
    for one, two in zip(
        [*first.layers, first.chosen], [*second.layers, second.chosen], strict=True
    ):
        assert (one.layer, one.setting, one.valid) == (two.layer, two.setting, two.valid)
        np.testing.assert_array_equal(one.valid_outputs, two.valid_outputs)
        assert not np.array_equal(one.test_outputs, two.test_outputs)


def with_monitor(monitor: Callable[..., float], given: GridPlan) -> GridPlan:
    def score(reference: Any, estimate: Any, spec: TaskSpec) -> dict[str, float]:
        return {spec.main_metric: monitor()}

    return replace(given, task=given.task.overriding(score=score))


def test_of_equal_scores_the_lower_layer_and_the_earlier_rate_win() -> None:
    given = with_monitor(lambda *_: 0.5, plan(rates=(1e-2, 1e-3), seeds=1))
    outcome = run_grid(given, splits(), Silence())
    assert (outcome.chosen.layer, outcome.chosen.setting) == ("0", 1e-2)
    assert {each.setting for each in outcome.layers} == {1e-2}
    # Nothing is better than the first epoch; four more, then all have stopped.
    assert {(each.best_epoch, each.epochs) for each in outcome.trials} == {(1, 5)}


def test_the_layer_with_the_best_mean_over_the_seeds_is_chosen() -> None:
    # Of the trainings, by layer and seed: "0" gets 0.9 and 0.1, "1" gets 0.6 and 0.6.
    scores = iter([0.9, 0.6, 0.1, 0.6])
    given = plan(rates=(1e-2,), layers={"0": (0,), "1": (1,)})
    given = replace(given, rules=replace(given.rules, max_epochs=1))
    before = torch.get_num_threads()
    torch.set_num_threads(1)  # one probe after the other, in order
    try:
        outcome = run_grid(with_monitor(lambda *_: next(scores), given), splits(), Silence())
    finally:
        torch.set_num_threads(before)
    assert [each.valid for each in outcome.layers] == [pytest.approx(0.5), pytest.approx(0.6)]
    assert outcome.chosen.layer == "1"


def test_the_card_s_rates_go_before_the_protocol_s() -> None:
    given = plan(rates=(1e-3, 1e-2, 1e-1), seeds=1, layers={"3": (3,)})
    given = replace(given, rules=replace(given.rules, learning_rates=(5e-3,)))
    assert [each.setting for each in run_grid(given, splits(), Silence()).trials] == [5e-3]


def test_every_probe_is_reported() -> None:
    progress = Counting()
    run_grid(plan(), splits(), progress)
    # 5 layers: two rates, and one more seed.
    assert (progress.total, progress.done, progress.ended) == (15, 15, 1)


@pytest.fixture
def _threads_and_precision() -> Iterator[None]:
    threads, precision = torch.get_num_threads(), torch.get_float32_matmul_precision()
    torch.set_num_threads(3)
    torch.set_float32_matmul_precision("high")
    yield
    torch.set_num_threads(threads)
    torch.set_float32_matmul_precision(precision)


@pytest.mark.usefixtures("_threads_and_precision")
@pytest.mark.parametrize("fails", [False, True])
def test_threads_and_precision_are_given_back(fails: bool) -> None:
    def monitor(*_: object) -> float:
        if fails:
            raise RuntimeError("no score today")
        return 0.5

    given, progress = with_monitor(monitor, plan(seeds=1)), Counting()
    if fails:
        with pytest.raises(RuntimeError, match="no score today"):
            run_grid(given, splits(), progress)
    else:
        run_grid(given, splits(), progress)
    assert progress.ended == 1
    assert torch.get_num_threads() == 3
    assert torch.get_float32_matmul_precision() == "high"


@pytest.mark.parametrize("probe", ["mlp", "logreg"])
@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize("where", ["train", "valid", "test"])
def test_features_that_are_not_finite_are_refused(where: str, value: float, probe: str) -> None:
    data = splits()
    data[where].features[2, 3, 5] = value
    spec = plan().probe if probe == "mlp" else LogisticProbe((1.0,))
    clips = data[where].features.shape[1]
    message = rf"features of layer 2 must be finite\. Got .* in 1 of {clips} {where} clips"
    with pytest.raises(MarbleError, match=message):
        run_grid(plan(probe=spec), data, Silence())


def test_a_layer_that_is_not_read_may_be_anything() -> None:
    data = splits()
    data["train"].features[0] = math.nan
    given = plan(seeds=1, layers={"3": (3,)})
    assert run_grid(given, data, Silence()).chosen.layer == "3"


def test_a_rate_that_diverges_is_told_and_never_chosen() -> None:
    outcome = run_grid(plan(rates=(1e38, 1e-2)), splits(), Silence())
    assert {each.setting for each in outcome.layers} == {1e-2}
    assert {each.setting for each in outcome.trials} == {1e-2}
    assert all(math.isfinite(each.valid) for each in outcome.trials)
    assert note_sentences(outcome.notes) == [
        "learning rate 1e+38, seed 0: outputs no longer finite at layer 0, 1, 2, 3, sum; "
        "it was the first epoch"
    ]


def test_a_probe_that_diverges_late_is_told_and_its_best_epoch_counts() -> None:
    given = plan(rates=(1e18,), seeds=1, layers={"3": (3,)})
    endless = replace(given.rules, max_epochs=60, stop_patience=60, plateau_patience=60)
    given = replace(given, rules=endless)
    outcome = run_grid(given, splits(), Silence())
    assert note_sentences(outcome.notes) == [
        "learning rate 1e+18, seed 0: outputs no longer finite at layer 3; "
        "the best epoch before it counts"
    ]
    assert outcome.trials[0].best_epoch < outcome.trials[0].epochs < 60
    assert np.isfinite(outcome.chosen.valid_outputs).all()


def test_a_layer_that_no_rate_can_train_is_left_out_and_told() -> None:
    data = {
        name: ProbeData(each.features.float(), each.clips, each.targets)
        for name, each in splits().items()
    }
    for each in data.values():
        # Adam's weights reach the rate in one step: 1e12 * 1e15 * 1e12 is beyond 3.4e38.
        each.features[2] *= 1e15
    layers, rates = {"1": (1,), "2": (2,)}, (1e12,)
    outcome = run_grid(plan(layers=layers, rates=rates), data, Silence())
    assert [each.layer for each in outcome.layers] == ["1"]
    assert {each.layer for each in outcome.trials} == {"1"}
    assert note_sentences(outcome.notes) == [  # and no other seed has been tried
        "learning rate 1e+12, seed 0: outputs no longer finite at layer 2; it was the first epoch",
        "layer 2 is left out: no probe of it kept finite outputs with every seed",
    ]
    with pytest.raises(MarbleError, match=r"finite outputs\. Got none: learning rate 1e\+12, seed"):
        run_grid(plan(layers={"2": (2,)}, rates=rates), data, Silence())


def test_a_batch_larger_than_the_data_and_one_track_are_enough() -> None:
    one = ProbeData(torch.ones(4, 1, WIDTH), torch.tensor([1]), torch.tensor([4]))
    outcome = run_grid(plan(), {**splits(), "train": one, "test": one}, Silence())
    assert outcome.chosen.test_outputs.shape == (2, 1, CLASSES)
    assert np.isfinite(outcome.chosen.test_outputs).all()


class Interrupting(Silence):
    """Press Ctrl-C while probes are in training."""

    def begin(self, title: str, total: int) -> None:
        main = threading.main_thread().ident
        threading.Timer(0.3, signal.pthread_kill, (main, signal.SIGINT)).start()


def test_ctrl_c_does_not_wait_for_probes_in_training() -> None:
    endless = replace(plan().rules, max_epochs=10**9, plateau_patience=10**9, stop_patience=10**9)
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        run_grid(plan(rules=endless), splits(), Interrupting())
    assert time.monotonic() - began < 30
    assert not [each for each in threading.enumerate() if each.name.startswith("probe")]
