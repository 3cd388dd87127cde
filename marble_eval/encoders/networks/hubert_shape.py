"""The shape of a HuBERT or MERT network: what its config says, what weights that asks for.

Names are those of the released ``config.json`` files and weights; sources as in
`marble_eval.encoders.networks.hubert`.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any, Literal

from marble_eval.errors import SpecError
from marble_eval.spec.mapping import from_mapping

Activation = Literal["gelu", "gelu_new", "relu", "silu"]

FEATURES, PROJECTION = "feature_extractor.conv_layers", "feature_projection"
_MOST_LAYERS = 1000
POSITION = "encoder.pos_conv_embed.conv"


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
        for name in ("conv_dim", "conv_kernel", "conv_stride"):
            if min(getattr(self, name)) < 1:
                raise ValueError(f"{name!r} must be 1 or more. Got {getattr(self, name)}.")
        for name in ("sample_rate", "hidden_size", "intermediate_size", "num_conv_pos_embeddings"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name!r} must be 1 or more. Got {getattr(self, name)!r}.")
        if not 0 <= self.num_hidden_layers <= _MOST_LAYERS:
            raise ValueError(
                f"'num_hidden_layers' must be 0 to {_MOST_LAYERS}. Got {self.num_hidden_layers}."
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
    """List the tensors that a network is made of, under their released names."""
    hidden, taps = shape.hidden_size, shape.num_conv_pos_embeddings
    sizes: dict[str, tuple[int, ...]] = {}

    def affine(name: str, *size: int) -> None:
        sizes.update({f"{name}.weight": size, f"{name}.bias": size[:1]})

    for index, channels in enumerate(shape.conv_dim):
        stem = f"{FEATURES}.{index}"
        before = shape.conv_dim[index - 1] if index else 1
        sizes[f"{stem}.conv.weight"] = (channels, before, shape.conv_kernel[index])
        if shape.conv_bias:
            sizes[f"{stem}.conv.bias"] = (channels,)
        if shape.feat_extract_norm == "layer" or index == 0:
            affine(f"{stem}.layer_norm", channels)
    features = shape.conv_dim[-1]
    features += shape.feature_extractor_cqt_bins if shape.feature_extractor_cqt else 0
    if shape.feat_proj_layer_norm:
        affine(f"{PROJECTION}.layer_norm", features)
    affine(f"{PROJECTION}.projection", hidden, features)
    sizes[f"{POSITION}.bias"] = (hidden,)
    sizes[f"{POSITION}.weight_g"] = (1, 1, taps)
    sizes[f"{POSITION}.weight_v"] = (hidden, hidden // shape.num_conv_pos_embedding_groups, taps)
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


def read_shape(config: Mapping[str, Any], subject: str) -> HubertShape:
    """Read a config; names left out have transformers' defaults."""
    from transformers import HubertConfig  # noqa: PLC0415 - it takes seconds

    for name in ("conv_pos_batch_norm", "adapter_attn_dim"):
        if config.get(name):
            raise SpecError(f"{subject}: {name!r} must be left out. Got {config[name]!r}.")
    known = {**HubertConfig().to_dict(), **config}
    names = [each.name for each in dataclasses.fields(HubertShape) if each.name in known]
    return from_mapping(HubertShape, {name: known[name] for name in names}, subject)


def operations(shape: HubertShape, samples: int) -> int:
    """Count the floating-point operations of a clip's products and convolutions."""
    count, before = 0, 1
    for channels, kernel, stride in zip(
        shape.conv_dim, shape.conv_kernel, shape.conv_stride, strict=True
    ):
        samples = (samples - kernel) // stride + 1
        count += 2 * samples * before * kernel * channels
        before = channels
    frames, hidden = samples, shape.hidden_size
    before += shape.feature_extractor_cqt_bins if shape.feature_extractor_cqt else 0
    position = shape.num_conv_pos_embeddings * hidden // shape.num_conv_pos_embedding_groups
    weights = 4 * hidden + 2 * shape.intermediate_size
    layer = 2 * frames * hidden * weights + 4 * frames * frames * hidden
    return count + 2 * frames * hidden * (before + position) + shape.num_hidden_layers * layer
