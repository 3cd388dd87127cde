"""`marble-eval leaderboard`: each form with and without a file name, and wrong usage."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from marble_eval.cli import main
from tests.leaderboard.conftest import deviating, embedded, example_file
from tests.stored_results import stored_result


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with results."""
    example_file(tmp_path / "results", "a")
    example_file(tmp_path / "results", "b", deviating)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_without_a_form_the_first_section_and_the_names_of_the_others_are_printed(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["leaderboard"]) == 0
    printed = capsys.readouterr().out
    lines = printed.splitlines()
    assert lines[0].startswith("MARBLE, marble-v1@2, constrained. ")
    row = next(line for line in lines if line.startswith("toy-encoder"))
    assert row.split()[1:3] == ["run", "-"] and "74.8" in row
    assert "  marble-v1@2, constrained, with deviations (1 result, 1 row)" in lines
    assert [each.name for each in folder.iterdir()] == ["results"]


def test_every_form_works_without_a_file_name(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["leaderboard", "--csv", "--md", "--latex", "--json"]) == 0
    names = ["csv", "wide.csv", "md", "tex", "json"]
    files = [f"leaderboard.{each}" for each in names]
    assert capsys.readouterr().out.splitlines() == files
    assert json.loads((folder / "leaderboard.json").read_text())["format_version"] == 1
    assert (folder / "leaderboard.md").read_text().startswith("# Leaderboard\n")
    assert "\\toprule" in (folder / "leaderboard.tex").read_text()
    with (folder / "leaderboard.csv").open(encoding="utf-8") as stream:
        assert sum(row["source"] == "run" for row in csv.DictReader(stream)) == 4


def test_a_form_takes_a_file_after_the_folders_or_with_an_equals_sign(folder: Path) -> None:
    assert main(["leaderboard", "results", "--md", "x.md", "--json=y.json"]) == 0
    assert (folder / "x.md").is_file() and (folder / "y.json").is_file()
    assert main(["leaderboard", "--latex=z.tex", "results/"]) == 0
    assert (folder / "z.tex").is_file()


@pytest.mark.parametrize("form", ["csv", "md", "latex", "json"])
@pytest.mark.parametrize("name", ["results", "results/", "absent/"])
def test_a_folder_after_a_form_is_an_error_that_says_what_to_write(
    folder: Path, form: str, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(folder.rglob("*"))
    assert main(["leaderboard", f"--{form}", name]) == 2
    said = capsys.readouterr().err
    assert f"Write the folders of results first: marble-eval leaderboard {name} --{form}." in said
    assert sorted(folder.rglob("*")) == before


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--json", "results/a/result.json"], "must not replace a file of a result"),
        (["--md", "x", "--latex", "x"], "a file of its own"),
        (["--csv", "x.csv", "--md", "x.wide.csv"], "a file of its own"),
        (["--md", "nowhere/x.md"], "Make the folder nowhere first"),
        (["--every-eval-ever", "results/a/result.json"], "must be followed by a folder"),
        (["--every-eval-ever"], "expected one argument"),
    ],
)
def test_wrong_usage_is_told_and_nothing_is_written(
    folder: Path, arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    assert main(["leaderboard", *arguments]) == 2
    assert said in capsys.readouterr().err
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


def test_records_of_every_eval_ever_are_written_for_every_result_of_the_board(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    example_file(folder / "results", "toy", embedded)
    assert main(["leaderboard", "--every-eval-ever", "records"]) == 0
    captured = capsys.readouterr()
    written = sorted((folder / "records").rglob("*.json"))
    assert len(written) == len(captured.out.splitlines()) == 2
    assert "1 results not on this board: embedded data" in captured.err


def test_several_folders_are_one_board_and_copies_are_counted(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    example_file(folder / "other", "a")
    assert main(["leaderboard", "results", "other", "--json"]) == 0
    assert "1 results not on this board: copies of another result" in capsys.readouterr().err
    sections = json.loads((folder / "leaderboard.json").read_text())["sections"]
    assert sum(each["results"] for each in sections) == 2


def test_embedded_results_have_a_board_of_their_own_with_ranks(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for at, encoder in enumerate(("one", "two")):
        path = stored_result(
            folder / "toys" / encoder, "EmbeddedKey", encoder=encoder, seed=at, seeds=(0,)
        )
        values = json.loads(path.read_text())
        values["encoder"]["layers"] = ["5"]
        path.write_text(json.dumps(values))
    assert main(["leaderboard", "toys", "--embedded", "--ranks"]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("Embedded tasks, marble-v1@2, constrained. ")
    assert "tied with it: the 95 % interval" in printed
