"""MuQ (arXiv 2501.01108) and MusicFM (arXiv 2311.03318) as encoders, without their packages.

They share one network, and the names of its weights. Neither package can be relied on:
MuQ's imports libraries that do not load beside a torch for CPUs, and lists no hidden
states with transformers 5; MusicFM has none. Their licences hold for the weights.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from marble_eval.encoders.checkpoints.folder import (
    CONFIG,
    NO_TENSORS,
    WEIGHTS,
    fitted,
    read_json,
    read_weights,
    require_content,
    require_dense,
)
from marble_eval.encoders.checkpoints.hub import Place, located
from marble_eval.encoders.checkpoints.released import (
    RELEASED,
    Identity,
    check_architecture,
    identified,
)
from marble_eval.encoders.loaded import LoadedEncoder, found_device, found_precision
from marble_eval.encoders.networks.conformer import Conformer, ConformerShape
from marble_eval.errors import MissingError, SpecError
from marble_eval.files.fingerprint import digest_of, weights_digest
from marble_eval.spec import UNSTATED, EncoderCard, untrained

_IMPLEMENTATION = 1  # raised when the same weights and audio give other hidden states
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


def load_muq(
    *,
    name: str,
    path: str | None,
    hub: str | None,
    revision: str | None,
    precision: str,
    random: int | None,
    card: EncoderCard = UNSTATED,
    device: str = "auto",
) -> LoadedEncoder:
    """Load a MuQ from a folder, or from the Hugging Face hub; ``random`` is a seed."""
    files = [CONFIG, *(WEIGHTS if random is None else ())]
    place = _found(name, path, hub, revision, files)
    shape = read_conformer(read_json(place.folder / CONFIG), str(place.folder / CONFIG))
    weights = read_weights(place.folder) if random is None else None
    return _made(name, shape, weights, place, precision, random, card, device)


def load_musicfm(
    *,
    name: str,
    path: str | None,
    hub: str | None,
    revision: str | None,
    variant: str,
    precision: str,
    random: int | None,
    card: EncoderCard = UNSTATED,
    device: str = "auto",
) -> LoadedEncoder:
    """Load a MusicFM of a variant, "msd" or "fma": what it was trained on."""
    if variant not in ("msd", "fma"):
        raise SpecError(f"encoder {name}: 'variant' must be msd or fma. Got {variant!r}.")
    if name.casefold() in RELEASED and not name.casefold().endswith(variant):
        raise SpecError(
            f"encoder {name}: 'variant' must be what the name says. Got {variant!r}. "
            f"Take encoder=musicfm-{variant}."
        )
    statistics, file = f"{variant}_stats.json", f"pretrained_{variant}.pt"
    files = [statistics, *([file] if random is None else [])]
    place = _found(name, path, hub, revision, files)
    config = {"stat": read_json(place.folder / statistics), "w2v2_config": {}}
    shape = read_conformer(config, str(place.folder / statistics))
    weights = _training_file(place.folder / file) if random is None else None
    return _made(name, shape, weights, place, precision, random, card, device)


def _found(
    name: str, path: str | None, hub: str | None, revision: str | None, files: list[str]
) -> Place:
    try:
        return located(name=name, path=path, hub=hub, revision=revision, wanted=files)
    except MissingError as error:
        raise MissingError(
            f"{error} Get the checkpoint and name its folder:\n"
            f"  hf download {hub} {' '.join(files)} --local-dir DIR\n"
            f"  marble-eval run ... encoder={name.lower()} encoder.path=DIR"
        ) from error


def _made(
    name: str,
    shape: ConformerShape,
    weights: Mapping[str, torch.Tensor] | None,
    place: Place,
    precision: str,
    random: int | None,
    card: EncoderCard,
    device: str,
) -> LoadedEncoder:
    dtype, where = found_precision(precision, name), found_device(device, f"encoder {name}")
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0 if random is None else random)
        network = Conformer(shape)
    identity = identified(name, card, place)
    if weights is None:
        twin = f"{identity.name} (random {random})"
        identity = Identity(twin, untrained(identity.card), f"seed-{random}")
    else:
        _fill(network, weights, str(place.folder))
    digest = weights_digest(network.state_dict().items())
    network = network.to(where).eval().requires_grad_(False)
    hop = shape.hop_samples * shape.strides[0] * shape.strides[1]
    encoder = LoadedEncoder(
        name=identity.name,
        sample_rate=shape.sample_rate,
        frame_rate=shape.sample_rate / hop,
        layers=[str(at) for at in range(1 + shape.layers)],
        width=shape.width,
        minimum_samples=1025,  # half a window, which is mirrored at both ends, and one
        revision=identity.commit or f"local-{digest[:12]}",
        card=identity.card,
        parameters=sum(each.numel() for each in network.parameters()),
        precision=precision,
        device=where,
        network=lambda audio: network.hidden_states(audio, dtype),
        identity=digest_of([digest, shape, precision, _IMPLEMENTATION]),
    )
    check_architecture(encoder, name, card, place)
    return encoder


def _fill(network: Conformer, weights: Mapping[str, torch.Tensor], subject: str) -> None:
    """Give a network its weights, under released names, but for those of training alone."""
    own = {each.removeprefix("model."): weight for each, weight in weights.items()}
    own = {each: weight for each, weight in own.items() if not each.startswith(_UNUSED)}
    sizes = {name: tuple(weight.shape) for name, weight in network.state_dict().items()}
    astray = sorted(each for each in own if each not in sizes)
    network.load_state_dict(fitted(own, sizes, subject, astray=astray))


def read_conformer(config: Mapping[str, Any], subject: str) -> ConformerShape:
    """Read a MuQ's config, with the mean and deviation of the training data's decibels.

    What is left out is as in MusicFM.
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


def _training_file(path: Path) -> dict[str, torch.Tensor]:
    """Read the tensors under ``state_dict`` of a training run's file, running no code of it."""
    require_content(path)
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        state = content["state_dict"]
        tensors = {name: weight for name, weight in state.items() if torch.is_tensor(weight)}
        require_dense(tensors, path)
        return tensors
    except (OSError, EOFError, RuntimeError, LookupError, TypeError, AttributeError) as error:
        fault = error
    except pickle.UnpicklingError as error:
        raise MissingError(f"{path}: {NO_TENSORS}") from error
    first = str(fault).partition("\n")[0]
    raise MissingError(
        f"{path}: must be a whole file of tensors under 'state_dict'. "
        f"Got {type(fault).__name__}: {first}."
    ) from fault
