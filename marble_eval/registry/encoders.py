"""Find encoders by name: `configs/encoder/`, and other packages' entry points.

A package brings an encoder by an entry point in the group ``marble_eval.encoders``
that names a function or class; any other is loaded as ``target="module:function"``.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from marble_eval.errors import SpecError, near_misses
from marble_eval.files.home import keep_compiled_code
from marble_eval.one_thread import one_thread
from marble_eval.registry.configuration import config_names, read_config
from marble_eval.registry.plugins import imported, loaded, plugins_of
from marble_eval.spec import EncoderCard, from_mapping

if TYPE_CHECKING:
    from marble_eval.encoders import Encoder


class EncoderRecipe(NamedTuple):
    """How an encoder was loaded, without the device, so that it can be loaded elsewhere."""

    name: str | None
    options: dict[str, Any]


def encoder_names() -> tuple[str, ...]:
    """List the encoders, built-in and from other packages, sorted."""
    return tuple(sorted({*config_names("encoder"), *plugins_of("encoder")}))


def load_encoder(name: str | None = None, /, **options: Any) -> Encoder:
    """Load an encoder by its name, with options.

    Parameters
    ----------
    name : str, optional
        One of `encoder_names`; may be left out when ``target`` is given.
    **options : object
        What its config takes (``path``, ``precision``, …), or ``target``, a
        "module:function" that makes any other encoder from the other options.
        ``device`` is handed on to encoders that take it.

    Returns
    -------
    Encoder
        Ready to encode.

    Raises
    ------
    SpecError
        If the name or an option is unknown, or the target is not an encoder.
    MissingError
        If its weights are not here and cannot be fetched.

    Examples
    --------
    >>> load_encoder("mel", n_mels=64).width
    128
    """
    keep_compiled_code()
    recipe = EncoderRecipe(name, {k: v for k, v in options.items() if k != "device"})
    device, card = options.pop("device", None), options.pop("card", None)
    points = plugins_of("encoder")
    if "target" in options:
        subject = f"encoder {name or options['target']}"
        target = imported(str(options.pop("target")), subject)
    elif name in points:
        subject = f"encoder {name}"
        target = loaded(points[name], subject)
    else:
        subject = f"encoder {name}"
        options = _configured(name, options)
        card = options.pop("card") if card is None else card
        target = imported(str(options.pop("target")), subject)
    if isinstance(card, Mapping):
        card = from_mapping(EncoderCard, card, f"{subject}: card")
    with one_thread():  # norms of weights are sums too
        encoder: Encoder = _made(target, options, {"device": device, "card": card}, subject)
    check_encoder(encoder, subject)
    with suppress(AttributeError):  # some objects take no attribute; they are sent whole
        encoder.recipe = recipe  # type: ignore[attr-defined]
    return encoder


def load_recipe(recipe: EncoderRecipe, device: str) -> Encoder:
    """Load an encoder once more, for another process or machine."""
    return load_encoder(recipe.name, device=device, **recipe.options)


def check_encoder(encoder: object, subject: str) -> None:
    """Refuse an object that is not an encoder, naming what it lacks."""
    needed = (
        "name",
        "sample_rate",
        "frame_rate",
        "layers",
        "width",
        "hidden_states",
        "fingerprint",
    )
    absent = [each for each in needed if not hasattr(encoder, each)]
    if absent:
        raise SpecError(
            f"{subject}: must have {', '.join(needed)}. Got {type(encoder).__name__} without "
            f"{', '.join(absent)}. See marble_eval.encoders.Encoder."
        )


def _configured(name: str | None, options: dict[str, Any]) -> dict[str, Any]:
    """Return the config's values with the options in their places."""
    if name not in config_names("encoder"):
        known = encoder_names()
        raise SpecError(f"no encoder is called {name!r}. {near_misses(str(name), known)}")
    values = read_config("encoder", name)
    unknown = [each for each in options if each not in values]
    if unknown:
        raise SpecError(
            f"encoder {name}: unknown option {unknown[0]!r}. {near_misses(unknown[0], values)}"
        )
    return {**values, **options}


def _made(target: Any, options: dict[str, Any], offered: dict[str, Any], subject: str) -> Any:
    """Call a target with its options and what of the rest it takes, or say what it does not."""
    if not callable(target):
        raise SpecError(
            f"{subject}: must be made by a function or class. Got {type(target).__name__}."
        )
    signature = inspect.signature(target)
    taken = signature.parameters
    options |= {
        name: value for name, value in offered.items() if value is not None and name in taken
    }
    try:
        signature.bind(**options)
    except TypeError as error:
        raise SpecError(f"{subject}: {error}. It takes {', '.join(taken) or 'nothing'}.") from None
    return target(**options)
