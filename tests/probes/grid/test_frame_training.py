"""Training on frames against a plain loop: one probe, autograd, Adam, whole batches."""

from __future__ import annotations

import copy
import math
import signal
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from torch.nn import functional

from marble_eval.data.annotations.chord_files import Chords
from marble_eval.probes import LEARNED_SUM, Member, TrainedMember
from marble_eval.probes.grid import frame_batches, frame_training
from marble_eval.probes.grid.frame_split import FrameSplit
from marble_eval.probes.grid.frame_training import frame_outputs, side_by_side, train_on_frames
from marble_eval.probes.schedule import Patience
from marble_eval.probes.training import TrainingRules
from marble_eval.progress import Silence
from marble_eval.spec import TrainedProbe
from tests.probes.grid.conftest import (
    LAYERS,
    LINEAR,
    MLP,
    RATE,
    RULES,
    WIDTH,
    frame_task,
    frames_split,
    like,
)

CPU = torch.device("cpu")
DROPPING = TrainedProbe("mlp", 8, 0.3)
PATIENCE = Patience(max_epochs=9, plateau=1, factor=0.5, stop=4)
RATES = (1e-2, 5e-2)
SUM = (1, 2)


class Splits(NamedTuple):
    train: FrameSplit
    valid: FrameSplit


def splits(root: Path, kind: str, **options: Any) -> Splits:
    task = frame_task(kind)
    return Splits(
        frames_split(root, task, seed=0, **options),
        frames_split(root, task, name="valid", seed=1, lengths=(60, 45), **options),
    )


def rules_for(
    split: FrameSplit, probe: TrainedProbe, patience: Patience = PATIENCE
) -> TrainingRules:
    kind = split.source.task.kind
    return TrainingRules(
        probe=probe,
        outputs=kind.outputs(split.source.task.spec),
        loss=kind.loss,
        patience=patience,
        batch_tracks=64,
        aggregation="mean-logits",
    )


def members(seed: int = 10) -> list[Member]:
    singles = [Member(str(at), (at,), rate, seed) for at in range(LAYERS) for rate in RATES]
    return [*singles, *(Member(LEARNED_SUM, SUM, rate, seed) for rate in RATES)]


def trained(
    some: Sequence[Member], data: Splits, probe: TrainedProbe, patience: Patience = PATIENCE
) -> list[TrainedMember]:
    rules = rules_for(data.train, probe, patience)
    return train_on_frames(some, rules, data.train, data.valid, device=CPU, progress=Silence())


class PlainProbe(torch.nn.Module):
    """A probe as PyTorch's own modules."""

    def __init__(
        self, probe: TrainedProbe, layers: int, outputs: int, draws: torch.Generator
    ) -> None:
        super().__init__()
        self.weights = torch.nn.Parameter(torch.zeros(layers)) if layers > 1 else None
        self.hidden = torch.nn.Linear(WIDTH, probe.hidden) if probe.hidden else None
        self.output = torch.nn.Linear(probe.hidden or WIDTH, outputs)
        for linear in filter(None, (self.hidden, self.output)):
            bound = 1 / math.sqrt(linear.in_features)
            drawn = torch.empty(linear.in_features, linear.out_features)
            with torch.no_grad():
                linear.weight.copy_(drawn.uniform_(-bound, bound, generator=draws).T)
                linear.bias.uniform_(-bound, bound, generator=draws)
        if self.weights is not None:
            torch.nn.init.normal_(self.weights, generator=draws)

    def forward(self, layers: torch.Tensor) -> torch.Tensor:
        """Map (layer, rows, width) to (rows, output)."""
        shares = torch.ones(1) if self.weights is None else torch.softmax(self.weights, 0)
        values = (shares[:, None, None] * layers).sum(0)
        if self.hidden is not None:
            values = torch.relu(self.hidden(values))
        return torch.as_tensor(self.output(values))


class Plain(NamedTuple):
    parameters: dict[str, torch.Tensor]
    scores: list[float]
    rates: list[float]
    best_epoch: int


def layers_of(split: FrameSplit, track: int, reads: Sequence[int]) -> torch.Tensor:
    return torch.stack([split.read(track, at, 0, split.frames[track]) for at in reads])


def targets_of(split: FrameSplit, track: int) -> torch.Tensor:
    source = split.source
    events = source.task.frame_kind.annotation_of(str(split.tracks[track].label))
    frames, spec = split.frames[track], source.task.spec
    whole = source.task.frame_kind.encode(events, frames, RATE, spec, source.rules, widened=True)
    return torch.from_numpy(np.asarray(whole))


def plain_windows(split: FrameSplit) -> list[tuple[int, int, int]]:
    """Cut tracks every 20 frames; a rest of fewer than 10 stays with the window before."""
    found = []
    for track, frames in enumerate(split.frames):
        cuts = [at for at in range(20, frames, 20) if frames - at >= 10]
        found += [(track, *each) for each in zip([0, *cuts], [*cuts, frames], strict=True)]
    return found


def plain_loss(outputs: torch.Tensor, goals: torch.Tensor, loss: str) -> torch.Tensor:
    known = goals.isfinite()
    if loss == "cross-entropy":
        rows = known.all(dim=1)
        return functional.cross_entropy(outputs[rows], goals[rows].argmax(dim=1))
    return functional.binary_cross_entropy_with_logits(outputs[known], goals[known])


def plain_score(probe: PlainProbe, split: FrameSplit, reads: Sequence[int]) -> float:
    task, counts = split.source.task, np.zeros(2)
    for track in range(len(split.frames)):
        with torch.no_grad():
            logits = probe(layers_of(split, track, reads)).numpy()
        events = task.frame_kind.annotation_of(str(split.tracks[track].label))
        counts += task.frame_kind.draft_counts(logits, events, RATE, task.spec, split.source.rules)
    return float(counts[0] / counts[1])


def plain_training(member: Member, rules: TrainingRules, data: Splits) -> Plain:
    words = np.random.SeedSequence(member.seed).generate_state(3).tolist()
    draws, order = (torch.Generator().manual_seed(words[at]) for at in (0, 2))
    probe = PlainProbe(rules.probe, len(member.reads), rules.outputs, draws)
    adam = torch.optim.Adam(probe.parameters(), lr=member.learning_rate)
    patience = rules.patience
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(
        adam, mode="max", factor=patience.factor, patience=patience.plateau
    )
    windows, scores, rates = plain_windows(data.train), [], []
    best, best_epoch, best_score = copy.deepcopy(probe), 0, -math.inf
    for epoch in range(1, patience.max_epochs + 1):
        rates.append(adam.param_groups[0]["lr"])
        drawn = torch.randperm(len(windows), generator=order).tolist()
        for first in range(0, len(drawn), 4):
            batch = [windows[at] for at in drawn[first : first + 4]]
            goals = torch.cat([targets_of(data.train, at)[one:two] for at, one, two in batch])
            if not goals.isfinite().any():
                continue
            features = [
                layers_of(data.train, at, member.reads)[:, one:two] for at, one, two in batch
            ]
            adam.zero_grad()
            outputs = probe(torch.cat(features, dim=1))
            torch.autograd.backward(plain_loss(outputs, goals, rules.loss))
            adam.step()
        scores.append(plain_score(probe, data.valid, member.reads))
        if scores[-1] > best_score:
            best, best_epoch, best_score = copy.deepcopy(probe), epoch, scores[-1]
        scheduler.step(scores[-1])
        if epoch - best_epoch >= patience.stop:
            break
    parameters = {} if best.weights is None else {"weights": best.weights.detach()}
    for name in ("hidden", "output"):
        linear = getattr(best, name)
        if linear is not None:
            parameters[name] = linear.weight.detach().T
            parameters[f"{name}_bias"] = linear.bias.detach()[None]
    return Plain(parameters, scores, rates, best_epoch)


def plain_grid(some: Sequence[Member], rules: TrainingRules, data: Splits) -> list[Plain]:
    """Train one after the other; tensors as small as these are slower on two threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return [plain_training(each, rules, data) for each in some]
    finally:
        torch.set_num_threads(threads)


def small_parts(monkeypatch: pytest.MonkeyPatch, rows: int) -> None:
    monkeypatch.setattr(frame_batches, "ROWS", rows)
    monkeypatch.setattr(frame_training, "ROWS", rows)


def assert_same(found: TrainedMember, other: TrainedMember, *, atol: float = 1e-6) -> None:
    assert (found.best_epoch, found.epochs) == (other.best_epoch, other.epochs)
    assert found.valid_score == pytest.approx(other.valid_score, abs=1e-9)
    assert set(found.parameters) == set(other.parameters)
    for name, value in other.parameters.items():
        torch.testing.assert_close(found.parameters[name], value, atol=atol, rtol=1e-5)


@pytest.mark.parametrize("probe", [LINEAR, MLP], ids=["linear", "mlp"])
@pytest.mark.parametrize("kind", ["beat", "chord"])
def test_the_grid_gives_what_each_probe_gives_in_a_plain_loop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, probe: TrainedProbe
) -> None:
    small_parts(monkeypatch, 25)  # a window or a rest each, of batches of four
    data = splits(tmp_path, kind)
    rules = rules_for(data.train, probe)
    given = trained(members(), data, probe)
    plain = plain_grid(members(), rules, data)

    # The case is one in which all that could go wrong happens.
    unknown = torch.cat([targets_of(data.train, at) for at in range(5)]).isnan()
    assert 0 < unknown.sum() < unknown.numel()
    assert len({len(each.scores) for each in plain}) > 1, "all stop in the same epoch"
    assert any(each.best_epoch < len(each.scores) for each in plain)
    assert any(each.rates[0] > each.rates[-1] for each in plain)

    for found, official in zip(given, plain, strict=True):
        assert found.best_epoch == official.best_epoch
        assert found.epochs == len(official.scores)
        assert found.valid_score == pytest.approx(max(official.scores), abs=1e-9)
        assert not found.diverged
        assert set(found.parameters) == set(official.parameters)
        for name, value in official.parameters.items():
            torch.testing.assert_close(found.parameters[name], value, atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize("probe", [LINEAR, DROPPING], ids=["linear", "dropout"])
@pytest.mark.parametrize("kind", ["beat", "chord"])
def test_a_probe_trained_alone_is_the_probe_in_the_grid(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, probe: TrainedProbe
) -> None:
    small_parts(monkeypatch, 45)
    data = splits(tmp_path, kind)
    together = trained(members(), data, probe)
    for member, found in zip(members(), together, strict=True):
        (alone,) = trained([member], data, probe)
        assert found.member == member
        assert_same(found, alone)
    # In another order, and beside others.
    mixed = [members()[at] for at in (7, 2, 6, 1)]
    for member, found in zip(mixed, trained(mixed, data, probe), strict=True):
        assert found.member == member
        assert_same(found, together[members().index(member)])


def test_more_learned_sums_than_go_side_by_side_are_the_same(tmp_path: Path) -> None:
    data = splits(tmp_path, "beat")
    sums = [Member(LEARNED_SUM, SUM, rate, 7) for rate in (1e-3, 3e-3, 1e-2, 3e-2, 1e-1)]
    for member, found in zip(sums, trained(sums, data, DROPPING), strict=True):
        assert found.member == member
        assert_same(found, trained([member], data, DROPPING)[0])


@pytest.mark.parametrize("rows", [1, 45])
@pytest.mark.parametrize("kind", ["beat", "chord"])
def test_parts_give_what_whole_batches_give(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, rows: int
) -> None:
    data = splits(tmp_path, kind)
    whole = trained(members(), data, MLP)
    small_parts(monkeypatch, rows)
    for found, other in zip(trained(members(), data, MLP), whole, strict=True):
        assert_same(found, other, atol=2e-5)


def test_a_seed_alone_decides_and_the_caller_s_random_state_stays(tmp_path: Path) -> None:
    data = splits(tmp_path, "beat")
    before = torch.get_rng_state()
    first = trained(members()[2:3], data, DROPPING)[0]
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(5)
    np.random.seed(5)
    second = trained(members()[2:3], data, DROPPING)[0]
    other = trained(members(seed=8)[2:3], data, DROPPING)[0]
    for name, value in first.parameters.items():
        assert torch.equal(value, second.parameters[name])
        assert not torch.equal(value, other.parameters[name])


def with_draft(data: Splits, draft: Callable[..., Any]) -> Splits:
    """Score epochs by something else."""
    task = data.valid.source.task
    return Splits(data.train, like(data.valid, task=task.overriding(draft_counts=draft)))


def of_epochs(scores: Sequence[float], tracks: int = 2) -> Callable[..., np.ndarray]:
    """Prescribe the score of one probe in each epoch, the same for every track."""
    told = iter([score for score in scores for _ in range(tracks)])
    return lambda *_: np.array([next(told), 1.0])


def test_the_parameters_are_those_of_the_best_epoch(tmp_path: Path) -> None:
    data, member = splits(tmp_path, "beat"), members()[3:4]
    patience = Patience(max_epochs=7, plateau=100, factor=0.5, stop=100)
    scores = [0.2, 0.4, 0.9, 0.9, 0.1, 0.5, 0.8]  # the peak is epoch 3; of equals the first
    (peaked,) = trained(member, with_draft(data, of_epochs(scores)), LINEAR, patience)
    assert (peaked.best_epoch, peaked.epochs, peaked.valid_score) == (3, 7, 0.9)
    rising = with_draft(data, of_epochs([0.1, 0.2, 0.3]))
    (stopped,) = trained(member, rising, LINEAR, replace(patience, max_epochs=3))
    assert (stopped.best_epoch, stopped.epochs) == (3, 3)
    for name, value in stopped.parameters.items():
        assert torch.equal(peaked.parameters[name], value)


def test_a_probe_stops_after_as_many_epochs_without_a_better_one(tmp_path: Path) -> None:
    data = with_draft(splits(tmp_path, "beat"), of_epochs([0.3, 0.5, 0.4, 0.5, 0.1, 0.6]))
    patience = Patience(max_epochs=50, plateau=100, factor=0.5, stop=3)
    (found,) = trained(members()[:1], data, LINEAR, patience)
    assert (found.best_epoch, found.epochs, found.valid_score) == (2, 5, 0.5)


def test_counts_are_summed_over_the_tracks_and_divided_once(tmp_path: Path) -> None:
    """1 of 1 and 1 of 9 right are 2 of 10, not the mean of the two; (0, 0) counts nowhere."""
    counts = iter([np.array(each) for each in ((1.0, 1.0), (1.0, 9.0), (0.0, 0.0), (3.0, 5.0))])
    data = with_draft(splits(tmp_path, "beat"), lambda *_: next(counts))
    patience = Patience(max_epochs=2, plateau=100, factor=0.5, stop=100)
    (found,) = trained(members()[:1], data, LINEAR, patience)
    assert (found.valid_score, found.best_epoch) == (0.6, 2)


def test_the_stand_in_sees_each_track_whole_and_with_its_own_annotation(tmp_path: Path) -> None:
    seen = []

    def draft(logits: np.ndarray, annotation: Any, rate: float, *rest: Any) -> np.ndarray:
        seen.append((logits.shape, annotation.beats.tolist(), rate, rest[1]))
        return np.ones(2)

    data = with_draft(splits(tmp_path, "beat"), draft)
    patience = Patience(max_epochs=1, plateau=1, factor=0.5, stop=1)
    trained(members()[:1], data, LINEAR, patience)
    beats = [data.valid.annotation(track).beats.tolist() for track in range(2)]
    assert seen == [((60, 2), beats[0], RATE, RULES), ((45, 2), beats[1], RATE, RULES)]


def test_a_probe_that_diverges_stops_and_leaves_the_others_alone(tmp_path: Path) -> None:
    data = splits(tmp_path, "beat")
    sound = [Member("1", (1,), 1e-2, 0), Member("2", (2,), 5e-2, 0)]
    wild = Member("1", (1,), 1e38, 0)
    first, found, last = trained([sound[0], wild, sound[1]], data, MLP)
    assert (found.diverged, found.scored, found.best_epoch, found.epochs) == (True, False, 0, 1)
    assert found.valid_score == -math.inf
    for member, beside in zip(sound, (first, last), strict=True):
        assert not beside.diverged
        assert_same(beside, trained([member], data, MLP)[0])


@pytest.mark.parametrize("probe", [LINEAR, MLP], ids=["linear", "mlp"])
def test_features_that_are_not_finite_spoil_their_layer_alone(
    tmp_path: Path, probe: TrainedProbe
) -> None:
    spoilt = splits(tmp_path / "spoilt", "beat", spoilt=2)
    sound = splits(tmp_path / "sound", "beat")
    given = trained(members(), spoilt, probe)
    assert [each.diverged for each in given] == [False] * 4 + [True] * 4  # 2, and the sum with it
    assert not any(each.scored for each in given[4:])
    for found, other in zip(given[:4], trained(members()[:4], sound, probe), strict=True):
        assert_same(found, other)


def test_a_probe_that_diverges_later_keeps_its_best_epoch(tmp_path: Path) -> None:
    # Adam moves each weight by about its rate in a step: products of two weights overflow
    # once both have passed 1.8e19.
    patience = Patience(max_epochs=60, plateau=100, factor=0.5, stop=100)
    data = splits(tmp_path, "beat")
    (found,) = trained([Member("1", (1,), 3e18, 0)], data, MLP, patience)
    assert found.diverged and found.scored
    assert 1 <= found.best_epoch < found.epochs < 60
    assert all(value.isfinite().all() for value in found.parameters.values())
    stack = {name: value[None] for name, value in found.parameters.items()}
    assert np.isfinite(frame_outputs(stack, [1], data.valid, 0, CPU)).all()


def test_tracks_without_any_target_teach_nothing(tmp_path: Path) -> None:
    """Chord tracks of X alone, whole batches of them, beside one that can be learnt from."""
    task = frame_task("chord")
    x, c = (Chords(np.array([[0.0, 4.0]]), (name,)) for name in ("X", "C:maj"))
    lengths, some = (80, 80, 80), members()[2:4]
    data = Splits(
        frames_split(tmp_path, task, lengths=lengths, annotations=[x, c, x], seed=0),
        frames_split(tmp_path, task, name="valid", lengths=lengths, annotations=[x, c, c], seed=1),
    )
    plain = plain_grid(some, rules_for(data.train, LINEAR), data)
    for found, official in zip(trained(some, data, LINEAR), plain, strict=True):
        assert found.scored and not found.diverged
        for name, value in official.parameters.items():
            torch.testing.assert_close(found.parameters[name], value, atol=2e-5, rtol=1e-4)
    nothing = frames_split(
        tmp_path, task, name="none", lengths=lengths, annotations=[x] * 3, seed=2
    )
    for found in trained(some, Splits(nothing, data.valid), LINEAR):
        assert (found.best_epoch, found.epochs) == (1, 1 + PATIENCE.stop)
        assert all(value.isfinite().all() for value in found.parameters.values())


def test_members_of_two_seeds_are_refused_and_none_are_none(tmp_path: Path) -> None:
    data = splits(tmp_path, "beat")
    with pytest.raises(ValueError, match="must share their seed"):
        trained([*members(0), *members(1)], data, LINEAR)
    assert trained([], data, LINEAR) == []


class Telling(Silence):
    """Take down epochs and sentences."""

    def __init__(self) -> None:
        self.epochs, self.said = 0, list[str]()

    def advance(self, steps: int = 1) -> None:
        self.epochs += steps

    def say(self, sentence: str) -> None:
        self.said.append(sentence)


def test_every_epoch_is_told_and_once_how_long_it_may_take(tmp_path: Path) -> None:
    data, progress = splits(tmp_path, "beat"), Telling()
    found = train_on_frames(
        members(),
        rules_for(data.train, LINEAR),
        data.train,
        data.valid,
        device=CPU,
        progress=progress,
    )
    assert progress.epochs == max(each.epochs for each in found)
    (said,) = progress.said
    assert said.startswith("at most ") and said.endswith("min for 9 epochs")


@pytest.mark.parametrize("reads", [(2,), (0, 2)], ids=["single", "sum"])
@pytest.mark.parametrize("probe", [LINEAR, MLP], ids=["linear", "mlp"])
def test_outputs_of_a_track_are_the_modules_whole_or_in_pieces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, probe: TrainedProbe, reads: tuple[int, ...]
) -> None:
    data = splits(tmp_path, "beat")
    modules = [
        PlainProbe(probe, len(reads), 2, torch.Generator().manual_seed(seed)) for seed in range(3)
    ]
    stack: dict[str, list[torch.Tensor]] = {}
    for at, each in enumerate(modules):
        if each.weights is not None:
            torch.nn.init.constant_(each.weights[:1], 0.3 * at)
            stack.setdefault("weights", []).append(each.weights.detach())
        for name in ("hidden", "output"):
            linear = getattr(each, name)
            if linear is not None:
                stack.setdefault(name, []).append(linear.weight.detach().T)
                stack.setdefault(f"{name}_bias", []).append(linear.bias.detach()[None])
    parameters = {name: torch.stack(each) for name, each in stack.items()}
    with torch.no_grad():
        expected = torch.stack([each(layers_of(data.valid, 1, reads)) for each in modules])
    for rows in (10_000, 7):
        small_parts(monkeypatch, rows)
        found = frame_outputs(parameters, reads, data.valid, 1, CPU)
        assert found.shape == (3, 45, 2) and found.dtype == np.float32
        np.testing.assert_allclose(found, expected.numpy(), atol=1e-5)


def test_numbers_go_side_by_side_and_come_back_in_order() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    meeting = threading.Barrier(2, timeout=10)

    def square(number: int) -> int:
        assert torch.get_num_threads() == 1
        meeting.wait()  # both cores at once, or it breaks
        return number * number

    try:
        with side_by_side(CPU) as each_of:
            assert each_of(square, range(6)) == [0, 1, 4, 9, 16, 25]
        assert torch.get_num_threads() == 2

        def fail(number: int) -> int:
            raise RuntimeError(f"no {number}")

        with pytest.raises(RuntimeError, match="no 3"), side_by_side(CPU) as each_of:
            each_of(fail, [3, 4])
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert not [each for each in threading.enumerate() if each.name.startswith("probe")]


@pytest.mark.parametrize("where", ["training", "validation"])
def test_ctrl_c_does_not_wait_for_an_epoch_to_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """An epoch of either takes 30 s here."""
    seconds = {"training": 0.0, "validation": 0.5}[where]

    def draft(*_: object) -> np.ndarray:
        time.sleep(seconds)
        return np.ones(2)

    task = frame_task("beat")
    train, valid = (
        frames_split(tmp_path, task, name=name, lengths=(40,) * 60) for name in ("train", "valid")
    )
    if where == "training":
        slow = valid.source.store.read_layer

        def read(*arguments: Any) -> np.ndarray:
            time.sleep(0.05)
            return slow(*arguments)

        monkeypatch.setattr(train.source.store, "read_layer", read)
    data = with_draft(Splits(train, valid), draft)
    main = threading.main_thread().ident
    assert main is not None
    threading.Timer(1.0, signal.pthread_kill, (main, signal.SIGINT)).start()
    began = time.monotonic()
    patience = Patience(max_epochs=10**6, plateau=10**6, factor=0.5, stop=10**6)
    with pytest.raises(KeyboardInterrupt):
        trained(members(), data, LINEAR, patience)
    assert time.monotonic() - began < 5
    names = ("probe", "frames")
    assert not [each for each in threading.enumerate() if each.name.startswith(names)]
