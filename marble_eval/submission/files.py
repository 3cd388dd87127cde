"""The files of a submission: all that the manifest lists, none more, none changed or misplaced.

A submission is plain files in plain folders. Nothing in it may be a link, and no path may
lead out of it, so that whoever unpacks one reads and writes nothing else.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
import re
import stat
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from marble_eval.results import result_folder
from marble_eval.results.folder import FILE as RESULT
from marble_eval.results.predictions import FILE as PREDICTIONS
from marble_eval.submission.findings import Finding, printable, shown
from marble_eval.submission.manifest import FILE as MANIFEST
from marble_eval.submission.manifest import ListedFile, Manifest, listed_result

if TYPE_CHECKING:
    from marble_eval.results import Result
    from marble_eval.submission.submitted import Submitted

README, LICENCES, ENVIRONMENT = "README.md", "LICENCES.md", "environment.json"
LONG, WIDE = "leaderboard.csv", "leaderboard.wide.csv"
#: The files that every submission has, beside the manifest and its results.
NAMED = (README, LICENCES, ENVIRONMENT, LONG, WIDE)
RESULTS = "results"
# What `marble_eval.results.result_folder` makes: encoder, revision, task, variant.
_PART = r"(?!\.+/)[A-Za-z0-9._@,=+-]+"
_OF_RESULT = re.compile(rf"{RESULTS}/(?:{_PART}/){{4}}(?:{RESULT}|{PREDICTIONS})", re.ASCII)


def listed_file(folder: Path, path: str) -> ListedFile:
    """Say of a file what the manifest does."""
    with (folder / path).open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
        return ListedFile(path, digest, stream.tell())


def check_files(folder: Path, manifest: Manifest) -> tuple[set[str], list[Finding]]:
    """Hold the files of a folder against the manifest."""
    there, findings = _files_of(folder)
    listed: dict[str, ListedFile] = {}
    for each in manifest.files:
        fault = _path_fault(each.path)
        if fault is not None:
            findings.append(
                Finding(MANIFEST, "'files' must name files of this format", fault, _shape())
            )
        else:
            listed.setdefault(each.path, each)
    findings += _twice(manifest)
    findings += [
        Finding(path, "must be in the manifest", "an extra file", "no other file")
        for path in sorted(there - set(listed) - {MANIFEST})
    ]
    for path in (*NAMED, *_beside(set(listed))):
        if path not in listed:
            rule = "must be in every submission, and in its manifest"
            findings.append(Finding(path, rule, "not named there", "a file"))
    for path, entry in listed.items():
        if path not in there:
            rule = "must be there, since the manifest names it"
            findings.append(Finding(path, rule, "no such plain file", f"{entry.bytes} bytes"))
        else:
            findings += _changed(folder, entry)
    return there & set(listed), findings


def _files_of(folder: Path) -> tuple[set[str], list[Finding]]:
    """Name every plain file below a folder, and everything that is neither file nor folder."""
    there: set[str] = set()
    closed: list[OSError] = []
    findings = []
    for path, mode in _walk(folder, closed):
        name = path.relative_to(folder).as_posix()
        if stat.S_ISREG(mode):
            there.add(name)
        elif not stat.S_ISDIR(mode):
            what = "a link" if stat.S_ISLNK(mode) else "something else"
            rule = "must be a plain file in a plain folder"
            findings.append(Finding(name, rule, what, "no links and no devices"))
    findings += [
        Finding(Path(each.filename).name, "must be a folder that can be read", str(each), "one")
        for each in closed
    ]
    return there, findings


def _walk(folder: Path, closed: list[OSError]) -> Iterator[tuple[Path, int]]:
    """Walk through a folder without following a link; collect what cannot be looked into."""
    for parent, folders, files in os.walk(folder, followlinks=False, onerror=closed.append):
        for name in sorted([*folders, *files]):
            path = Path(parent) / name
            yield path, path.lstat().st_mode


def _path_fault(path: str) -> str | None:
    """Say what is wrong with a path in the manifest."""
    if path in NAMED or _OF_RESULT.fullmatch(path):
        return None
    parts = PurePosixPath(path.replace("\\", "/")).parts
    if ".." in parts or path.startswith(("/", "\\")) or re.match(r"[A-Za-z]:", path):
        return f"{shown(path)}, which leads out of the folder"
    return shown(path)


def _shape() -> str:
    return f"{', '.join(NAMED)} or {RESULTS}/ENCODER/REVISION/TASK@VERSION/PROTOCOL/{RESULT}"


def _twice(manifest: Manifest) -> list[Finding]:
    """Name what the manifest lists twice, also where a file system would not tell two apart."""
    found = []
    for what, paths in (
        ("files", [each.path for each in manifest.files]),
        ("results", [each.path for each in manifest.results]),
    ):
        for folded, count in Counter(each.casefold() for each in paths).items():
            if count > 1:
                rule = f"{what!r} must name a path once, whatever its case"
                found.append(Finding(MANIFEST, rule, f"{shown(folded)} {count} times", "once"))
    return found


def _beside(listed: set[str]) -> list[str]:
    """Name what belongs beside the files of results that are listed."""
    folders = {path.rpartition("/")[0] for path in listed if path.startswith(f"{RESULTS}/")}
    return [f"{folder}/{name}" for folder in sorted(folders) for name in (RESULT, PREDICTIONS)]


def _changed(folder: Path, entry: ListedFile) -> list[Finding]:
    """Say how a file differs from what the manifest says of it."""
    size = (folder / entry.path).stat().st_size
    if size != entry.bytes:
        rule = "must be as long as the manifest says"
        return [Finding(entry.path, rule, f"{size} bytes", f"{entry.bytes} bytes")]
    found = listed_file(folder, entry.path)
    if found.sha256 != entry.sha256:
        rule = "must have the sha256 of the manifest"
        return [Finding(entry.path, rule, found.sha256, printable(entry.sha256))]
    return []


def location_of(result: Result, variant: str) -> str:
    """Say where a result lies in a submission."""
    return result_folder(
        Path(RESULTS),
        encoder=result.encoder.name,
        revision=result.encoder.revision,
        task=result.task.name,
        version=result.task.version,
        variant=variant,
    ).as_posix()


def check_locations(
    manifest: Manifest, files: Sequence[str], submitted: Sequence[Submitted]
) -> list[Finding]:
    """Hold the manifest's list of results, and the folders they lie in, against the records."""
    listed = {each.path: each for each in manifest.results}
    found = [
        Finding(
            MANIFEST, "'results' must name results that are there", shown(path), "a result.json"
        )
        for path in sorted(set(listed) - set(files))
    ]
    found += [
        Finding(path, "must be in 'results' of the manifest", "no entry", "one")
        for path in sorted(set(files) - set(listed))
    ]
    for each in submitted:
        if each.file in listed:
            expected = listed_result(each.file, each.result)
            found += _differences(listed[each.file], expected)
        variant = PurePosixPath(each.file).parent.name
        location = f"{location_of(each.result, variant)}/{RESULT}"
        if each.file != location:
            found.append(each.says("must lie where its encoder and task belong", "here", location))
        if each.result.task.embedded != manifest.embedded:
            rule = "task.embedded must be that of the manifest: rehearsals are kept apart"
            found.append(each.says(rule, each.result.task.embedded, manifest.embedded))
    return found


def _differences(got: object, expected: object) -> list[Finding]:
    """Compare what the manifest says of a result with what the result does."""
    pairs = [dataclasses.asdict(each) for each in (got, expected)]  # type: ignore[call-overload]
    return [
        Finding(
            MANIFEST,
            f"{name!r} of {pairs[1]['path']} must be what the result says",
            shown(pairs[0][name]),
            shown(value),
        )
        for name, value in pairs[1].items()
        if pairs[0][name] != value
    ]
