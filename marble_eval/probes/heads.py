"""The arithmetic of a stack of probes: forward pass and gradients, by hand.

A stack holds M probes of one shape; each parameter has a leading axis M, and
probe m never sees the others' numbers. The gradients are written out: they are
short, and a batch of 64 is too small to pay for recording a graph. A test holds
them against automatic differentiation.

Parameters: ``weights`` (member, layer) of the learned sum, only where there is
one; ``hidden`` (member, width, unit) and ``hidden_bias`` (member, 1, unit), only
for an MLP; ``output`` (member, unit or width, class) and ``output_bias`` (member,
1, class). Initial values as `torch.nn.Linear` draws them; dropout follows the
ReLU, as in MARBLE's prober.

On a CPU a step is so short that the calls themselves are a good part of it, so
the functions make few: biases carry the axis by which they are broadcast.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from marble_eval.spec import Aggregation, SumStart, TrainedProbe

Parameters = dict[str, torch.Tensor]

_NARROW = 128  # outputs of a member up to which those of all members go into one product


def initial_parameters(
    spec: TrainedProbe,
    *,
    width: int,
    outputs: int,
    layers: int,
    members: int,
    generator: torch.Generator,
    sum_start: SumStart = "normal",
) -> Parameters:
    """Draw the parameters of one probe and repeat them for each member.

    All start from the same point, since the random numbers of a probe depend on its seed alone.
    """
    sizes = {"output": (spec.hidden or width, outputs)}
    if spec.hidden:
        sizes = {"hidden": (width, spec.hidden), **sizes}
    one: Parameters = {}
    for name, (fan_in, fan_out) in sizes.items():
        # torch.nn.Linear: uniform within 1/sqrt(fan_in), weight first, then bias.
        bound = 1 / math.sqrt(fan_in)
        one[name] = torch.empty(fan_in, fan_out).uniform_(-bound, bound, generator=generator)
        one[f"{name}_bias"] = torch.empty(1, fan_out).uniform_(-bound, bound, generator=generator)
    if layers > 1:
        # Drawn last, so that probes of single layers start where they would without it.
        one["weights"] = torch.zeros(layers)
        if sum_start == "normal":  # ProberForBertUtterCLS in MARBLE's first code: torch.randn
            one["weights"].normal_(generator=generator)
    return {name: value.expand(members, *value.shape).contiguous() for name, value in one.items()}


def mixed(parameters: Parameters, layers: torch.Tensor) -> torch.Tensor:
    """Weight the layers of each member's learned sum.

    (layer, rows, width) -> (member, rows, width).
    """
    shares = torch.softmax(parameters["weights"], dim=1)
    return (shares @ layers.flatten(1)).view(len(shares), *layers.shape[1:])


def outputs_of(parameters: Parameters, inputs: torch.Tensor) -> torch.Tensor:
    """Apply each probe, without dropout: (member, rows, width) -> (member, rows, output)."""
    if "hidden" in parameters:
        inputs = _products(parameters["hidden_bias"], inputs, parameters["hidden"]).relu_()
    return _products(parameters["output_bias"], inputs, parameters["output"])


def _products(bias: torch.Tensor, inputs: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Multiply the rows of every member by its weights and add its bias."""
    if not _is_shared(inputs):
        return torch.baddbmm(bias, inputs, weight)
    members, width, outputs = weight.shape
    if outputs <= _NARROW:
        beside = weight.transpose(0, 1).reshape(width, -1)
        found = torch.addmm(bias.view(1, -1), inputs[0], beside)
        return found.view(-1, members, outputs).transpose(0, 1)
    found = inputs.new_empty(members, inputs.shape[1], outputs)
    for each in zip(bias, weight, found, strict=True):
        torch.addmm(each[0], inputs[0], each[1], out=each[2])
    return found


def _add_gradient(
    inputs: torch.Tensor, sent_back: torch.Tensor, into: torch.Tensor, kept: float
) -> None:
    """Compute the gradient of every member's weights, and add ``kept`` times what is there."""
    if not _is_shared(inputs):
        torch.baddbmm(into, inputs.mT, sent_back, beta=kept, out=into)
    elif sent_back.shape[2] <= _NARROW:
        beside = sent_back.transpose(0, 1).flatten(1)
        _add((beside.mT @ inputs[0]).view(into.mT.shape).mT, into, kept)
    else:
        for back, found in zip(sent_back, into, strict=True):
            torch.addmm(found, inputs[0].mT, back, beta=kept, out=found)


def _add(value: torch.Tensor, into: torch.Tensor, kept: float) -> None:
    """Add a gradient to ``kept`` times what is there, which may be anything if that is 0."""
    if kept:
        into.mul_(kept).add_(value)
    else:
        into.copy_(value)


def _is_shared(inputs: torch.Tensor) -> bool:
    """Say whether all members read the same rows, of which bmm on a CPU would make copies."""
    return len(inputs) > 1 and inputs.stride(0) == 0


def track_means(
    of_clips: torch.Tensor, clips: torch.Tensor, aggregation: Aggregation
) -> torch.Tensor:
    """Average the outputs of each track's clips.

    (member, clip, output) -> (member, track, output).
    """
    if aggregation == "mean-probabilities":
        of_clips = torch.softmax(of_clips, dim=2)
    if of_clips.shape[1] == len(clips):
        return of_clips
    track_of_clip = torch.repeat_interleave(clips)
    sums = of_clips.new_zeros(len(of_clips), len(clips), of_clips.shape[2])
    sums.index_add_(1, track_of_clip, of_clips)
    return sums / clips[None, :, None]


def hidden_activations(
    parameters: Parameters, inputs: torch.Tensor, kept: torch.Tensor | None
) -> torch.Tensor:
    """Compute the hidden units in training: ReLU, then dropout without its scale.

    (member, rows, width) -> (member, rows, unit), to be scaled by 1 / (1 - dropout) where it is
    used, which is cheaper there; `kept` is (rows, unit).
    """
    units = _products(parameters["hidden_bias"], inputs, parameters["hidden"]).relu_()
    return units if kept is None else units.mul_(kept)


def gradients(
    parameters: Parameters,
    inputs: torch.Tensor,
    layers: torch.Tensor | None,
    units: torch.Tensor | None,
    scale: float,
    output_gradient: torch.Tensor,
    *,
    into: Parameters,
    kept: float = 0.0,
) -> None:
    """Compute the gradient of the loss for every parameter of every probe.

    Inputs are (member, rows, width), those of a learned sum made of `layers` (layer, rows, width);
    units are `hidden_activations` and the scale 1 / (1 - dropout). What is in `into` is multiplied
    with `kept` and added; 0 overwrites it.
    """
    _add(output_gradient.sum(1, keepdim=True), into["output_bias"], kept)
    if units is None:
        _add_gradient(inputs, output_gradient, into["output"], kept)
        inner, weight = output_gradient, parameters["output"]
    else:
        scaled = output_gradient * scale
        _add_gradient(units, scaled, into["output"], kept)
        passed = torch.bmm(scaled, parameters["output"].mT)
        # Zero wherever the unit was off or dropped: both left it at zero.
        inner = torch.ops.aten.threshold_backward.grad_input(passed, units, 0, grad_input=passed)
        _add_gradient(inputs, inner, into["hidden"], kept)
        _add(inner.sum(1, keepdim=True), into["hidden_bias"], kept)
        weight = parameters["hidden"]
    if layers is not None:
        at_inputs = torch.bmm(inner, weight.mT)
        by_layer = at_inputs.flatten(1) @ layers.flatten(1).mT
        shares = torch.softmax(parameters["weights"], dim=1)
        centred = by_layer - (shares * by_layer).sum(1, keepdim=True)
        _add(shares * centred, into["weights"], kept)
