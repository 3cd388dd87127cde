"""Scores: computed anew from the predictions, and every one that was changed is named."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from marble_eval.results import LabelScore
from marble_eval.submission.predictions import read_table
from marble_eval.submission.scores import check_scores
from marble_eval.submission.submitted import InstalledTasks, Submitted, read_submitted
from tests.submission.edited_submissions import RESULT, TABLE, edit, edit_table
from tests.submission.true_results import true_result


def read(folder: Path, file: str = RESULT) -> Submitted:
    one, found = read_submitted(folder, file, InstalledTasks())
    assert one is not None, found
    return one


def rules(submitted: Submitted) -> list[str]:
    table, _ = read_table(submitted)
    assert table is not None
    return [each.rule for each in check_scores(submitted, table)[0]]


def test_true_scores_come_out_again(submitted: Submitted) -> None:
    assert rules(submitted) == []


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("value", 0.99), ("low", 0.7), ("high", 0.7), ("level", 0.9), ("n", 291)),
        *(("seed_spread", 0.0), ("seed_values", [0.9, 0.9, 0.9]), ("higher_is_better", False)),
        ("value", 0.5 + 2e-6),
    ],
)
def test_an_edited_score_is_named(submission: Path, field: str, value: object) -> None:
    edit(submission / RESULT, lambda record: record["metrics"]["macro_f1"].update({field: value}))
    assert rules(read(submission)) == [
        f"metrics.macro_f1.{field} must be what the predictions score"
    ]


def test_rounding_in_the_last_digits_is_none(submission: Path) -> None:
    def nudge(record: Any) -> None:
        accuracy = record["metrics"]["accuracy"]
        accuracy["value"] = math.nextafter(accuracy["value"], 1)

    edit(submission / RESULT, nudge)
    assert rules(read(submission)) == []


def test_an_edited_label_or_confusion_is_named(submission: Path) -> None:
    def change(record: Any) -> None:
        record["labels"][4]["scores"]["f1"] = 1.0
        record["labels"][5]["n"] += 1
        record["confusion"][2][2] += 1
        record["confusion"][2][3] -= 1

    edit(submission / RESULT, change)
    found = rules(read(submission))
    assert found == [
        "labels: n and scores of 'hiphop' must be what the predictions score",
        "labels: n and scores of 'jazz' must be what the predictions score",
        "confusion must count the predictions",
    ]


def test_a_ceiling_belongs_to_frames(submission: Path) -> None:
    edit(submission / RESULT, lambda record: record["metrics"]["accuracy"].update(ceiling=0.5))
    assert rules(read(submission)) == ["metrics must have a ceiling only where there are frames"]


def test_edited_estimates_are_not_what_the_outputs_say(submission: Path) -> None:
    edit_table(submission / TABLE, lambda table: table.assign(estimate=table["reference"]))
    (rule,) = rules(read(submission))
    assert rule.startswith("estimates must be what the outputs decode to; ")


def test_edited_outputs_score_otherwise(submission: Path) -> None:
    def better(table: Any) -> Any:
        wrong = (table["split"] == "test") & (table["reference"] != table["estimate"])
        names = [name for name in table.columns if name.startswith("output_")]
        table.loc[wrong, names] = 0.0
        table.loc[wrong, "output_0"] = 9.0
        return table

    edit_table(submission / TABLE, better)
    found = rules(read(submission))
    assert "metrics.accuracy.value must be what the predictions score" in found
    assert any(each.startswith("estimates must be") for each in found)


def test_an_edited_validation_score_is_named_even_if_the_whole_grid_says_so(
    submission: Path,
) -> None:
    def change(record: Any) -> None:
        for each in [*record["grid"], *record["layers"]]:
            if each["layer"] == "1":
                each["valid"] += 0.01

    edit(submission / RESULT, change)
    assert rules(read(submission)) == ["layers: valid of '1' must be what its predictions score"]


@pytest.mark.parametrize("name", ["EMO", "EmbeddedBeat", "VocalSetT"])
def test_the_scores_of_other_kinds_come_out_again(tmp_path: Path, name: str) -> None:
    sizes = {"train": 90, "valid": 30, "test": 40} if name == "VocalSetT" else None
    path = true_result(tmp_path, name, sizes=sizes)
    assert rules(read(path.parent, path.name)) == []
    main = next(iter(read(path.parent, path.name).result.metrics))

    def narrow(record: Any) -> None:
        score = record["metrics"][main]
        score["low"] = score["value"] - 0.001

    edit(path, narrow)
    assert rules(read(path.parent, path.name)) == [
        f"metrics.{main}.low must be what the predictions score"
    ]


def test_a_regression_s_estimates_may_be_rounder_than_its_outputs(tmp_path: Path) -> None:
    path = true_result(tmp_path, "EMO")
    edit_table(
        path.with_name("predictions.parquet"),
        lambda table: table.assign(
            estimate=[f"{float(a):.4f};{b}" for a, b in table["estimate"].str.split(";")]
        ),
    )
    (rule,) = rules(read(path.parent, path.name))
    assert rule.startswith("estimates must be what the outputs decode to; ")


def test_a_task_that_is_not_installed_is_scored_as_its_kind_and_that_is_told(
    submission: Path,
) -> None:
    edit(submission / RESULT, lambda record: record["task"].update(name="Elsewhere"))
    submitted = read(submission)
    assert submitted.task is None
    table, _ = read_table(submitted)
    assert table is not None
    found, unchecked = check_scores(submitted, table)
    assert found == []
    assert any("since Elsewhere@1 is not installed" in each for each in unchecked)


def test_labels_that_the_predictions_do_not_have_are_no_labels(submitted: Submitted) -> None:
    table, _ = read_table(submitted)
    assert table is not None
    more = (*submitted.result.labels, LabelScore("polka", 0, {"f1": None}))
    changed = replace(submitted, result=replace(submitted.result, labels=more, confusion=()))
    found = [each.rule for each in check_scores(changed, table)[0]]
    assert "labels must be those that the predictions can be scored by" in found
