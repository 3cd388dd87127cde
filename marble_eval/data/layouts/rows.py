"""Rows of a text file: read as UTF-8, and every bad one named before anything is said.

A row's faults are gathered, not raised one by one: a user mends a table once.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from marble_eval.data import text_files
from marble_eval.data.text_files import found_file, is_there, normal
from marble_eval.errors import ValidationError

_NAME = r"(?:\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*')"
_QUOTED = re.compile(_NAME)
_LIST = re.compile(
    rf"(?:\[\s*(?:{_NAME}(?:\s*,\s*{_NAME})*\s*,?\s*)?\]"
    rf"|\(\s*{_NAME}(?:\s*,\s*{_NAME})*\s*,?\s*\)"
    rf"|\{{\s*{_NAME}(?:\s*,\s*{_NAME})*\s*,?\s*\}})"
)
_LISTED = 20  # faults named in a message; the others are counted


def text_of(path: Path) -> str:
    """Read a text file with lines ended by LF; a ValidationError says why it cannot be read."""
    try:
        return text_files.text_of(path).replace("\r\n", "\n").replace("\r", "\n")
    except ValueError as error:
        raise ValidationError(str(error)) from None


def json_row(line: str, fields: Sequence[str]) -> dict[str, Any]:
    """Read a JSON object that has these fields, its text in the form NFC.

    >>> json_row('{"path": "a.wav"}', ("path",))
    {'path': 'a.wav'}
    """
    rule = f"must be a JSON object with {', '.join(repr(each) for each in fields)}."
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{rule} Got {line[:80]!r} ({error}).") from None
    if not isinstance(row, dict) or any(each not in row for each in fields):
        raise ValueError(f"{rule} Got {line[:80]!r}.")
    found: dict[str, Any] = normal_value(row)
    return found


def listed(cell: str) -> list[str] | None:
    """Read a cell in which a program wrote a list, as Python or JSON has it; None if it is none."""
    text = cell.strip()
    if _LIST.fullmatch(text):
        return [_unquoted(each) for each in _QUOTED.findall(text)]
    if text.startswith("[") and text.endswith("]"):
        raise ValueError(
            f"a list in a cell must have each name in quotes and commas between. Got {cell[:80]!r}."
        )
    return None


def _unquoted(name: str) -> str:
    if "\\" not in name:
        return name[1:-1]
    try:  # JSON's escapes, which cover what Python's repr writes in names
        return str(json.loads('"' + name[1:-1].replace("\\'", "'").replace('"', '\\"') + '"'))
    except ValueError:
        raise ValueError(f"a name in a list must be readable. Got {name[:80]}.") from None


def normal_value(value: Any) -> Any:
    """Bring all text in a value to the form NFC, so that a name is one name however it is typed."""
    if isinstance(value, str):
        return normal(value)
    if isinstance(value, list):
        return [normal_value(each) for each in value]
    if isinstance(value, dict):
        return {normal_value(name): normal_value(each) for name, each in value.items()}
    return value


def below(root: Path, audio: PurePosixPath) -> Path:
    """Find a path that was written relative to some folder above the root, or absolute.

    A file that is not there is where it should be; an absolute path of which no end is below
    the root stays as it is.
    """
    parts = audio.parts
    for start in range(len(parts)):
        candidate = found_file(root.joinpath(*parts[start:]))
        if parts[start] not in ("/", "..", ".") and is_there(candidate):
            return candidate
    return found_file(root / audio)


def refuse(faults: Sequence[str], path: Path, what: str = "rows") -> None:
    """Raise all faults of a file at once, if there are any."""
    if len(faults) == 1:
        raise ValidationError(f"{path}{', ' if what == 'rows' else ': '}{faults[0]}")
    if faults:
        more = f"\n  and {len(faults) - _LISTED} more" if len(faults) > _LISTED else ""
        listed = "\n  ".join(faults[:_LISTED])
        raise ValidationError(f"{path}: {len(faults)} {what} break a rule:\n  {listed}{more}")


def listing_faults(names: Iterable[str], published: Collection[str]) -> list[str]:
    """Say which rows are not on a published list, there twice, or missing.

    >>> listing_faults(["0001"], ["0001", "0002"])
    ['0002: must have a row, like all of the published list.']
    """
    times = Counter(names)
    return [
        *(
            f"{name}: must be on the published list, and in one row. Got {count} rows."
            for name, count in times.items()
            if count > 1 or name not in published
        ),
        *(
            f"{name}: must have a row, like all of the published list."
            for name in published
            if name not in times
        ),
    ]
