"""Read a task's card, and check it against its kind."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from marble_eval.data.text_files import normal, text_of
from marble_eval.errors import SpecError, near_misses
from marble_eval.registry.configuration import read_yaml
from marble_eval.spec import TaskRules, TaskSpec, from_mapping

if TYPE_CHECKING:
    from marble_eval.kinds import Kind


def read_card(path: Path) -> TaskSpec:
    """Read a ``task.yaml``, or raise a SpecError if it is not YAML or breaks a rule."""
    try:
        text = text_of(path)
    except ValueError as error:
        raise SpecError(f"{path}: must be a readable YAML file. {error}") from None
    spec = from_mapping(TaskSpec, read_yaml(text, str(path)), str(path))
    try:
        return replace(spec, labels=tuple(normal(each) for each in spec.labels))
    except ValueError as error:
        raise SpecError(f"{path}: {error}") from None


def completed(spec: TaskSpec, kind: Kind, card: Path) -> TaskSpec:
    """Fill in labels and metrics that the kind knows, and check the card against the kind."""
    if kind.labels is not None:
        if spec.labels not in ((), kind.labels):
            raise SpecError(
                f"{card}: 'labels' must be those of the kind {spec.kind}, {kind.labels[0]} to "
                f"{kind.labels[-1]}, or be left out. Got {spec.labels!r}."
            )
        spec = replace(spec, labels=kind.labels)
    fault = kind.fault_of(spec)
    if fault:
        raise SpecError(f"{card}: {fault}")
    known = kind.metrics_of(spec)
    unknown = [each for each in spec.metrics if each not in known]
    if unknown:
        raise SpecError(f"{card}: unknown metric {unknown[0]!r}. {near_misses(unknown[0], known)}")
    spec = replace(spec, metrics=spec.metrics or tuple(known))
    direction = known[spec.main_metric].higher_is_better
    if spec.higher_is_better != direction:
        raise SpecError(
            f"{card}: 'higher_is_better' must be {direction} for "
            f"{spec.main_metric}. Got {spec.higher_is_better}."
        )
    for name, rules in spec.protocols.items():
        if rules.aggregation not in kind.aggregations:
            raise SpecError(
                f"{card}: 'aggregation' of {name} must be {' or '.join(kind.aggregations)} for "
                f"the kind {spec.kind}. Got {rules.aggregation!r}."
            )
        _check_frames(rules, kind, f"{card}: {name}")
    return spec


def _check_frames(rules: TaskRules, kind: Kind, subject: str) -> None:
    """Check a block against what kinds with an estimate for every frame can do."""
    of_frames = kind.estimate == "frame"
    if (rules.frames is not None) != of_frames:
        raise SpecError(
            f"{subject}: 'frames' must be given for kinds with an estimate for every frame, and "
            f"for no other. Got {'one' if rules.frames else 'none'}."
        )
    asked = {"hop_seconds": None, "tail": "keep", "batch_of": "clips", "scored": "track"}
    for field, value in asked.items():
        if of_frames and getattr(rules, field) != value:
            raise SpecError(
                f"{subject}: {field!r} must be {value!r} where there is an estimate for every "
                f"frame. Got {getattr(rules, field)!r}."
            )
