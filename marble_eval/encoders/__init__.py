"""What an encoder is: a frozen network seen through its facts and two methods.

Any object with the members of `Encoder` will do; there is nothing to inherit.
Resampling, cutting, normalising, pooling and caching happen outside, so that they are
the same for everyone. Layer 0 is the transformer's input embedding. A module here is a
family of encoders; `networks` holds their forward passes, `checkpoints` reads files.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
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
    The other fields of `EncoderFacts` are used where an encoder has them, and ``recipe``,
    which `marble_eval.load_encoder` leaves: how another process loads the same encoder.
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


@dataclass(kw_only=True, eq=False)
class EncoderFacts:
    """What is recorded of an encoder, with what counts where it does not say.

    Attributes
    ----------
    name, sample_rate, frame_rate, layers, width
        As in `Encoder`.
    minimum_samples : int
        Shortest input: what one frame needs.
    revision : str
        Which weights.
    card : EncoderCard
        Licence, training data, citation.
    parameters : int or None
        Number of weights.
    precision : str
        Number type of the large products.
    normalise : bool or mapping of str to bool
        Whether the waveform must have zero mean and unit variance, by protocol if it
        depends on it (true for protocols that are not listed).
    device : str or torch.device
        Where the audio must be.
    step : int or None
        Step of pre-training, for a checkpoint of a series.
    remote_code : str or None
        Repository and commit whose code was run.
    remarks : tuple of str
        What a reader of its results must know.
    """

    name: str
    sample_rate: int
    frame_rate: float
    layers: Sequence[str]
    width: int
    minimum_samples: int = 1
    revision: str = "unversioned"
    card: EncoderCard = UNSTATED
    parameters: int | None = None
    precision: str = "float32"
    normalise: bool | Mapping[str, bool] = False
    device: str | torch.device = "cpu"
    step: int | None = None
    remote_code: str | None = None
    remarks: tuple[str, ...] = ()


def facts_of(encoder: Encoder) -> EncoderFacts:
    """Read the facts of any encoder, with the defaults of those it does not state.

    Raises
    ------
    SpecError
        If ``card`` is no `EncoderCard`.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> mine = {"name": "mine", "sample_rate": 8000, "frame_rate": 50.0, "layers": ["0"]}
    >>> facts_of(SimpleNamespace(width=4, **mine)).revision
    'unversioned'
    """
    names = [each.name for each in fields(EncoderFacts) if hasattr(encoder, each.name)]
    stated: dict[str, Any] = {name: getattr(encoder, name) for name in names}
    if stated.get("card") is None:
        stated["card"] = UNSTATED
    if not isinstance(stated["card"], EncoderCard):
        raise SpecError(
            f"{encoder.name}: 'card' must be a marble_eval.spec.EncoderCard. "
            f"Got {stated['card']!r}."
        )
    return EncoderFacts(**stated)


def normalises(encoder: Encoder, protocol: str) -> bool:
    """Return whether an encoder's waveform is normalised under a protocol.

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
