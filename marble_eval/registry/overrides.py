"""What a task folder's ``task.py`` puts in the place of its kind's functions, or adds to it.

It may define functions named as in `REPLACEABLE`, which take the arguments of the kind's,
and ``METRICS``, records of metrics that its ``score`` computes; the kind's own metrics then
stay what they are. Anything that looks like one of these under another name is refused.
"""

from __future__ import annotations

import difflib
import inspect
from copy import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from marble_eval.errors import SpecError
from marble_eval.metrics.metric import BY_RECORDING, Metric

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import ModuleType

    from marble_eval.kinds import Kind
    from marble_eval.spec import TaskSpec

#: The functions that a ``task.py`` may define.
REPLACEABLE = ("read_tracks", "remarks", "encode", "decode", "score")

_KNOWN = ", ".join((*REPLACEABLE, "METRICS"))
_NEAR = 0.75  # of difflib's ratio

AnyKind = TypeVar("AnyKind", bound="Kind")


def overridden(kind: AnyKind, functions: Mapping[str, Callable[..., object]]) -> AnyKind:
    """Return the kind with other functions in the place of its own."""
    other = copy(kind)
    vars(other).update(functions)
    return other


def own_kind(kind: Kind, module: ModuleType, subject: str) -> Kind:
    """Return the kind as a ``task.py`` changes it; a SpecError for what it cannot."""
    names = vars(module)
    functions = {name: names[name] for name in REPLACEABLE if callable(names.get(name))}
    metrics = _own_metrics(names, subject)
    _refuse_others(module, kind, subject)
    if not functions and not metrics:
        raise SpecError(f"{subject}: must define at least one of {_KNOWN}. Got none of them.")
    score = functions.get("score")
    if kind.estimate == "track" and score is not None and not _takes_weights(score):
        raise SpecError(
            f"{subject}: 'score' must take weights=None, one row for each bootstrap resample with "
            f"a number for each track. It takes {inspect.signature(score)}."
        )
    if not metrics:
        return overridden(kind, functions)
    if score is None:
        raise SpecError(f"{subject}: METRICS needs a function 'score' that computes them.")
    taken = [name for name in metrics if name in {each.name for each in kind.metrics}]
    if taken:
        raise SpecError(
            f"{subject}: METRICS must have names that the kind {kind.name} does not have. "
            f"Got {taken[0]!r}."
        )
    return overridden(kind, functions | _with_metrics(kind, metrics, score, subject))


def _own_metrics(names: Mapping[str, object], subject: str) -> dict[str, Metric]:
    for name, value in names.items():
        if name != "METRICS" and not name.startswith("_") and _holds_metrics(value):
            raise SpecError(
                f"{subject}: metrics must be named METRICS, or begin with _. Got {name!r}."
            )
    metrics = names.get("METRICS", ())
    if not isinstance(metrics, tuple | list) or (
        "METRICS" in names and not _holds_metrics(metrics)
    ):
        raise SpecError(f"{subject}: METRICS must be a tuple of Metric. Got {metrics!r}.")
    for each in metrics:
        if not each.name.isidentifier() or each.name.endswith(BY_RECORDING):
            raise SpecError(
                f"{subject}: the name of a metric must be letters, digits and _, and not end with "
                f"{BY_RECORDING}. Got {each.name!r}."
            )
    return {each.name: each for each in metrics}


def _holds_metrics(value: object) -> bool:
    items = value if isinstance(value, tuple | list) else (value,)
    return bool(items) and all(isinstance(each, Metric) for each in items)


def _refuse_others(module: ModuleType, kind: Kind, subject: str) -> None:
    """Refuse public functions whose name is nearly one that is asked for, or another of the kind's.

    Other helpers may be called as they like.
    """
    for name, value in vars(module).items():
        defined_here = inspect.isfunction(value) and value.__module__ == module.__name__
        if defined_here and not name.startswith("_") and name not in REPLACEABLE:
            near = [each for each in REPLACEABLE if _is_near(name, each)]
            if near or callable(getattr(kind, name, None)):
                hint = f"Did you mean {' or '.join(map(repr, near))}? " if near else ""
                raise SpecError(
                    f"{subject}: {name!r} is no name that is asked for. {hint}Known: {_KNOWN}. "
                    f"A helper may begin with _."
                )


def _is_near(name: str, known: str) -> bool:
    if name.startswith(f"{known}_") or known.startswith(f"{name}_"):
        return True
    return difflib.SequenceMatcher(None, name.casefold(), known).ratio() >= _NEAR


def _takes_weights(score: Callable[..., object]) -> bool:
    taken = inspect.signature(score).parameters
    return "weights" in taken or any(each.kind is each.VAR_KEYWORD for each in taken.values())


def _with_metrics(
    kind: Kind, own: Mapping[str, Metric], score: Callable[..., Any], subject: str
) -> dict[str, Callable[..., object]]:
    """Let the folder's score compute its own metrics, and the kind's all others."""
    theirs: Any = kind

    def item_scores(reference: Any, estimate: Any, spec: TaskSpec) -> np.ndarray:
        main = next(iter(kind.metrics_of(spec)))
        found = theirs.item_scores(reference, estimate, replace(spec, metrics=(main,)))
        return np.asarray(found)

    def with_items(metric: Metric) -> Metric:
        own_items = kind.estimate != "track" or metric.item_scores is not None
        return metric if own_items else replace(metric, item_scores=item_scores)

    added = {name: with_items(each) for name, each in own.items()}

    def metrics_of(spec: TaskSpec) -> dict[str, Metric]:
        return {**kind.metrics_of(spec), **added}

    def parts(spec: TaskSpec) -> list[tuple[Callable[..., Any], TaskSpec]]:
        ours = tuple(each for each in spec.metrics if each in own)
        others = tuple(each for each in spec.metrics if each not in own)
        both = ((score, ours), (theirs.score, others))
        return [(each, replace(spec, metrics=names)) for each, names in both if names]

    def of_tracks(
        reference: np.ndarray,
        estimate: np.ndarray,
        spec: TaskSpec,
        *,
        weights: np.ndarray | None = None,
    ) -> dict[str, np.ndarray]:
        found: dict[str, np.ndarray] = {}
        for compute, of_part in parts(spec):
            found |= compute(reference, estimate, of_part, weights=weights)
            for name in of_part.metrics:
                shape = () if weights is None else np.shape(weights)[:-1]
                if name not in found or np.shape(found[name]) != shape:
                    got = f"shape {np.shape(found[name])}" if name in found else "none"
                    raise SpecError(
                        f"{subject}: 'score' must give {name!r} with the shape {shape}, one value "
                        f"for each row of weights. Got {got}."
                    )
        return {name: np.asarray(found[name], dtype=np.float64) for name in spec.metrics}

    def of_frames(reference: Any, estimate: Any, spec: TaskSpec, rules: Any) -> np.ndarray:
        rows: dict[str, np.ndarray] = {}
        for compute, of_part in parts(spec):
            counts = np.asarray(compute(reference, estimate, of_part, rules), dtype=np.float64)
            if counts.shape != (len(of_part.metrics), 2):
                raise SpecError(
                    f"{subject}: 'score' must give a numerator and a denominator for each of "
                    f"{', '.join(of_part.metrics)}. Got the shape {counts.shape}."
                )
            rows |= zip(of_part.metrics, counts, strict=True)
        return np.array([rows[name] for name in spec.metrics])

    return {
        "metrics_of": metrics_of,
        "score": of_frames if kind.estimate == "frame" else of_tracks,
    }
