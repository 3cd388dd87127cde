"""Tables, licences and environments follow from the results; what was edited is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from marble_eval.submission.derived_files import check_remade
from marble_eval.submission.findings import Finding, Report
from marble_eval.submission.manifest import read_manifest
from marble_eval.submission.submitted import InstalledTasks, read_submitted
from tests.submission.edited_submissions import RESULT, edit


def remade(folder: Path) -> Report:
    manifest, _ = read_manifest(folder)
    assert manifest is not None
    one, _ = read_submitted(folder, RESULT, InstalledTasks())
    assert one is not None
    report = Report("")
    there = {each.path for each in manifest.files if (folder / each.path).is_file()}
    check_remade(folder, manifest, there, [one], report)
    return report


def only(report: Report) -> Finding:
    (found,) = report.findings
    return found


def test_what_was_built_follows_from_the_results(built: Path) -> None:
    report = remade(built)
    assert (report.findings, report.unchecked) == ([], {})


def test_an_edited_table_is_named_with_its_line(submission: Path) -> None:
    for name in ("leaderboard.csv", "leaderboard.wide.csv"):
        path = submission / name
        text = path.read_text()
        at = next(n for n, line in enumerate(text.split("\n")) if line.startswith("toy-encoder"))
        path.write_text(text.replace("toy-encoder", "toy-encoder!", 1))
        found = only(remade(submission))
        assert found.file == name
        assert found.rule == f"must be made from the results; line {at + 1} differs"
        path.write_text(text)


def test_a_line_too_many_or_too_few_is_named(submission: Path) -> None:
    path = submission / "leaderboard.csv"
    text = path.read_text()
    path.write_text(text + "x")
    assert only(remade(submission)).got == "'x'"
    path.write_text(text[: text.rstrip().rindex("\n")])
    assert only(remade(submission)).got == "no such line"


def test_edited_licences_are_named(submission: Path) -> None:
    path = submission / "LICENCES.md"
    path.write_text(path.read_text().replace("cc-by-nc-4.0", "MIT"))
    assert only(remade(submission)).file == "LICENCES.md"


def test_an_edited_environment_is_named(submission: Path) -> None:
    def change(values: Any) -> None:
        values["results"][RESULT]["packages"]["torch"] = "9.9"

    edit(submission / "environment.json", change)
    assert only(remade(submission)).file == "environment.json"
    (submission / "environment.json").write_text("[NaN]")
    assert only(remade(submission)).got == "'NaN is no JSON number'"


def of_another_version(folder: Path) -> None:
    edit(folder / "submission.json", lambda values: values.update(tool_version="0.0.1"))


def test_a_version_that_the_manifest_claims_turns_no_check_off(submission: Path) -> None:
    of_another_version(submission)
    assert (remade(submission).findings, remade(submission).unchecked) == ([], {})
    path = submission / "leaderboard.csv"
    path.write_text(path.read_text().replace("toy-encoder", "MERT-v1-95M"))
    assert only(remade(submission)).rule.startswith("must be made from the results; line ")
