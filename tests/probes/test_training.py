"""Groups of probes, against probes trained alone in a plain PyTorch loop.

The loop below is written from the protocol with PyTorch's own modules, automatic
differentiation, optimiser and scheduler. It shares nothing with the package but
the documented random numbers: which generator draws what, in which order.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pytest
import torch

from marble_eval.probes import LEARNED_SUM, Member, ProbeData, TrainedMember, training
from marble_eval.probes.schedule import Patience
from marble_eval.probes.training import TrainingRules, predict, train_group
from marble_eval.spec import TrainedProbe

CPU = torch.device("cpu")
LAYERS, WIDTH, CLASSES = 4, 12, 3
SUMMED = tuple(range(1, LAYERS))
MLP, LINEAR = TrainedProbe("mlp", 16, 0.2), TrainedProbe("linear", 0, 0.0)
RULES = TrainingRules(
    probe=MLP,
    outputs=CLASSES,
    loss="cross-entropy",
    patience=Patience(max_epochs=30, plateau=2, factor=0.5, stop=6),
    batch_tracks=8,
    aggregation="mean-logits",
)
RATES = (1e-3, 1e-2, 5e-2)


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Tiny products are slower on several threads, by far on a busy machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def split(tracks: int, seed: int, clips: int = 4) -> ProbeData:
    """Draw noisy clusters: 1 to ``clips`` clips a track, half precision, later layers clearer."""
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(99).normal(size=(LAYERS, CLASSES, WIDTH))
    counts, classes = rng.integers(1, clips + 1, tracks), rng.integers(CLASSES, size=tracks)
    noise = (
        rng.normal(size=(LAYERS, int(counts.sum()), WIDTH))
        * (3.0 - 0.5 * np.arange(LAYERS))[:, None, None]
    )
    features = centres[:, np.repeat(classes, counts)] + noise
    return ProbeData(
        torch.from_numpy(features).half(), torch.from_numpy(counts), torch.from_numpy(classes)
    )


def accuracy(data: ProbeData) -> Callable[[np.ndarray], float]:
    targets = data.targets.numpy()
    return lambda outputs: float((outputs.argmax(1) == targets).mean())


class PlainProbe(torch.nn.Module):
    """The protocol's probe, one clip's layers in, logits out."""

    def __init__(self, probe: TrainedProbe, layers: int, generator: torch.Generator) -> None:
        super().__init__()
        self.dropout = probe.dropout
        self.weights = torch.nn.Parameter(torch.zeros(layers)) if layers > 1 else None
        self.hidden = torch.nn.Linear(WIDTH, probe.hidden) if probe.hidden else None
        self.output = torch.nn.Linear(probe.hidden or WIDTH, CLASSES)
        for linear in filter(None, (self.hidden, self.output)):
            bound = 1 / math.sqrt(linear.in_features)
            drawn = torch.empty(linear.in_features, linear.out_features)
            with torch.no_grad():
                linear.weight.copy_(drawn.uniform_(-bound, bound, generator=generator).T)
                linear.bias.uniform_(-bound, bound, generator=generator)
        if self.weights is not None:
            torch.nn.init.normal_(self.weights, generator=generator)

    def forward(self, layers: torch.Tensor, draws: torch.Generator | None = None) -> torch.Tensor:
        """Map (layer, rows, width) to (rows, class); with dropout if there are draws."""
        shares = torch.ones(1) if self.weights is None else torch.softmax(self.weights, 0)
        values = (shares[:, None, None] * layers).sum(0)
        if self.hidden is not None:
            values = torch.relu(self.hidden(values))
            if draws is not None and self.dropout:
                values = values * self.mask(values.shape, draws) / (1 - self.dropout)
        return torch.as_tensor(self.output(values))

    def mask(self, shape: torch.Size, draws: torch.Generator) -> torch.Tensor:
        """Keep a unit whose 16 random bits reach the share; four to a 64-bit draw."""
        words = torch.empty(-(-shape.numel() // 4), dtype=torch.int64)
        words.random_(-(2**63), None, generator=draws)
        numbers = words.numpy().view(np.int16)[: shape.numel()].reshape(shape).astype(np.int64)
        return torch.from_numpy(numbers + 2**15 >= round(self.dropout * 2**16)).float()


class Plain(NamedTuple):
    parameters: dict[str, torch.Tensor]
    outputs: list[np.ndarray]
    scores: list[float]
    rates: list[float]
    best_epoch: int


def plain_outputs(probe: PlainProbe, reads: Sequence[int], data: ProbeData) -> np.ndarray:
    ends = np.cumsum(data.clips.numpy())
    with torch.no_grad():
        logits = probe(data.features[list(reads)].float()).numpy()
    return np.stack([part.mean(0) for part in np.split(logits, ends[:-1])])


def plain_training(
    member: Member, rules: TrainingRules, train: ProbeData, valid: ProbeData, test: ProbeData
) -> Plain:
    draws, drops = (
        torch.Generator().manual_seed(int(word))
        for word in np.random.SeedSequence(member.seed).generate_state(2)
    )
    probe = PlainProbe(rules.probe, len(member.reads), draws)
    adam = torch.optim.Adam(probe.parameters(), lr=member.learning_rate)
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(
        adam, mode="max", factor=rules.patience.factor, patience=rules.patience.plateau
    )
    starts = np.concatenate([[0], np.cumsum(train.clips.numpy())])
    score_of, scores, rates = accuracy(valid), [], []
    best, best_epoch, best_score = copy.deepcopy(probe), 0, -math.inf
    for epoch in range(1, rules.patience.max_epochs + 1):
        rates.append(adam.param_groups[0]["lr"])
        order = torch.randperm(len(train.clips), generator=draws).tolist()
        for first in range(0, len(order), rules.batch_tracks):
            tracks = order[first : first + rules.batch_tracks]
            rows = [row for track in tracks for row in range(starts[track], starts[track + 1])]
            classes = torch.cat([train.targets[t].repeat(int(train.clips[t])) for t in tracks])
            features = train.features[list(member.reads)][:, rows].float()
            loss = torch.nn.functional.cross_entropy(probe(features, drops), classes)
            adam.zero_grad()
            torch.autograd.backward(loss)
            adam.step()
        scores.append(score_of(plain_outputs(probe, member.reads, valid)))
        if scores[-1] > best_score:
            best, best_epoch, best_score = copy.deepcopy(probe), epoch, scores[-1]
        scheduler.step(scores[-1])
        if epoch - best_epoch >= rules.patience.stop:
            break
    parameters = {} if best.weights is None else {"weights": best.weights.detach()}
    for name in ("hidden", "output"):
        linear = getattr(best, name)
        if linear is not None:
            parameters[name] = linear.weight.detach().T
            parameters[f"{name}_bias"] = linear.bias.detach()[None]
    outputs = [plain_outputs(best, member.reads, data) for data in (valid, test)]
    return Plain(parameters, outputs, scores, rates, best_epoch)


def members(kind: str, seed: int = 7) -> list[Member]:
    if kind == "sums":
        return [Member(LEARNED_SUM, SUMMED, rate, seed) for rate in RATES]
    return [Member(str(at), (at,), rate, seed) for at in range(LAYERS) for rate in RATES]


def trained(
    group: Sequence[Member], rules: TrainingRules, train: ProbeData, valid: ProbeData
) -> list[TrainedMember]:
    return train_group(group, rules, train, valid, monitor=accuracy(valid), device=CPU)


def outputs(each: TrainedMember, data: ProbeData, rules: TrainingRules) -> np.ndarray:
    stack = {name: value[None] for name, value in each.parameters.items()}
    return predict(stack, [each.member], data, rules.aggregation)[0].numpy()


@pytest.mark.parametrize("probe", [MLP, LINEAR], ids=["mlp", "linear"])
@pytest.mark.parametrize("kind", ["singles", "sums"])
def test_a_group_gives_what_each_probe_gives_alone_in_a_plain_loop(
    kind: str, probe: TrainedProbe
) -> None:
    rules = replace(RULES, probe=probe)
    train, valid, test = split(60, 0), split(40, 1), split(30, 2)
    group = members(kind)
    together = trained(group, rules, train, valid)
    alone = [trained([each], rules, train, valid)[0] for each in group]
    plain = [plain_training(each, rules, train, valid, test) for each in group]

    # The case is one in which all that could go wrong happens.
    assert len({len(each.scores) for each in plain}) > 1, "all stop in the same epoch"
    assert any(len(each.scores) < rules.patience.max_epochs for each in plain)
    assert all(each.best_epoch < len(each.scores) for each in plain)
    assert sum(each.rates[0] > each.rates[-1] for each in plain) > len(plain) / 2

    for grouped, single, official in zip(together, alone, plain, strict=True):
        for found in (grouped, single):
            assert found.best_epoch == official.best_epoch
            assert found.epochs == len(official.scores)
            assert found.valid_score == max(official.scores)
            assert not found.diverged
            assert set(found.parameters) == set(official.parameters)
            for name, value in official.parameters.items():
                torch.testing.assert_close(found.parameters[name], value, atol=1e-5, rtol=1e-5)
            for data, expected in zip((valid, test), official.outputs, strict=True):
                given = outputs(found, data, rules)
                np.testing.assert_allclose(given, expected, atol=5e-5, rtol=1e-5)
                assert (given.argmax(1) == expected.argmax(1)).all()
        for name, value in single.parameters.items():
            torch.testing.assert_close(grouped.parameters[name], value, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("kind", ["singles", "sums"])
def test_the_parameters_are_those_of_the_best_epoch_not_the_last(kind: str) -> None:
    train, valid = split(30, 0), split(10, 1)
    member = members(kind)[1]
    prescribed = iter([0.2, 0.4, 0.9, 0.9, 0.1, 0.5, 0.8, 0.3, 0.2])  # the peak is epoch 3
    (peaked,) = train_group(
        [member],
        replace(RULES, patience=Patience(max_epochs=9, plateau=100, factor=0.5, stop=100)),
        train,
        valid,
        monitor=lambda _: next(prescribed),
        device=CPU,
    )
    three = replace(RULES, patience=Patience(max_epochs=3, plateau=100, factor=0.5, stop=100))
    rising = iter([1.0, 2.0, 3.0])
    (stopped,) = train_group(
        [member], three, train, valid, monitor=lambda _: next(rising), device=CPU
    )
    assert (peaked.best_epoch, peaked.epochs, peaked.valid_score) == (3, 9, 0.9)
    assert (stopped.best_epoch, stopped.epochs) == (3, 3)
    for name, value in stopped.parameters.items():
        assert torch.equal(peaked.parameters[name], value)


def test_a_seed_alone_decides_and_the_caller_s_random_state_stays() -> None:
    train, valid = split(30, 0), split(10, 1)
    member = Member("1", (1,), 1e-2, 7)
    before = torch.get_rng_state()
    (first,) = trained([member], RULES, train, valid)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(5)
    np.random.seed(5)
    (second,) = trained([member], RULES, train, valid)
    (other,) = trained([replace(member, seed=8)], RULES, train, valid)
    for name, value in first.parameters.items():
        assert torch.equal(value, second.parameters[name])
        assert not torch.equal(value, other.parameters[name])


def test_seven_tracks_in_batches_of_four_give_seven_predictions() -> None:
    rules, test = replace(RULES, batch_tracks=4), split(7, 3)
    (found,) = trained([Member("1", (1,), 1e-2, 0)], rules, split(7, 0), split(7, 1))
    given = outputs(found, test, rules)
    assert given.shape == (7, CLASSES)
    # The last track by itself: nothing of it was lost in a rest.
    clips = int(test.clips[-1])
    last = ProbeData(test.features[:, -clips:], test.clips[-1:], test.targets[-1:])
    np.testing.assert_allclose(outputs(found, last, rules)[0], given[-1], atol=1e-6)


@pytest.mark.parametrize("kind", ["singles", "sums"])
def test_a_split_predicted_in_pieces_gives_the_same(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    test = split(20, 3)
    (found,) = trained(members(kind)[:1], RULES, split(20, 0), split(7, 1))
    for aggregation in ("mean-logits", "mean-probabilities"):
        rules = replace(RULES, aggregation=aggregation)
        monkeypatch.setattr(training, "_ROWS", 10_000)
        whole = outputs(found, test, rules)
        monkeypatch.setattr(training, "_ROWS", 7)
        np.testing.assert_allclose(outputs(found, test, rules), whole, atol=1e-6)


def test_a_probe_that_diverges_stops_and_leaves_the_others_alone() -> None:
    train, valid = split(30, 0), split(10, 1)
    sound = [Member("1", (1,), 1e-2, 0), Member("2", (2,), 5e-2, 0)]
    wild = Member("1", (1,), 1e38, 0)
    first, found, last = trained([sound[0], wild, sound[1]], RULES, train, valid)
    assert (found.diverged, found.scored, found.best_epoch, found.epochs) == (True, False, 0, 1)
    assert found.valid_score == -math.inf
    for member, grouped in zip(sound, (first, last), strict=True):
        (alone,) = trained([member], RULES, train, valid)
        assert not grouped.diverged
        assert (grouped.epochs, grouped.valid_score) == (alone.epochs, alone.valid_score)
        for name, value in alone.parameters.items():
            torch.testing.assert_close(grouped.parameters[name], value, atol=1e-6, rtol=1e-6)


def test_a_probe_that_diverges_later_keeps_its_best_epoch() -> None:
    train, valid = split(30, 0), split(10, 1)
    seen: list[np.ndarray] = []

    def monitor(given: np.ndarray) -> float:
        seen.append(given)
        return float(len(seen))

    # Adam moves each weight by about its rate in every step, whatever the gradient:
    # products of two weights overflow once both have passed 1.8e19.
    (found,) = train_group(
        [Member("1", (1,), 5e17, 0)],
        replace(RULES, patience=Patience(max_epochs=60, plateau=100, factor=0.5, stop=100)),
        train,
        valid,
        monitor=monitor,
        device=CPU,
    )
    assert found.diverged
    assert 1 <= found.best_epoch == found.epochs - 1 == len(seen)
    assert all(np.isfinite(each).all() for each in seen)
    assert all(value.isfinite().all() for value in found.parameters.values())
    np.testing.assert_array_equal(outputs(found, valid, RULES), seen[-1])


@pytest.mark.parametrize(
    "group",
    [
        [Member("1", (1,), 1e-3, 0), Member("1", (1,), 1e-3, 1)],
        [Member("1", (1,), 1e-3, 0), Member(LEARNED_SUM, SUMMED, 1e-3, 0)],
        [],
    ],
    ids=["two seeds", "two forms", "none"],
)
def test_members_of_a_group_must_go_together(group: list[Member]) -> None:
    with pytest.raises(ValueError, match="must share their seed and their form"):
        trained(group, RULES, split(8, 0), split(4, 1))


def test_one_training_track_is_learnt_by_heart() -> None:
    (found,) = trained([Member("1", (1,), 1e-2, 0)], RULES, split(1, 0), split(6, 1))
    lonely = split(1, 0)
    assert (outputs(found, lonely, RULES).argmax(1) == lonely.targets.numpy()).all()


@pytest.mark.parametrize("missing", [0, 2])
def test_a_class_without_training_tracks_is_not_predicted(missing: int) -> None:
    data, valid = split(60, 0, clips=1), split(40, 1)
    kept = data.targets != missing
    train = ProbeData(data.features[:, kept], data.clips[kept], data.targets[kept])
    (found,) = trained([Member("3", (3,), 1e-2, 0)], RULES, train, valid)
    assert missing not in outputs(found, valid, RULES).argmax(1)
    assert found.valid_score > 0.4


def test_half_precision_features_cost_no_prediction() -> None:
    rng = np.random.default_rng(0)
    centres = 0.3 * rng.normal(size=(CLASSES, WIDTH))
    train, valid, test = (
        ProbeData(
            torch.from_numpy(
                (centres[classes] + 0.2 * rng.normal(size=(len(classes), WIDTH)))[None]
            ).float(),
            torch.ones(len(classes), dtype=torch.int64),
            torch.from_numpy(classes),
        )
        for classes in (rng.integers(CLASSES, size=size) for size in (120, 60, 60))
    )
    given = []
    for kind in (torch.float32, torch.float16):
        cast = [
            ProbeData(each.features.to(kind), each.clips, each.targets)
            for each in (train, valid, test)
        ]
        (found,) = trained([Member("0", (0,), 1e-2, 0)], RULES, cast[0], cast[1])
        given.append((outputs(found, cast[2], RULES).argmax(1), found))
    assert (given[0][0] == given[1][0]).all()
    assert given[0][1].valid_score == given[1][1].valid_score
    # The case is neither without errors nor without success.
    assert 0.7 < (given[0][0] == test.targets.numpy()).mean() < 1
