"""Read a task's card, and hold it against its kind."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from marble_eval.configuration import read_yaml
from marble_eval.errors import SpecError, near_misses
from marble_eval.spec import TaskRules, TaskSpec, from_mapping


def read_card(path: Path) -> TaskSpec:
    """Read a task card.

    Parameters
    ----------
    path : Path
        A ``task.yaml``.

    Returns
    -------
    TaskSpec
        The card.

    Raises
    ------
    SpecError
        If it is not YAML or breaks a rule.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SpecError(f"{path}: must be a readable YAML file. {error}") from None
    return from_mapping(TaskSpec, read_yaml(text, str(path)), str(path))


def completed(spec: TaskSpec, kind: Any, card: Path) -> TaskSpec:
    """Fill in what the kind knows, and hold the card against the kind.

    Parameters
    ----------
    spec : TaskSpec
        The card as it was read.
    kind : module
        Of `marble_eval.kinds`.
    card : Path
        Its file, for messages.

    Returns
    -------
    TaskSpec
        With labels and metrics.

    Raises
    ------
    SpecError
        If labels, metrics or rules are not such as the kind has.
    """
    if kind.LABELS is not None:
        if spec.labels not in ((), kind.LABELS):
            raise SpecError(
                f"{card}: 'labels' must be those of the kind {spec.kind}, {kind.LABELS[0]} to "
                f"{kind.LABELS[-1]}, or be left out. Got {spec.labels!r}."
            )
        spec = replace(spec, labels=kind.LABELS)
    if spec.kind == "regression" and not spec.labels:
        raise SpecError(f"{card}: 'labels' must name the dimensions, which are columns. Add them.")
    if spec.kind == "classification" and len(spec.labels) == 1:
        raise SpecError(f"{card}: 'labels' must be two or more. Got {spec.labels!r}.")
    known = kind.metrics_of(spec)
    unknown = [each for each in spec.metrics if each not in known]
    if unknown:
        raise SpecError(f"{card}: unknown metric {unknown[0]!r}. {near_misses(unknown[0], known)}")
    spec = replace(spec, metrics=spec.metrics or tuple(known))
    if spec.higher_is_better != known[spec.main_metric]:
        raise SpecError(
            f"{card}: 'higher_is_better' must be {known[spec.main_metric]} for "
            f"{spec.main_metric}. Got {spec.higher_is_better}."
        )
    for name, rules in spec.protocols.items():
        if rules.aggregation not in kind.AGGREGATIONS:
            raise SpecError(
                f"{card}: 'aggregation' of {name} must be {' or '.join(kind.AGGREGATIONS)} for "
                f"the kind {spec.kind}. Got {rules.aggregation!r}."
            )
        _check_frames(rules, kind, f"{card}: {name}")
    return spec


def _check_frames(rules: TaskRules, kind: Any, subject: str) -> None:
    """Hold a block against what kinds with an estimate for every frame can do."""
    if (rules.frames is not None) != kind.FRAMES:
        raise SpecError(
            f"{subject}: 'frames' must be given for kinds with an estimate for every frame, and "
            f"for no other. Got {'one' if rules.frames else 'none'}."
        )
    asked = {"hop_seconds": None, "tail": "keep", "batch_of": "clips", "scored": "track"}
    for field, value in asked.items():
        if kind.FRAMES and getattr(rules, field) != value:
            raise SpecError(
                f"{subject}: {field!r} must be {value!r} where there is an estimate for every "
                f"frame. Got {getattr(rules, field)!r}."
            )
