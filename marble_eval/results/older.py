"""Records of an older schema, as they read today.

What an older schema did not ask for is said to be unrecorded, never filled in as if it
were known, and the reader of the result is told. Schemas before the oldest one known
here lack what cannot be made up for, so they are refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

_UNRECORDED = "not recorded"


def _from_3(values: dict[str, Any]) -> dict[str, Any]:
    """Version 4 tells what the weights were trained on, and whose code was run."""
    unrecorded = {"trained_on": _UNRECORDED, "overlap": _UNRECORDED, "citation": _UNRECORDED}
    # Neither steps of pre-training nor code of a repository could be run before version 4.
    encoder = {**values["encoder"], **unrecorded, "step": None, "remote_code": None}
    said = "read from a record of schema version 3, without training data, overlap and citation"
    return {**values, "encoder": encoder, "remarks": [*values["remarks"], said]}


_STEPS: Mapping[int, Callable[[dict[str, Any]], dict[str, Any]]] = {3: _from_3}

#: The oldest schema version that is read.
OLDEST = min(_STEPS)


def brought_up(values: dict[str, Any], version: int, newest: int) -> dict[str, Any]:
    """Give a record of an older schema the shape of the newest.

    Parameters
    ----------
    values : dict
        Content of a `result.json`.
    version : int
        Its schema version, from `OLDEST` to ``newest``.
    newest : int
        The schema version wanted.

    Returns
    -------
    dict
        The record; ``values`` is as it was.

    Raises
    ------
    KeyError
        If a part is missing that every schema has.

    Examples
    --------
    >>> old = {"schema_version": 3, "encoder": {"name": "mel"}, "remarks": []}
    >>> brought_up(old, 3, 4)["encoder"]["trained_on"]
    'not recorded'
    """
    for step in range(version, newest):
        values = {**_STEPS[step](values), "schema_version": step + 1}
    return values
