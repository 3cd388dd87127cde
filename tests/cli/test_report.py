"""`marble-eval report`, as users type it: which files come, and what is told when none can."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest

from marble_eval.cli import main
from marble_eval.results import read_predictions, read_result, write_result
from tests.stored_results import stored_result


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two encoders on two tasks, and one result on embedded data."""
    root = tmp_path_factory.mktemp("results")
    for name, clearness in (("mel", 1.0), ("MERT-v1-95M", 2.0)):
        for task in ("GTZAN", "GS"):
            stored_result(root / name / task, task, encoder=name, clearness=clearness)
    path = stored_result(root / "embedded")
    result = read_result(path)
    embedded = dataclasses.replace(
        result, task=dataclasses.replace(result.task, embedded=True), predictions=None
    )
    write_result(path.parent, embedded, read_predictions(path))
    return root


def test_every_form_is_written_and_named(
    results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "marble_eval", "report", str(results), "--html", "--latex",
         "--bib", "--text"],
        cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "1 results left out: embedded data" in done.stderr
    names = ["report.html", "report.tex", "report.bib", "report.txt"]
    assert done.stdout.split() == names
    page, table, references, statement = ((tmp_path / each).read_text() for each in names)
    assert page.startswith("<!doctype html>") and "MERT-v1-95M" in page
    assert r"\toprule" in table and "MERT-v1-95M" in table
    assert "@" in references and "tzanetakis" in references
    assert statement.startswith("Results were made with marble-eval")
    assert "embedded" not in statement


def test_embedded_results_have_reports_of_their_own(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "protocol.txt"
    assert main(["report", str(results), "--embedded", "--text", str(file)]) == 0
    assert "4 results left out: real data" in capsys.readouterr().err
    assert "embedded" in file.read_text() and "GS" not in file.read_text()


def test_figures_are_drawn_into_a_folder(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "figures"
    assert main(["report", str(results / "mel" / "GTZAN"), "--figures", str(place)]) == 0
    written = [Path(line) for line in capsys.readouterr().out.split()]
    assert written and {each.suffix for each in written} == {".png", ".svg"}
    assert all(each.is_file() and each.parent == place for each in written)


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        ([], 2, "at least one of --html"),
        (["--html", "."], 2, "must be followed by a file"),
        (["--latex", "nowhere/table.tex"], 2, "in a folder that exists"),
        (["--text", "result.json"], 2, "must not replace a file of a result"),
        (["--htlm"], 2, "unrecognized arguments: --htlm"),
    ],
)
def test_what_cannot_be_written_is_told(
    results: Path,
    arguments: list[str],
    code: int,
    told: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["report", str(results), *arguments]) == code
    assert told in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_no_results_are_told_with_where_they_were_looked_for(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", str(tmp_path / "none"), "--text", str(tmp_path / "x.txt")]) == 3
    assert "none: no such folder of results" in capsys.readouterr().err
    embedded = str(results / "embedded")
    assert main(["report", embedded, "--text", str(tmp_path / "x.txt")]) == 3
    assert "1 on embedded data. Add --embedded" in capsys.readouterr().err
