"""Checkpoints of MuQ and MusicFM: the network they ask for, and a place for every weight."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from marble_eval.encoders.conformer import Conformer, ConformerShape
from marble_eval.errors import MissingError, SpecError

_RATE = 24000  # Hz, of both
# Of training alone: targets, the head that guesses them, and positions that are computed.
_UNUSED = (
    *("cls_token", "linear.", "mask_emb", "quantizer_", "recon_proj.", "rvq."),
    *("conformer.embed_positions.", "conformer.pos_conv_embed."),
)
# The network that both papers take over, facebook/wav2vec2-conformer-rope-large-960h-ft.
_CONFORMER = {
    "hidden_act": "swish",
    "layer_norm_eps": 1e-5,
    "position_embeddings_type": "rotary",
    "rotary_embedding_base": 10000,
}


def read_conformer(config: Mapping[str, Any], subject: str) -> ConformerShape:
    """Read a MuQ's config; what is left out is as in MusicFM.

    Parameters
    ----------
    config : mapping of str to object
        With ``stat``, the mean and deviation of the training data's decibels.
    subject : str
        Who is being read, for the message.

    Returns
    -------
    ConformerShape
        The network.

    Raises
    ------
    SpecError
        If it asks for another network, or a value has the wrong type.

    Examples
    --------
    >>> stat = {"melspec_2048_mean": 6.77, "melspec_2048_std": 18.42}
    >>> read_conformer({"stat": stat}, "config.json").layers
    12
    """
    inner = config.get("w2v2_config") or {}
    for option, value in _CONFORMER.items():
        if inner.get(option, value) != value:
            raise SpecError(
                f"{subject}: {option!r} of the conformer must be {value!r}. Got {inner[option]!r}."
            )
    strides = {25: (2, 2), 50: (2, 1)}
    rate, statistics = config.get("label_rate", 25), config.get("stat") or {}
    if rate not in strides:
        raise SpecError(f"{subject}: 'label_rate' must be 25 or 50. Got {rate!r}.")
    try:
        return ConformerShape(
            sample_rate=_RATE,
            hop_samples=int(config.get("hop_length", 240)),
            bands=int(config.get("n_mels", 128)),
            strides=strides[rate],
            channels=int(config.get("conv_dim", 512)),
            width=int(config.get("encoder_dim", 1024)),
            layers=int(config.get("encoder_depth", 12)),
            heads=int(inner.get("num_attention_heads", 16)),
            inner=int(inner.get("intermediate_size", 4096)),
            taps=int(inner.get("conv_depthwise_kernel_size", 31)),
            mean=float(statistics["melspec_2048_mean"]),
            deviation=float(statistics["melspec_2048_std"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise SpecError(
            f"{subject}: must hold numbers, and melspec_2048_mean and melspec_2048_std of the "
            f"training data. Got {type(error).__name__}: {error}."
        ) from error


def read_training_file(path: Path) -> dict[str, torch.Tensor]:
    """Read the weights of a training run's file, running nothing that it may ask for.

    Parameters
    ----------
    path : Path
        A pickle of plain values with tensors under ``state_dict``.

    Returns
    -------
    dict of str to torch.Tensor
        The tensors.

    Raises
    ------
    MissingError
        If it is absent, damaged, or holds something else.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        state = content["state_dict"]
        return {name: weight for name, weight in state.items() if torch.is_tensor(weight)}
    except (OSError, EOFError, RuntimeError, LookupError, TypeError, AttributeError) as error:
        fault: Exception = error
    except pickle.UnpicklingError as error:
        fault = error
    first = str(fault).partition("\n")[0]
    raise MissingError(
        f"{path}: must be a whole file of tensors under 'state_dict'. "
        f"Got {type(fault).__name__}: {first}."
    ) from fault


def fill(network: Conformer, weights: Mapping[str, torch.Tensor], subject: str) -> None:
    """Give a network its weights, and complain of any that does not fit.

    Parameters
    ----------
    network : Conformer
        Is changed.
    weights : mapping of str to torch.Tensor
        Under released names; those of training alone are left out.
    subject : str
        Who is being read, for the message.

    Raises
    ------
    MissingError
        If a weight is missing.
    SpecError
        If a weight is unexpected or has another size.
    """
    own = {each.removeprefix("model."): weight for each, weight in weights.items()}
    own = {each: weight for each, weight in own.items() if not each.startswith(_UNUSED)}
    expected = network.state_dict()
    absent = sorted(each for each in expected if each not in own)
    astray = sorted(each for each in own if each not in expected)
    astray += [
        f"{each} {tuple(own[each].shape)} instead of {tuple(expected[each].shape)}"
        for each in own.keys() & expected.keys()
        if own[each].shape != expected[each].shape
    ]
    if absent:
        raise MissingError(f"{subject}: must hold every weight. Missing: {', '.join(absent[:6])}.")
    if astray:
        raise SpecError(f"{subject}: must hold weights that fit. Got {', '.join(astray[:6])}.")
    network.load_state_dict(own)
