"""`marble-eval score` and `compare`, as users type them, on results that a real scoring made."""

from __future__ import annotations

import csv
import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import pytest

from marble_eval.cli import main
from marble_eval.results import read_predictions, read_result, write_result
from tests.stored_results import stored_result


@pytest.fixture(scope="module")
def trees(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two encoders on two tasks; the second is clearly better on the first task alone."""
    root = tmp_path_factory.mktemp("trees")
    for name, clearness, seed in (("a", 0.8, 1), ("b", 3.0, 2)):
        stored_result(root / name / "GTZAN", "GTZAN", encoder=name, clearness=clearness, seed=seed)
        stored_result(root / name / "GS", "GS", encoder=name, clearness=1.0, seed=seed)
    return root / "a", root / "b"


def test_scores_of_the_record_are_found_again(
    trees: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["score", str(trees[0])]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1 + 3 + 2, "a header, three metrics of GS and two of GTZAN"
    assert all(line.endswith("same") for line in lines[1:])


def test_json_holds_what_the_run_held(
    trees: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    path = trees[0] / "GTZAN" / "result.json"
    assert main(["score", str(path), "--metric", "macro_f1", "--json"]) == 0
    (record,) = json.loads(capsys.readouterr().out)
    score = read_result(path).metrics["macro_f1"]
    assert record["metrics"]["macro_f1"]["value"] == score.value
    assert record["task"] == "GTZAN@1" and record["scored_by"].startswith("marble-eval")


def test_a_new_metric_is_written_to_another_tree_and_nothing_is_changed(
    trees: tuple[Path, Path], tmp_path: Path
) -> None:
    source = trees[0] / "GTZAN" / "result.json"
    result = read_result(source)
    kept = {"accuracy": result.metrics["accuracy"]}
    old = write_result(
        tmp_path / "old",
        dataclasses.replace(result, metrics=kept, predictions=None),
        read_predictions(source),
    )
    before = old.read_bytes()
    assert main(["score", str(old), "--metric", "macro_f1", "--out", str(tmp_path / "new")]) == 0
    assert old.read_bytes() == before
    (written,) = (tmp_path / "new").rglob("result.json")
    again = read_result(written)
    assert list(again.metrics) == ["accuracy", "macro_f1"]
    assert again.metrics["macro_f1"] == result.metrics["macro_f1"]
    assert again.remarks[-1].startswith("scored again from predictions by marble-eval")
    assert main(["score", str(written)]) == 0


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["--metric", "macro_f2"], 2, "Did you mean 'macro_f1'"),
        (["--metric", "macro_f1", "--all"], 2, "--all or --metric"),
        (["nowhere"], 3, "no such folder of results"),
    ],
)
def test_what_cannot_be_scored_is_told(
    trees: tuple[Path, Path],
    arguments: list[str],
    code: int,
    told: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["score", str(trees[0] / "GTZAN"), *arguments]) == code
    assert told in capsys.readouterr().err


def test_a_changed_prediction_file_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = stored_result(tmp_path)
    file = path.with_name("predictions.parquet")
    file.write_bytes(file.read_bytes() + b"x")
    assert main(["score", str(path)]) == 4
    assert "must have the sha256" in capsys.readouterr().err


def test_two_trees_are_compared_with_tests_items_and_verdicts(trees: tuple[Path, Path]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "marble_eval", "compare", *map(str, trees), "--permutations", "300"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    text = done.stdout
    assert "GTZAN@1   accuracy   60 test items" in text
    assert "B is better" in text and "no difference shown" in text
    assert "2 tests; p values after Holm" in text
    assert "better in B   test-0" in text and "more (--items)" in text


def test_a_task_s_flipped_items_are_written_for_a_spreadsheet(
    trees: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "flipped.csv"
    arguments = ["compare", *map(str, trees), "--task", "GTZAN", "--permutations", "50"]
    assert main([*arguments, "--items", str(file)]) == 0
    assert "tests; p values" not in capsys.readouterr().out
    rows = list(csv.DictReader(file.read_text().splitlines()))
    assert {each["task"] for each in rows} == {"GTZAN@1"}
    assert all(float(each["change"]) != 0 for each in rows)


def test_json_of_a_comparison_has_the_difference_and_its_p_values(
    trees: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compare", *map(str, trees), "--json", "--permutations", "300"]) == 0
    found = {each["task"]: each for each in json.loads(capsys.readouterr().out)}
    scores = [
        read_result(tree / "GTZAN" / "result.json").metrics["accuracy"].value for tree in trees
    ]
    assert found["GTZAN@1"]["difference"] == pytest.approx(scores[1] - scores[0])
    assert found["GTZAN@1"]["p_permutation"] == pytest.approx(1 / 301)
    assert found["GTZAN@1"]["p_holm"] == pytest.approx(2 / 301)


def test_the_configuration_that_differs_is_listed(
    trees: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compare", *map(str, trees), "--config", "--task", "GS"]) == 0
    assert capsys.readouterr().out.splitlines() == ["GS@1", "  encoder.name   a   ->   b"]


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["--task", "GTZN"], 3, "Did you mean 'GTZAN'"),
        (["--permutations", "0"], 2, "at least 1"),
        (["--metric", "r2"], 2, "has no metric 'r2'"),
        (["--config", "--common"], 2, "--config compares no scores. Got --common"),
        (["--config", "--permutations", "9"], 2, "Got --permutations"),
        (["--json", "--items"], 2, "--items must be followed by a file"),
    ],
)
def test_what_cannot_be_compared_is_told(
    trees: tuple[Path, Path],
    arguments: list[str],
    code: int,
    told: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["compare", *map(str, trees), *arguments]) == code
    assert told in capsys.readouterr().err


def test_results_that_cannot_have_a_metric_are_left_out_and_named(
    trees: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["score", str(trees[0]), "--metric", "macro_f1"]) == 0
    said = capsys.readouterr()
    assert [line.split()[1:3] for line in said.out.splitlines()[1:]] == [["GTZAN@1", "macro_f1"]]
    assert said.err == "1 results left out, which cannot have it: GS\n"
    arguments = ["compare", *map(str, trees), "--permutations", "20"]
    assert main([*arguments, "--metric", "macro_f1"]) == 0
    said = capsys.readouterr()
    assert "GTZAN@1   macro_f1" in said.out and "GS@1" not in said.out
    assert said.err == "without macro_f1: GS\n"


def test_two_results_are_not_written_over_each_other(
    trees: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = read_result(trees[0] / "GTZAN" / "result.json")
    table = read_predictions(trees[0] / "GTZAN" / "result.json")
    paths = [
        write_result(
            tmp_path / side / "marble-v1", dataclasses.replace(result, predictions=None), table
        )
        for side in ("one", "two")
    ]
    assert main(["score", *map(str, paths), "--out", str(tmp_path / "new")]) == 2
    assert "a folder for each result" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_json_stays_json_with_items_in_a_file(
    trees: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "flipped.csv"
    arguments = ["compare", *map(str, trees), "--json", "--permutations", "20"]
    assert main([*arguments, "--items", str(file)]) == 0
    said = capsys.readouterr()
    assert len(json.loads(said.out)) == 2
    assert said.err == f"{file}\n" and file.is_file()


def test_other_data_below_one_comparison_are_noted(
    trees: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = trees[0] / "GTZAN" / "result.json"
    result = read_result(source)
    other = write_result(
        tmp_path,
        dataclasses.replace(
            result, task=dataclasses.replace(result.task, data_digest="0" * 32), predictions=None
        ),
        read_predictions(source),
    )
    assert main(["compare", str(source), str(other), "--permutations", "20"]) == 0
    assert capsys.readouterr().err == "note: GTZAN@1: other data; see --config\n"


def test_items_that_cannot_be_scored_are_told_in_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flat, alone = stored_result(tmp_path / "flat", "EMO"), stored_result(tmp_path / "alone")
    for path, column, values in (
        (flat, "reference", "0.5;0.5"),
        (alone, "group", "one artist"),
    ):
        result = dataclasses.replace(read_result(path), predictions=None)
        write_result(path.parent, result, read_predictions(path).assign(**{column: values}))
        assert main(["score", str(path)]) == 4
    said = capsys.readouterr().err
    assert "60 stored items cannot be scored by r2" in said and "must vary" in said
    assert "must have items of two groups" in said
