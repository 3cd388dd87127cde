"""Deviations read back: what `deviations_of` writes gives the rules that were run."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from marble_eval.configuration import load_protocol
from marble_eval.errors import SpecError
from marble_eval.registry import load_task
from marble_eval.results.caveats import Deviation, OtherDeviation, RuleChanged, TracksLeftOut, Value
from marble_eval.runs.identity import deviations_of
from marble_eval.submission.deviations import as_run, is_of_frames, tracks_left_out


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
    told = as_run(name, deviations_of(protocol, [], load_task("GTZAN")))
    assert told.protocol == protocol
    assert told.unknown == ()


def test_rules_of_frames_and_lost_tracks_are_told_apart() -> None:
    task = load_task("EmbeddedBeat")
    rules = task.rules("marble-v1").frames
    assert rules is not None
    preset = load_protocol("marble-v1")
    said = deviations_of(preset, [], task, replace(rules, decoder="peaks", tempo=(60.0, 120.0)))
    odd = OtherDeviation("magic was done")
    told = as_run("marble-v1", [*said, TracksLeftOut("test", 1, None), odd])
    assert told.protocol == preset
    assert len(said) == 2 and all(map(is_of_frames, said))
    assert told.unknown == (odd,)


def test_lost_tracks_are_counted_by_split() -> None:
    said: list[Deviation] = [
        TracksLeftOut("train", 2, 443),
        TracksLeftOut("test", 1, None),
        OtherDeviation("no tracks left out"),
    ]
    assert tracks_left_out(said) == {"train": 2, "test": 1}


@pytest.mark.parametrize("value", ["8", "many", 0, 8.5, True, None, (64.0,)])
def test_a_value_that_the_rule_cannot_have_is_refused(value: Value) -> None:
    with pytest.raises(SpecError):
        as_run("marble-v1", [RuleChanged("batch_tracks", value, 64)])
