"""The manifest of a submission, `submission.json`: every file with its checksum, every result.

It follows the schema `marble_eval/results/schemas/submission.schema.json`. JSON from others is
read strictly: no NaN, no name twice in an object, no more bytes than a manifest can need.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema

from marble_eval.errors import SpecError
from marble_eval.results import Result
from marble_eval.spec import from_mapping
from marble_eval.submission.findings import Finding, shown

FILE = "submission.json"
MANIFEST_VERSION = 1
# A thousand results make 0.6 MB of manifest; NSynth's 112 classes 23 kB of result.
_LARGEST = 64 * 2**20  # bytes of a file of JSON


@dataclass(frozen=True, slots=True)
class ListedFile:
    """A file of the submission; its path has "/" between the parts."""

    path: str
    sha256: str
    bytes: int


@dataclass(frozen=True, slots=True)
class ListedResult:
    """A result of the submission, as its `result.json` says."""

    path: str
    encoder: str
    revision: str
    task: str
    task_version: int
    protocol: str
    conforms: bool
    unit: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What `submission.json` holds; `embedded` marks a rehearsal on embedded data."""

    schema_version: int
    tool_version: str
    created: str
    contact: str
    note: str
    embedded: bool
    files: tuple[ListedFile, ...]
    results: tuple[ListedResult, ...]


def listed_result(path: str, result: Result) -> ListedResult:
    """Say of a result what the manifest does."""
    return ListedResult(
        path=path,
        encoder=result.encoder.name,
        revision=result.encoder.revision,
        task=result.task.name,
        task_version=result.task.version,
        protocol=result.protocol.name,
        conforms=result.protocol.conforms,
        unit=result.unit,
    )


def manifest_schema() -> dict[str, Any]:
    """Read the schema that ships with the package."""
    file = resources.files("marble_eval.results") / "schemas" / "submission.schema.json"
    schema: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return schema


def manifest_text(manifest: Manifest) -> str:
    """Write a manifest as JSON; the same text for the same manifest."""
    return json.dumps(dataclasses.asdict(manifest), indent=1, ensure_ascii=False) + "\n"


def read_manifest(folder: Path) -> tuple[Manifest | None, list[Finding]]:
    """Read the manifest of a submission."""
    path = folder / FILE
    if path.is_symlink() or not path.is_file():
        rule = "must be there: every submission has one, written last"
        return None, [Finding(FILE, rule, "no such file", "a plain file")]
    values, fault = strict_json(path)
    if fault is not None:
        return None, [Finding(FILE, "must be strict JSON", fault, "one JSON object")]
    version = values.get("schema_version") if isinstance(values, dict) else None
    if version != MANIFEST_VERSION:
        rule = "'schema_version' must be known; a newer marble-eval may read it"
        return None, [Finding(FILE, rule, shown(version), str(MANIFEST_VERSION))]
    validator = jsonschema.Draft202012Validator(manifest_schema())
    findings = [
        Finding(
            FILE,
            f"/{'/'.join(str(part) for part in each.absolute_path)} must follow the schema",
            shown(each.message),
            f"what {each.validator!r} asks",
        )
        for each in validator.iter_errors(values)
    ]
    if findings:
        return None, findings
    try:
        return from_mapping(Manifest, values, FILE), []
    except SpecError as error:
        return None, [Finding(FILE, "must follow the schema", shown(str(error)), "a manifest")]


def strict_json(path: Path) -> tuple[Any, str | None]:
    """Read JSON from somebody else."""
    size = path.stat().st_size
    if size > _LARGEST:
        return None, f"{size} bytes, more than the {_LARGEST} that are read"
    try:
        text = path.read_bytes().decode("utf-8")
        return json.loads(text, parse_constant=_refused, object_pairs_hook=_once), None
    except (OSError, ValueError) as error:
        return None, shown(str(error))
    except RecursionError:
        return None, "lists or objects too deep in each other"


def _refused(name: str) -> float:
    raise ValueError(f"{name} is no JSON number")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{twice!r} twice in one object")
    return found
