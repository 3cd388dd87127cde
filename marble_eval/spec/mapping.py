"""From a YAML mapping to a frozen dataclass, with the types checked.

Hydra refuses keys it does not know, but not values of the wrong type, and task
cards never pass through it; so every mapping is checked here, in one way.
"""

from __future__ import annotations

import dataclasses
import datetime
import math
import types
from collections.abc import Mapping
from functools import cache
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from marble_eval.errors import SpecError, near_misses

Spec = TypeVar("Spec")


def from_mapping(spec: type[Spec], values: Mapping[str, Any], subject: str) -> Spec:
    """Build a frozen dataclass from a mapping.

    Parameters
    ----------
    spec : type
        A dataclass; its fields' annotations are the rule.
    values : mapping of str to object
        One value for each field; fields that have a default may be left out.
    subject : str
        Subject of error messages: a path or a config's name.

    Returns
    -------
    Spec
        The dataclass, lists turned into tuples and nested mappings into theirs.

    Raises
    ------
    SpecError
        If a name is unknown or missing, a value has the wrong type, or a number
        is not finite.

    Examples
    --------
    >>> @dataclasses.dataclass(frozen=True)
    ... class Hop:
    ...     seconds: float
    >>> from_mapping(Hop, {"seconds": 5}, "card.yaml")
    Hop(seconds=5.0)
    """
    if not isinstance(values, Mapping):
        raise SpecError(f"{subject}: must be a mapping of names to values. Got {values!r}.")
    fields = {each.name: each for each in dataclasses.fields(spec)}  # type: ignore[arg-type]
    for name in values:
        if name not in fields:
            raise SpecError(f"{subject}: unknown name {name!r}. {near_misses(str(name), fields)}")
    hints = _hints(spec)  # type: ignore[arg-type]  # a class can be hashed
    built: dict[str, Any] = {}
    for name, field in fields.items():
        if name in values:
            built[name] = _checked(hints[name], values[name], f"{subject}: {name!r}")
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise SpecError(f"{subject}: {name!r} is missing. Add it.")
    try:
        return spec(**built)
    except SpecError:
        raise
    except ValueError as error:
        raise SpecError(f"{subject}: {error}") from None


@cache  # a tree of results asks for the same few classes thousands of times
def _hints(spec: type) -> dict[str, Any]:
    return get_type_hints(spec)


def _checked(hint: Any, value: Any, subject: str) -> Any:
    """Return a value in the type of its annotation, or say why it cannot be."""
    origin, arguments = get_origin(hint), get_args(hint)
    if hint is Any:
        return value
    if origin in (Union, types.UnionType):
        return _checked_union(arguments, value, subject)
    if origin is Literal:
        if value not in arguments:
            known = [str(each) for each in arguments]
            raise SpecError(
                f"{subject} must be one of {', '.join(known)}. Got {value!r}. "
                f"{near_misses(str(value), known)}"
            )
        return value
    if origin is tuple:
        if isinstance(value, str) or not isinstance(value, list | tuple):
            raise SpecError(f"{subject} must be a list. Got {value!r}.")
        return tuple(
            _checked(arguments[0], each, f"{subject}[{index}]") for index, each in enumerate(value)
        )
    if origin is not None and issubclass(origin, Mapping):
        if not isinstance(value, Mapping):
            raise SpecError(f"{subject} must be a mapping. Got {value!r}.")
        return {
            _checked(arguments[0], key, f"{subject} name"): _checked(
                arguments[1], each, f"{subject}[{key!r}]"
            )
            for key, each in value.items()
        }
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return value if isinstance(value, hint) else from_mapping(hint, value, subject)
    return _checked_scalar(hint, value, subject)


def _checked_union(arguments: tuple[Any, ...], value: Any, subject: str) -> Any:
    """Take the first member of a union that the value fits; None only for None."""
    if value is None and type(None) in arguments:
        return None
    members = [each for each in arguments if each is not type(None)]
    complaints = {}
    for each in members:
        try:
            return _checked(each, value, subject)
        except SpecError as error:
            complaints[each] = str(error)
    for each in members:  # what is wrong inside a list or mapping says more
        if isinstance(value, _container(each)):
            raise SpecError(complaints[each])
    rule = " or ".join(_named(each) for each in arguments)
    raise SpecError(f"{subject} must be {rule}. Got {value!r}.")


def _container(hint: Any) -> tuple[type, ...]:
    """Return the types in which YAML brings lists and mappings; none for a single value."""
    if get_origin(hint) is tuple:
        return (list, tuple)
    is_mapping = dataclasses.is_dataclass(hint) or get_origin(hint) not in (None, Literal)
    return (Mapping,) if is_mapping else ()


def _named(hint: Any) -> str:
    """Say in words what a member of a union takes."""
    if hint is type(None):
        return "null"
    if get_origin(hint) is Literal:
        return " or ".join(repr(each) for each in get_args(hint))
    if _container(hint):
        return "a mapping" if Mapping in _container(hint) else "a list"
    return f"of type {hint.__name__}"


def _checked_scalar(hint: Any, value: Any, subject: str) -> Any:
    if hint is float:
        return _checked_number(value, subject)
    if not isinstance(value, hint) or (hint is int and isinstance(value, bool)):
        quotes = hint is str and isinstance(value, bool | int | float | datetime.date)
        next_step = (
            " Put it in quotes: YAML reads yes, no, on, off, 01, 1.0 and dates as other values."
            if quotes or (hint is str and value is None)
            else ""
        )
        raise SpecError(f"{subject} must be of type {hint.__name__}. Got {value!r}.{next_step}")
    return value


def _checked_number(value: Any, subject: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise SpecError(f"{subject} must be of type float. Got {value!r}.")
    try:
        # YAML 1.1 reads 5e-5 (no dot) as text; a number written so is meant as one.
        number = float(value)
    except (ValueError, OverflowError):
        raise SpecError(f"{subject} must be of type float. Got {value!r}.") from None
    if not math.isfinite(number):
        raise SpecError(f"{subject} must be a finite number. Got {value!r}.")
    return number
