"""A submitted result gives the protocol as it was run, and the deviations that are not known."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from marble_eval.errors import SpecError
from marble_eval.registry import load_task
from marble_eval.registry.configuration import load_protocol
from marble_eval.results import (
    Deviation,
    OtherDeviation,
    ProtocolRecord,
    RuleChanged,
    TracksLeftOut,
)
from marble_eval.results.caveats import Value
from marble_eval.runs.identity import deviations_of
from marble_eval.submission.submitted import Submitted, protocol_as_run


def record_of(name: str, *deviations: Deviation) -> ProtocolRecord:
    return ProtocolRecord(name, 1, "constrained", not deviations, deviations, None)


def with_deviations(submitted: Submitted, *deviations: Deviation) -> Submitted:
    protocol = record_of("marble-v1", *deviations)
    return replace(submitted, result=replace(submitted.result, protocol=protocol))


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
    record = record_of(name, *deviations_of(protocol, [], load_task("GTZAN")))
    assert protocol_as_run(record) == protocol


def test_rules_of_frames_and_tracks_left_out_are_no_rules_of_the_protocol(
    submitted: Submitted,
) -> None:
    task = load_task("EmbeddedBeat")
    rules = task.rules("marble-v1").frames
    assert rules is not None
    preset = load_protocol("marble-v1")
    said = deviations_of(preset, [], task, replace(rules, decoder="peaks", tempo=(60.0, 120.0)))
    odd = (OtherDeviation("magic was done"), RuleChanged("magic", 1, 2))
    found = with_deviations(submitted, *said, TracksLeftOut("test", 1, None), *odd)
    assert found.protocol == preset
    assert len(said) == 2
    assert found.unknown == odd


def test_tracks_left_out_are_counted_by_split(submitted: Submitted) -> None:
    found = with_deviations(
        submitted,
        TracksLeftOut("train", 2, 443),
        TracksLeftOut("test", 1, None),
        OtherDeviation("no tracks left out"),
    )
    assert found.tracks_left_out == {"train": 2, "test": 1}


@pytest.mark.parametrize("value", ["8", "many", 0, 8.5, True, None, (64.0,)])
def test_a_value_that_the_rule_cannot_have_is_refused(submitted: Submitted, value: Value) -> None:
    deviation = RuleChanged("batch_tracks", value, 64)
    with pytest.raises(SpecError):
        protocol_as_run(record_of("marble-v1", deviation))
    assert with_deviations(submitted, deviation).protocol is None
