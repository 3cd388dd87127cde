"""Build a submission: results copied into a folder, with all that describes them.

The folder is written under another name beside it, validated there, and renamed:
whoever sees it sees the whole. Nothing is ever written over.
"""

from __future__ import annotations

import errno
import shutil
import uuid
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from marble_eval.errors import MarbleError, SpecError, ValidationError
from marble_eval.results import Result, find_results, read_result
from marble_eval.results.folder import FILE as RESULT
from marble_eval.results.predictions import FILE as PREDICTIONS
from marble_eval.submission.checking import check_submission
from marble_eval.submission.derived_files import texts, write_tables
from marble_eval.submission.files import LONG, WIDE, listed_file, location_of
from marble_eval.submission.findings import Report
from marble_eval.submission.manifest import (
    FILE,
    MANIFEST_VERSION,
    Manifest,
    listed_result,
    manifest_text,
)

_LISTED = 20  # results named in a message; the others are counted


def build_submission(
    out: Path,
    folders: Sequence[Path],
    *,
    contact: str = "",
    note: str = "",
    embedded: bool = False,
) -> Report:
    """Build a submission."""
    if out.is_symlink() or (out.exists() and not (out.is_dir() and not any(out.iterdir()))):
        raise SpecError(
            f"{out}: must be absent or an empty folder. Got one with something in it. "
            f"Nothing is written over; name another."
        )
    found = [path for folder in folders for path in find_results(folder)]
    locations = _locations(found, embedded)
    if not locations:
        named = ", ".join(str(each) for each in folders)
        raise ValidationError(f"{named}: must hold a result to be submitted. Got none.")
    out = out.absolute()
    part = out.with_name(f".{out.name}.{uuid.uuid4().hex}.part")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        part.mkdir()
        _fill(part, locations, contact, note, embedded)
        report, _ = check_submission(part)
        if report.findings:
            raise ValidationError(_refusal(out, report, locations))
        if out.exists():
            out.rmdir()  # an empty folder; not every system renames over one
        part.rename(out)
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOENT) and out.is_dir():
            raise MarbleError(
                f"{out}: must be written by one build alone. Got another that finished first. "
                f"Its folder is kept; validate that one, or name another."
            ) from None
        raise MarbleError(f"{out}: cannot be written: {error}. Nothing is left there.") from None
    finally:
        shutil.rmtree(part, ignore_errors=True)
    report.submission = str(out)
    return report


def _locations(found: Sequence[Path], embedded: bool) -> dict[str, Path]:
    """Say where in the submission each result lies; the same one found twice is one."""
    locations: dict[str, Path] = {}
    other_sort = []
    for path in found:
        result = read_result(path)
        if result.task.embedded != embedded:
            other_sort.append(str(path))
        location = location_of(result, path.resolve().parent.name)
        other = locations.setdefault(location, path)
        if other != path and other.read_bytes() != path.read_bytes():
            raise ValidationError(
                f"{path}: must be the only result for {location}. Got {other} as well. Keep one."
            )
    if other_sort:
        what, rest = ("real", "without --embedded") if embedded else ("embedded", "with --embedded")
        named = "\n  ".join(other_sort[:_LISTED])
        more = f"\n  and {len(other_sort) - _LISTED} more" if len(other_sort) > _LISTED else ""
        raise ValidationError(
            f"{len(other_sort)} results on {what} data must not be submitted with the others:"
            f"\n  {named}{more}\nName folders without them, or build of them alone {rest}."
        )
    return dict(sorted(locations.items()))


def _fill(
    folder: Path, locations: dict[str, Path], contact: str, note: str, embedded: bool
) -> None:
    """Copy the results, and write what describes them; the manifest last."""
    results: dict[str, Result] = {}
    for location, path in locations.items():
        into = folder / location
        into.mkdir(parents=True)
        beside = path.with_name(PREDICTIONS)
        if not beside.is_file():
            raise ValidationError(f"{beside}: must be there to be submitted. Run the task again.")
        shutil.copyfile(path, into / RESULT)
        shutil.copyfile(beside, into / PREDICTIONS)
        results[f"{location}/{RESULT}"] = read_result(into / RESULT)
    try:
        write_tables(folder, [folder / each for each in results], embedded=embedded)
    except (ValueError, TypeError, OverflowError) as error:  # numbers that no table takes
        raise ValidationError(f"the results must make a leaderboard. Got {error}.") from None
    manifest = Manifest(
        schema_version=MANIFEST_VERSION,
        tool_version=version("marble-eval"),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        contact=contact,
        note=note,
        embedded=embedded,
        files=(),
        results=tuple(listed_result(path, each) for path, each in results.items()),
    )
    described = texts(results, manifest)
    for name, text in described.items():
        (folder / name).write_bytes(text.encode("utf-8"))
    names = [*described, LONG, WIDE]
    names += [f"{location}/{name}" for location in locations for name in (RESULT, PREDICTIONS)]
    whole = replace(manifest, files=tuple(listed_file(folder, each) for each in names))
    (folder / FILE).write_bytes(manifest_text(whole).encode("utf-8"))


def _refusal(out: Path, report: Report, locations: dict[str, Path]) -> str:
    """Say what is wrong with the results, by the names that the sender knows."""
    lines = []
    for each in report.findings:
        location, _, name = each.file.rpartition("/")
        source = locations.get(location)
        lines.append(str(each if source is None else replace(each, file=str(source.parent / name))))
    return f"{out}: is not built, for {len(lines)} findings:\n  " + "\n  ".join(lines)
