"""Result folders: where a result lies, how it is written whole, how it is read.

`<root>/<encoder>/<revision>/<task>@<version>/<protocol and variant>/` holds
`result.json` and `predictions.parquet`; merging two trees is copying files. The
record is written last and holds the digest of the predictions, so a folder is
whole or it says so. Everything is checked on the way in and on the way out, and
a file that cannot be read is an error, never passed over.
"""

from __future__ import annotations

import dataclasses
import hashlib
import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from marble_eval.errors import MissingError, ValidationError
from marble_eval.files.atomic_file import write_atomically
from marble_eval.results import predictions as table
from marble_eval.results.record import PredictionFile, Result
from marble_eval.results.schema import from_json, to_json

if TYPE_CHECKING:
    import pandas as pd

FILE = "result.json"


def result_folder(
    root: Path, *, encoder: str, revision: str, task: str, version: int, variant: str
) -> Path:
    """Say where a result lies."""
    return root.joinpath(
        *(_file_name(each) for each in (encoder, revision, f"{task}@{version}", variant))
    )


def _file_name(name: str) -> str:
    safe = re.sub(r"[^A-Za-z0-9._@,=+-]", "-", name)
    return safe if safe.strip(".") else "none"


def write_result(folder: Path, result: Result, predictions: pd.DataFrame) -> Path:
    """Write a result and its predictions, each whole or not at all."""
    path = folder / FILE
    try:
        table.check_predictions(predictions)
    except ValueError as error:
        raise ValidationError(f"{folder / table.FILE}: {error}") from None
    content = table.pack(predictions)
    written = dataclasses.replace(
        result, predictions=PredictionFile(table.FILE, hashlib.sha256(content).hexdigest())
    )
    text = to_json(written, str(path))
    named = (result.encoder.name, result.encoder.revision, result.task.name)
    check_replaceable(path, *named)
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / table.FILE, content)
    write_atomically(path, text.encode("utf-8"))
    return path


def check_replaceable(path: Path, encoder: str, revision: str, task: str) -> None:
    """Refuse to replace another's result: two names can become one folder name."""
    try:
        there = read_result(path)
    except (MissingError, ValidationError):
        return  # what cannot be read names nobody, and a new run is the way to mend it
    for what, name, other in (
        ("encoder", encoder, there.encoder.name),
        ("revision", revision, there.encoder.revision),
        ("task", task, there.task.name),
    ):
        if name != other:
            raise ValidationError(
                f"{path}: must be of {what} {name!r} to be replaced by it. Got {other!r}. "
                f"Rename one, or keep its results in another folder."
            )


def read_result(path: Path) -> Result:
    """Read a `result.json` and check it."""
    try:
        text = path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        raise MissingError(f"{path}: no such result file. Run the task first.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ValidationError(f"{path}: cannot be read as a result: {error}.") from None
    return from_json(text, str(path))


def read_predictions(path: Path) -> pd.DataFrame:
    """Read the predictions that belong to a result."""
    record = read_result(path).predictions
    if record is None:
        raise ValidationError(f"{path}: 'predictions' must name a file. Got null.")
    beside = path.with_name(record.file)
    try:
        content = beside.read_bytes()
    except FileNotFoundError:
        raise MissingError(f"{beside}: no such file, but {path.name} names it.") from None
    digest = hashlib.sha256(content).hexdigest()
    if digest != record.sha256:
        raise ValidationError(
            f"{beside}: must have the sha256 {record.sha256} that {path.name} was written with. "
            f"Got {digest}. Take the file from its source, or run the task again."
        )
    predictions = table.unpack(content)
    try:
        table.check_predictions(predictions)
    except ValueError as error:
        raise ValidationError(f"{beside}: {error}") from None
    return predictions


def find_results(root: Path) -> list[Path]:
    """Find every result file below a folder."""
    if not root.is_dir():
        raise MissingError(f"{root}: no such folder of results. Run a task first.")
    return sorted(root.rglob(FILE))


class Found(NamedTuple):
    """A result and the file it was read from."""

    path: Path
    result: Result


def results_below(place: Path) -> list[Found]:
    """Read a result file, or every one below a folder."""
    paths = [place] if place.is_file() else find_results(place)
    if not paths:
        raise MissingError(f"{place}: must hold a {FILE}. Got none. Run a task first.")
    return [Found(path, read_result(path)) for path in paths]
