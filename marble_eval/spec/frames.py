"""The rules of a task whose answer changes within a track: beats, chords, notes.

Such a task has an estimate for every frame, so its features are not pooled. The
block `frames` of a protocol's rules in the card says how frames become training
examples, and how the outputs of a whole track become events. What a kind does not
ask for it does not read: tempi are for beats alone.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Literal


@dataclass(frozen=True, slots=True)
class FrameRules:
    """What one protocol fixes for the frames of one task.

    Attributes
    ----------
    context_seconds : float
        Audio on both sides of a clip that the encoder hears too, and whose frames
        are left out: a cut does not show in the frames beside it.
    window_seconds : float
        Length of a training example; a track is divided into such windows.
    batch_windows : int
        Windows in a batch of training.
    widening : tuple of float
        Targets of the frames next to an event, one and two and … frames away, in
        training alone. For kinds with events in time: beats.
    rate : float
        Frames per second to which outputs are interpolated before they are decoded,
        in Hz; the same for every encoder.
    decoder : {"dbn", "peaks"}
        Of beats: a dynamic Bayesian network, or the peaks of the outputs.
    tempo, downbeat_tempo : tuple of float
        Slowest and fastest, in beats and in bars a minute, for the network.
    transition_lambda, observation_lambda : float, int
        How steady the tempo is; into how many parts a beat is divided, of which
        the first is the beat itself. For the network.
    threshold : float
        Probability from which a frame has a note; how far up from the floor of a track's
        outputs to the height of its beats a peak is one. In (0, 1).
    tolerance : float
        How far an estimate may lie from the reference, in seconds: a beat, or the
        onset of a note.
    trim_seconds : float
        Beats before this time are not scored.
    """

    context_seconds: float = 0.0
    window_seconds: float = 10.0
    batch_windows: int = 8
    widening: tuple[float, ...] = (0.5, 0.25)
    rate: float = 100.0
    decoder: Literal["dbn", "peaks"] = "dbn"
    tempo: tuple[float, float] = (55.0, 215.0)
    downbeat_tempo: tuple[float, float] = (18.0, 72.0)
    transition_lambda: float = 100.0
    observation_lambda: int = 16
    threshold: float = 0.5
    tolerance: float = 0.07
    trim_seconds: float = 0.0

    def __post_init__(self) -> None:
        for name in ("window_seconds", "batch_windows", "rate", "transition_lambda", "tolerance"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name!r} must be positive. Got {getattr(self, name)!r}.")
        for name in ("context_seconds", "trim_seconds"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name!r} must not be negative. Got {getattr(self, name)!r}.")
        if self.observation_lambda < 2:
            raise ValueError(
                f"'observation_lambda' must be at least 2. Got {self.observation_lambda!r}."
            )
        if not 0 < self.threshold < 1:
            raise ValueError(f"'threshold' must lie between 0 and 1. Got {self.threshold!r}.")
        if any(not 0 < each < 1 for each in self.widening):
            raise ValueError(f"'widening' must lie between 0 and 1. Got {self.widening!r}.")
        for name in ("tempo", "downbeat_tempo"):
            if len(getattr(self, name)) != 2:
                raise ValueError(f"{name!r} must be two numbers. Got {getattr(self, name)!r}.")
            slowest, fastest = getattr(self, name)
            # A beat must be longer than a frame, or the network has no state for it.
            if not 0 < slowest < fastest <= 30 * self.rate:
                raise ValueError(
                    f"{name!r} must rise from above 0 to at most {30 * self.rate:g}, which is two "
                    f"frames a beat. Got {getattr(self, name)!r}."
                )


@dataclass(frozen=True, slots=True)
class FrameChoices:
    """What a run does otherwise than the card's `frames` block says.

    Every field is that of `FrameRules`, or None to leave the card's.
    """

    context_seconds: float | None = None
    window_seconds: float | None = None
    batch_windows: int | None = None
    widening: tuple[float, ...] | None = None
    rate: float | None = None
    decoder: Literal["dbn", "peaks"] | None = None
    tempo: tuple[float, float] | None = None
    downbeat_tempo: tuple[float, float] | None = None
    transition_lambda: float | None = None
    observation_lambda: int | None = None
    threshold: float | None = None
    tolerance: float | None = None
    trim_seconds: float | None = None

    def over(self, rules: FrameRules) -> FrameRules:
        """Return a card's rules with the choices in their place, as they are run.

        Raises
        ------
        ValueError
            If they break a rule together.

        Examples
        --------
        >>> FrameChoices(trim_seconds=5.0).over(FrameRules()).trim_seconds
        5.0
        """
        chosen = {each.name: getattr(self, each.name) for each in fields(self)}
        return replace(rules, **{name: each for name, each in chosen.items() if each is not None})
