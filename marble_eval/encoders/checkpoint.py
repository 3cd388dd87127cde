"""Checkpoints of HuBERT, wav2vec 2.0 and MERT: read as tensors, and accounted for.

A checkpoint is a folder as its authors release it: `config.json`, and the weights as
`model.safetensors` or `pytorch_model.bin`, whole or in shards, which are read as tensors
and nothing else. Every weight must have its place and every place its weight.
"""

from __future__ import annotations

import json
import pickle
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from marble_eval.encoders.shape import HubertShape, read_shape, weight_sizes
from marble_eval.errors import MissingError, SpecError

CONFIG, PREPROCESSOR = "config.json", "preprocessor_config.json"
WEIGHTS = ("model.safetensors", "pytorch_model.bin")

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


def read_checkpoint(folder: Path) -> tuple[HubertShape, dict[str, torch.Tensor]]:
    """Read a checkpoint's config and weights.

    Parameters
    ----------
    folder : Path
        A folder in the released layout.

    Returns
    -------
    shape : HubertShape
        The network.
    weights : dict of str to torch.Tensor
        Every tensor that `weight_sizes` lists, and no other.

    Raises
    ------
    MissingError
        If a file or weight is absent or damaged.
    SpecError
        If the config contradicts itself, or a weight has no place or another size.
    """
    config = read_network_config(folder)
    shape = read_shape(config, str(folder / CONFIG))
    return shape, placed(read_weights(folder), shape, str(weights_file(folder)))


def read_weights(folder: Path) -> dict[str, torch.Tensor]:
    """Read the weights of a checkpoint, whole or in shards.

    Parameters
    ----------
    folder : Path
        Holds one of `WEIGHTS`, or the shards that ``<its name>.index.json`` lists.

    Returns
    -------
    dict of str to torch.Tensor
        Every tensor by its name; safetensors where there are both.

    Raises
    ------
    MissingError
        If a file is absent or damaged.
    """
    file = weights_file(folder)
    if file.suffix != ".json":
        return _read_tensors(file)
    tensors: dict[str, torch.Tensor] = {}
    for shard in shards(file):
        tensors.update(_read_tensors(folder / shard))
    return tensors


def weights_file(folder: Path) -> Path:
    """Return the file of weights in a folder, or the index of its shards."""
    for name in WEIGHTS:
        for file in (folder / name, folder / f"{name}.index.json"):
            if file.is_file():
                return file
    raise MissingError(
        f"{folder}: must hold {' or '.join(WEIGHTS)}, in one piece or in shards. None is there."
    )


def shards(index: Path) -> list[str]:
    """List the files that an index of weights names.

    Parameters
    ----------
    index : Path
        A ``model.safetensors.index.json`` or ``pytorch_model.bin.index.json``.

    Returns
    -------
    list of str
        Names of files beside the index, sorted.

    Raises
    ------
    MissingError
        If it is no index, or names a file elsewhere.
    """
    places = read_json(index).get("weight_map")
    if not isinstance(places, dict) or not places:
        raise MissingError(f"{index}: must hold a 'weight_map'. Got {places!r}.")
    names = sorted({str(each) for each in places.values()})
    for name in names:
        if Path(name).name != name or not name.endswith((".safetensors", ".bin")):
            raise MissingError(f"{index}: must name files of weights beside it. Got {name!r}.")
    return names


def without_heads(state: Mapping[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    """Return a network's own weights out of those of a model with heads.

    Parameters
    ----------
    state : mapping of str to torch.Tensor
        Weights as released; those of the network may stand under ``prefix``.
    prefix : str
        Name of the network in such a model: "hubert", "wav2vec2".

    Returns
    -------
    dict of str to torch.Tensor
        Without the prefix and transformers' heads; `placed` refuses what else there may be.

    Examples
    --------
    >>> sorted(without_heads({"hubert.a.weight": 1, "lm_head.bias": 2, "b.bias": 3}, "hubert"))
    ['a.weight', 'b.bias']
    """
    kept = {}
    for name, weight in state.items():
        inner = name.removeprefix(f"{prefix}.")
        if inner.partition(".")[0] not in _HEADS:
            kept[inner] = weight
    return kept


def read_network_config(folder: Path) -> dict[str, Any]:
    """Read what a checkpoint says of its network, with the sample rate.

    Parameters
    ----------
    folder : Path
        A folder in the released layout.

    Returns
    -------
    dict
        Content of ``config.json``; the rate may come from beside it.

    Raises
    ------
    MissingError
        If the file is absent or of another kind of network.
    SpecError
        If the two files disagree on the sample rate.
    """
    config = read_json(folder / CONFIG)
    # The config of the 330M in MERT's repository says hubert, released ones mert_model.
    if config.get("model_type") not in ("mert_model", "hubert"):
        raise MissingError(
            f"{folder / CONFIG}: 'model_type' must be mert_model. Got {config.get('model_type')!r}."
        )
    if (folder / PREPROCESSOR).is_file():
        rate = read_json(folder / PREPROCESSOR).get("sampling_rate")
        if rate is not None and config.setdefault("sample_rate", rate) != rate:
            raise SpecError(
                f"{folder}: {CONFIG} and {PREPROCESSOR} must agree on the sample rate. "
                f"Got {config['sample_rate']!r} and {rate!r}."
            )
    return config


def read_json(path: Path) -> dict[str, Any]:
    """Read a file of names and values; raise MissingError if it is none."""
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise MissingError(f"{path}: must be a JSON file. Got {error}.") from error
    if not isinstance(content, dict):
        raise MissingError(f"{path}: must hold names and values. Got {content!r}.")
    return content


def _read_tensors(path: Path) -> dict[str, torch.Tensor]:
    """Read weights without running anything that a file may ask for."""
    broken = (OSError, EOFError, RuntimeError, ValueError, KeyError, pickle.UnpicklingError)
    try:
        if path.suffix == ".safetensors":
            state = load_file(path)
        else:
            state = torch.load(path, map_location="cpu", weights_only=True)
    except (*broken, SafetensorError) as error:
        first = str(error).partition("\n")[0]
        raise MissingError(
            f"{path}: must be a whole file of tensors. Got {type(error).__name__}: {first}."
        ) from error
    if not isinstance(state, dict) or not all(map(torch.is_tensor, state.values())):
        raise MissingError(f"{path}: must hold tensors by name. Got {type(state).__name__}.")
    return state


def placed(
    state: Mapping[str, torch.Tensor], shape: HubertShape, subject: str
) -> dict[str, torch.Tensor]:
    """Give every weight its place, and complain of any that does not fit.

    Parameters
    ----------
    state : mapping of str to torch.Tensor
        Weights under released names, or those of torch's newer weight norm.
    shape : HubertShape
        The network.
    subject : str
        Who is being read, for the message.

    Returns
    -------
    dict of str to torch.Tensor
        Every tensor that `weight_sizes` lists, and no other.

    Raises
    ------
    MissingError
        If a weight is missing.
    SpecError
        If a weight is unexpected or has another size.
    """
    sizes, weights, astray = weight_sizes(shape), {}, []
    for name, weight in state.items():
        if name == "masked_spec_embed" or name.startswith("feature_extractor_cqt."):
            continue  # used in training only; derived from the config
        place = _RENAMED.get(name, name)
        if place not in sizes or place in weights:
            astray.append(name)
        weights[place] = weight
    absent = [name for name in sizes if name not in weights]
    if absent:
        raise MissingError(f"{subject}: must hold every weight. Missing: {_listed(absent)}.")
    if astray:
        raise SpecError(
            f"{subject}: must hold weights of this network only. Unexpected: {_listed(astray)}."
        )
    misfits = [
        f"{name} {tuple(weight.shape)} {weight.dtype} instead of {sizes[name]}"
        for name, weight in weights.items()
        if tuple(weight.shape) != sizes[name] or not weight.is_floating_point()
    ]
    if misfits:
        raise SpecError(
            f"{subject}: must hold weights that fit the config. Got {_listed(misfits)}."
        )
    return weights


def _listed(names: Collection[str]) -> str:
    """List a few names, and say how many more there are."""
    more = f" and {len(names) - 6} more" if len(names) > 6 else ""
    return ", ".join(list(names)[:6]) + more
