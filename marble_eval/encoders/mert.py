"""MERT (arXiv 2306.00107) as an encoder: released checkpoints, and random weights.

The same network with seeded random weights is the control that a trained one must beat.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from marble_eval.encoders.checkpoints.folder import (
    CONFIG,
    PREPROCESSOR,
    WEIGHTS,
    read_json,
    read_weights,
    weights_file,
)
from marble_eval.encoders.checkpoints.hub import located
from marble_eval.encoders.checkpoints.released import check_architecture, identified
from marble_eval.encoders.loaded import LoadedEncoder, found_device, found_precision
from marble_eval.encoders.networks.constant_q import ConstantQ
from marble_eval.encoders.networks.hubert import IMPLEMENTATION, Hubert
from marble_eval.encoders.networks.hubert_shape import HubertShape, read_shape
from marble_eval.encoders.networks.hubert_weights import SIZES, initial_weights, placed
from marble_eval.errors import MissingError, SpecError, near_misses
from marble_eval.files.fingerprint import digest_of, weights_digest
from marble_eval.spec import UNSTATED, EncoderCard, untrained

if TYPE_CHECKING:
    import torch


def load_mert(
    *,
    name: str,
    path: str | None,
    hub: str | None,
    revision: str | None,
    precision: str,
    normalise: bool | Mapping[str, bool],
    random: int | None,
    card: EncoderCard = UNSTATED,
    device: str = "auto",
) -> LoadedEncoder:
    """Load a released checkpoint from a folder, or from the Hugging Face hub.

    With ``random``, a seed, the network of the config has random weights. ``normalise`` is
    a bool, or one for each protocol.
    """
    files = [CONFIG, PREPROCESSOR, *(WEIGHTS if random is None else ())]
    try:
        place = located(name=name, path=path, hub=hub, revision=revision, wanted=files)
        if random is None:
            config, file = _read_config(place.folder), str(weights_file(place.folder))
            shape = read_shape(config, str(place.folder / CONFIG))
            weights = placed(read_weights(place.folder), shape, file)
        else:
            config = _read_config(place.folder)
            shape, weights = initial_weights(config, random, str(place.folder))
    except MissingError as error:
        wanted = f"{hub or 'REPOSITORY'} {CONFIG} {PREPROCESSOR} {WEIGHTS[1]} --local-dir DIR"
        known = (hub or name).rpartition("/")[2].lower()
        pinned = f" --revision {revision}" if revision else ""
        raise MissingError(
            f"{error} Get the checkpoint and name its folder:\n  hf download {wanted}{pinned}\n"
            f"  marble-eval run ... encoder={known} encoder.path=DIR"
        ) from error
    identity = identified(name, card, place)
    encoder = _made(
        name=identity.name if random is None else f"{identity.name} (random {random})",
        shape=shape,
        weights=weights,
        revision=identity.commit if random is None else f"seed-{random}",
        precision=precision,
        normalise=normalise,
        card=identity.card if random is None else untrained(identity.card),
        device=device,
    )
    check_architecture(encoder, name, card, place)
    return encoder


def random_mert(
    *,
    size: str,
    seed: int,
    precision: str,
    name: str | None = None,
    card: EncoderCard = UNSTATED,
    device: str = "auto",
) -> LoadedEncoder:
    """Make a network of a size in `SIZES` with random weights, as training would start from."""
    if size not in SIZES:
        raise SpecError(
            f"encoder mert-random: 'size' must be known. Got {size!r}. "
            f"{near_misses(str(size), SIZES)}"
        )
    config = {**SIZES[size], "sample_rate": 24000}
    shape, weights = initial_weights(config, seed, f"size {size}")
    return _made(
        name=f"mert-random-{size}" if name is None else name,
        shape=shape,
        weights=weights,
        revision=f"seed-{seed}",
        precision=precision,
        normalise=True,
        card=card,
        device=device,
    )


def _read_config(folder: Path) -> dict[str, Any]:
    """Read a network's config, with the sample rate that may lie beside it."""
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


def _made(
    *,
    name: str,
    shape: HubertShape,
    weights: Mapping[str, torch.Tensor],
    revision: str | None,
    precision: str,
    normalise: bool | Mapping[str, bool],
    card: EncoderCard,
    device: str,
) -> LoadedEncoder:
    dtype, where = found_precision(precision, name), found_device(device, f"encoder {name}")
    rules = normalise.values() if isinstance(normalise, Mapping) else [normalise]
    if not all(isinstance(rule, bool) for rule in rules):
        raise SpecError(
            f"encoder {name}: 'normalise' must be true, false, or one of them for each "
            f"protocol. Got {normalise!r}."
        )
    digest, cqt = weights_digest(weights.items()), None
    if shape.feature_extractor_cqt:
        rate, bins = shape.sample_rate, shape.feature_extractor_cqt_bins
        cqt = ConstantQ(rate, rate // 50, bins, bins // 7, where)
    return LoadedEncoder(
        name=name,
        sample_rate=shape.sample_rate,
        frame_rate=shape.sample_rate / shape.hop_samples,
        layers=[str(at) for at in range(1 + shape.num_hidden_layers)],
        width=shape.hidden_size,
        minimum_samples=shape.minimum_samples,
        revision=f"local-{digest[:12]}" if revision is None else revision,
        card=card,
        parameters=sum(weight.numel() for weight in weights.values()),
        precision=precision,
        normalise=dict(normalise) if isinstance(normalise, Mapping) else normalise,
        device=where,
        network=Hubert(shape, weights, dtype=dtype, device=where, cqt=cqt).hidden_states,
        identity=digest_of([digest, shape, precision, IMPLEMENTATION[dtype]]),
    )
