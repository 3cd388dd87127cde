"""Any audio network of transformers with hidden states as an encoder, by name or folder.

HuBERT and wav2vec 2.0 run through this package's own forward, all others through their
own classes. Rate, hop, layers and extractor are what the checkpoint says. The last layer
is what the network gives out, with the norm that may end it, not what it lists last.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch

from marble_eval.encoders.checkpoint import (
    CONFIG,
    placed,
    read_weights,
    weights_file,
    without_heads,
)
from marble_eval.encoders.hubert import IMPLEMENTATION, Hubert
from marble_eval.encoders.placement import found_device, found_precision
from marble_eval.encoders.pretrained import (
    KNOWN_TYPES,
    STATELESS_TYPES,
    is_known,
    load_module,
)
from marble_eval.encoders.readers import reader_of
from marble_eval.encoders.repository import Repository, open_repository, remote_code
from marble_eval.encoders.shape import read_shape
from marble_eval.encoders.transformer_network import TransformerNetwork
from marble_eval.encoders.waveform_models import Grid, normalised, rate_of
from marble_eval.errors import SpecError
from marble_eval.files.fingerprint import digest_of, weights_digest
from marble_eval.spec import UNSTATED, EncoderCard, untrained

_IMPLEMENTATION = 1  # raised when the same checkpoint and audio give other hidden states
_OWN = ("hubert", "wav2vec2")  # what this package has a forward pass for
# What config.json says of where it was saved, by whom, and of heads: nothing that moves a number.
_IDLE = ("_name_or_path", "architectures", "dtype", "id2label", "label2id", "torch_dtype")


class TransformerEncoder:
    """A checkpoint of transformers as an encoder (see `marble_eval.encoders.Encoder`).

    Made by `load_transformer`, which says what the arguments are.
    """

    def __init__(
        self,
        *,
        name: str,
        network: Hubert | TransformerNetwork,
        grid: Grid,
        layers: int,
        width: int,
        weights: Mapping[str, torch.Tensor],
        identity: Sequence[Any],
        normalise: bool,
    ) -> None:
        digest = weights_digest(weights.items())
        self.name = name
        self.sample_rate = grid.sample_rate
        self.frame_rate = grid.sample_rate / grid.hop_samples
        self.layers: Sequence[str] = [str(at) for at in range(layers)]
        self.width = width
        self.minimum_samples = grid.minimum_samples
        self.parameters = sum(each.numel() for each in weights.values())
        self.normalise = normalise
        self.revision = f"local-{digest[:12]}"
        self.precision = "float32"
        self.remote_code: str | None = None
        self.card = UNSTATED
        self.device = torch.device("cpu")
        self._network = network
        self._fingerprint = digest_of([digest, *identity, _IMPLEMENTATION])

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
        """Return what identifies weights, config, extractor, precision and implementation."""
        return self._fingerprint


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
) -> TransformerEncoder:
    """Load a checkpoint by its folder or its name on the Hugging Face hub.

    Parameters
    ----------
    name : str or None
        Name shown in results; None for the last part of the path.
    path : str
        A folder, or OWNER/NAME on the hub.
    revision : str or None
        Branch or commit on the hub; None for the newest. Not for a folder.
    precision : {"float32", "bfloat16", "float16"}
        In which the large products are computed; norms and residuals stay float32.
    normalise : bool or None
        Whether the waveform is to have zero mean and unit variance; None for what the
        checkpoint says of it. Spectrograms are scaled inside, as it says.
    sample_rate : int or None
        Rate in Hz, where a checkpoint on the waveform brings no preprocessor_config.json.
    random : int or None
        A seed: the same network, random weights, drawn as transformers would to train it.
    trust_remote_code : bool
        Whether Python code of the checkpoint may be run; from the hub only at a revision
        of 40 hexadecimal digits. What was run stands in ``remote_code``.
    card : EncoderCard
        What is not stated in it is taken from the checkpoint's README.md.
    device : str
        "auto" (a GPU where there is one), "cpu", "cuda" or a numbered device.

    Returns
    -------
    TransformerEncoder
        Its ``revision`` is the hub's commit, or "local-" and the weights' digest.

    Raises
    ------
    MissingError
        If the checkpoint is not there, or is damaged or incomplete.
    SpecError
        If options contradict each other, the network takes no audio or lists no hidden
        states, or it needs code that is not trusted.
    """
    repository = open_repository(
        name=name or "hf",
        path=path,
        revision=revision,
        code=trust_remote_code,
        weights=random is None,
    )
    name = name or repository.origin.rpartition("/")[2]
    dtype, where = found_precision(precision, name), found_device(device, name)
    if normalise is not None and not isinstance(normalise, bool):
        raise SpecError(
            f"encoder {name}: 'normalise' must be true, false or null. Got {normalise!r}."
        )
    run = _permitted(repository, trusted=trust_remote_code, name=name)
    stated = replace(
        card,
        licence=_first(card.licence, repository.licence),
        trained_on=_first(card.trained_on, repository.trained_on),
    )
    shown = name if random is None else f"{name} (random {random})"
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


def _first(stated: str, read: str | None) -> str:
    """Return what a card states, or what was read where it states nothing."""
    return read if read is not None and stated in (UNSTATED.licence, "") else stated


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
) -> TransformerEncoder:
    """Load a HuBERT or wav2vec 2.0 into this package's forward."""
    config, subject = repository.config, str(repository.folder / CONFIG)
    rate = rate_of(repository, sample_rate, name)
    shape = read_shape({**config, "sample_rate": rate}, subject)
    if random is None:
        subject = str(weights_file(repository.folder))
        state = without_heads(read_weights(repository.folder), str(config["model_type"]))
    else:
        module = load_module(repository, random=random, trusted=False, name=name)
        state = dict(module.state_dict())
    weights = placed(state, shape, subject)
    return TransformerEncoder(
        name=name,
        network=Hubert(shape, weights, dtype=dtype, device=device),
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
) -> TransformerEncoder:
    """Load a network of transformers' own class, or of the checkpoint's."""
    import transformers  # noqa: PLC0415 - it takes seconds

    module = load_module(repository, random=random, trusted=run is not None, name=name)
    module = module.to(device)  # before it is tried: what it keeps stays there
    reader = reader_of(module, repository, sample_rate, name, trusted=run is not None)
    config = {each: value for each, value in repository.config.items() if each not in _IDLE}
    return TransformerEncoder(
        name=name,
        network=TransformerNetwork(
            module,
            reader,
            dtype=dtype,
            device=device,
            keeps_nothing=run is None and repository.config["model_type"] in STATELESS_TYPES,
        ),
        grid=reader.grid,
        layers=reader.layers,
        width=reader.width,
        weights=module.state_dict(),
        identity=[
            *(type(module).__name__, config, repository.preprocessor, str(dtype)),
            *("transformers", transformers.__version__, run),
        ],
        normalise=reader.normalise,
    )
