"""EnCodec (arXiv 2210.13438) as an encoder: what a codec keeps at each bandwidth.

The layer "continuous" is the encoder's output before it is quantised, "rvq1", "rvq2", "rvq4",
… the decoded sum of that many code books. The codes of a higher bandwidth begin with those
of a lower one, so the audio is encoded once. A checkpoint is a folder of
transformers; its decoder is left out, for code books are decoded here, not audio.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from marble_eval.encoders.checkpoints.folder import (
    CONFIG,
    PREPROCESSOR,
    WEIGHTS,
    fitted,
    read_json,
    read_weights,
    weights_file,
)
from marble_eval.encoders.checkpoints.hub import located
from marble_eval.encoders.checkpoints.released import (
    Identity,
    check_architecture,
    identified,
)
from marble_eval.encoders.loaded import LoadedEncoder, found_device
from marble_eval.encoders.networks.encodec import EncodecNetwork
from marble_eval.errors import MissingError, SpecError
from marble_eval.files.fingerprint import digest_of, weights_digest
from marble_eval.spec import UNSTATED, EncoderCard, untrained

_IMPLEMENTATION = 1  # raised when the same weights and audio give other hidden states
_BOOKS = (1, 2, 4, 8, 16, 32)  # as many code books as the model has
# What config.json says that the sizes of the weights do not.
_CONFIG = (
    *("audio_channels", "chunk_length_s", "dilation_growth_rate", "normalize", "norm_type"),
    *("overlap", "pad_mode", "sampling_rate", "upsampling_ratios", "use_causal_conv"),
)
# The released files name weight norm as older versions of torch did.
_RENAMED = {
    ".conv.weight_g": ".conv.parametrizations.weight.original0",
    ".conv.weight_v": ".conv.parametrizations.weight.original1",
}
# Of noise from which the statistics of random code books are taken.
_NOISE_CLIPS, _NOISE_FRAMES = 8, 25


def load_encodec(
    *,
    name: str,
    path: str | None,
    hub: str | None,
    revision: str | None,
    random: int | None,
    card: EncoderCard = UNSTATED,
    device: str = "auto",
) -> LoadedEncoder:
    """Load a released checkpoint from a folder, or from the Hugging Face hub."""
    files = [CONFIG, PREPROCESSOR, *(WEIGHTS if random is None else ())]
    try:
        place = located(name=name, path=path, hub=hub, revision=revision, wanted=files)
        model, weights = read_encodec(place.folder, random)
    except MissingError as error:
        wanted = f"{hub or 'OWNER/NAME'} {' '.join(files)} --local-dir DIR"
        known = "encodec-48khz" if "48" in (hub or name) else "encodec-24khz"
        pinned = f" --revision {revision}" if revision else ""
        raise MissingError(
            f"{error} Get the checkpoint and name its folder:\n  hf download {wanted}{pinned}\n"
            f"  marble-eval run ... encoder={known} encoder.path=DIR"
        ) from error
    identity = identified(name, card, place)
    if random is not None:
        twin = f"{identity.name} (random {random})"
        identity = Identity(twin, untrained(identity.card), f"seed-{random}")
    encoder = _made(identity, model, weights, device)
    check_architecture(encoder, name, card, place)
    return encoder


def _made(
    identity: Identity, model: Any, weights: Mapping[str, torch.Tensor], device: str
) -> LoadedEncoder:
    import transformers  # noqa: PLC0415 - it takes seconds

    config, facts, where = (
        model.config,
        model.config.to_dict(),
        found_device(device, f"encoder {identity.name}"),
    )
    digest = weights_digest(weights.items())
    books = [each for each in _BOOKS if each <= config.num_quantizers]
    return LoadedEncoder(
        name=identity.name,
        sample_rate=int(config.sampling_rate),
        frame_rate=config.sampling_rate / config.hop_length,
        layers=["continuous", *(f"rvq{each}" for each in books)],
        width=int(config.hidden_size),
        minimum_samples=int(config.hop_length),
        revision=identity.commit or f"local-{digest[:12]}",
        card=identity.card,
        parameters=sum(weight.numel() for weight in weights.values()),
        device=where,
        network=EncodecNetwork(model, books, where).hidden_states,
        identity=digest_of(
            [
                *("encodec", digest, _IMPLEMENTATION, {each: facts[each] for each in _CONFIG}),
                *("transformers", transformers.__version__),
            ]
        ),
    )


def read_encodec(folder: Path, random: int | None) -> tuple[Any, dict[str, torch.Tensor]]:
    """Read a checkpoint into transformers' model, or draw its weights."""
    config = _read_config(folder)
    from transformers import EncodecModel  # noqa: PLC0415 - it takes seconds

    with torch.random.fork_rng(devices=[]):  # the model draws even what is then read
        torch.default_generator.manual_seed(0 if random is None else random)
        try:
            model: Any = EncodecModel(config)
        except (ValueError, TypeError, RuntimeError) as error:
            raise SpecError(f"{folder / CONFIG}: must describe an EnCodec. {error}") from error
        model.eval().requires_grad_(False)
        if random is not None:
            draw_code_books(model)
    if random is None:
        state = read_weights(folder)
        _place(state, model, str(weights_file(folder)))
    weights = _used(model)
    for module in model.modules():
        if torch.nn.utils.parametrize.is_parametrized(module, "weight"):
            torch.nn.utils.parametrize.remove_parametrizations(module, "weight")
    return model, weights


def draw_code_books(model: Any) -> None:
    """Fill the code books, which transformers leaves at zero, with random vectors.

    EnCodec's own training starts them by k-means of what its first batch gives. Here a
    book is drawn from a normal distribution with the mean of what the books before it leave
    of white noise at eight levels, and its deviation in each dimension, times
    sqrt(2 ln(vectors) / dimensions): the nearest of longer vectors would be farther away.
    """
    config = model.config
    samples = _NOISE_FRAMES * config.hop_length
    noise = torch.randn(_NOISE_CLIPS, config.audio_channels, samples)
    if not config.normalize:  # in which case levels would not be heard
        noise *= torch.logspace(-3, 0, _NOISE_CLIPS)[:, None, None]
    with torch.inference_mode():
        residual = model.encoder(noise)
    residual = residual.movedim(1, 2).flatten(0, 1).clone()  # (clip frame) dimension
    for layer in model.quantizer.layers:
        book = layer.codebook
        drawn = torch.randn(book.codebook_size, residual.shape[1])
        length = min(1.0, math.sqrt(2 * math.log(book.codebook_size) / residual.shape[1]))
        book.embed.copy_(residual.mean(dim=0) + length * residual.std(dim=0) * drawn)
        residual = residual - book.decode(book.encode(residual))


def _used(model: Any) -> dict[str, torch.Tensor]:
    """Return the weights of the encoder and the code books."""
    return {
        name: weight
        for name, weight in model.state_dict().items()
        if name.startswith("encoder.") or name.endswith(".codebook.embed")
    }


def _read_config(folder: Path) -> Any:
    path = folder / CONFIG
    content = read_json(path)
    if content.get("model_type") != "encodec":
        raise MissingError(
            f"{path}: 'model_type' must be encodec. Got {content.get('model_type')!r}."
        )
    from huggingface_hub.errors import StrictDataclassError  # noqa: PLC0415 - as transformers
    from transformers import EncodecConfig  # noqa: PLC0415 - it takes seconds

    try:
        config: Any = EncodecConfig.from_dict(content)
    except (ValueError, TypeError, StrictDataclassError) as error:
        first = " ".join(str(error).split())
        raise SpecError(f"{path}: must describe an EnCodec. {first}") from error
    if (folder / PREPROCESSOR).is_file():
        rate = read_json(folder / PREPROCESSOR).get("sampling_rate", config.sampling_rate)
        if rate != config.sampling_rate:
            raise SpecError(
                f"{folder}: {CONFIG} and {PREPROCESSOR} must agree on the sample rate. "
                f"Got {config.sampling_rate!r} and {rate!r}."
            )
    if config.chunk_length_s is not None and config.overlap is None:
        raise SpecError(f"{path}: 'overlap' must be given beside 'chunk_length_s'. Got null.")
    if config.codebook_dim != config.hidden_size:
        raise SpecError(
            f"{path}: 'codebook_dim' must be 'hidden_size', which is {config.hidden_size!r}. "
            f"Got {config.codebook_dim!r}."
        )
    if config.audio_channels not in (1, 2):
        raise SpecError(f"{path}: 'audio_channels' must be 1 or 2. Got {config.audio_channels!r}.")
    return config


def _place(state: Mapping[str, torch.Tensor], model: Any, subject: str) -> None:
    """Give every weight its place in the model; those of the decoder are not needed."""
    places, given = model.state_dict(), {}
    for name, weight in state.items():
        old = next((each for each in _RENAMED if name.endswith(each)), "")
        given[name.removesuffix(old) + _RENAMED[old] if old else name] = weight
    needed = _used(model)
    sizes = {name: tuple(weight.shape) for name, weight in needed.items()}
    astray = [name for name in given if name not in places]
    for name, weight in fitted(given, sizes, subject, astray=astray).items():
        needed[name].copy_(weight)
