"""Weights of HuBERT, wav2vec 2.0 and MERT networks: given their places, or drawn at random.

Random ones are the control that trained weights must beat. The rule is transformers' own
for HuBERT, so a seed gives the same weights wherever the same version of it is installed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from marble_eval.encoders.checkpoints.folder import fitted
from marble_eval.encoders.networks.hubert_shape import (
    PROJECTION,
    HubertShape,
    read_shape,
    weight_sizes,
)

#: Sizes of networks, as the names of transformers' HubertConfig, whose defaults are the
#: 95M; the 330M as in scripts/hf_config/mert_large.json of the MERT repository.
SIZES: dict[str, dict[str, Any]] = {
    "95M": {},
    "330M": {
        "hidden_size": 1024,
        "num_hidden_layers": 24,
        "num_attention_heads": 16,
        "intermediate_size": 4096,
        "do_stable_layer_norm": True,
    },
    "small": {
        "conv_dim": (128,) * 7,
        "hidden_size": 192,
        "num_hidden_layers": 4,
        "num_attention_heads": 4,
        "intermediate_size": 768,
    },
}

# Modules that stand on the network when it is trained or fine-tuned (transformers' names).
_HEADS = (
    "adapter",
    "classifier",
    "label_embeddings_concat",
    "layer_weights",
    "lm_head",
    "objective",
    "project_hid",
    "project_q",
    "projector",
    "quantizer",
    "tdnn",
)

# How torch's newer weight norm names what the released files call weight_g and weight_v.
_RENAMED = {
    f"encoder.pos_conv_embed.conv.parametrizations.weight.original{index}": (
        f"encoder.pos_conv_embed.conv.weight_{letter}"
    )
    for index, letter in enumerate("gv")
}


def without_heads(state: Mapping[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    """Return a network's own weights out of those of a model with heads."""
    kept = {}
    for name, weight in state.items():
        inner = name.removeprefix(f"{prefix}.")
        if inner.partition(".")[0] not in _HEADS:
            kept[inner] = weight
    return kept


def placed(
    state: Mapping[str, torch.Tensor], shape: HubertShape, subject: str
) -> dict[str, torch.Tensor]:
    """Give every weight its place under released names, refusing any that does not fit."""
    sizes, weights, astray = weight_sizes(shape), {}, []
    for name, weight in state.items():
        if name == "masked_spec_embed" or name.startswith("feature_extractor_cqt."):
            continue  # used in training only; derived from the config
        place = _RENAMED.get(name, name)
        if place not in sizes or place in weights:
            astray.append(name)
        weights[place] = weight
    return fitted(weights, sizes, subject, astray=astray)


def initial_weights(
    config: Mapping[str, Any], seed: int, subject: str
) -> tuple[HubertShape, dict[str, torch.Tensor]]:
    """Draw the weights of a network."""
    from transformers import HubertConfig, HubertModel  # noqa: PLC0415 - it takes seconds

    shape = read_shape(config, subject)
    known = HubertConfig().to_dict()
    asked = {name: value for name, value in config.items() if name in known}
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        state = HubertModel(HubertConfig(**asked)).state_dict()
        if shape.feature_extractor_cqt:  # more features than transformers' network has
            _widen(state, shape, float(asked.get("initializer_range", 0.02)))
    return shape, placed(state, shape, subject)


def _widen(state: dict[str, torch.Tensor], shape: HubertShape, spread: float) -> None:
    """Make the projection take the constant-Q magnitudes as well."""
    features = shape.conv_dim[-1] + shape.feature_extractor_cqt_bins
    weight = torch.randn(shape.hidden_size, features) * spread
    state[f"{PROJECTION}.projection.weight"] = weight
    if shape.feat_proj_layer_norm:
        state[f"{PROJECTION}.layer_norm.weight"] = torch.ones(features)
        state[f"{PROJECTION}.layer_norm.bias"] = torch.zeros(features)
