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
    from marble_eval.spec import Aggregation, ProbeSpec

Parameters = dict[str, torch.Tensor]


def initial_parameters(
    spec: ProbeSpec,
    *,
    width: int,
    outputs: int,
    layers: int,
    members: int,
    generator: torch.Generator,
) -> Parameters:
    """Draw the parameters of one probe and repeat them for each member.

    Parameters
    ----------
    spec : ProbeSpec
        Hidden units; 0 makes it linear.
    width, outputs : int
        Size of an embedding and number of outputs.
    layers : int
        Layers in the learned sum; 1 for a probe of a single layer.
    members : int
        Number of probes in the stack; all start from the same point, since the
        random numbers of a probe depend on its seed alone.
    generator : torch.Generator
        Source of the draws, on the CPU.

    Returns
    -------
    dict of str to torch.Tensor
        Each with a leading axis of length ``members``.
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
        one["weights"] = torch.zeros(layers)  # equal shares at the start
    return {name: value.expand(members, *value.shape).contiguous() for name, value in one.items()}


def mixed(parameters: Parameters, layers: torch.Tensor) -> torch.Tensor:
    """Weight the layers of each member's learned sum.

    Parameters
    ----------
    parameters : dict of str to torch.Tensor
        With ``weights`` (member, layer).
    layers : torch.Tensor [shape=(layer, rows, width)]
        Features of the layers in the sum.

    Returns
    -------
    torch.Tensor [shape=(member, rows, width)]
        Sum over the layers, weighted by the softmax of ``weights``.
    """
    shares = torch.softmax(parameters["weights"], dim=1)
    return (shares @ layers.flatten(1)).view(len(shares), *layers.shape[1:])


def outputs_of(parameters: Parameters, inputs: torch.Tensor) -> torch.Tensor:
    """Apply each probe, without dropout.

    Parameters
    ----------
    parameters : dict of str to torch.Tensor
        A stack's parameters.
    inputs : torch.Tensor [shape=(member, rows, width), float32]
        What each probe reads; see `mixed` for the learned sum.

    Returns
    -------
    torch.Tensor [shape=(member, rows, output)]
        Logits or values.
    """
    if "hidden" in parameters:
        inputs = torch.baddbmm(parameters["hidden_bias"], inputs, parameters["hidden"]).relu_()
    return torch.baddbmm(parameters["output_bias"], inputs, parameters["output"])


def track_means(
    of_clips: torch.Tensor, clips: torch.Tensor, aggregation: Aggregation
) -> torch.Tensor:
    """Average the outputs of each track's clips.

    Parameters
    ----------
    of_clips : torch.Tensor [shape=(member, clip, output)]
        Logits; the clips of a track lie together.
    clips : torch.Tensor [shape=(track,), int64]
        Number of clips of each track.
    aggregation : {"mean-logits", "mean-probabilities"}
        Average the logits, or their softmax.

    Returns
    -------
    torch.Tensor [shape=(member, track, output)]
        Means.

    Examples
    --------
    >>> logits = torch.tensor([[[0.0], [2.0], [5.0]]])
    >>> track_means(logits, torch.tensor([2, 1]), "mean-logits").tolist()
    [[[1.0], [5.0]]]
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

    Parameters
    ----------
    parameters : dict of str to torch.Tensor
        An MLP stack's parameters.
    inputs : torch.Tensor [shape=(member, rows, width)]
        What each probe reads.
    kept : torch.Tensor [shape=(rows, units)] or None
        `marble_eval.probes.dropout.Dropout.kept`; None without dropout.

    Returns
    -------
    torch.Tensor [shape=(member, rows, units)]
        To be scaled by 1 / (1 - dropout) where it is used, which is cheaper there.
    """
    units = torch.baddbmm(parameters["hidden_bias"], inputs, parameters["hidden"]).relu_()
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
) -> None:
    """Compute the gradient of the loss for every parameter of every probe.

    Parameters
    ----------
    parameters : dict of str to torch.Tensor
        A stack's parameters.
    inputs : torch.Tensor [shape=(member, rows, width)]
        What each probe read.
    layers : torch.Tensor [shape=(layer, rows, width)] or None
        The layers of the learned sum, where there is one.
    units : torch.Tensor [shape=(member, rows, unit)] or None
        `hidden_activations`; None for linear probes.
    scale : float
        1 / (1 - dropout).
    output_gradient : torch.Tensor [shape=(member, rows, output)]
        Gradient of the loss for the outputs.
    into : dict of str to torch.Tensor
        Overwritten with the gradients; same names and shapes as ``parameters``.
    """
    torch.sum(output_gradient, 1, keepdim=True, out=into["output_bias"])
    if units is None:
        torch.bmm(inputs.mT, output_gradient, out=into["output"])
        inner, weight = output_gradient, parameters["output"]
    else:
        scaled = output_gradient * scale
        torch.bmm(units.mT, scaled, out=into["output"])
        passed = torch.bmm(scaled, parameters["output"].mT)
        # Zero wherever the unit was off or dropped: both left it at zero.
        inner = torch.ops.aten.threshold_backward(passed, units, 0)
        torch.bmm(inputs.mT, inner, out=into["hidden"])
        torch.sum(inner, 1, keepdim=True, out=into["hidden_bias"])
        weight = parameters["hidden"]
    if layers is not None:
        at_inputs = torch.bmm(inner, weight.mT)
        by_layer = at_inputs.flatten(1) @ layers.flatten(1).mT
        shares = torch.softmax(parameters["weights"], dim=1)
        centred = by_layer - (shares * by_layer).sum(1, keepdim=True)
        torch.mul(shares, centred, out=into["weights"])
