"""The rules of frames: what they may be, and what a run puts in their place."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from marble_eval.spec import FrameChoices, FrameRules


def test_every_rule_can_be_chosen_otherwise() -> None:
    assert [each.name for each in dataclasses.fields(FrameChoices)] == [
        each.name for each in dataclasses.fields(FrameRules)
    ]


def test_what_is_not_chosen_is_the_card_s() -> None:
    card = FrameRules(window_seconds=5.0, tempo=(60.0, 180.0))
    assert FrameChoices().over(card) == card
    chosen = FrameChoices(tempo=(40.0, 240.0), widening=()).over(card)
    assert (chosen.window_seconds, chosen.tempo, chosen.widening) == (5.0, (40.0, 240.0), ())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"window_seconds": 0.0}, "'window_seconds' must be positive. Got 0.0."),
        ({"batch_windows": 0}, "'batch_windows' must be positive. Got 0."),
        ({"tolerance": -0.1}, "'tolerance' must be positive. Got -0.1."),
        ({"context_seconds": -1.0}, "'context_seconds' must not be negative. Got -1.0."),
        ({"trim_seconds": -1.0}, "'trim_seconds' must not be negative. Got -1.0."),
        ({"observation_lambda": 1}, "'observation_lambda' must be at least 2. Got 1."),
        ({"threshold": 1.0}, "'threshold' must lie between 0 and 1. Got 1.0."),
        ({"widening": (0.5, 1.0)}, "'widening' must lie between 0 and 1. Got (0.5, 1.0)."),
        ({"tempo": (215.0, 55.0)}, "'tempo' must rise from above 0 to at most 3000"),
        ({"downbeat_tempo": (0.0, 72.0)}, "'downbeat_tempo' must rise from above 0"),
        ({"rate": 10.0, "tempo": (55.0, 301.0)}, "to at most 300, which is two frames a beat"),
    ],
)
def test_a_rule_that_cannot_be_followed_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError) as caught:
        FrameRules(**changes)
    assert message in str(caught.value)
    with pytest.raises(ValueError):
        FrameChoices(**changes).over(FrameRules())
