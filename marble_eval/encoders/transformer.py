"""Any audio network of transformers with hidden states as an encoder, by name or folder.

HuBERT and wav2vec 2.0 run through this package's own forward, all others through their
own classes. Rate, hop, layers and extractor are what the checkpoint says. The last layer
is what the network gives out, with the norm that may end it, not what it lists last.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from marble_eval.encoders.checkpoints.folder import CONFIG, listed, read_weights, weights_file
from marble_eval.encoders.checkpoints.pretrained import (
    KNOWN_TYPES,
    STATELESS_TYPES,
    is_known,
    load_module,
)
from marble_eval.encoders.checkpoints.released import identified
from marble_eval.encoders.checkpoints.repository import Repository, open_repository, remote_code
from marble_eval.encoders.loaded import LoadedEncoder, found_device, found_precision
from marble_eval.encoders.networks.hubert import IMPLEMENTATION, Hubert
from marble_eval.encoders.networks.hubert_shape import read_shape
from marble_eval.encoders.networks.hubert_weights import placed, without_heads
from marble_eval.encoders.networks.readers import normalised, rate_of, reader_of
from marble_eval.encoders.networks.transformer import Grid, TransformerNetwork
from marble_eval.errors import SpecError
from marble_eval.files.fingerprint import digest_of, weights_digest
from marble_eval.spec import UNSTATED, EncoderCard, untrained

if TYPE_CHECKING:
    import torch

_IMPLEMENTATION = 1  # raised when the same checkpoint and audio give other hidden states
_OWN = ("hubert", "wav2vec2")  # what this package has a forward pass for
# What config.json says of where it was saved, by whom, and of heads: nothing that moves a number.
_IDLE = ("_name_or_path", "architectures", "dtype", "id2label", "label2id", "torch_dtype")


def load_transformer(
    *,
    name: str | None,
    path: str | None,
    revision: str | None,
    precision: str,
    normalise: bool | None,
    sample_rate: int | None,
    random: int | None,
    trust_remote_code: bool,
    card: EncoderCard = UNSTATED,
    device: str = "auto",
) -> LoadedEncoder:
    """Load a checkpoint by its folder, or by OWNER/NAME on the Hugging Face hub.

    ``normalise`` and ``sample_rate`` are None for what the checkpoint says; spectrograms are
    scaled inside, as it says. ``random`` is a seed of random weights. Python code of the
    checkpoint is run only with ``trust_remote_code``, from the hub only at a commit that is
    named; what was run is recorded in ``remote_code``. What the card leaves open is taken
    from the checkpoint's README.md.
    """
    repository = open_repository(
        name=name or "hf",
        path=path,
        revision=revision,
        code=trust_remote_code,
        weights=random is None,
    )
    name = name or repository.origin.rpartition("/")[2]
    dtype, where = found_precision(precision, name), found_device(device, f"encoder {name}")
    if normalise is not None and not isinstance(normalise, bool):
        raise SpecError(
            f"encoder {name}: 'normalise' must be true, false or null. Got {normalise!r}."
        )
    run = _permitted(repository, trusted=trust_remote_code, name=name)
    identity = identified(name, card, repository.place)
    stated = _completed(card, identity.card)
    shown = identity.name if random is None else f"{identity.name} (random {random})"
    if run is None and _has_own_forward(repository.config):
        encoder = _own(repository, sample_rate, random, shown, dtype, where)
    else:
        encoder = _theirs(repository, sample_rate, random, shown, dtype, where, run)
    if normalise is not None:
        encoder.normalise = normalise
    if random is not None:
        encoder.revision = f"seed-{random}"
    elif repository.commit is not None:
        encoder.revision = repository.commit
    encoder.precision, encoder.device, encoder.remote_code = precision, where, run
    encoder.card = stated if random is None else untrained(stated)
    return encoder


def _completed(card: EncoderCard, stated: EncoderCard) -> EncoderCard:
    """Return the user's card with what the checkpoint states where it is open."""
    return EncoderCard(
        **{
            each.name: getattr(stated if _is_open(card, each.name) else card, each.name)
            for each in fields(EncoderCard)
        }
    )


def _is_open(card: EncoderCard, name: str) -> bool:
    return getattr(card, name) in (getattr(UNSTATED, name), "")


def _permitted(repository: Repository, *, trusted: bool, name: str) -> str | None:
    """Return whose code is run beside transformers' own; None for nobody's."""
    kind = repository.config.get("model_type")
    if kind == "mert_model":
        raise SpecError(
            f"encoder {name}: {repository.origin} is a MERT, which has an encoder of its own. "
            f"Use encoder=mert-v1-95m encoder.path={repository.folder}, or another mert-*."
        )
    run = remote_code(repository, trusted=trusted, known=is_known(kind), name=name)
    if run is None and not is_known(kind):
        raise SpecError(
            f"encoder {name}: 'model_type' of {repository.folder / CONFIG} must be a network that "
            f"transformers has. Got {kind!r}. Known: {', '.join(KNOWN_TYPES)}."
        )
    return run


def _has_own_forward(config: Mapping[str, Any]) -> bool:
    special = ("adapter_attn_dim", "conv_pos_batch_norm")
    return config.get("model_type") in _OWN and not any(config.get(each) for each in special)


def _own(
    repository: Repository,
    sample_rate: int | None,
    random: int | None,
    name: str,
    dtype: torch.dtype,
    device: torch.device,
) -> LoadedEncoder:
    """Load a HuBERT or wav2vec 2.0 into this package's forward."""
    config, subject = repository.config, str(repository.folder / CONFIG)
    rate = rate_of(repository, sample_rate, name)
    shape = read_shape({**config, "sample_rate": rate}, subject)
    if random is None:
        subject = str(weights_file(repository.folder))
        state = without_heads(read_weights(repository.folder), str(config["model_type"]))
    else:
        module, _ = load_module(repository, random=random, trusted=False, name=name)
        state = dict(module.state_dict())
    weights = placed(state, shape, subject)
    return _made(
        name=name,
        network=Hubert(shape, weights, dtype=dtype, device=device).hidden_states,
        grid=Grid(rate, shape.hop_samples, shape.minimum_samples),
        layers=1 + shape.num_hidden_layers,
        width=shape.hidden_size,
        weights=weights,
        identity=["own forward", shape, str(dtype), IMPLEMENTATION[dtype]],
        normalise=normalised(repository),
    )


def _theirs(
    repository: Repository,
    sample_rate: int | None,
    random: int | None,
    name: str,
    dtype: torch.dtype,
    device: torch.device,
    run: str | None,
) -> LoadedEncoder:
    """Load a network of transformers' own class, or of the checkpoint's."""
    import transformers  # noqa: PLC0415 - it takes seconds

    module, restored = load_module(repository, random=random, trusted=run is not None, name=name)
    module = module.to(device)  # before it is tried: what it keeps stays there
    reader = reader_of(module, repository, sample_rate, name, trusted=run is not None)
    config = {each: value for each, value in repository.config.items() if each not in _IDLE}
    buffers = dict(module.named_buffers()) if run is not None else {}
    computed = {name: buffers[name] for name in buffers.keys() - module.state_dict().keys()}
    encoder = _made(
        name=name,
        network=TransformerNetwork(
            module,
            reader,
            dtype=dtype,
            device=device,
            keeps_nothing=run is None and repository.config["model_type"] in STATELESS_TYPES,
        ).hidden_states,
        grid=reader.grid,
        layers=reader.layers,
        width=reader.width,
        weights=module.state_dict(),
        identity=[
            *(type(module).__name__, config, repository.preprocessor, str(dtype)),
            *("transformers", transformers.__version__, run),
            *([weights_digest(computed.items())] if computed else []),
        ],
        normalise=reader.normalise,
    )
    if restored:
        encoder.remarks = (
            f"{len(restored)} buffers of the network's own code were not as it computes them "
            f"after loading, and were computed anew: {listed(restored)}",
        )
    return encoder


def _made(
    *,
    name: str,
    network: Callable[[torch.Tensor], torch.Tensor],
    grid: Grid,
    layers: int,
    width: int,
    weights: Mapping[str, torch.Tensor],
    identity: Sequence[Any],
    normalise: bool,
) -> LoadedEncoder:
    digest = weights_digest(weights.items())
    return LoadedEncoder(
        name=name,
        sample_rate=grid.sample_rate,
        frame_rate=grid.sample_rate / grid.hop_samples,
        layers=[str(at) for at in range(layers)],
        width=width,
        minimum_samples=grid.minimum_samples,
        revision=f"local-{digest[:12]}",
        parameters=sum(each.numel() for each in weights.values()),
        normalise=normalise,
        network=network,
        identity=digest_of([digest, *identity, _IMPLEMENTATION]),
    )
