"""The HuBERT network as MERT uses it: forward only, on plain tensors.

Strided convolutions turn the waveform into frames, a projection and a positional
convolution make the transformer's input (layer 0), and each transformer layer adds
one hidden state. Sources: HuBERT (arXiv 2106.07447), MERT (arXiv 2306.00107) and the
names their weights are released under. Axes are (batch, frame, channel). Norms and
residuals are float32, the large products in the precision asked for.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Mapping
from typing import Literal

import torch
from torch.nn import functional

Activation = Literal["gelu", "gelu_new", "relu", "selu"]

_ACTIVATIONS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "gelu": functional.gelu,
    "gelu_new": functools.partial(functional.gelu, approximate="tanh"),
    "relu": functional.relu,
    "selu": functional.selu,
}
_CONVOLUTION_EPS = 1e-5  # norms between convolutions do not use the config's layer_norm_eps
_FEATURES, _PROJECTION = "feature_extractor.conv_layers", "feature_projection"
_POSITION = "encoder.pos_conv_embed.conv"


@dataclasses.dataclass(frozen=True, slots=True)
class HubertShape:
    """What a checkpoint's ``config.json`` says of the network; its names are kept.

    Attributes
    ----------
    sample_rate : int
        Rate of the audio, in Hz.
    conv_dim, conv_kernel, conv_stride : tuple of int
        Channels, samples and hop of each convolution.
    feat_extract_norm : {"group", "layer"}
        Each channel of the first convolution over time, or each frame of all of them.
    feat_proj_layer_norm : bool
        Whether the convolutions' output is normalised before it is projected.
    do_stable_layer_norm : bool
        Norms before attention and feed-forward (and after the last layer), not behind.
    deepnorm : bool
        Residuals are multiplied by ``(2 * layers) ** 0.25`` (arXiv 2203.00555).
    feature_extractor_cqt, feature_extractor_cqt_bins
        Whether constant-Q magnitudes stand beside the convolutions' output.
    """

    sample_rate: int
    conv_dim: tuple[int, ...]
    conv_kernel: tuple[int, ...]
    conv_stride: tuple[int, ...]
    conv_bias: bool
    feat_extract_norm: Literal["group", "layer"]
    feat_extract_activation: Activation
    feat_proj_layer_norm: bool
    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    intermediate_size: int
    hidden_act: Activation
    num_conv_pos_embeddings: int
    num_conv_pos_embedding_groups: int
    do_stable_layer_norm: bool
    layer_norm_eps: float
    deepnorm: bool = False
    feature_extractor_cqt: bool = False
    feature_extractor_cqt_bins: int = 336

    def __post_init__(self) -> None:
        if not len(self.conv_dim) == len(self.conv_kernel) == len(self.conv_stride) > 0:
            raise ValueError(
                "'conv_dim', 'conv_kernel' and 'conv_stride' must have the same length. "
                f"Got {self.conv_dim}, {self.conv_kernel} and {self.conv_stride}."
            )
        for name in ("num_attention_heads", "num_conv_pos_embedding_groups"):
            if getattr(self, name) < 1 or self.hidden_size % getattr(self, name):
                raise ValueError(
                    f"{name!r} must divide 'hidden_size'. "
                    f"Got {getattr(self, name)} and {self.hidden_size}."
                )
        if self.deepnorm and self.do_stable_layer_norm:
            raise ValueError("'deepnorm' must not stand beside 'do_stable_layer_norm'. Got both.")
        if self.feature_extractor_cqt and self.sample_rate // 50 != self.hop_samples:
            # MERT's constant-Q frames, 50 a second, are cut to the convolutions' number.
            raise ValueError(
                "'feature_extractor_cqt' must go with convolutions of 50 frames a second. "
                f"Got a hop of {self.hop_samples} samples at {self.sample_rate} Hz."
            )

    @property
    def hop_samples(self) -> int:
        """Samples between frames."""
        return math.prod(self.conv_stride)

    @property
    def minimum_samples(self) -> int:
        """Samples that one frame needs."""
        samples = 1
        for kernel, stride in zip(self.conv_kernel[::-1], self.conv_stride[::-1], strict=True):
            samples = (samples - 1) * stride + kernel
        return samples

    def frames(self, samples: int) -> int:
        """Return how many frames a clip of so many samples has."""
        for kernel, stride in zip(self.conv_kernel, self.conv_stride, strict=True):
            samples = max(0, (samples - kernel) // stride + 1)
        return samples


def weight_sizes(shape: HubertShape) -> dict[str, tuple[int, ...]]:
    """List the tensors that a network of this shape is made of, and their sizes."""
    hidden, taps = shape.hidden_size, shape.num_conv_pos_embeddings
    sizes: dict[str, tuple[int, ...]] = {}

    def affine(name: str, *size: int) -> None:
        sizes.update({f"{name}.weight": size, f"{name}.bias": size[:1]})

    for index, channels in enumerate(shape.conv_dim):
        stem = f"{_FEATURES}.{index}"
        before = shape.conv_dim[index - 1] if index else 1
        sizes[f"{stem}.conv.weight"] = (channels, before, shape.conv_kernel[index])
        if shape.conv_bias:
            sizes[f"{stem}.conv.bias"] = (channels,)
        if shape.feat_extract_norm == "layer" or index == 0:
            affine(f"{stem}.layer_norm", channels)
    features = shape.conv_dim[-1]
    features += shape.feature_extractor_cqt_bins if shape.feature_extractor_cqt else 0
    if shape.feat_proj_layer_norm:
        affine(f"{_PROJECTION}.layer_norm", features)
    affine(f"{_PROJECTION}.projection", hidden, features)
    sizes[f"{_POSITION}.bias"] = (hidden,)
    sizes[f"{_POSITION}.weight_g"] = (1, 1, taps)
    sizes[f"{_POSITION}.weight_v"] = (hidden, hidden // shape.num_conv_pos_embedding_groups, taps)
    affine("encoder.layer_norm", hidden)
    for index in range(shape.num_hidden_layers):
        stem = f"encoder.layers.{index}"
        for part in ("q_proj", "k_proj", "v_proj", "out_proj"):
            affine(f"{stem}.attention.{part}", hidden, hidden)
        affine(f"{stem}.layer_norm", hidden)
        affine(f"{stem}.feed_forward.intermediate_dense", shape.intermediate_size, hidden)
        affine(f"{stem}.feed_forward.output_dense", hidden, shape.intermediate_size)
        affine(f"{stem}.final_layer_norm", hidden)
    return sizes


def convolve(
    x: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None = None,
    *,
    stride: int = 1,
    padding: int = 0,
    groups: int = 1,
) -> torch.Tensor:
    """Convolve (batch, frame, channel) with a weight (channel, channel of group, tap)."""
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
    """A network with its weights, ready to be used from several threads at once.

    Parameters
    ----------
    shape : HubertShape
        What the weights fit.
    weights : mapping of str to torch.Tensor
        The tensors that `weight_sizes` lists.
    dtype : torch.dtype
        In which the large products are computed.
    device : torch.device or None
        Where; None for the CPU.
    cqt : callable or None
        Constant-Q magnitudes (batch, frame, bin) of audio (batch, samples).

    Raises
    ------
    ValueError
        If the shape asks for a constant-Q transform and none is given, or the reverse.
    """

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
        self.shape, self._cqt = shape, cqt
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
            if tensor.ndim > 1 and name != f"{_FEATURES}.0.conv.weight"
        }
        self._weights = {
            name: tensor.to(dtype) if name.rpartition(".")[0] in products else tensor
            for name, tensor in tensors.items()
        }

    def hidden_states(self, audio: torch.Tensor) -> torch.Tensor:
        """Run the network.

        Parameters
        ----------
        audio : torch.Tensor [shape=(batch, samples), float32]
            Clips of equal length, at least ``shape.minimum_samples`` long.

        Returns
        -------
        torch.Tensor [shape=(batch, layer, frame, width), float32]
            The transformer's input, then what each of its layers gave.

        Raises
        ------
        ValueError
            If the audio has other axes or another type, or is too short.
        """
        shape = self.shape
        if audio.ndim != 2 or audio.dtype != torch.float32:
            raise ValueError(
                f"audio must be float32 of shape (batch, samples). "
                f"Got {audio.dtype} of shape {tuple(audio.shape)}."
            )
        if audio.shape[1] < shape.minimum_samples:
            raise ValueError(
                f"audio must have at least {shape.minimum_samples} samples. "
                f"Got {audio.shape[1]}. Use longer clips."
            )
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
            x = self._norm(x, f"{_PROJECTION}.layer_norm")
        x = self._linear(x, f"{_PROJECTION}.projection").float()
        position = convolve(
            x,
            *self._affine(_POSITION),
            padding=shape.num_conv_pos_embeddings // 2,
            groups=shape.num_conv_pos_embedding_groups,
        )[:, : x.shape[1]]  # an even number of taps gives one frame too many
        x = x + _ACTIVATIONS[shape.feat_extract_activation](position)
        return x if shape.do_stable_layer_norm else self._norm(x, "encoder.layer_norm")

    def _features(self, audio: torch.Tensor) -> torch.Tensor:
        """Run the convolutions."""
        shape, x = self.shape, audio.unsqueeze(2)
        for index, stride in enumerate(shape.conv_stride):
            stem = f"{_FEATURES}.{index}"
            if shape.feat_extract_norm == "group" and index == 0:
                x = self._normed_over_time(audio)
            else:
                x = convolve(x, *self._affine(f"{stem}.conv"), stride=stride)
            if shape.feat_extract_norm == "layer":
                x = self._norm(x.float(), f"{stem}.layer_norm", _CONVOLUTION_EPS)
            x = _ACTIVATIONS[shape.feat_extract_activation](x)
        return x.float()

    def _normed_over_time(self, audio: torch.Tensor) -> torch.Tensor:
        """Run the first convolution so that each channel has the norm's mean and variance.

        Both follow from the mean and the second moment of the windows, so they become
        part of the weight and nothing has to go over the output; a bias cancels out.
        """
        weights, stem = self._weights, f"{_FEATURES}.0"
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
        query, key, value = self._linear(x, stem).view(split).permute(2, 0, 3, 1, 4)
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
    length = tensors.pop(f"{_POSITION}.weight_g")
    direction = tensors.pop(f"{_POSITION}.weight_v")
    norm = direction.norm(dim=(0, 1), keepdim=True)
    tensors[f"{_POSITION}.weight"] = length * direction / norm


def _fuse_attention(tensors: dict[str, torch.Tensor], stem: str) -> None:
    """Replace the maps to query, key and value by one that makes all three."""
    for kind in ("weight", "bias"):
        parts = [tensors.pop(f"{stem}.{part}_proj.{kind}") for part in ("q", "k", "v")]
        tensors[f"{stem}.{kind}"] = torch.cat(parts)
