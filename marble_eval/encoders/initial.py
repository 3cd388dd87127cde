"""Random weights of HuBERT and MERT networks, drawn as training would start from them.

The control that trained weights must beat. The rule is transformers' own for HuBERT,
so a seed gives the same weights wherever the same version of it is installed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from marble_eval.encoders.checkpoint import placed
from marble_eval.encoders.shape import PROJECTION, HubertShape, read_shape

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


def initial_weights(
    config: Mapping[str, Any], seed: int, subject: str
) -> tuple[HubertShape, dict[str, torch.Tensor]]:
    """Draw the weights of a network.

    Parameters
    ----------
    config : mapping of str to object
        Content of a ``config.json``, with the sample rate.
    seed : int
        The same one gives the same weights.
    subject : str
        Who is asking, for messages.

    Returns
    -------
    shape : HubertShape
        The network.
    weights : dict of str to torch.Tensor
        Every tensor that `weight_sizes` lists. Random state elsewhere is as it was.

    Examples
    --------
    >>> shape, weights = initial_weights({**SIZES["small"], "sample_rate": 24000}, 0, "small")
    >>> weights["feature_projection.projection.weight"].shape
    torch.Size([192, 128])
    """
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
