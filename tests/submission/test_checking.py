"""Whole validations: what a cheat makes fit everywhere else is still found, and all is told."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from marble_eval.errors import MissingError
from marble_eval.leaderboard import board
from marble_eval.results import find_results, read_predictions, read_result, write_result
from marble_eval.submission import build_submission, validate_submissions
from tests.submission.edited_submissions import (
    PLACE,
    RESULT,
    TABLE,
    edit,
    edit_table,
    findings,
    forge,
    rescore,
    rules,
)
from tests.submission.true_results import true_result


def test_a_submission_that_was_only_made_to_fit_again_has_no_finding(submission: Path) -> None:
    edit(submission / RESULT, lambda record: None)
    edit_table(submission / TABLE, lambda table: table)
    rescore(submission / RESULT)
    forge(submission)
    assert findings(submission) == []


def edited_score(folder: Path) -> None:
    edit(folder / RESULT, lambda record: record["metrics"]["accuracy"].update(value=0.99))


def narrowed_interval(folder: Path) -> None:
    def change(record: Any) -> None:
        for score in (record["metrics"]["accuracy"], record["layers"][1]["test"]):
            score["low"], score["high"] = score["value"] - 1e-4, score["value"] + 1e-4

    edit(folder / RESULT, change)


def swapped_predictions(folder: Path) -> None:
    """Put the predictions of another encoder in the place of these."""
    other = read_predictions(true_result(folder.parent / "other", encoder="other"))
    edit_table(folder / TABLE, lambda _: other)


def missing_item(folder: Path) -> None:
    """Drop an item of test from every seed, and score as if it had never been there."""
    edit_table(folder / TABLE, lambda table: table[table["id"] != "test/0100"])

    def change(record: Any) -> None:
        record["counts"].update(expected=289, scored=289)
        record["task"]["sizes"]["test"] = 289

    edit(folder / RESULT, change)
    rescore(folder / RESULT)


def dropped_seed(folder: Path) -> None:
    """Keep the two best seeds alone, everywhere."""
    edit_table(folder / TABLE, lambda table: table[table["seed"] != 1236])

    def change(record: Any) -> None:
        for part in ("chosen", "choices"):
            record[part]["seeds"] = [1234, 1235]
        record["grid"] = [each for each in record["grid"] if each["seed"] != 1236]
        for layer in record["layers"]:
            points = [e for e in record["grid"] if e["layer"] == layer["layer"]]
            valid = [e["valid"] for e in points if e["setting"] == layer["setting"]]
            layer["valid"] = sum(valid) / len(valid)

    edit(folder / RESULT, change)
    rescore(folder / RESULT)


def better_references(folder: Path) -> None:
    """Say of every wrong item of the first seed that it was meant so."""

    def change(table: Any) -> Any:
        first = table[table["seed"] == 1234].set_index(["split", "id"])["estimate"]
        keys = list(zip(table["split"], table["id"], strict=True))
        return table.assign(reference=[first[key] for key in keys])

    edit_table(folder / TABLE, change)
    rescore(folder / RESULT)


@pytest.mark.parametrize(
    ("cheat", "file", "rule"),
    [
        (edited_score, RESULT, "metrics.accuracy.value must be what the predictions score"),
        (narrowed_interval, RESULT, "metrics.accuracy.low must be what the predictions score"),
        (swapped_predictions, RESULT, "metrics.accuracy.value must be what the predictions score"),
        (missing_item, RESULT, "test must have the tracks that the card of GTZAN publishes"),
        (dropped_seed, RESULT, "'unit' must be the fingerprint of what the record says was run"),
        (better_references, TABLE, "test must have the items of 'blues' that the card publishes"),
    ],
)
def test_what_fits_everywhere_else_is_found(
    submission: Path, cheat: Callable[[Path], None], file: str, rule: str
) -> None:
    cheat(submission)
    forge(submission)
    found = findings(submission)
    assert not [each for each in found if "sha256" in each.rule]  # the checksums do fit
    assert any(each.startswith(rule) for each in rules(found, file)), found


def test_predictions_of_another_result_are_named_without_any_forging(submission: Path) -> None:
    better = true_result(submission.parent / "better", encoder="better")
    shutil.copy(better.with_name("predictions.parquet"), submission / TABLE)
    found = rules(findings(submission), TABLE)
    assert "must be the table of predictions that the result was written with" in found


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"metrics": NaN}', "NaN is no JSON number"),
        ("[" * 100_000, "too deep"),
        ('{"a": 1, "a": 2}', "twice in one object"),
        ("{}", "'schema_version' must be"),
    ],
)
def test_a_result_that_is_none_is_named_and_the_rest_is_checked(
    submission: Path, text: str, said: str
) -> None:
    (submission / RESULT).write_text(text)
    (report,) = validate_submissions(submission)
    assert any(said in each.got for each in report.findings)
    assert report.unchecked["its content, since it cannot be read"] == [RESULT]


def test_several_faults_are_all_told(submission: Path) -> None:
    edited_score(submission)
    edit(submission / RESULT, lambda record: record["grid"].pop(0))
    edit(submission / RESULT, lambda record: record["chosen"].update(layer="2"))
    (submission / "extra").write_text("")
    (submission / "LICENCES.md").write_text("")
    (report,) = validate_submissions(submission)
    text = report.text()
    for each in ("extra: must be in", "metrics.accuracy.value", "grid of layer '0'", "LICENCES.md"):
        assert each in text
    assert "chosen.layer must be the best" in text


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda table: table.assign(output_0=np.float32(np.nan)), "must have finite outputs"),
        (lambda table: table.assign(reference="polka"), "must be one of the 10 labels"),
        (lambda table: table.assign(group=[["a"]] * len(table)), "group: list<"),
    ],
)
def test_values_that_no_score_can_be_made_of_are_a_finding_and_no_crash(
    submission: Path, change: Callable[[Any], Any], said: str
) -> None:
    edit_table(submission / TABLE, change)
    forge(submission)
    assert any(said in each.got for each in findings(submission))


def test_a_folder_s_task_cannot_pass_for_an_installed_one_to_escape_its_card(
    submission: Path,
) -> None:
    edit(submission / RESULT, lambda record: record["task"].update(provider="folder"))
    forge(submission)
    rule = "a task of a folder must not have the name of an installed one"
    assert rule in rules(findings(submission))


def test_a_task_that_is_not_installed_is_never_a_silent_pass(submission: Path) -> None:
    edit(
        submission / RESULT,
        lambda record: record["task"].update(name="Elsewhere", provider="theirs 1"),
    )
    shutil.move(submission / PLACE, submission / PLACE.replace("GTZAN", "Elsewhere"))
    (submission / PLACE).parent.rmdir()

    def rename(manifest: Any) -> None:
        manifest["results"][0].update(task="Elsewhere", path=RESULT.replace("GTZAN", "Elsewhere"))
        for each in manifest["files"]:
            each["path"] = each["path"].replace("GTZAN", "Elsewhere")

    edit(submission / "submission.json", rename)
    forge(submission)
    (report,) = validate_submissions(submission)
    assert report.findings == []
    told = [each for each in report.unchecked if "Elsewhere@1 is not installed" in each]
    assert len(told) == 2
    assert "not checked in results/toy-encoder/v1/Elsewhere@1/" in report.text()


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"version": 99}, "task.version must be the installed card's"),
        ({"name": "GTZAN2"}, "a task of marble-eval must be installed"),
    ],
)
def test_a_task_that_is_not_the_installed_one_fails(
    submission: Path, change: dict[str, Any], rule: str
) -> None:
    edit(submission / RESULT, lambda record: record["task"].update(change))
    assert any(each.rule.startswith(rule) for each in validate_submissions(submission)[0].findings)


@pytest.mark.parametrize("name", ["../../tasks/gtzan", "./GTZAN", "a b"])
def test_a_task_s_name_is_never_taken_for_a_path(submission: Path, name: str) -> None:
    edit(submission / RESULT, lambda record: record["task"].update(name=name))
    (report,) = validate_submissions(submission)
    assert any("its scores can be checked" in each.rule for each in report.findings)


@pytest.fixture(scope="module")
def several(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Put two submissions of two senders into one folder."""
    root = tmp_path_factory.mktemp("several")
    true_result(root / "results", encoder="other")
    shutil.copytree(built, root / "all/ada")
    build_submission(root / "all/bob", [root / "results"])
    return root / "all"


def test_a_folder_of_submissions_is_validated_and_makes_one_leaderboard(several: Path) -> None:
    reports = validate_submissions(several)
    assert [(each.submission, each.passed) for each in reports] == [
        (str(several / "ada"), True),
        (str(several / "bob"), True),
        (f"{several}, all submissions together", True),
    ]
    table = board(find_results(several)).long
    assert set(table[table["source"] == "run"]["encoder"]) == {"toy-encoder", "other"}


def test_submissions_that_contradict_each_other_are_named(several: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(several, tmp_path / "all"))
    record = folder / "bob/results/other/v1/GTZAN@1/marble-v1/result.json"
    ours = read_result(folder / "ada" / RESULT)
    result, table = read_result(record), read_predictions(record)
    task = replace(result.task, data_digest="f" * 32)
    write_result(record.parent, replace(result, task=task, unit=ours.unit), table)
    edit(record, lambda values: values["metrics"]["accuracy"].update(value=0.123))
    together = validate_submissions(folder)[-1]
    rules_told = [each.rule for each in together.findings]
    assert "GTZAN@1 must be on one data digest" in rules_told
    assert f"metrics.accuracy must be that of the other result of unit {ours.unit}" in rules_told
    assert all("as in ada/" in each.expected for each in together.findings[:2])


def test_a_folder_beside_submissions_that_is_none_is_named(several: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(several, tmp_path / "all"))
    (folder / "bob/submission.json").unlink()
    (folder / "notes.txt").write_text("")
    together = validate_submissions(folder)[-1]
    assert [(each.file, each.got) for each in together.findings] == [("bob", "no submission.json")]


def test_what_is_no_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="no such submission"):
        validate_submissions(tmp_path / "nowhere")
    (tmp_path / "file").write_text("")
    (report,) = validate_submissions(tmp_path / "file")
    assert report.findings[0].rule == "must be a folder"
    (tmp_path / "empty").mkdir()
    (report,) = validate_submissions(tmp_path / "empty")
    assert report.findings[0].file == "submission.json"


def test_the_report_says_as_json_what_it_says_as_text(built: Path) -> None:
    (report,) = validate_submissions(built)
    assert report.passed
    assert json.loads(json.dumps(report.unchecked)) == report.unchecked
    for each in report.checked:
        assert f"checked: {each}" in report.text()
