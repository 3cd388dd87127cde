"""What a reader of scores must know, as records of a `result.json`, and each as a sentence.

Deviations from the protocol, probes whose outputs did not stay finite, layers without a
score. Code reads the records; sentences are made where people read.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

Value = bool | int | str | float | tuple[float, ...] | None


@dataclass(frozen=True, slots=True)
class RuleChanged:
    """A rule that was run otherwise: a field of the protocol, or "frames." and one of the card."""

    rule: str
    got: Value
    expected: Value


@dataclass(frozen=True, slots=True)
class TracksLeftOut:
    """Tracks of a split that could not be used, which no card excuses; `of` its published size."""

    split: str
    count: int
    of: int | None


@dataclass(frozen=True, slots=True)
class OtherDeviation:
    """A deviation of which a record before schema 5 has words that are not known here."""

    words: str


Deviation = RuleChanged | TracksLeftOut | OtherDeviation


@dataclass(frozen=True, slots=True)
class Divergence:
    """A probe whose outputs did not stay finite; `scored` if an epoch before that counts."""

    layer: str
    setting: float
    seed: int
    scored: bool


@dataclass(frozen=True, slots=True)
class LayerLeftOut:
    """A layer without a score: a probe of it diverged, or the probe reads single layers only."""

    layer: str
    reason: Literal["diverged", "no learned sum"]


@dataclass(frozen=True, slots=True)
class Notes:
    """What training and scoring have to say; `remarks` are for people alone."""

    divergences: tuple[Divergence, ...] = ()
    left_out: tuple[LayerLeftOut, ...] = ()
    remarks: tuple[str, ...] = ()

    def __add__(self, other: Notes) -> Notes:
        return Notes(
            self.divergences + other.divergences,
            self.left_out + other.left_out,
            self.remarks + other.remarks,
        )


def deviation_sentence(deviation: Deviation, protocol: str) -> str:
    """Write a deviation from the protocol of this name; folders of results are named by it."""
    match deviation:
        case RuleChanged(rule, got, expected):
            return f"{rule} is {got}, {protocol} has {expected}"
        case TracksLeftOut(split, count, size):
            of_all = "" if size is None else f" of {size}"
            return f"{count}{of_all} {split} tracks left out"
        case OtherDeviation(words):
            return words


def divergence_sentences(divergences: Iterable[Divergence]) -> list[str]:
    """Write divergences, those of one setting and seed together."""
    layers: dict[tuple[float, int, bool], list[str]] = {}
    for each in divergences:
        layers.setdefault((each.setting, each.seed, each.scored), []).append(each.layer)
    return [
        f"learning rate {setting:g}, seed {seed}: outputs no longer finite at layer "
        f"{', '.join(of_case)}; "
        + ("the best epoch before it counts" if scored else "it was the first epoch")
        for (setting, seed, scored), of_case in layers.items()
    ]


def left_out_sentence(left_out: LayerLeftOut) -> str:
    """Write why a layer has no score."""
    if left_out.reason == "no learned sum":
        return f"layer {left_out.layer} is left out: the probe reads single layers"
    return f"layer {left_out.layer} is left out: no probe of it kept finite outputs with every seed"


def note_sentences(notes: Notes) -> list[str]:
    """Write all that a reader should know beside deviations."""
    return [
        *divergence_sentences(notes.divergences),
        *map(left_out_sentence, notes.left_out),
        *notes.remarks,
    ]


def deviation_sentences(deviations: Sequence[Deviation], protocol: str) -> tuple[str, ...]:
    """Write every deviation of a run."""
    return tuple(deviation_sentence(each, protocol) for each in deviations)
