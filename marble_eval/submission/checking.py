"""Validate submissions: every check, on every file, and what could not be checked.

No model, no data set and no network is needed. A check that fails does not end the
others, and one that cannot be made is reported. What no check can show is that the
predictions came from the weights that are named.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from marble_eval.errors import MarbleError, MissingError
from marble_eval.leaderboard import board
from marble_eval.submission.choice import check_choice
from marble_eval.submission.conformity import check_conformity
from marble_eval.submission.counts import check_counts
from marble_eval.submission.cross_checks import Claim, claim_of, disagreements
from marble_eval.submission.derived_files import check_remade
from marble_eval.submission.files import check_files, check_locations
from marble_eval.submission.findings import Finding, Report, shown
from marble_eval.submission.manifest import FILE, read_manifest
from marble_eval.submission.predictions import check_table, read_table
from marble_eval.submission.scores import check_scores
from marble_eval.submission.submitted import InstalledTasks, Submitted, read_submitted

if TYPE_CHECKING:
    import pandas as pd

Answer = TypeVar("Answer")

CHECKED = (
    "manifest, checksums and sizes of all files, no other file, no link",
    "result schema, digest and shape of predictions, counts of tracks against the card",
    "every metric, interval, seed and label, computed anew from the predictions",
    "grid, choice on validation, deviations, windows, card and fingerprint of each run",
    "data, splits, references and weights of the results against each other",
    "leaderboard, licences and environments, made anew",
)


def validate_submissions(folder: Path) -> list[Report]:
    """Validate a submission, or every submission in a folder and what they say together."""
    if not folder.exists() and not folder.is_symlink():
        raise MissingError(f"{folder}: no such submission. Give the folder that was built.")
    if not folder.is_dir():
        finding = Finding(folder.name, "must be a folder", "something else", "a submission")
        return [Report(str(folder), findings=[finding])]
    inside = [] if (folder / FILE).exists() else _folders_in(folder)
    submissions = [each for each in inside if (each / FILE).is_file()]
    if not submissions:
        return [check_submission(folder)[0]]
    checked = [check_submission(each) for each in submissions]
    claims = [claim for _, of_one in checked for claim in of_one]
    together = Report(
        f"{folder}, all submissions together",
        results=len(claims),
        files=sum(report.files for report, _ in checked),
        findings=disagreements(claims, between=True) + _one_board(folder, claims),
        checked=["data, splits, references, weights and scores against each other"],
    )
    together.findings += [
        Finding(each.name, "must be a submission, as those beside it", f"no {FILE}", "one")
        for each in inside
        if each not in submissions
    ]
    return [*(report for report, _ in checked), together]


def _folders_in(folder: Path) -> list[Path]:
    """Name the folders in a folder but for hidden ones; links are not followed."""
    return sorted(
        each
        for each in folder.iterdir()
        if each.is_dir() and not each.is_symlink() and not each.name.startswith(".")
    )


def _one_board(folder: Path, claims: Sequence[Claim]) -> list[Finding]:
    """Say why results of several submissions do not make one leaderboard."""
    found = []
    for embedded in (False, True):
        paths = [
            folder / each.submission / each.file
            for each in claims
            if each.result.task.embedded == embedded
        ]
        try:
            board(paths, embedded=embedded)
        except Exception as error:  # two results of one cell, or what no table takes
            rule = "must make one leaderboard together"
            found.append(Finding(folder.name, rule, shown(str(error)), "one"))
    return found


def check_submission(folder: Path) -> tuple[Report, list[Claim]]:
    """Make every check of one submission."""
    report = Report(str(folder))
    manifest, report.findings = read_manifest(folder)
    if manifest is None:
        report.leave("anything else, for want of a manifest that can be read", FILE)
        return report, []
    readable, findings = check_files(folder, manifest)
    report.findings += findings
    report.files = len(manifest.files) + 1
    files = sorted(each for each in readable if each.endswith("/result.json"))
    claims, submitted = [], []
    installed = InstalledTasks()
    for file in files:
        one, findings = read_submitted(folder, file, installed)
        report.findings += findings
        if one is None:
            report.leave("its content, since it cannot be read", file)
            continue
        submitted.append(one)
        claims.append(_check_result(folder.name, one, report))
    report.results = len(submitted)
    report.findings += check_locations(manifest, files, submitted)
    report.findings += disagreements(claims, between=False)
    check_remade(folder, manifest, readable, submitted, report)
    report.checked = list(CHECKED)
    return report, claims


def _check_result(submission: str, submitted: Submitted, report: Report) -> Claim:
    """Make every check of one result, and add what comes of it to the report."""
    table, findings = read_table(submitted)
    report.findings += findings
    if table is not None:
        faults = _safely(check_table, submitted, report, table)
        report.findings += faults or []
        table = None if faults is None or faults else table
    if table is None:
        report.leave("its scores, since its table cannot be used", submitted.file)
    else:
        scored = _safely(check_scores, submitted, report, table)
        if scored is not None:
            _add(report, submitted, *scored)
    counted = _safely(check_counts, submitted, report, table)
    if counted is not None:
        _add(report, submitted, *counted)
    report.findings += _safely(check_choice, submitted, report) or []
    conformity = _safely(check_conformity, submitted, report)
    if conformity is not None:
        _add(report, submitted, *conformity)
    if submitted.task is None:
        report.leave(
            f"card, published sizes, windows, learning rates and fingerprint, since "
            f"{submitted.task_name} is not installed",
            submitted.file,
        )
    return claim_of(submission, submitted, table)


def _add(
    report: Report, submitted: Submitted, findings: Sequence[Finding], unchecked: Sequence[str]
) -> None:
    report.findings += findings
    for reason in unchecked:
        report.leave(reason, submitted.file)


def _safely(
    check: Callable[..., Answer], submitted: Submitted, report: Report, *more: pd.DataFrame | None
) -> Answer | None:
    """Make a check; what a foreign file makes it raise is a finding, and ends no other check."""
    try:
        return check(submitted, *more)
    except Exception as error:  # somebody else's values, through every function of a kind
        what = check.__name__.removeprefix("check_")
        words = str(error).replace(f"{submitted.path.parent}/", "")
        said = words if isinstance(error, MarbleError) else f"{type(error).__name__}: {words}"
        rule = f"must be such that its {what} can be checked"
        report.findings.append(submitted.says(rule, shown(said), "no error"))
        report.leave(f"the rest of its {what}", submitted.file)
        return None
