"""Forward passes and gradients, against PyTorch's modules and automatic differentiation."""

import math
from typing import Literal

import numpy as np
import pytest
import scipy.special
import scipy.stats
import torch

from marble_eval.probes.heads import (
    Parameters,
    gradients,
    hidden_activations,
    initial_parameters,
    mixed,
    outputs_of,
    track_means,
)
from marble_eval.spec import TrainedProbe

MEMBERS, LAYERS, ROWS, WIDTH, UNITS, CLASSES = 3, 4, 7, 6, 5, 3


def parameters(hidden: int, layers: int = 1, seed: int = 0) -> Parameters:
    """Draw parameters in which no two members are alike."""
    drawn = initial_parameters(
        TrainedProbe("mlp" if hidden else "linear", hidden),
        width=WIDTH,
        outputs=CLASSES,
        layers=layers,
        members=MEMBERS,
        generator=torch.Generator().manual_seed(seed),
    )
    noise = torch.Generator().manual_seed(seed + 1)
    return {name: each + torch.randn(each.shape, generator=noise) for name, each in drawn.items()}


def numbers(*shape: int, seed: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_initial_values_lie_where_torch_s_linear_layer_puts_them() -> None:
    torch.manual_seed(0)
    drawn = initial_parameters(
        TrainedProbe("mlp", 512, 0.2),
        width=300,
        outputs=200,
        layers=12,
        members=2,
        generator=torch.Generator().manual_seed(0),
    )
    for name, fan_in, fan_out in (("hidden", 300, 512), ("output", 512, 200)):
        theirs = torch.nn.Linear(fan_in, fan_out)
        assert drawn[name].shape == (2, fan_in, fan_out)
        assert drawn[f"{name}_bias"].shape == (2, 1, fan_out)
        for ours, official in ((name, theirs.weight), (f"{name}_bias", theirs.bias)):
            assert drawn[ours].abs().max() <= 1 / math.sqrt(fan_in)
            assert drawn[ours].abs().max() == pytest.approx(official.abs().max().item(), rel=0.03)
            assert drawn[ours].std() == pytest.approx(official.std().item(), rel=0.1)
    assert drawn["weights"].shape == (2, 12)
    for each in drawn.values():
        assert torch.equal(each[0], each[1])


def test_a_linear_probe_has_no_hidden_layer_and_a_single_layer_no_weights() -> None:
    drawn = initial_parameters(
        TrainedProbe("linear", 0, 0.0),
        width=WIDTH,
        outputs=CLASSES,
        layers=1,
        members=2,
        generator=torch.Generator().manual_seed(0),
    )
    assert {name: tuple(each.shape) for name, each in drawn.items()} == {
        "output": (2, WIDTH, CLASSES),
        "output_bias": (2, 1, CLASSES),
    }


def test_outputs_are_those_of_torch_s_modules() -> None:
    values, inputs = parameters(UNITS), numbers(MEMBERS, ROWS, WIDTH, seed=2)
    outputs = outputs_of(values, inputs)
    for member in range(MEMBERS):
        module = torch.nn.Sequential(
            torch.nn.Linear(WIDTH, UNITS), torch.nn.ReLU(), torch.nn.Linear(UNITS, CLASSES)
        )
        module.load_state_dict(
            {
                "0.weight": values["hidden"][member].T,
                "0.bias": values["hidden_bias"][member, 0],
                "2.weight": values["output"][member].T,
                "2.bias": values["output_bias"][member, 0],
            }
        )
        torch.testing.assert_close(outputs[member], module(inputs[member]).detach())


def test_the_mix_is_a_softmax_weighted_sum() -> None:
    values, layers = parameters(0, LAYERS), numbers(LAYERS, ROWS, WIDTH, seed=3)
    shares = scipy.special.softmax(values["weights"].double().numpy(), axis=1)
    expected = np.einsum("ml,lrw->mrw", shares, layers.double().numpy())
    np.testing.assert_allclose(mixed(values, layers).numpy(), expected, atol=1e-6)


@pytest.mark.parametrize("dropout", [0.0, 0.4])
@pytest.mark.parametrize("hidden", [0, UNITS])
@pytest.mark.parametrize("layers", [1, LAYERS])
def test_gradients_are_those_of_automatic_differentiation(
    hidden: int, layers: int, dropout: float
) -> None:
    values = parameters(hidden, layers)
    read = numbers(LAYERS if layers > 1 else MEMBERS, ROWS, WIDTH, seed=4)
    output_gradient = numbers(MEMBERS, ROWS, CLASSES, seed=5)
    kept = (numbers(ROWS, UNITS, seed=6) > 0).float() if dropout else None

    # In plain terms, recorded by PyTorch.
    leaves = {name: each.clone().requires_grad_() for name, each in values.items()}
    plain = read
    if layers > 1:
        plain = torch.einsum("ml,lrw->mrw", leaves["weights"].softmax(1), read)
    if hidden:
        units = torch.relu(plain @ leaves["hidden"] + leaves["hidden_bias"])
        plain = units if kept is None else units * kept / (1 - dropout)
    plain = plain @ leaves["output"] + leaves["output_bias"]
    torch.autograd.backward((plain * output_gradient).sum())

    summed = read if layers > 1 else None
    inputs = mixed(values, read) if layers > 1 else read
    ours = hidden_activations(values, inputs, kept) if hidden else None
    found = {name: torch.full_like(each, torch.nan) for name, each in values.items()}
    scale = 1 / (1 - dropout) if hidden else 1.0
    gradients(values, inputs, summed, ours, scale, output_gradient, into=found)
    for name, leaf in leaves.items():
        torch.testing.assert_close(found[name], leaf.grad, atol=2e-5, rtol=1e-5)


@pytest.mark.parametrize("aggregation", ["mean-logits", "mean-probabilities"])
def test_track_outputs_are_means_over_ragged_clips(aggregation: str) -> None:
    counts = [2, 1, 4]
    logits = numbers(MEMBERS, sum(counts), CLASSES, seed=7)
    of_clips = logits.double().numpy()
    if aggregation == "mean-probabilities":
        of_clips = scipy.special.softmax(of_clips, axis=2)
    expected = np.stack(
        [of_clips[:, 0:2].mean(1), of_clips[:, 2:3].mean(1), of_clips[:, 3:7].mean(1)], axis=1
    )
    found = track_means(logits, torch.tensor(counts), aggregation)  # type: ignore[arg-type]
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-6)


def test_one_clip_a_track_still_becomes_a_probability() -> None:
    found = track_means(torch.zeros(1, 2, 4), torch.tensor([1, 1]), "mean-probabilities")
    assert torch.equal(found, torch.full((1, 2, 4), 0.25))


def test_logits_of_the_learned_sum_start_from_a_normal_draw_and_move_nothing_else() -> None:
    """MARBLE's first code draws them by `torch.randn`; equal shares are an option."""

    def drawn(seed: int, start: Literal["normal", "zeros"]) -> dict[str, torch.Tensor]:
        return initial_parameters(
            TrainedProbe("mlp", 8, 0.2),
            width=4,
            outputs=3,
            layers=12,
            members=1,
            generator=torch.Generator().manual_seed(seed),
            sum_start=start,
        )

    logits = torch.cat([drawn(seed, "normal")["weights"][0] for seed in range(200)])
    assert scipy.stats.kstest(logits.numpy(), "norm").pvalue > 0.01
    normal, zeros = drawn(0, "normal"), drawn(0, "zeros")
    assert not zeros["weights"].any()
    for name in ("hidden", "hidden_bias", "output", "output_bias"):
        torch.testing.assert_close(normal[name], zeros[name], rtol=0, atol=0)
