"""The rules of a run: windows and protocol.

A protocol (`configs/protocol/*.yaml`) fixes what holds for every task; the block
of the same name in a task's card (`TaskRules`) fixes what that task has of its
own. Sources: MARBLE (arXiv 2306.10548) App. A and the code of its versions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from marble_eval.spec.frames import FrameRules

Channels = Literal["mean", "first"]
Resampler = Literal["torchaudio-sinc", "soxr-hq"]
Scope = Literal["track", "clip"]
Tail = Literal["keep", "pad", "drop"]
Aggregation = Literal["mean-logits", "mean-probabilities"]
SumStart = Literal["normal", "zeros"]

_SHORTEST, _LONGEST = 1e-3, 1e5  # seconds: a sample at 1 kHz, more than a day
Unit = Literal["clip", "track", "recording"]


@dataclass(frozen=True, slots=True)
class Windowing:
    """How the audio of a track becomes the clips that an encoder is given."""

    channels: Channels  # how several channels become one
    resampler: Resampler  # how the audio gets to the encoder's rate
    # What the mean and variance are taken over, for encoders that want a normalised waveform: the
    # whole track before cutting, or each clip.
    normalise: Scope
    crop_seconds: float | None  # only the first seconds of the track are used; None for all of it
    clip_seconds: float | None  # length of a clip; None for the whole track in one
    hop_seconds: float | None  # distance between clip starts; None for the clip's length
    # What becomes of a last clip that is too short: kept as it is, padded with zeros to full
    # length, or dropped. The first clip of a track always stays.
    tail: Tail
    tail_seconds: float  # a shorter rest than this is dropped

    def __post_init__(self) -> None:
        _check_seconds(self)


@dataclass(frozen=True, slots=True)
class TaskRules:
    """What one protocol fixes for one task; a block of the task's card.

    Attributes
    ----------
    crop_seconds, clip_seconds, hop_seconds, tail, tail_seconds
        As in `Windowing`.
    aggregation : {"mean-logits", "mean-probabilities"}
        How the outputs of a track's clips become the track's.
    learning_rates : tuple of float or None
        The task's own rates; None for the protocol's.
    max_epochs, plateau_patience, stop_patience : int
        Training length; epochs without improvement before the learning rate is
        reduced and before training stops.
    plateau_factor : float
        What the learning rate is multiplied with, in (0, 1).
    batch_of : {"tracks", "clips"}
        What a batch of training counts; a track's clips stay together, or go their
        own ways.
    scored : {"clip", "track", "recording"}
        What has one estimate: each clip by itself, each track, or the tracks cut from
        one recording together. Validation and test alike.
    also_scored : {"", "recording"}
        A larger unit whose scores on test are reported too, as ``accuracy_by_recording``.
    frames : FrameRules or None
        For kinds with an estimate for every frame; None for the others.
    """

    crop_seconds: float | None = None
    clip_seconds: float | None = None
    hop_seconds: float | None = None
    tail: Tail = "keep"
    tail_seconds: float = 1.0
    aggregation: Aggregation = "mean-logits"
    learning_rates: tuple[float, ...] | None = None
    max_epochs: int = 100
    plateau_patience: int = 5
    plateau_factor: float = 0.5
    stop_patience: int = 20
    batch_of: Literal["tracks", "clips"] = "tracks"
    scored: Unit = "track"
    also_scored: Literal["", "recording"] = ""
    frames: FrameRules | None = None

    def __post_init__(self) -> None:
        _check_seconds(self)
        if self.learning_rates is not None:
            _check_learning_rates(self.learning_rates)
        for name in ("max_epochs", "stop_patience"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name!r} must be at least 1. Got {getattr(self, name)!r}.")
        if self.plateau_patience < 0:
            raise ValueError(
                f"'plateau_patience' must not be negative. Got {self.plateau_patience!r}."
            )
        if not 0 < self.plateau_factor < 1:
            raise ValueError(
                f"'plateau_factor' must lie between 0 and 1. Got {self.plateau_factor!r}."
            )
        if self.also_scored == self.scored:
            raise ValueError(
                f"'also_scored' must be larger than 'scored'. "
                f"Got {self.also_scored!r} and {self.scored!r}."
            )


def _check_seconds(rules: Windowing | TaskRules) -> None:
    for name in ("crop_seconds", "clip_seconds", "hop_seconds"):
        value = getattr(rules, name)
        if value is not None and not _SHORTEST <= value <= _LONGEST:
            raise ValueError(
                f"{name!r} must be null, or from {_SHORTEST:g} to {_LONGEST:g} seconds. "
                f"Got {value!r}."
            )
    if not rules.tail_seconds >= 0:
        raise ValueError(f"'tail_seconds' must not be negative. Got {rules.tail_seconds!r}.")
    if rules.clip_seconds is None and rules.hop_seconds is not None:
        raise ValueError(
            f"'hop_seconds' must be null where 'clip_seconds' is. Got {rules.hop_seconds!r}."
        )


def _check_learning_rates(rates: tuple[float, ...]) -> None:
    if not rates or any(not rate > 0 for rate in rates):
        raise ValueError(f"'learning_rates' must be positive numbers, at least one. Got {rates!r}.")


@dataclass(frozen=True, slots=True)
class ProtocolSpec:
    """A named, versioned set of rules.

    Attributes
    ----------
    name : str
        "marble-v1", "marble-v2" or "quick".
    version : int
        Raised when scores under it can move.
    rules : str
        Which block of a task's card applies.
    channels, resampler, normalise
        As in `Windowing`.
    learning_rates : tuple of float
        The grid; of equal validation scores the earlier rate wins.
    batch_tracks : int
        Tracks in a batch; all clips of a track are in the same batch.
    sum_from_layer : int
        First layer that enters the learned sum.
    sum_start : {"normal", "zeros"}
        Where the logits of the learned sum start: drawn from N(0, 1), as MARBLE's first code
        draws them, or equal shares.
    head : str
        Probe that the protocol asks for.
    max_epochs : int or None
        Upper bound over the task's own; None for none.
    """

    name: str
    version: int
    rules: str
    channels: Channels
    resampler: Resampler
    normalise: Scope
    learning_rates: tuple[float, ...]
    batch_tracks: int
    sum_from_layer: int
    sum_start: SumStart
    head: str
    max_epochs: int | None

    def __post_init__(self) -> None:
        _check_learning_rates(self.learning_rates)
        if self.batch_tracks < 1:
            raise ValueError(f"'batch_tracks' must be at least 1. Got {self.batch_tracks!r}.")
        if self.sum_from_layer < 0:
            raise ValueError(f"'sum_from_layer' must not be negative. Got {self.sum_from_layer!r}.")
        if self.max_epochs is not None and self.max_epochs < 1:
            raise ValueError(f"'max_epochs' must be at least 1 or null. Got {self.max_epochs!r}.")

    def windowing(self, rules: TaskRules) -> Windowing:
        """Join what the protocol and the task's card say of the audio."""
        return Windowing(
            channels=self.channels,
            resampler=self.resampler,
            normalise=self.normalise,
            crop_seconds=rules.crop_seconds,
            clip_seconds=rules.clip_seconds,
            hop_seconds=rules.hop_seconds,
            tail=rules.tail,
            tail_seconds=rules.tail_seconds,
        )
