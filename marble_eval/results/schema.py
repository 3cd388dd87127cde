"""Between a `Result` and the text of a `result.json`, under the published schema.

Strict JSON: no NaN, no infinity. What is written is checked as a reader will see
it, with the same schema (`marble_eval/results/schemas/result.schema.json`, JSON Schema
2020-12), which other tools can use as well.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterator
from functools import cache
from importlib import resources
from typing import Any

import jsonschema
import numpy as np

from marble_eval.errors import SpecError, ValidationError
from marble_eval.results.older import OLDEST, brought_up
from marble_eval.results.record import SCHEMA_VERSION, Result
from marble_eval.spec import from_mapping


def load_schema() -> dict[str, Any]:
    """Read the schema that ships with the package."""
    file = resources.files("marble_eval.results") / "schemas" / "result.schema.json"
    schema: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return schema


def to_json(result: Result, subject: str) -> str:
    """Write a result as text."""
    values = dataclasses.asdict(result)
    for where, number in _reals(values, ""):
        if not math.isfinite(number):
            raise ValidationError(
                f"{subject}: {where} must be a finite number. Got {number!r}. Nothing is written."
            )
    # jsonschema knows lists, not tuples: what is checked is what a reader will see.
    text = json.dumps(values, indent=1, ensure_ascii=False, allow_nan=False, default=_plain)
    _check(json.loads(text), subject)
    return text + "\n"


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"a result must be made from plain values. Got {type(value).__name__}.")


def _reals(value: Any, where: str) -> Iterator[tuple[str, float]]:
    """Walk to every real number, with the way to it."""
    if isinstance(value, dict):
        for name, each in value.items():
            yield from _reals(each, f"{where}/{name}")
    elif isinstance(value, list | tuple):
        for index, each in enumerate(value):
            yield from _reals(each, f"{where}/{index}")
    elif isinstance(value, float | np.floating):
        yield where, float(value)


def from_json(text: str, subject: str) -> Result:
    """Read a result from text and check it."""
    try:
        values = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:  # not JSON, or nested without end
        raise ValidationError(
            f"{subject}: must be strict JSON. Got an error: {error}. Run the task again."
        ) from None
    version = values.get("schema_version") if isinstance(values, dict) else None
    if type(version) is not int or not OLDEST <= version <= SCHEMA_VERSION:
        raise ValidationError(
            f"{subject}: 'schema_version' must be from {OLDEST} to {SCHEMA_VERSION}. "
            f"Got {version!r}. "
            f"Use the version of marble-eval that wrote it, or run the task again."
        )
    try:
        values = brought_up(values, version, SCHEMA_VERSION)
    except (KeyError, TypeError) as error:
        raise ValidationError(
            f"{subject}: is not as the result schema of version {version} asks: {error} is "
            f"missing or no object. Take the file from its source, or run the task again."
        ) from None
    _check(values, subject)
    try:
        return from_mapping(Result, values, subject)
    except SpecError as error:
        raise ValidationError(str(error)) from None


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON number")


@cache
def _validator() -> Any:
    return jsonschema.Draft202012Validator(load_schema())


def _check(values: Any, subject: str) -> None:
    """Refuse a record that the schema refuses; the most specific error is reported."""
    error = jsonschema.exceptions.best_match(_validator().iter_errors(values))
    if error is not None:
        where = "/" + "/".join(str(each) for each in error.absolute_path)
        raise ValidationError(
            f"{subject}: {where} is not as the result schema asks: {error.message}. "
            f"Run the task again, or take the file from its source."
        )
