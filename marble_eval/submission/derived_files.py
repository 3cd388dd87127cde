"""The files of a submission that are made from its results: tables, licences, environment.

Whoever validates a submission makes them again and compares, so they never say what the results
do not; only `README.md` is free text. The same version of marble-eval makes the same bytes; where
another version made others, the submission is built again.
"""

from __future__ import annotations

import json
import platform
import re
import tempfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from marble_eval.leaderboard import board, write_board
from marble_eval.results import Result
from marble_eval.submission.files import ENVIRONMENT, LICENCES, LONG, NAMED, README, RESULTS, WIDE
from marble_eval.submission.findings import Finding, Report, printable, shown
from marble_eval.submission.manifest import FILE, Manifest, strict_json
from marble_eval.submission.submitted import Submitted

_NOT_COMMERCIAL = re.compile(r"\bnc\b|non-?commercial|research (use|only|purposes)", re.IGNORECASE)
_UNSAID = re.compile(r"not stated|unknown|none known|no licence", re.IGNORECASE)
_OURS = ("marble-eval", "pandas", "pyarrow")  # beside what the results name

Results = Mapping[str, Result]  # by path of the result.json, from the submission's folder on


def write_tables(folder: Path, paths: Sequence[Path], *, embedded: bool) -> tuple[Path, Path]:
    """Write the leaderboard of a submission."""
    written = write_board(board(sorted(paths), embedded=embedded), folder / LONG)
    return written[0], written[1]


def environment_text(results: Results) -> str:
    """Write where the submission was built and where each result was made, as JSON."""
    names = {name for each in results.values() for name in each.environment.packages} | set(_OURS)
    values = {
        "built_on": {
            "python": platform.python_version(),
            "platform": platform.platform(),
            "packages": {name: _version(name) for name in sorted(names)},
        },
        "results": environments(results),
    }
    return json.dumps(values, indent=1, ensure_ascii=False) + "\n"


def environments(results: Results) -> dict[str, Any]:
    """Return where each result was made, as plain values by its path."""
    found = {path: asdict(results[path].environment) for path in sorted(results)}
    plain: dict[str, Any] = json.loads(json.dumps(found))
    return plain


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def licences_text(results: Results) -> str:
    """Write the terms of all weights and data, those that forbid commercial use first."""
    lines = set()
    for each in results.values():
        encoder, task = each.encoder, each.task
        weights = f"{encoder.name} (revision {encoder.revision}), from {encoder.citation}"
        lines.add((encoder.licence, "weights", weights))
        data = f"{task.name}, version {task.version} of the card in {task.provider}"
        lines.add((task.licence, "data", data))
    parts: dict[str, list[str]] = {each: [] for each in _HEADINGS}
    for licence, what, whose in sorted(lines):
        line = f"- {what} of {printable(whose)}: {printable(licence) or 'not stated'}"
        parts[_heading(licence)].append(line)
    sections = [f"## {title}\n\n" + "\n".join(each) for title, each in parts.items() if each]
    return "\n\n".join([_LICENCES, *sections]) + "\n"


_HEADINGS = ("No commercial use", "Not stated", "Other terms")
_LICENCES = (
    "# Licences\n\n"
    "Results are numbers about the following weights and data, which are not in this folder. "
    "Weights belong to the authors cited, data to those whom the task's card names."
)


def _heading(licence: str) -> str:
    if _NOT_COMMERCIAL.search(licence):
        return _HEADINGS[0]
    return _HEADINGS[1] if not licence.strip() or _UNSAID.search(licence) else _HEADINGS[2]


def readme_text(manifest: Manifest) -> str:
    """Write what a submission is, and how it is validated."""
    rehearsal = (
        "**A rehearsal**: every result is on data that marble-eval makes itself.\n\n"
        if manifest.embedded
        else ""
    )
    said = "".join(
        f"{what}:\n\n" + "\n".join(f"> {printable(line)}" for line in text.splitlines()) + "\n\n"
        for what, text in (("Contact", manifest.contact), ("Note", manifest.note))
        if text
    )
    files = {
        FILE: "every file with its SHA-256 and size, every result",
        "results/": "result.json and predictions.parquet of each result",
        LONG: "one row for each metric",
        WIDE: "one row for each model",
        ENVIRONMENT: "where the results were made, and this folder",
        LICENCES: "terms of the weights and the data",
    }
    listed = "\n".join(f"- `{name}`: {text}" for name, text in files.items())
    rows = "\n".join(
        f"| {_cell(each.encoder)} | {_cell(each.revision)} | {each.task}@{each.task_version} "
        f"| {_cell(each.protocol)} | {'yes' if each.conforms else 'no, see its deviations'} |"
        for each in manifest.results
    )
    return (
        f"# Results of marble-eval\n\n{rehearsal}"
        f"Built by marble-eval {manifest.tool_version} on {manifest.created}. "
        f"Check it, without any model or data set, by\n\n"
        f"    marble-eval submit validate .\n\n{said}{listed}\n\n"
        f"| encoder | revision | task | protocol | conforms |\n|---|---|---|---|---|\n{rows}\n"
    )


def _cell(text: str) -> str:
    return printable(text).replace("|", "\\|")


def texts(results: Results, manifest: Manifest) -> dict[str, str]:
    """Write the files of a submission that are text, by name; the tables are not among them."""
    made = {
        README: readme_text(manifest),
        LICENCES: licences_text(results),
        ENVIRONMENT: environment_text(results),
    }
    return {name: made[name] for name in NAMED if name in made}


def check_remade(
    folder: Path,
    manifest: Manifest,
    readable: Collection[str],
    submitted: Sequence[Submitted],
    report: Report,
) -> None:
    """Make tables, licences and environments again, and add what differs to a report."""
    if len(submitted) < len(manifest.results) or not submitted:
        report.leave("leaderboard, licences and environments: a result is missing", RESULTS)
        return
    results = {each.file: each.result for each in submitted}
    if ENVIRONMENT in readable:
        values, fault = strict_json(folder / ENVIRONMENT)
        listed = values.get("results") if isinstance(values, dict) else None
        if fault is not None or listed != environments(results):
            rule = "'results' must be the environments of the results"
            report.findings.append(Finding(ENVIRONMENT, rule, fault or "others", "those"))
    if LICENCES in readable:
        found = (folder / LICENCES).read_bytes()
        if found != licences_text(results).encode():
            rule = "must be what the results say of licences"
            report.findings.append(Finding(LICENCES, rule, "another text", "that text"))
    paths = [each.path for each in submitted]
    report.findings += _tables(folder, paths, manifest.embedded, readable)


def _tables(
    folder: Path, paths: Sequence[Path], embedded: bool, readable: Collection[str]
) -> list[Finding]:
    """Make the tables again, and compare the bytes."""
    with tempfile.TemporaryDirectory() as scratch:
        try:
            made = write_tables(Path(scratch), paths, embedded=embedded)
        except Exception as error:  # two results of one cell, or what no table takes
            return [Finding(RESULTS, "must make a leaderboard", shown(str(error)), "one")]
        return [
            finding
            for each in made
            if each.name in readable
            for finding in _same_table(folder / each.name, each)
        ]


def _same_table(got: Path, expected: Path) -> list[Finding]:
    """Compare two tables, and name the first line that differs."""
    lines = [each.read_bytes().split(b"\n") for each in (got, expected)]
    if lines[0] == lines[1]:
        return []
    pairs = enumerate(zip(*lines, strict=False))
    at = next((at for at, (one, other) in pairs if one != other), min(map(len, lines)))
    one, other = (
        shown(each[at].decode("utf-8", "replace")) if at < len(each) else "no such line"
        for each in lines
    )
    rule = f"must be made from the results; line {at + 1} differs"
    return [Finding(printable(got.name), rule, one, other)]
