"""Deviations read back: what `deviations_of` writes gives the rules that were run."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from marble_eval.configuration import load_protocol
from marble_eval.errors import SpecError
from marble_eval.registry import load_task
from marble_eval.runs.identity import deviations_of
from marble_eval.submission.deviations import departures, lost_tracks


@pytest.mark.parametrize("name", ["marble-v1", "marble-v2", "quick"])
@pytest.mark.parametrize(
    "otherwise",
    [
        {},
        {"learning_rates": (1e-3,)},
        {"learning_rates": (5e-5, 0.3), "batch_tracks": 1, "head": "linear"},
        {"channels": "first", "resampler": "soxr-hq", "normalise": "clip"},
        {"sum_from_layer": 3, "max_epochs": 7, "version": 9},
        {"max_epochs": None},
    ],
)
def test_every_rule_of_a_protocol_comes_back(name: str, otherwise: dict[str, Any]) -> None:
    protocol = replace(load_protocol(name), **otherwise)
    told = departures(name, deviations_of(protocol, [], load_task("GTZAN")))
    assert told.protocol == protocol
    assert told.unknown == ()


def test_rules_of_frames_and_lost_tracks_are_told_apart() -> None:
    task = load_task("EmbeddedBeat")
    rules = task.rules("marble-v1").frames
    assert rules is not None
    preset = load_protocol("marble-v1")
    said = deviations_of(preset, [], task, replace(rules, decoder="peaks", tempo=(60.0, 120.0)))
    told = departures("marble-v1", [*said, "1 test tracks left out", "magic was done"])
    assert told.protocol == preset
    assert told.of_frames == said
    assert told.unknown == ("magic was done",)


def test_lost_tracks_are_counted_by_split() -> None:
    said = ["2 of 443 train tracks left out", "1 test tracks left out", "no tracks left out"]
    assert lost_tracks(said) == {"train": 2, "test": 1}


@pytest.mark.parametrize(
    "value", ["__import__('os').system('true')", "[1", "(" * 5000, "many", "1e999", "{1: 2}", "0"]
)
def test_a_value_is_read_and_never_run(value: str) -> None:
    with pytest.raises(SpecError):
        departures("marble-v1", [f"batch_tracks is {value}, marble-v1 has 64"])
