"""What is known of an encoder before its weights are here: the `card` of its config.

Numbers and training data are those its authors publish; what they do not say stays
open. The card is shown in listings, and its licence, citation and overlap with the
task's data go into every result.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

_OPEN = "not stated"


@dataclass(frozen=True, slots=True)
class EncoderCard:
    """Facts of an encoder, as its authors publish them.

    Attributes
    ----------
    licence : str
        Licence of the weights, by its SPDX name where it has one.
    trained_on : str
        Data that the weights have seen.
    citation : str
        Where it is described: "arXiv 2306.00107".
    parameters, layers, width, sample_rate : int or None
        Number of weights, of layers that are probed, size of a hidden state, and rate of
        the audio in Hz; None where only the checkpoint says.
    frame_rate : float or None
        Frames per second.
    overlap : mapping of str to str
        By name of a task or of its data set: what of it the training data holds.
    package : str or None
        Package that it needs and that this one does not bring.
    source : str or None
        How to get the weights where they are not on the hub.
    """

    licence: str = _OPEN
    trained_on: str = _OPEN
    citation: str = _OPEN
    parameters: int | None = None
    layers: int | None = None
    width: int | None = None
    sample_rate: int | None = None
    frame_rate: float | None = None
    overlap: Mapping[str, str] = field(default_factory=dict)
    package: str | None = None
    source: str | None = None


#: Of an encoder that says nothing.
UNSTATED = EncoderCard()


def untrained(card: EncoderCard) -> EncoderCard:
    """Return the card of the same network with random weights.

    Examples
    --------
    >>> untrained(EncoderCard(licence="MIT", overlap={"MTT": "all"})).overlap
    {}
    """
    return replace(card, licence="none (random weights)", trained_on="nothing", overlap={})
