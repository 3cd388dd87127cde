"""The files of a submission that follow from its results, made again and compared.

The same version of marble-eval makes the same bytes. Of tables that another version wrote
the scores are compared, and the rest is said to be unchecked.
"""

from __future__ import annotations

import csv
import tempfile
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

from marble_eval.leaderboard import metric_unit
from marble_eval.leaderboard.csv_tables import spreadsheet_text
from marble_eval.results import MetricScore
from marble_eval.submission.documents import environments, licences_text, write_tables
from marble_eval.submission.files import ENVIRONMENT, LICENCES, LONG, RESULTS, WIDE
from marble_eval.submission.findings import Finding, Report, printable, shown
from marble_eval.submission.manifest import Manifest, strict_json
from marble_eval.submission.submitted import Submitted

_ROUNDED = 1e-3  # a table has four decimals
_ENDS = ("value", "low", "high")


def check_remade(
    folder: Path,
    manifest: Manifest,
    readable: Collection[str],
    submitted: Sequence[Submitted],
    report: Report,
) -> None:
    """Make tables, licences and environments again, and add what differs to a report.

    Parameters
    ----------
    folder : Path
        The submission.
    manifest : Manifest
        Its version says whether the bytes must be the same.
    readable : collection of str
        Files that are there.
    submitted : sequence of Submitted
        Its results.
    report : Report
        Is added to.
    """
    if len(submitted) < len(manifest.results) or not submitted:
        report.leave("leaderboard, licences and environments: a result is missing", RESULTS)
        return
    results = {each.file: each.result for each in submitted}
    if ENVIRONMENT in readable:
        values, fault = strict_json(folder / ENVIRONMENT)
        told = values.get("results") if isinstance(values, dict) else None
        if fault is not None or told != environments(results):
            rule = "'results' must be the environments of the results"
            report.findings.append(Finding(ENVIRONMENT, rule, fault or "others", "those"))
    if manifest.tool_version != version("marble-eval"):
        for name in (LICENCES, LONG, WIDE):
            said = f"that it follows from the results: marble-eval {manifest.tool_version} wrote it"
            report.leave(said, name)
        if LONG in readable:
            report.findings += _same_scores(folder / LONG, submitted)
        return
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


def _same_scores(path: Path, submitted: Sequence[Submitted]) -> list[Finding]:
    """Compare the scores of a table that another version wrote: by run and metric."""
    scores = {
        (each.result.unit, name): (name, score)
        for each in submitted
        for name, score in each.result.metrics.items()
    }
    by_unit = {each.result.unit: each for each in submitted}
    found: list[Finding] = []
    rule = "must be a table with the scores of the results"
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            rows = [row for row in csv.DictReader(stream) if row["source"] == "run"]
        keys = [(row["reference"], row["metric"]) for row in rows]
        for key, row in zip(keys, rows, strict=True):
            if key in scores:
                found += _row(path.name, row, *scores[key])
                found += _whose(path.name, row, by_unit[key[0]])
    except (OSError, ValueError, KeyError, csv.Error) as error:
        said = f"{type(error).__name__}: {shown(str(error))}"
        return [Finding(path.name, rule, said, "such a table")]
    for (unit, metric), count in Counter(keys).items():
        if count > 1:
            got = f"{count} rows of {shown(metric)} of unit {shown(unit)}"
            found.append(Finding(path.name, rule, got, "one"))
    for _, metric in sorted(set(scores) - set(keys)):
        found.append(Finding(path.name, rule, f"no row of {metric}", "one"))
    for unit, metric in sorted(set(keys) - set(scores)):
        got = f"{shown(metric)} of unit {shown(unit)}"
        found.append(Finding(path.name, rule, got, "no such row"))
    return found


def _row(name: str, row: Mapping[str, str], metric: str, score: MetricScore) -> list[Finding]:
    scale = 100 if metric_unit(metric) == "percent" else 1
    return [
        Finding(name, f"{end} of {metric} must be the result's", row[end], str(expected))
        for end in _ENDS
        if abs(float(row[end]) - (expected := scale * getattr(score, end))) > _ROUNDED
    ]


def _whose(name: str, row: Mapping[str, str], submitted: Submitted) -> list[Finding]:
    """Compare the encoder and the task that a row names with those of its result."""
    encoder, task = submitted.result.encoder, submitted.result.task
    pairs = (("encoder", encoder.name), ("revision", encoder.revision), ("task", task.name))
    return [
        Finding(name, f"{column} must be the result's", shown(row[column]), shown(expected))
        for column, expected in pairs
        if row[column] not in (expected, spreadsheet_text(expected))
    ]
