"""How a run is done, whatever the task and the encoder are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from marble_eval.spec.engine import EngineSpec
from marble_eval.spec.frames import FrameChoices
from marble_eval.spec.probe import Probe
from marble_eval.spec.protocol import ProtocolSpec

_MOST_SEEDS = 1000


@dataclass(frozen=True, slots=True)
class FeatureSpec:
    """What is cached."""

    dtype: Literal["float16", "float32"]  # number type
    # Frames kept a second, in Hz, for tasks with an estimate for every frame; the encoder's own
    # rate, or a whole number of its frames in each. None for its own.
    frame_rate: float | None
    max_bytes: float  # a run whose features would take more is refused
    # Where that is too little for all layers of a task with an estimate for every frame: encode
    # some layers at a time, and delete them before the next.
    in_turn: bool

    def __post_init__(self) -> None:
        for name in ("frame_rate", "max_bytes"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ValueError(f"{name!r} must be positive. Got {value!r}.")


@dataclass(frozen=True, slots=True)
class Settings:
    """What the user chose for a run.

    Attributes
    ----------
    root : Path or None
        The user's copy of the data; None for the task's folder in the data home.
    splits : Path or None
        Folder with the published split lists; None to look for them.
    protocol, probe, engine
        Rules, read-out, and where the work is done.
    layers : "all" or tuple
        Layer numbers or names; "sum" for the learned sum.
    seeds : int
        Number of seeds.
    seed : int
        The first of them; the others follow it.
    missing : {"stop", "report"}
        What is done about files that cannot be used.
    features : FeatureSpec
        What is cached.
    frames : FrameChoices
        What is done otherwise than the card's `frames` block says.
    results : Path or None
        Folder of all results; None to write none.
    force : bool
        Run again although the result is there.
    """

    root: Path | None
    splits: Path | None
    protocol: ProtocolSpec
    probe: Probe
    engine: EngineSpec
    layers: Literal["all"] | tuple[int | str, ...]
    seeds: int
    seed: int
    missing: Literal["stop", "report"]
    features: FeatureSpec
    frames: FrameChoices
    results: Path | None
    force: bool

    def __post_init__(self) -> None:
        if not 1 <= self.seeds <= _MOST_SEEDS:
            raise ValueError(f"'seeds' must be 1 to {_MOST_SEEDS}. Got {self.seeds!r}.")
        if not 0 <= self.seed < 2**31:
            raise ValueError(f"'seed' must lie in 0 to 2**31 - 1. Got {self.seed!r}.")

    @property
    def seed_list(self) -> tuple[int, ...]:
        """Return the seeds; one where the probe draws no random numbers."""
        count = self.seeds if self.probe.is_seeded else 1
        return tuple(range(self.seed, self.seed + count))
