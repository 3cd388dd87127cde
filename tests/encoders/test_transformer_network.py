"""Windows, turns of threads, and layers of different grids, on networks of a few lines."""

from __future__ import annotations

import threading
import time
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from marble_eval.encoders.networks.transformer import (
    Grid,
    TransformerNetwork,
    listed_states,
    on_one_grid,
)


class Reader:
    """Takes the waveform, a frame a sample."""

    def __init__(self, grid: Grid, layers: int = 2) -> None:
        self.grid, self.layers, self.width, self.normalise = grid, layers, 1, False

    def inputs(self, audio: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"input_values": audio}

    def states(self, outputs: Any) -> list[torch.Tensor]:
        return listed_states(outputs)


class Toy(torch.nn.Module):
    """Gives the waveform and its double, and counts how many threads are in it at once."""

    def __init__(self, seconds: float = 0.0) -> None:
        super().__init__()
        self.seconds, self.inside, self.most, self.seen = seconds, 0, 0, []  # type: ignore[var-annotated]

    def forward(self, input_values: torch.Tensor, output_hidden_states: bool) -> Any:
        self.inside += 1
        self.most = max(self.most, self.inside)
        time.sleep(self.seconds)
        self.inside -= 1
        self.seen.append(input_values.shape[1])
        frames = input_values.unsqueeze(2)
        return SimpleNamespace(hidden_states=(frames, 0 * frames), last_hidden_state=2 * frames)


def network(
    toy: torch.nn.Module, grid: Grid, *, keeps_nothing: bool = True, layers: int = 2
) -> Any:
    return TransformerNetwork(
        toy,
        Reader(grid, layers),
        dtype=torch.float32,
        device=torch.device("cpu"),
        keeps_nothing=keeps_nothing,
    )


@pytest.mark.parametrize(("keeps_nothing", "most"), [(False, 1), (True, 3)])
def test_threads_take_turns_in_a_network_that_keeps_something(
    keeps_nothing: bool, most: int
) -> None:
    toy = Toy(0.2)
    shared = network(toy, Grid(10, 1, 1), keeps_nothing=keeps_nothing)
    audio = torch.zeros(1, 5)
    threads = [threading.Thread(target=shared.hidden_states, args=(audio,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert toy.most == most


@pytest.mark.parametrize("samples", [1, 29, 30, 31, 45, 60, 95])
def test_windows_give_every_frame_once_and_in_order(samples: int) -> None:
    toy = Toy()
    grid = Grid(10, 1, 1, window_frames=30, window_samples=30)
    padded = network(toy, grid)
    padded._reader.inputs = lambda audio: {  # as extractors fill clips up
        "input_values": torch.nn.functional.pad(audio, (0, 30 - audio.shape[1]))
    }
    audio = torch.arange(1.0, samples + 1)[None]

    states = padded.hidden_states(audio)

    assert states[0, 0, :, 0].tolist() == audio[0].tolist()
    assert states[0, 1, :, 0].tolist() == (2 * audio[0]).tolist()  # not the 0 that was listed
    assert len(toy.seen) == -(-samples // 30)


def test_a_network_that_lists_other_layers_than_it_says_is_refused() -> None:
    with pytest.raises(ValueError, match=r"must list 3 layers.*Got 2"):
        network(Toy(), Grid(10, 1, 1), layers=3).hidden_states(torch.zeros(1, 5))


def test_a_frame_that_is_left_over_repeats_the_last() -> None:
    coarse, fine = torch.tensor([[[1.0], [2.0]]]), torch.zeros(1, 5, 1)
    assert on_one_grid([coarse, fine], 5, 1)[0, 0, :, 0].tolist() == [1.0, 1.0, 2.0, 2.0, 2.0]


class Plain(torch.nn.Module):
    """A network that lists its last layer alone, unasked."""

    def forward(self, input_values: torch.Tensor) -> Any:
        return SimpleNamespace(hidden_states=3 * input_values.unsqueeze(2), logits=None)


def test_a_network_that_takes_no_option_is_called_without() -> None:
    plain = network(Plain(), Grid(10, 1, 1), layers=1)
    assert plain.hidden_states(torch.ones(1, 2)).flatten().tolist() == [3.0, 3.0]


def test_hidden_states_may_be_trained_on() -> None:
    states = network(Toy(), Grid(10, 1, 1)).hidden_states(torch.ones(1, 5))
    weight = torch.ones(1, requires_grad=True)
    (gradient,) = torch.autograd.grad((states * weight).sum(), weight)
    assert gradient.item() == 15.0
