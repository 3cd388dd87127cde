"""What an encoder is: a frozen network seen through five facts and one method.

Any object with the members of `Encoder` will do; there is nothing to inherit.
Resampling, cutting, normalising, pooling and caching happen outside, so that
they are the same for everyone. Layer 0 is the transformer's input embedding.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from marble_eval.errors import SpecError
from marble_eval.spec import UNSTATED, EncoderCard

if TYPE_CHECKING:
    import torch


@runtime_checkable
class Encoder(Protocol):
    """A frozen audio encoder.

    Attributes
    ----------
    name : str
        Name shown in results and on the leaderboard.
    sample_rate : int
        Rate of the audio it takes, in Hz.
    frame_rate : float
        Frames of hidden states per second of audio, in Hz.
    layers : sequence of str
        Name of each layer, layer 0 first.
    width : int
        Size of one hidden state.

    Notes
    -----
    These further attributes are used where an encoder has them:
    ``revision`` (str: which weights), ``card`` (`EncoderCard`: licence, training data,
    citation), ``normalise`` (bool, or a mapping from protocol name to bool: the waveform
    is to have zero mean and unit variance), ``minimum_samples`` (int: shortest input),
    ``device`` (where the audio is to be put), ``parameters`` (int: their number),
    ``precision`` (str: of its products), ``step`` (int: of pre-training),
    ``remote_code`` (str: repository and commit whose code was run) and ``recipe`` (left by
    `marble_eval.load_encoder`: how another process loads the same).
    """

    name: str
    sample_rate: int
    frame_rate: float
    layers: Sequence[str]
    width: int

    def hidden_states(self, audio: torch.Tensor) -> torch.Tensor:
        """Encode clips of equal length.

        On a CPU it is called from several threads at once, each with its share of the
        cores: it must keep nothing between calls and set nothing that is global.

        Parameters
        ----------
        audio : torch.Tensor [shape=(batch, samples), float32]
            Mono audio at ``sample_rate``.

        Returns
        -------
        torch.Tensor [shape=(batch, layer, frame, width)]
            The hidden states of every layer.
        """
        ...

    def fingerprint(self) -> str:
        """Return what identifies the weights and the preprocessing inside."""
        ...


def normalises(encoder: Encoder, protocol: str) -> bool:
    """Say whether an encoder's waveform is normalised under a protocol.

    Parameters
    ----------
    encoder : Encoder
        The encoder; its optional ``normalise`` is a bool or a mapping.
    protocol : str
        Name of the protocol whose rule is asked for.

    Returns
    -------
    bool
        True if the waveform is to have zero mean and unit variance.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> normalises(SimpleNamespace(normalise={"marble-v1": False}), "marble-v1")
    False
    """
    rule: Any = getattr(encoder, "normalise", False)
    if isinstance(rule, Mapping):
        return bool(rule.get(protocol, True))
    return bool(rule)


def card_of(encoder: Encoder) -> EncoderCard:
    """Return what an encoder says of its weights; an empty card where it says nothing.

    Parameters
    ----------
    encoder : Encoder
        The encoder; its optional ``card`` is an `EncoderCard`.

    Returns
    -------
    EncoderCard
        Its card.

    Raises
    ------
    SpecError
        If ``card`` is something else.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> card_of(SimpleNamespace(card=EncoderCard(licence="MIT"))).licence
    'MIT'
    """
    card: Any = getattr(encoder, "card", None)
    if card is None:
        return UNSTATED
    if not isinstance(card, EncoderCard):
        raise SpecError(
            f"{encoder.name}: 'card' must be a marble_eval.spec.EncoderCard. Got {card!r}."
        )
    return card
