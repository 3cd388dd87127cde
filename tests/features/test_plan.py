"""Which features a run needs: what identifies them, and what does not."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from marble_eval.audio.pieces import FrameGrid
from marble_eval.errors import SpecError
from marble_eval.features.clip_rules import ClipCuts, FrameCuts
from marble_eval.features.plan import FeaturePlan, feature_plan
from marble_eval.features.stores import FrameStore, PooledStore
from marble_eval.progress import Silence
from marble_eval.registry import load_task
from marble_eval.registry.configuration import load_engine, load_protocol
from marble_eval.runs.run import settings_of
from marble_eval.runs.run_plan import plan_run
from marble_eval.spec import FeatureSpec, FrameRules, TaskRules
from tests.conftest import write_click_task

DEFAULT = FeatureSpec(dtype="float16", frame_rate=None, max_bytes=5e10, in_turn=False)
RULES = TaskRules(clip_seconds=30.0, batch_of="clips", frames=FrameRules())


class Idle:
    """An encoder that must not be called: 13 layers at 75 Hz."""

    name = "idle"
    sample_rate = 24000
    frame_rate = 75.0
    layers: Sequence[str] = tuple(str(at) for at in range(13))
    width = 768
    minimum_samples = 400
    normalise = False

    def hidden_states(self, audio: torch.Tensor) -> torch.Tensor:
        raise AssertionError("nothing is to be encoded yet")

    def fingerprint(self) -> str:
        return "idle"


EVERY = {str(at): (at,) for at in range(13)} | {"sum": tuple(range(1, 13))}


def _plan(
    encoder: Idle | None = None,
    *,
    layers: dict[str, tuple[int, ...]] = EVERY,
    rules: TaskRules = RULES,
    protocol: str = "marble-v1",
    **features: Any,
) -> FeaturePlan:
    spec = dataclasses.replace(DEFAULT, **features)
    return feature_plan(encoder or Idle(), spec, load_protocol(protocol), rules, layers)


def _with(**changes: Any) -> TaskRules:
    frames = {name: changes.pop(name) for name in list(changes) if hasattr(FrameRules, name)}
    return dataclasses.replace(RULES, frames=FrameRules(**frames), **changes)


def test_frames_are_kept_where_the_rules_have_frames(tmp_path: Path) -> None:
    plan = _plan()
    assert plan.cuts == FrameCuts(
        load_protocol("marble-v1").windowing(RULES),
        normalised=False,
        minimum_samples=400,
        grid=FrameGrid(24000, 75.0, 1),
        layers=tuple(range(13)),
        context_seconds=0.0,
    )
    assert isinstance(plan.store, FrameStore)
    assert (plan.store.shape, plan.store.row_bytes) == ((13, 768), 13 * 768 * 2)
    assert (plan.frame_rate, plan.pooling) == (75.0, "75 frames a second")
    assert plan.store.folder == tmp_path / "home" / "features" / plan.fingerprint
    assert not plan.store.folder.exists()
    about = plan.store.describe()
    assert (about["pooling"], about["frame_rate"], about["frames_in_one"]) == ("frames", 75.0, 1)
    assert about["kept_layers"] == list(range(13))


def test_one_embedding_a_clip_is_kept_where_they_have_none() -> None:
    plan = _plan(rules=TaskRules())
    assert isinstance(plan.cuts, ClipCuts) and isinstance(plan.store, PooledStore)
    assert (plan.frame_rate, plan.pooling) == (None, "clip mean")
    assert plan.store.describe()["pooling"] == "clip mean"


def test_all_that_changes_the_frames_changes_their_fingerprint() -> None:
    class Other(Idle):
        def fingerprint(self) -> str:
            return "other weights"

    class Normalised(Idle):
        normalise = True

    class Faster(Idle):
        frame_rate = 150.0

    class Resampled(Idle):
        sample_rate = 16000

    plans = {
        "plain": _plan(),
        "weights": _plan(Other()),
        "normalised": _plan(Normalised()),
        "declared rate": _plan(Faster()),
        "sample rate": _plan(Resampled()),
        "layers": _plan(layers={"5": (5,)}),
        "other layers": _plan(layers={"6": (6,)}),
        "two layers": _plan(layers={"5": (5,), "6": (6,)}),
        "layers of the sum": _plan(layers={"sum": tuple(range(1, 13))}),
        "rate": _plan(frame_rate=25.0),
        "another rate": _plan(frame_rate=37.5),
        "faster, halved": _plan(Faster(), frame_rate=75.0),
        "dtype": _plan(dtype="float32"),
        "context": _plan(rules=_with(context_seconds=2.0)),
        "clip": _plan(rules=_with(clip_seconds=10.0)),
        "whole": _plan(rules=_with(clip_seconds=None)),
        "crop": _plan(rules=_with(crop_seconds=60.0)),
        "tail": _plan(rules=_with(tail_seconds=3.0)),
        "pooled": _plan(rules=TaskRules(clip_seconds=30.0)),
    }
    assert len({each.fingerprint for each in plans.values()}) == len(plans)
    assert len({each.store.folder for each in plans.values()}) == len(plans)


def test_what_changes_no_frame_is_not_in_the_fingerprint() -> None:
    class Renamed(Idle):
        name = "another name"

    same = [
        _plan(Renamed()),
        _plan(max_bytes=1.0, in_turn=True),
        _plan(frame_rate=75.0),
        _plan(layers={str(at): (at,) for at in range(13)}),  # the sum reads no others
        _plan(rules=_with(widening=(0.1,), tolerance=0.02, decoder="peaks", window_seconds=5.0)),
        _plan(rules=_with(max_epochs=3, learning_rates=(0.1,))),
        _plan(protocol="quick"),
    ]
    assert {each.fingerprint for each in same} == {_plan().fingerprint}


def test_pooled_features_keep_all_layers_whatever_is_probed() -> None:
    rules = TaskRules()
    same = [
        _plan(rules=rules),
        _plan(rules=rules, layers={"5": (5,)}),
        _plan(rules=rules, frame_rate=25.0, max_bytes=1.0, in_turn=True),
    ]
    assert len({each.fingerprint for each in same}) == 1
    assert {each.store.shape for each in same} == {(13, 768)}


def test_workers_and_batches_are_not_in_the_fingerprint(tmp_path: Path) -> None:
    task = load_task(f"{write_click_task(tmp_path / 'clicks')}/")

    def fingerprint(**engine: Any) -> str:
        chosen = dataclasses.replace(load_engine("local"), **engine)
        settings = settings_of(engine=chosen)
        return plan_run(task, Idle(), settings, Silence()).plan.fingerprint

    engines: list[dict[str, Any]] = [{"workers": 3}, {"batch_clips": 4}, {"readers": 1}]
    assert {fingerprint(**each) for each in engines} == {fingerprint()}


@pytest.mark.parametrize(
    ("asked", "step"),
    [(None, 1), (75, 1), (37.5, 2), (25, 3), (18.75, 4), (15, 5), (10.7143, 7), (5, 15), (1, 75)],
)
def test_a_whole_part_of_the_encoder_s_rate_can_be_kept(asked: float | None, step: int) -> None:
    plan = _plan(frame_rate=asked)
    assert isinstance(plan.cuts, FrameCuts)
    assert plan.cuts.grid == FrameGrid(24000, 75.0, step)
    assert plan.frame_rate == 75.0 / step


@pytest.mark.parametrize(
    ("asked", "near"),
    [
        (30.0, "Got 30. Take 37.5 or 25."),
        (26.0, "Got 26. Take 37.5 or 25."),
        (74.0, "Got 74. Take 75 or 37.5."),
        (100.0, "Got 100. Take 75."),
    ],
)
def test_any_other_rate_is_refused_with_the_nearest(asked: float, near: str) -> None:
    with pytest.raises(SpecError, match=r"features\.frame_rate: must be a whole part") as raised:
        _plan(frame_rate=asked)
    assert str(raised.value).endswith(near)
    assert "75 frames a second of idle" in str(raised.value)


def test_the_rates_that_a_message_names_are_taken() -> None:
    class Odd(Idle):
        frame_rate = 44100 / 512  # 86.1328125

    with pytest.raises(SpecError) as raised:
        _plan(Odd(), frame_rate=30.0)
    named = str(raised.value).rpartition("Take ")[2].rstrip(".").split(" or ")
    assert named == ["43.0664", "28.7109"]
    for step, rate in zip((2, 3), named, strict=True):
        cuts = _plan(Odd(), frame_rate=float(rate)).cuts
        assert isinstance(cuts, FrameCuts)
        assert cuts.grid.step == step


def test_layers_are_kept_in_the_encoder_s_order_each_once() -> None:
    plan = _plan(layers={"9": (9,), "3": (3,), "sum": (9, 10, 3)})
    assert isinstance(plan.cuts, FrameCuts)
    assert plan.cuts.layers == (3, 9, 10)
    assert plan.store.shape == (3, 768)
    assert plan.store.describe()["kept_layers"] == [3, 9, 10]
