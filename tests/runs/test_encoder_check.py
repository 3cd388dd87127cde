"""Each mistake an encoder can make is a red line under its own rule, and no other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from marble_eval.registry import load_encoder
from marble_eval.runs.encoder_check import check, clips


class Sound:
    """Two layers that keep every rule: mean and largest value of pieces of 100 samples."""

    name = "sound"
    sample_rate = 8000
    frame_rate = 80.0
    layers: Any = ("level", "peak")
    width = 2
    minimum_samples = 100

    def hidden_states(self, audio: torch.Tensor) -> torch.Tensor:
        pieces = audio.unfold(1, 100, 100)
        level = torch.stack([pieces.abs().mean(2), pieces.square().mean(2)], dim=2)
        peak = torch.stack([pieces.amax(2), pieces.amin(2)], dim=2)
        return torch.stack([level, peak], dim=1)

    def fingerprint(self) -> str:
        return "sound-1"


def red(encoder: Any, again: Any = None) -> list[str]:
    return [each.name for each in check(encoder, again) if not each.ok]


def test_a_sound_encoder_is_green_throughout() -> None:
    found = check(Sound(), Sound())
    assert [each.said for each in found if not each.ok] == []
    assert len(found) == 13


class Drawn(Sound):
    def __init__(self) -> None:
        self.scale = 1 + torch.rand(1)

    def hidden_states(self, audio: torch.Tensor) -> torch.Tensor:
        return super().hidden_states(audio) * self.scale


class Moody(Sound):
    calls = 0

    def hidden_states(self, audio: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        return super().hidden_states(audio) + self.calls


class Normed(Sound):
    """A norm over the batch: clips hear each other."""

    def hidden_states(self, audio: torch.Tensor) -> torch.Tensor:
        return super().hidden_states(audio / (audio.std() + 1))


class Logarithmic(Sound):
    def hidden_states(self, audio: torch.Tensor) -> torch.Tensor:
        return super().hidden_states(audio).abs().log2()


class Loud(Sound):
    def hidden_states(self, audio: torch.Tensor) -> torch.Tensor:
        return super().hidden_states(audio) * 1e6


class Deaf(Sound):
    def hidden_states(self, audio: torch.Tensor) -> torch.Tensor:
        states = super().hidden_states(audio)
        states[:, 1] = 1.0
        return states


class Greedy(Sound):
    minimum_samples = 10


class InPlace(Sound):
    def hidden_states(self, audio: torch.Tensor) -> torch.Tensor:
        audio.mul_(1.0).clamp_(-0.9, 0.9)
        return super().hidden_states(audio)


class Gambler(Sound):
    def hidden_states(self, audio: torch.Tensor) -> torch.Tensor:
        np.random.rand()
        return super().hidden_states(audio)


class Renamed(Sound):
    def fingerprint(self) -> str:
        return str(id(self))


class Twisted(Sound):
    def hidden_states(self, audio: torch.Tensor) -> torch.Tensor:
        return super().hidden_states(audio).transpose(1, 2)


def fast(**changed: Any) -> Callable[[], Any]:
    def made() -> Any:
        encoder = Sound()
        for name, value in changed.items():
            setattr(encoder, name, value)
        return encoder

    return made


@pytest.mark.parametrize(
    ("made", "rules"),
    [
        (Drawn, ["determinism"]),
        (Normed, ["batches"]),
        (Logarithmic, ["finite"]),
        (Loud, ["finite"]),
        (Deaf, ["layers"]),
        (Greedy, ["shortest clip"]),
        (InPlace, ["side effects"]),
        (Gambler, ["side effects"]),
        (Renamed, ["fingerprint"]),
        (fast(frame_rate=100.0), ["frame rate"]),
        (fast(layers=["same", "same"]), ["members"]),
        (fast(width=0), ["members", "shape"]),
        (fast(name=None), ["members"]),
        (fast(card="free"), ["members"]),
    ],
)
def test_a_mistake_is_a_red_line(made: Callable[[], Any], rules: list[str]) -> None:
    assert red(made(), made()) == rules


def test_what_keeps_state_is_found_by_several_rules() -> None:
    assert {"determinism", "batches", "threads"} <= set(red(Moody()))


def test_wrong_axes_are_told_with_those_that_are_right() -> None:
    (shape,) = [each for each in check(Twisted()) if each.name == "shape"]
    assert not shape.ok and "(3, 2, frames, 2). Got (3, 160, 2, 2)" in shape.said


def test_what_an_encoder_raises_is_a_line_and_no_crash() -> None:
    class Raises(Sound):
        def hidden_states(self, audio: torch.Tensor) -> torch.Tensor:
            raise OSError("disk on fire")

    found = {each.name: each for each in check(Raises())}
    assert found["members"].ok and found["fingerprint"].ok
    assert found["shape"].said == "OSError: disk on fire"


def test_clips_are_the_same_every_time_at_the_encoders_rate() -> None:
    encoder = load_encoder("mel")
    assert clips(encoder, 0.5).shape == (3, 12000)
    assert torch.equal(clips(encoder), clips(encoder))
