"""Whose weights they are: a released name and card belong to released weights alone.

Weights are released ones if the hub gave them at a commit, or if their folder proves it: what
`hf download --local-dir` records beside each file (commit and digest), or the hub's own cache,
agrees with the file's content. Anything else is named after its folder, and its card states
what the folder states: in `card.yaml`, or in the first lines of `README.md`.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from marble_eval.encoders import EncoderFacts
from marble_eval.encoders.checkpoints.hub import Place
from marble_eval.errors import MissingError, SpecError
from marble_eval.spec import UNSTATED, EncoderCard, from_mapping

_OF_NETWORK = ("width", "sample_rate", "frame_rate")


#: Names of the encoders in `configs/encoder` that have released weights, in small letters, and
#: their repositories on the hub; None for an archive elsewhere.
RELEASED: dict[str, str | None] = {
    "encodec-24khz": "facebook/encodec_24khz",
    "encodec-48khz": "facebook/encodec_48khz",
    "mert-v0-95m-public": "m-a-p/MERT-v0-public",
    "mert-v0-95m": "m-a-p/MERT-v0",
    "mert-v1-330m": "m-a-p/MERT-v1-330M",
    "mert-v1-95m": "m-a-p/MERT-v1-95M",
    "muq": "OpenMuQ/MuQ-large-msd-iter",
    "musicfm-fma": "minzwon/MusicFM",
    "musicfm-msd": "minzwon/MusicFM",
    "musicnn-msd": None,
    "musicnn-mtt": None,
}


class Identity(NamedTuple):
    """What weights are called, what is known of them, and their commit if they are released."""

    name: str
    card: EncoderCard
    commit: str | None


def identified(name: str, card: EncoderCard, place: Place) -> Identity:
    """Return what the weights of a place may be called, and what its card may say."""
    hubs, asked = RELEASED, name.casefold()
    if place.commit is not None and place.hub in hubs.values():
        if hubs.get(asked, place.hub) == place.hub:
            return Identity(name, card, place.commit)
    folder = place.folder if place.folder.is_dir() else place.folder.parent
    stated_name, stated = stated_card(folder)
    origin = _stem(place.folder.resolve()) if place.commit is None else str(place.hub)
    if asked in hubs:
        name = stated_name or origin.rpartition("/")[2]
    if name.casefold() in hubs:
        name = origin if "/" in origin else f"{name} (local)"
    return Identity(name, stated, place.commit)


def check_architecture(encoder: EncoderFacts, name: str, card: EncoderCard, place: Place) -> None:
    """Refuse a network that is not the one that a released name stands for."""
    if name.casefold() not in RELEASED:
        return  # a name of the user's own
    wanted = {each: getattr(card, each) for each in ("layers", *_OF_NETWORK)}
    found = {"layers": len(encoder.layers), **{e: getattr(encoder, e) for e in _OF_NETWORK}}
    other = {
        each: found[each]
        for each, value in wanted.items()
        if value is not None and value != found[each]
    }
    if other:
        expected = ", ".join(f"{each} {wanted[each]:g}" for each in other)
        raise SpecError(
            f"{place.folder}: must hold the network of {name}, {expected}. "
            f"Got {', '.join(f'{each} {value:g}' for each, value in other.items())}. "
            f"For a network of your own, name it: encoder.name=NAME."
        )


def stated_card(folder: Path) -> tuple[str | None, EncoderCard]:
    """Read name, licence and training data that a folder states in card.yaml or README.md."""
    path = folder / "card.yaml"
    if path.is_file():
        try:
            values = yaml.safe_load(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise SpecError(f"{path}: must be a readable YAML file. {error}") from error
        if not isinstance(values, dict):
            raise SpecError(f"{path}: must hold names and values. Got {values!r}.")
        name = values.pop("name", None)
        return name if name is None else str(name), from_mapping(EncoderCard, values, str(path))
    facts = _front_matter(folder / "README.md")
    named = "license_name" if facts.get("license") == "other" else "license"
    stated = EncoderCard(
        licence=_words(facts.get(named) or facts.get("license")) or UNSTATED.licence,
        trained_on=_words(facts.get("datasets")) or UNSTATED.trained_on,
    )
    return _words(facts.get("model_name")), stated


def _front_matter(readme: Path) -> dict[str, Any]:
    """Read the lines between --- that open a README; what cannot be read is not stated."""
    try:
        text = readme.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise MissingError(f"{readme}: must be text in UTF-8. Got {error}.") from error
    opening = re.match(r"\s*---\r?\n(.*?)\r?\n---\s*(\n|$)", text, re.DOTALL)
    try:
        facts = yaml.safe_load(opening[1]) if opening else None
    except yaml.YAMLError:
        return {}
    return facts if isinstance(facts, dict) else {}


def _words(value: Any) -> str | None:
    """Return one value or several as a phrase; None for nothing."""
    values = value if isinstance(value, list) else [value]
    return ", ".join(str(each) for each in values if each) or None


def _stem(place: Path) -> str:
    """Return a folder's name, or an archive's without its endings."""
    return place.name if place.is_dir() else place.name.partition(".tar")[0]
