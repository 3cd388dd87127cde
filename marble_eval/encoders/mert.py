"""MERT (arXiv 2306.00107): checkpoints read and checked, and the encoder they make.

A checkpoint is a folder as its authors release it: `config.json`, and the weights as
`model.safetensors` or `pytorch_model.bin`, which are read as tensors and nothing else.
Every weight must have its place and every place its weight. The same network with
seeded random weights is the control that a trained one must beat.
"""

from __future__ import annotations

import json
import pickle
from collections.abc import Collection, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from marble_eval.encoders.cqt import ConstantQ
from marble_eval.encoders.hubert import Hubert, HubertShape, weight_sizes
from marble_eval.errors import MissingError, SpecError, near_misses
from marble_eval.fingerprint import digest_of, weights_digest
from marble_eval.spec.mapping import from_mapping

_IMPLEMENTATION = 1  # raised when the same weights and audio give other hidden states
_PRECISIONS = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}
_CONFIG, _PREPROCESSOR = "config.json", "preprocessor_config.json"
_WEIGHTS = ("model.safetensors", "pytorch_model.bin")
# How torch's newer weight norm names what the released files call weight_g and weight_v.
_RENAMED = {
    f"encoder.pos_conv_embed.conv.parametrizations.weight.original{index}": (
        f"encoder.pos_conv_embed.conv.weight_{letter}"
    )
    for index, letter in enumerate("gv")
}
# Sizes of random networks, as the names of transformers' HubertConfig, whose defaults are
# the 95M; the 330M as in scripts/hf_config/mert_large.json of the MERT repository.
_SIZES: dict[str, dict[str, Any]] = {
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


class MertEncoder:
    """A MERT network as an encoder (see `marble_eval.encoders.Encoder`).

    Parameters
    ----------
    name : str
        Name shown in results.
    shape : HubertShape
        What ``config.json`` says of the network.
    weights : mapping of str to torch.Tensor
        The tensors that `weight_sizes` lists.
    revision : str or None
        Which weights they are; None to name them by their digest.
    precision : {"float32", "bfloat16", "float16"}
        In which the large products are computed.
    normalise : bool or mapping of str to bool
        Whether the waveform is to be normalised, by protocol if it depends on it.
    licence : str
        Licence of the weights.
    device : str
        "auto" (a GPU where there is one), "cpu", "cuda" or a numbered device.

    Raises
    ------
    SpecError
        If the precision, the rule of normalising or the device is not one of these.
    """

    def __init__(
        self,
        *,
        name: str,
        shape: HubertShape,
        weights: Mapping[str, torch.Tensor],
        revision: str | None,
        precision: str,
        normalise: bool | Mapping[str, bool],
        licence: str,
        device: str,
    ) -> None:
        if precision not in _PRECISIONS:
            raise SpecError(
                f"encoder {name}: 'precision' must be known. Got {precision!r}. "
                f"{near_misses(str(precision), _PRECISIONS)}"
            )
        rules = normalise.values() if isinstance(normalise, Mapping) else [normalise]
        if not all(isinstance(rule, bool) for rule in rules):
            raise SpecError(
                f"encoder {name}: 'normalise' must be true, false, or one of them for each "
                f"protocol. Got {normalise!r}."
            )
        digest = weights_digest(weights.items())
        self.name = name
        self.sample_rate = shape.sample_rate
        self.frame_rate = shape.sample_rate / shape.hop_samples
        self.layers: Sequence[str] = [str(at) for at in range(1 + shape.num_hidden_layers)]
        self.width = shape.hidden_size
        self.minimum_samples = shape.minimum_samples
        self.parameters = sum(weight.numel() for weight in weights.values())
        self.revision = f"local-{digest[:12]}" if revision is None else revision
        self.precision = precision
        self.normalise = dict(normalise) if isinstance(normalise, Mapping) else normalise
        self.licence = licence
        self.device = _found_device(device, name)
        dtype, cqt = _PRECISIONS[precision], None
        if shape.feature_extractor_cqt:
            rate, bins = shape.sample_rate, shape.feature_extractor_cqt_bins
            cqt = ConstantQ(rate, rate // 50, bins, bins // 7, self.device)
        self._network = Hubert(shape, weights, dtype=dtype, device=self.device, cqt=cqt)
        self._fingerprint = digest_of([digest, shape, precision, _IMPLEMENTATION])

    def hidden_states(self, audio: torch.Tensor) -> torch.Tensor:
        """Encode clips of equal length.

        Parameters
        ----------
        audio : torch.Tensor [shape=(batch, samples), float32]
            Mono audio at ``sample_rate``, at least ``minimum_samples`` long.

        Returns
        -------
        torch.Tensor [shape=(batch, layer, frame, width), float32]
            The hidden states of every layer, on ``device``.

        Raises
        ------
        ValueError
            If the audio has other axes or another type, or is too short.
        """
        return self._network.hidden_states(audio)

    def fingerprint(self) -> str:
        """Return what identifies the weights, the network and its precision."""
        return self._fingerprint


def load_mert(
    *,
    name: str,
    path: str | None,
    hub: str | None,
    revision: str | None,
    precision: str,
    normalise: bool | Mapping[str, bool],
    licence: str,
    device: str = "auto",
) -> MertEncoder:
    """Load a released checkpoint from a folder, or from the Hugging Face hub.

    Parameters
    ----------
    name : str
        Name shown in results.
    path : str or None
        Folder of the checkpoint; None to take it from the hub or its cache.
    hub : str or None
        Repository on the hub, read if there is no path.
    revision : str or None
        Branch or commit on the hub; None for the newest. Not for a path.
    precision, normalise, licence, device
        As in `MertEncoder`.

    Returns
    -------
    MertEncoder
        Its ``revision`` is the hub's commit, or "local-" and the weights' digest.

    Raises
    ------
    MissingError
        If the checkpoint is not there, or is damaged or incomplete.
    SpecError
        If the options or the config contradict themselves, or a weight has no place.
    """
    try:
        if path is not None:
            if revision is not None:
                raise SpecError(
                    f"encoder {name}: 'revision' must be null beside 'path'. Got {revision!r}."
                )
            folder, commit = Path(path).expanduser(), None
        elif hub is not None:
            folder = _fetched(hub, revision)
            commit = folder.name
        else:
            raise SpecError(f"encoder {name}: 'path' or 'hub' must be given. Got neither.")
        shape, weights = _read_checkpoint(folder)
    except MissingError as error:
        wanted = f"{hub or 'REPOSITORY'} {_CONFIG} {_PREPROCESSOR} {_WEIGHTS[1]} --local-dir DIR"
        pinned = f" --revision {revision}" if revision else ""
        raise MissingError(
            f"{error} Get the checkpoint and name its folder:\n  hf download {wanted}{pinned}\n"
            f"  marble-eval run ... encoder={name.lower()} encoder.path=DIR"
        ) from error
    return MertEncoder(
        name=name,
        shape=shape,
        weights=weights,
        revision=commit,
        precision=precision,
        normalise=normalise,
        licence=licence,
        device=device,
    )


def random_mert(
    *,
    size: str,
    seed: int,
    precision: str,
    name: str | None = None,
    device: str = "auto",
) -> MertEncoder:
    """Make a network with random weights, as training would start from them.

    Parameters
    ----------
    size : {"95M", "330M", "small"}
        The network of MERT-v1-95M, of MERT-v1-330M, or a fast one of 2 million.
    seed : int
        Seed of the weights; the same one gives the same fingerprint.
    precision, device
        As in `MertEncoder`.
    name : str or None
        Name shown in results; None for "mert-random-" and the size.

    Returns
    -------
    MertEncoder
        The encoder. Random state elsewhere is as it was before.

    Raises
    ------
    SpecError
        If there is no such size.

    Examples
    --------
    >>> encoder = random_mert(size="small", seed=0, precision="float32", device="cpu")
    >>> encoder.hidden_states(torch.zeros(1, 24000)).shape
    torch.Size([1, 5, 74, 192])
    """
    from transformers import HubertConfig, HubertModel  # noqa: PLC0415 - it takes seconds

    if size not in _SIZES:
        raise SpecError(
            f"encoder mert-random: 'size' must be known. Got {size!r}. "
            f"{near_misses(str(size), _SIZES)}"
        )
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        state = HubertModel(HubertConfig(**_SIZES[size])).state_dict()
    shape = _shape({**_SIZES[size], "sample_rate": 24000}, f"size {size}")
    return MertEncoder(
        name=f"mert-random-{size}" if name is None else name,
        shape=shape,
        weights=_placed(state, shape, f"size {size}"),
        revision=f"seed-{seed}",
        precision=precision,
        normalise=True,
        licence="none (random weights)",
        device=device,
    )


def _shape(config: Mapping[str, Any], subject: str) -> HubertShape:
    """Read a config; names left out have transformers' defaults.

    What has no bearing on the forward pass is passed over. ``attention_relax`` is such a
    name: it shifts the scores of a softmax, which cancels out.
    """
    from transformers import HubertConfig  # noqa: PLC0415 - it takes seconds

    for name in ("conv_pos_batch_norm", "adapter_attn_dim"):
        if config.get(name):
            raise SpecError(f"{subject}: {name!r} must be left out. Got {config[name]!r}.")
    known = {**HubertConfig().to_dict(), **config}
    names = [each.name for each in fields(HubertShape) if each.name in known]
    return from_mapping(HubertShape, {name: known[name] for name in names}, subject)


def _fetched(hub: str, revision: str | None) -> Path:
    """Return the folder of a commit in the hub's cache, downloaded if it may be."""
    from huggingface_hub import snapshot_download  # noqa: PLC0415 - only if it is needed

    wanted = [_CONFIG, _PREPROCESSOR, *_WEIGHTS]
    try:
        return Path(snapshot_download(hub, revision=revision, allow_patterns=wanted))
    except Exception as error:  # those of its HTTP library, which changed between versions
        raise MissingError(
            f"{hub}: must be in the hub's cache or come from the hub. "
            f"Got {type(error).__name__}: {' '.join(str(error).split())}"
        ) from error


def _read_checkpoint(folder: Path) -> tuple[HubertShape, dict[str, torch.Tensor]]:
    if not folder.is_dir():
        raise MissingError(f"{folder}: must be the folder of a checkpoint. It is not there.")
    config = _read_json(folder / _CONFIG)
    # The config of the 330M in MERT's repository says hubert, released ones mert_model.
    if config.get("model_type") not in ("mert_model", "hubert"):
        raise MissingError(
            f"{folder / _CONFIG}: 'model_type' must be mert_model. "
            f"Got {config.get('model_type')!r}."
        )
    if (folder / _PREPROCESSOR).is_file():
        rate = _read_json(folder / _PREPROCESSOR).get("sampling_rate")
        if rate is not None and config.setdefault("sample_rate", rate) != rate:
            raise SpecError(
                f"{folder}: {_CONFIG} and {_PREPROCESSOR} must agree on the sample rate. "
                f"Got {config['sample_rate']!r} and {rate!r}."
            )
    file = next((folder / each for each in _WEIGHTS if (folder / each).is_file()), None)
    if file is None:
        raise MissingError(
            f"{folder}: must hold {' or '.join(_WEIGHTS)}, in one piece. Neither is there."
        )
    shape = _shape(config, str(folder / _CONFIG))
    return shape, _placed(_read_tensors(file), shape, str(file))


def _read_json(path: Path) -> dict[str, Any]:
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


def _placed(
    state: Mapping[str, torch.Tensor], shape: HubertShape, subject: str
) -> dict[str, torch.Tensor]:
    """Return the weights under their places' names; complain of any that do not fit."""
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


def _found_device(device: str, name: str) -> torch.device:
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        found = torch.device(device)
    except RuntimeError as error:
        raise SpecError(
            f"encoder {name}: 'device' must be auto, cpu, cuda or cuda:N. Got {device!r}."
        ) from error
    if found.type == "cuda" and not torch.cuda.is_available():
        raise SpecError(f"encoder {name}: 'device' must be there. Got {device!r}. Use auto.")
    return found
