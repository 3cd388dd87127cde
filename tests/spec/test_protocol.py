"""Rules of windows, training, probes and engines: ranges, and the presets' published facts."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from marble_eval.registry import load_probe, load_task
from marble_eval.registry.configuration import load_engine, load_protocol
from marble_eval.spec import EngineSpec, ProtocolSpec, TaskRules, TrainedProbe, Windowing

RULES = TaskRules(
    crop_seconds=None,
    clip_seconds=5.0,
    hop_seconds=2.5,
    tail="pad",
    tail_seconds=1.0,
    aggregation="mean-logits",
    learning_rates=None,
    max_epochs=100,
    plateau_patience=6,
    plateau_factor=0.5,
    stop_patience=20,
)


def test_the_windowing_joins_what_the_protocol_and_the_card_say() -> None:
    protocol = load_protocol("marble-v2")
    assert protocol.windowing(RULES) == Windowing(
        channels="first",
        resampler="torchaudio-sinc",
        normalise="clip",
        crop_seconds=None,
        clip_seconds=5.0,
        hop_seconds=2.5,
        tail="pad",
        tail_seconds=1.0,
    )


def test_the_first_code_s_preset_has_the_paper_s_grid() -> None:
    """Appendix A of arXiv 2306.10548, and the machinery of the code of 2023."""
    protocol = load_protocol("marble-v1")
    assert set(protocol.learning_rates) == {5e-5, 1e-4, 5e-4, 1e-3, 5e-3, 1e-2}
    assert protocol.batch_tracks == 64
    assert (protocol.channels, protocol.normalise) == ("mean", "track")
    assert protocol.sum_from_layer == 1  # feature[1:] in its data sets
    assert protocol.head == "mlp"
    assert load_probe(protocol.head) == TrainedProbe("mlp", 512, 0.2)


def test_the_second_code_s_preset_takes_one_channel_and_normalises_clips() -> None:
    protocol = load_protocol("marble-v2")
    assert (protocol.channels, protocol.normalise, protocol.rules) == ("first", "clip", "marble-v2")


def test_the_quick_preset_hears_the_same_audio_as_the_default() -> None:
    quick, default = load_protocol("quick"), load_protocol("marble-v1")
    task = load_task("GTZAN").spec
    assert quick.windowing(task.protocols[quick.rules]) == default.windowing(
        task.protocols[default.rules]
    )
    assert quick.max_epochs is not None


@pytest.mark.parametrize("spec", [RULES, load_protocol("marble-v1").windowing(RULES)])
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"crop_seconds": 0.0},
            "'crop_seconds' must be null, or from 0.001 to 100000 seconds. Got 0.0.",
        ),
        (
            {"clip_seconds": -1.0},
            "'clip_seconds' must be null, or from 0.001 to 100000 seconds. Got -1.0.",
        ),
        (
            {"hop_seconds": 0.0},
            "'hop_seconds' must be null, or from 0.001 to 100000 seconds. Got 0.0.",
        ),
        (
            {"hop_seconds": float("nan")},
            "'hop_seconds' must be null, or from 0.001 to 100000 seconds. Got nan.",
        ),
        ({"tail_seconds": -0.1}, "'tail_seconds' must not be negative. Got -0.1."),
        ({"tail_seconds": float("nan")}, "'tail_seconds' must not be negative. Got nan."),
        ({"clip_seconds": None}, "'hop_seconds' must be null where 'clip_seconds' is. Got 2.5."),
    ],
)
def test_windows_that_cannot_be_cut_are_refused(
    spec: TaskRules | Windowing, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError) as caught:
        dataclasses.replace(spec, **changes)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"learning_rates": ()}, "'learning_rates' must be positive numbers, at least one. Got ()"),
        ({"learning_rates": (1e-3, 0.0)}, "'learning_rates' must be positive numbers"),
        ({"max_epochs": 0}, "'max_epochs' must be at least 1. Got 0."),
        ({"stop_patience": 0}, "'stop_patience' must be at least 1. Got 0."),
        ({"plateau_patience": -1}, "'plateau_patience' must not be negative. Got -1."),
        ({"plateau_factor": 1.0}, "'plateau_factor' must lie between 0 and 1. Got 1.0."),
        ({"plateau_factor": 0.0}, "'plateau_factor' must lie between 0 and 1. Got 0.0."),
    ],
)
def test_training_rules_out_of_range_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError) as caught:
        dataclasses.replace(RULES, **changes)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"learning_rates": ()}, "'learning_rates' must be positive numbers, at least one. Got ()"),
        ({"learning_rates": (-1.0,)}, "'learning_rates' must be positive numbers"),
        ({"batch_tracks": 0}, "'batch_tracks' must be at least 1. Got 0."),
        ({"sum_from_layer": -1}, "'sum_from_layer' must not be negative. Got -1."),
        ({"max_epochs": 0}, "'max_epochs' must be at least 1 or null. Got 0."),
    ],
)
def test_protocols_out_of_range_are_refused(changes: dict[str, Any], message: str) -> None:
    protocol: ProtocolSpec = load_protocol("marble-v1")
    with pytest.raises(ValueError) as caught:
        dataclasses.replace(protocol, **changes)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("mlp", {"hidden": -1}, "'hidden' must not be negative"),
        ("mlp", {"dropout": 1.0}, "'dropout' must lie in [0, 1). Got 512 and 1.0."),
        ("mlp", {"hidden": 0}, "and positive for any other. Got 0 for 'mlp'."),
        ("linear", {"hidden": 8}, "'hidden' must be 0 for the probe linear, and positive for any"),
        ("logreg", {"inverse_penalties": ()}, "'inverse_penalties' must be positive numbers, at"),
        ("logreg", {"inverse_penalties": (1.0, 0.0)}, "'inverse_penalties' must be positive"),
    ],
)
def test_a_probe_that_is_not_what_it_is_called_is_refused(
    name: str, changes: dict[str, Any], message: str
) -> None:
    probe: Any = load_probe(name)
    with pytest.raises(ValueError) as caught:
        dataclasses.replace(probe, **changes)
    assert message in str(caught.value)


@pytest.mark.parametrize("device", ["auto", "cpu", "cuda", "cuda:0", "cuda:11"])
def test_a_device_is_taken(device: str) -> None:
    assert dataclasses.replace(load_engine("local"), device=device).device == device


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"device": "cudda"}, "'device' must be auto, cpu, cuda or a numbered one such as cuda:1."),
        ({"device": "cuda:"}, "'device' must be auto, cpu, cuda or a numbered one such as cuda:1."),
        ({"device": ""}, "'device' must be auto, cpu, cuda or a numbered one such as cuda:1. Got"),
        ({"workers": -1}, "'workers' must not be negative. Got -1."),
        ({"batch_clips": -1}, "'batch_clips' must not be negative. Got -1."),
        ({"group_members": -2}, "'group_members' must not be negative. Got -2."),
        ({"readers": 0}, "'readers' must be at least 1. Got 0."),
    ],
)
def test_an_engine_out_of_range_is_refused(changes: dict[str, Any], message: str) -> None:
    engine: EngineSpec = load_engine("local")
    with pytest.raises(ValueError) as caught:
        dataclasses.replace(engine, **changes)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("spec", "changes"),
    [
        (RULES, {"tail_seconds": 0.0, "plateau_patience": 0, "max_epochs": 1, "stop_patience": 1}),
        (RULES, {"clip_seconds": None, "hop_seconds": None, "learning_rates": (1e-9,)}),
        (load_protocol("marble-v1"), {"batch_tracks": 1, "sum_from_layer": 0, "max_epochs": 1}),
        (load_probe("mlp"), {"hidden": 1, "dropout": 0.0}),
        (load_engine("local"), {"readers": 1, "workers": 0, "batch_clips": 0, "group_members": 0}),
    ],
)
def test_the_ends_of_a_range_are_taken(spec: Any, changes: dict[str, Any]) -> None:
    changed = dataclasses.replace(spec, **changes)
    assert {name: getattr(changed, name) for name in changes} == changes
