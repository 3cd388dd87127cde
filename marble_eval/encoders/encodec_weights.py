"""EnCodec's checkpoints: read as tensors, accounted for, and random ones drawn.

A checkpoint is a folder of transformers: `config.json`, and `model.safetensors` or
`pytorch_model.bin`. The decoder is left out: what is decoded here are code books, not audio.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from marble_eval.encoders.checkpoint import (
    CONFIG,
    PREPROCESSOR,
    read_json,
    read_weights,
    weights_file,
)
from marble_eval.errors import MissingError, SpecError

# The released files name weight norm as older versions of torch did.
_RENAMED = {
    ".conv.weight_g": ".conv.parametrizations.weight.original0",
    ".conv.weight_v": ".conv.parametrizations.weight.original1",
}
# Of noise from which the statistics of random code books are taken.
_NOISE_CLIPS, _NOISE_FRAMES = 8, 25


def read_encodec(folder: Path, random: int | None) -> tuple[Any, dict[str, torch.Tensor]]:
    """Read a checkpoint into transformers' model, or draw its weights.

    Parameters
    ----------
    folder : Path
        A folder of transformers; only ``config.json`` is read for random weights.
    random : int or None
        A seed of random weights; None to read those of the checkpoint.

    Returns
    -------
    model : transformers.EncodecModel
        In evaluation mode and without gradients, its weight norms folded. Random state
        elsewhere is as it was.
    weights : dict of str to torch.Tensor
        What its layers depend on, as it was before: the encoder's weights and the code
        books.

    Raises
    ------
    MissingError
        If a file or weight is absent or damaged.
    SpecError
        If the config contradicts itself, or a weight has no place or another size.
    """
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

    Parameters
    ----------
    model : transformers.EncodecModel
        Its books are changed in place; torch's global generator is drawn from.
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
    """Give every weight its place in the model, and complain of any that does not fit."""
    places = model.state_dict()
    given = {}
    for name, weight in state.items():
        old = next((each for each in _RENAMED if name.endswith(each)), "")
        given[name.removesuffix(old) + _RENAMED[old] if old else name] = weight
    needed = _used(model)
    absent = [name for name in needed if name not in given]
    if absent:
        raise MissingError(f"{subject}: must hold every weight. Missing: {_listed(absent)}.")
    astray = [name for name in given if name not in places]
    if astray:
        raise SpecError(
            f"{subject}: must hold weights of this network only. Unexpected: {_listed(astray)}."
        )
    misfits = [
        f"{name} {tuple(given[name].shape)} {given[name].dtype} instead of {tuple(place.shape)}"
        for name, place in needed.items()
        if given[name].shape != place.shape or not given[name].is_floating_point()
    ]
    if misfits:
        raise SpecError(
            f"{subject}: must hold weights that fit the config. Got {_listed(misfits)}."
        )
    for name, place in needed.items():
        place.copy_(given[name])


def _listed(names: list[str]) -> str:
    """List a few names, and say how many more there are."""
    more = f" and {len(names) - 6} more" if len(names) > 6 else ""
    return ", ".join(names[:6]) + more
