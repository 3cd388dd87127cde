"""A checkpoint's folder: `config.json`, and weights read as tensors and nothing else.

Weights are `model.safetensors` or `pytorch_model.bin`, whole or in shards. Every weight
must have its place and every place its weight.
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

from marble_eval.errors import MissingError, SpecError
from marble_eval.files.recognised import HEAD_BYTES, instead_of_content, instead_of_file

CONFIG, PREPROCESSOR = "config.json", "preprocessor_config.json"
WEIGHTS = ("model.safetensors", "pytorch_model.bin")

#: Said of a pickle that torch refuses. Its own words recommend to run what the file asks for.
NO_TENSORS = (
    "must be a whole file of tensors and nothing else. It is no such file, is damaged, or "
    "names code that would be run on loading. Nothing was run. Get it again, or save the "
    "weights alone as safetensors."
)
_SIZES = ("layers", "size", "dim", "heads", "kernel", "stride", "channels", "filters", "groups")
_MOST_LAYERS, _LARGEST_SIZE = 1000, 10**7


def read_weights(folder: Path) -> dict[str, torch.Tensor]:
    """Read the weights of a checkpoint, whole or in shards."""
    file = weights_file(folder)
    if file.suffix != ".json":
        return _read_tensors(file)
    tensors: dict[str, torch.Tensor] = {}
    for shard in shards(file):
        tensors.update(_read_tensors(folder / shard))
    return tensors


def require_weights(folder: Path) -> None:
    """Refuse files of weights that are none; transformers would pass on what torch says of them."""
    file = weights_file(folder)
    for name in shards(file) if file.suffix == ".json" else [file.name]:
        require_content(folder / name)
        if name.endswith(".bin"):
            _read_tensors(folder / name)


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
    """List the files that an index of weights names."""
    places = read_json(index).get("weight_map")
    if not isinstance(places, dict) or not places:
        raise MissingError(f"{index}: must hold a 'weight_map'. Got {places!r}.")
    names = sorted({str(each) for each in places.values()})
    for name in names:
        if Path(name).name != name or not name.endswith((".safetensors", ".bin")):
            raise MissingError(f"{index}: must name files of weights beside it. Got {name!r}.")
    return names


def read_json(path: Path) -> dict[str, Any]:
    """Read a file of names and values; raise MissingError if it is none."""
    if path.exists():
        require_content(path)
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise MissingError(f"{path}: must be a JSON file. Got {error}.") from error
    if not isinstance(content, dict):
        raise MissingError(f"{path}: must hold names and values. Got {content!r}.")
    if path.name == CONFIG:
        _require_sizes(content, path)
    return content


def require_content(path: Path) -> None:
    """Refuse what lies in a checkpoint's place: a FIFO, a git-lfs pointer, a web page."""
    try:
        if other := instead_of_file(path):
            raise MissingError(f"{path}: must be a file of a checkpoint. Got {other}.")
        with path.open("rb") as stream:
            head = stream.read(HEAD_BYTES)
    except OSError as error:
        raise MissingError(
            f"{path}: must be a file of a checkpoint. Got {error.strerror or error}."
        ) from error
    if other := instead_of_content(head):
        raise MissingError(f"{path}: must be a file of a checkpoint. Got {other}")


def _require_sizes(config: Mapping[str, Any], path: Path) -> None:
    """Refuse sizes that no network has, before memory is asked for them."""
    for name, value in config.items():
        if isinstance(value, dict):
            _require_sizes(value, path)
            continue
        if not any(word in name for word in _SIZES):
            continue
        most = _MOST_LAYERS if "layers" in name else _LARGEST_SIZE
        least = 1 if name.endswith(("stride", "kernel", "kernel_size")) else None
        for each in value if isinstance(value, list) else [value]:
            if isinstance(each, bool) or not isinstance(each, int | float):
                continue
            if each > most or (least is not None and each < least):
                bound = f"at most {most}" if each > most else f"at least {least}"
                raise SpecError(f"{path}: {name!r} must be {bound}. Got {value!r:.80}.")


def _read_tensors(path: Path) -> dict[str, torch.Tensor]:
    """Read weights without running anything that a file may ask for."""
    broken = (OSError, EOFError, RuntimeError, ValueError, LookupError, TypeError, AttributeError)
    require_content(path)
    try:
        if path.suffix == ".safetensors":
            state = load_file(path)
        else:
            state = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise MissingError(f"{path}: {NO_TENSORS}") from error
    except (*broken, SafetensorError) as error:
        first = str(error).partition("\n")[0]
        raise MissingError(
            f"{path}: must be a whole file of tensors. Got {type(error).__name__}: {first}."
        ) from error
    if not isinstance(state, dict) or not all(map(torch.is_tensor, state.values())):
        raise MissingError(f"{path}: must hold tensors by name. Got {type(state).__name__}.")
    require_dense(state, path)
    return state


def require_dense(state: Mapping[str, torch.Tensor], path: Path) -> None:
    """Refuse tensors without numbers of their own, or packed: meta, sparse and quantised ones."""
    for name, each in state.items():
        kind = "quantised" if each.is_quantized else "meta" if each.is_meta else ""
        if each.layout != torch.strided or each.is_nested:
            kind = "sparse"
        if kind:
            raise MissingError(
                f"{path}: must hold plain tensors with their numbers. Got {name!r}, a {kind} "
                f"tensor. Save the weights again: torch.save(model.state_dict(), FILE)."
            )


def fitted(
    given: Mapping[str, torch.Tensor],
    sizes: Mapping[str, tuple[int, ...]],
    subject: str,
    *,
    astray: Collection[str],
) -> dict[str, torch.Tensor]:
    """Return a weight for each name of ``sizes``, refusing ``astray`` and what does not fit."""
    absent = [name for name in sizes if name not in given]
    if absent:
        raise MissingError(f"{subject}: must hold every weight. Missing: {listed(absent)}.")
    if astray:
        raise SpecError(
            f"{subject}: must hold weights of this network only. Unexpected: {listed(astray)}."
        )
    misfits = [
        f"{name} {tuple(given[name].shape)} {given[name].dtype} instead of {tuple(size)}"
        for name, size in sizes.items()
        # Only counters of batches have no axes; they are whole numbers.
        if given[name].shape != size or not (given[name].is_floating_point() or size == ())
    ]
    if misfits:
        raise SpecError(f"{subject}: must hold weights that fit the config. Got {listed(misfits)}.")
    return {name: given[name] for name in sizes}


def listed(names: Collection[str]) -> str:
    """List a few names, and how many more there are."""
    more = f" and {len(names) - 6} more" if len(names) > 6 else ""
    return ", ".join(list(names)[:6]) + more
