"""The HuBERT network as MERT uses it: forward only, on plain tensors.

Strided convolutions turn the waveform into frames, a projection and a positional
convolution make the transformer's input (layer 0), and each transformer layer adds
one hidden state. Sources: HuBERT (arXiv 2106.07447), MERT (arXiv 2306.00107) and the
names their weights are released under. Axes are (batch, frame, channel). Norms and
residuals are float32, the large products in the precision asked for.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping

import torch
from torch.nn import functional

from marble_eval.encoders.networks.hubert_shape import FEATURES, POSITION, PROJECTION, HubertShape

_ACTIVATIONS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "gelu": functional.gelu,
    "gelu_new": functools.partial(functional.gelu, approximate="tanh"),
    "relu": functional.relu,
    "silu": functional.silu,
}
#: By the type of the large products; raised when the same weights and audio give other numbers.
IMPLEMENTATION = {torch.float32: 1, torch.bfloat16: 2, torch.float16: 2}
_CONVOLUTION_EPS = 1e-5  # norms between convolutions do not use the config's layer_norm_eps


def convolve(
    x: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None = None,
    *,
    stride: int = 1,
    padding: int = 0,
    groups: int = 1,
) -> torch.Tensor:
    """Convolve over frames: (batch, frame, channel) by (channel, channel of a group, tap)."""
    # In two dimensions with channels last: 1.6 to 2 times as fast on a CPU as conv1d, and
    # faster than matrix products on strided views. The operator under conv2d takes its
    # last argument, no TF32 on a GPU, for one call; elsewhere that is a global flag.
    convolved: torch.Tensor = torch.ops.aten._convolution.default(
        x.to(weight.dtype).transpose(1, 2).unsqueeze(2),
        weight.unsqueeze(2).contiguous(memory_format=torch.channels_last),
        *(bias, [1, stride], [0, padding], [1, 1], False, [0, 0], groups),
        *(False, False, True, False),
    )
    return convolved.squeeze(2).transpose(1, 2)


class Hubert:
    """A network with its weights, ready to be used from several threads at once."""

    def __init__(
        self,
        shape: HubertShape,
        weights: Mapping[str, torch.Tensor],
        *,
        dtype: torch.dtype = torch.float32,
        device: torch.device | None = None,
        cqt: Callable[[torch.Tensor], torch.Tensor] | None = None,
    ) -> None:
        if shape.feature_extractor_cqt != (cqt is not None):
            raise ValueError("cqt must be given where, and only where, the shape asks for it.")
        self.shape, self._cqt, self._dtype = shape, cqt, dtype
        self.device = torch.device("cpu") if device is None else device
        tensors = {
            name: weight.detach().to(self.device, torch.float32) for name, weight in weights.items()
        }
        _fold_position(tensors)
        for name, tensor in tensors.items():
            if tensor.ndim == 3:  # laid out once as `convolve` wants it
                tensors[name] = tensor.transpose(1, 2).contiguous().transpose(1, 2)
        for index in range(shape.num_hidden_layers):
            _fuse_attention(tensors, f"encoder.layers.{index}.attention")
        products = {
            name.rpartition(".")[0]
            for name, tensor in tensors.items()
            # One input channel is little work, and its error would go through everything.
            if tensor.ndim > 1 and name != f"{FEATURES}.0.conv.weight"
        }
        self._weights = {
            name: tensor.to(dtype) if name.rpartition(".")[0] in products else tensor
            for name, tensor in tensors.items()
        }

    def hidden_states(self, audio: torch.Tensor) -> torch.Tensor:
        """Run the network: (batch, samples) -> (batch, layer, frame, width)."""
        shape = self.shape
        frames = shape.frames(audio.shape[1])
        # Made outside inference mode, so that what is trained on it may keep it.
        states = torch.empty(
            (len(audio), 1 + shape.num_hidden_layers, frames, shape.hidden_size),
            device=self.device,
        )
        with torch.inference_mode():
            x = self._input(audio.to(self.device))
            states[:, 0] = x
            for index in range(shape.num_hidden_layers):
                x = self._transformed(x, f"encoder.layers.{index}")
                states[:, index + 1] = x
            if shape.do_stable_layer_norm:
                states[:, -1] = self._norm(x, "encoder.layer_norm")
        return states

    def _input(self, audio: torch.Tensor) -> torch.Tensor:
        """Make the transformer's input from the waveform."""
        shape = self.shape
        x = self._features(audio)
        if self._cqt is not None:
            x = torch.cat([x, self._cqt(audio)[:, : x.shape[1]]], dim=2)
        if shape.feat_proj_layer_norm:
            x = self._norm(x, f"{PROJECTION}.layer_norm")
        x = self._linear(x, f"{PROJECTION}.projection").float()
        position = convolve(
            x,
            *self._affine(POSITION),
            padding=shape.num_conv_pos_embeddings // 2,
            groups=shape.num_conv_pos_embedding_groups,
        )[:, : x.shape[1]]  # an even number of taps gives one frame too many
        x = x + _ACTIVATIONS[shape.feat_extract_activation](position)
        return x if shape.do_stable_layer_norm else self._norm(x, "encoder.layer_norm")

    def _features(self, audio: torch.Tensor) -> torch.Tensor:
        """Run the convolutions."""
        shape, x = self.shape, audio.unsqueeze(2)
        for index, stride in enumerate(shape.conv_stride):
            stem = f"{FEATURES}.{index}"
            if shape.feat_extract_norm == "group" and index == 0:
                x = self._normed_over_time(audio)
            else:
                x = convolve(x, *self._affine(f"{stem}.conv"), stride=stride)
            if shape.feat_extract_norm == "layer":
                x = self._norm(x.float(), f"{stem}.layer_norm", _CONVOLUTION_EPS)
            # What comes next takes it in the products' type; half the memory is half the time.
            x = _ACTIVATIONS[shape.feat_extract_activation](x.to(self._dtype))
        return x.float()

    def _normed_over_time(self, audio: torch.Tensor) -> torch.Tensor:
        """Run the first convolution so that each channel has the norm's mean and variance.

        Both follow from the mean and the second moment of the windows, so they become
        part of the weight and nothing has to go over the output; a bias cancels out.
        """
        weights, stem = self._weights, f"{FEATURES}.0"
        weight = weights[f"{stem}.conv.weight"].squeeze(1).double()
        windows = audio.unfold(1, self.shape.conv_kernel[0], self.shape.conv_stride[0])
        mean = windows.double().mean(dim=1, keepdim=True)
        spread = windows.double() - mean
        moment = spread.transpose(1, 2) @ spread / windows.shape[1]
        variance = ((weight @ moment) * weight).sum(dim=2)  # (batch, channel)
        scale = weights[f"{stem}.layer_norm.weight"] * torch.rsqrt(variance + _CONVOLUTION_EPS)
        shift = weights[f"{stem}.layer_norm.bias"] - scale * (mean @ weight.T).squeeze(1)
        return torch.baddbmm(
            shift.unsqueeze(1).float(), windows, (scale.unsqueeze(1) * weight.T).float()
        )

    def _transformed(self, x: torch.Tensor, stem: str) -> torch.Tensor:
        """Run one transformer layer."""
        first, second = f"{stem}.layer_norm", f"{stem}.final_layer_norm"
        if self.shape.do_stable_layer_norm:
            x = x + self._attended(self._norm(x, first), f"{stem}.attention")
            return x + self._fed_forward(self._norm(x, second), f"{stem}.feed_forward")
        alpha = (2 * self.shape.num_hidden_layers) ** 0.25 if self.shape.deepnorm else 1.0
        attended = self._attended(x, f"{stem}.attention")
        x = self._norm(torch.add(attended, x, alpha=alpha), first)
        fed_forward = self._fed_forward(x, f"{stem}.feed_forward")
        return self._norm(torch.add(fed_forward, x, alpha=alpha), second)

    def _attended(self, x: torch.Tensor, stem: str) -> torch.Tensor:
        # (batch, frame, 3 * head * channel) -> 3 of (batch, head, frame, channel)
        split = (*x.shape[:2], 3, self.shape.num_attention_heads, -1)
        projected = self._linear(x, stem)
        if self.device.type == "cpu":
            # There the core is twice as fast in float32 as in bfloat16, and exact besides; on a
            # GPU its sums are float32 anyway.
            projected = projected.float()
        query, key, value = projected.view(split).permute(2, 0, 3, 1, 4)
        attended = functional.scaled_dot_product_attention(query, key, value)
        return self._linear(attended.transpose(1, 2).flatten(2), f"{stem}.out_proj")

    def _fed_forward(self, x: torch.Tensor, stem: str) -> torch.Tensor:
        inner = self._linear(x, f"{stem}.intermediate_dense")
        return self._linear(_ACTIVATIONS[self.shape.hidden_act](inner), f"{stem}.output_dense")

    def _affine(self, stem: str) -> tuple[torch.Tensor, torch.Tensor | None]:
        return self._weights[f"{stem}.weight"], self._weights.get(f"{stem}.bias")

    def _linear(self, x: torch.Tensor, stem: str) -> torch.Tensor:
        weight, bias = self._affine(stem)
        return functional.linear(x.to(weight.dtype), weight, bias)

    def _norm(self, x: torch.Tensor, stem: str, eps: float | None = None) -> torch.Tensor:
        eps = self.shape.layer_norm_eps if eps is None else eps
        return functional.layer_norm(x, x.shape[2:], *self._affine(stem), eps=eps)


def _fold_position(tensors: dict[str, torch.Tensor]) -> None:
    """Replace length and direction of the positional convolution by their product."""
    length = tensors.pop(f"{POSITION}.weight_g")
    direction = tensors.pop(f"{POSITION}.weight_v")
    norm = direction.norm(dim=(0, 1), keepdim=True)
    tensors[f"{POSITION}.weight"] = length * direction / norm


def _fuse_attention(tensors: dict[str, torch.Tensor], stem: str) -> None:
    """Replace the maps to query, key and value by one that makes all three."""
    for kind in ("weight", "bias"):
        parts = [tensors.pop(f"{stem}.{part}_proj.{kind}") for part in ("q", "k", "v")]
        tensors[f"{stem}.{kind}"] = torch.cat(parts)
