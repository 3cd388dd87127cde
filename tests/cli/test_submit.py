"""`marble-eval submit`: what is printed, and with which exit code."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from marble_eval.cli import main
from marble_eval.results import read_predictions
from tests.submission.edited_submissions import RESULT, TABLE, edit, edit_table, forge, rescore
from tests.submission.true_results import true_result


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a result, and build a submission of it in another process."""
    root = tmp_path_factory.mktemp("submit")
    true_result(root / "results")
    done = command(root, "build", "out", "--contact", "Ada", "--note", "first try")
    assert (done.returncode, done.stdout) == (0, f"{root / 'out'}\n")
    assert "1 result in 8 files, nothing wrong found" in done.stderr
    return root


def command(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the verb as a user does: a process, in a folder."""
    line = [sys.executable, "-m", "marble_eval", "submit", *arguments]
    return subprocess.run(line, cwd=folder, capture_output=True, text=True, timeout=60)


def test_a_clean_submission_says_what_was_checked_and_what_could_not_be(
    made: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["submit", "validate", str(made / "out")]) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    first, *rest = printed.out.splitlines()
    assert first == f"{made / 'out'}: 1 result in 8 files, nothing wrong found"
    assert "  checked: manifest, checksums and sizes of all files, no other file, no link" in rest
    assert rest[-1].startswith(f"  not checked in {RESULT}: scores of the layers that were not")


def test_the_findings_as_json_hold_nothing_but_json(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = Path(shutil.copytree(made / "out", tmp_path / "out"))
    assert main(["submit", "validate", str(out), "--json"]) == 0
    (report,) = json.loads(capsys.readouterr().out)
    assert (report["passed"], report["findings"], report["results"]) == (True, [], 1)
    (out / "extra").write_text("")
    assert main(["submit", "validate", str(out), "--json"]) == 4
    (report,) = json.loads(capsys.readouterr().out)
    assert report["findings"] == [
        {
            "file": "extra",
            "rule": "must be in the manifest",
            "got": "an extra file",
            "expected": "no other file",
        }
    ]


def edited_score(out: Path) -> None:
    edit(out / RESULT, lambda record: record["metrics"]["accuracy"].update(value=0.99))
    forge(out)


def missing_item(out: Path) -> None:
    edit_table(out / TABLE, lambda table: table.drop(index=table.index[-1]))
    forge(out)


def wrong_size(out: Path) -> None:
    edit_table(out / TABLE, lambda table: table[table["id"] != "test/0100"])
    edit(out / RESULT, lambda record: record["counts"].update(expected=289, scored=289))
    edit(out / RESULT, lambda record: record["task"]["sizes"].update(test=289))
    rescore(out / RESULT)
    forge(out)


def swapped_predictions(out: Path) -> None:
    other = read_predictions(true_result(out.parent / "other", encoder="other"))
    edit_table(out / TABLE, lambda _: other)
    forge(out)


@pytest.mark.parametrize(
    ("cheat", "said"),
    [
        (edited_score, f"{RESULT}: metrics.accuracy.value must be what the predictions score"),
        (missing_item, f"{TABLE}: test of seed 1236 must have the items of seed 1234. Got none"),
        (wrong_size, f"{RESULT}: test must have the tracks that the card of GTZAN publishes"),
        (swapped_predictions, f"{RESULT}: metrics.accuracy.value must be what the predictions"),
    ],
)
def test_a_cheat_is_named_with_exit_code_4(
    made: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    cheat: Callable[[Path], None],
    said: str,
) -> None:
    out = Path(shutil.copytree(made / "out", tmp_path / "out"))
    cheat(out)
    assert main(["submit", "validate", str(out)]) == 4
    printed = capsys.readouterr()
    assert said in printed.out
    assert printed.err == ""


def test_a_process_gives_the_exit_code_too(made: Path, tmp_path: Path) -> None:
    out = Path(shutil.copytree(made / "out", tmp_path / "out"))
    edited_score(out)
    done = command(tmp_path, "validate", "out")
    assert (done.returncode, done.stderr) == (4, "")
    assert "metrics.accuracy.value must be what the predictions score. Got 0.99" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["validate", "nowhere"], 3, "nowhere: no such submission"),
        (["build", "new", "nowhere"], 3, "nowhere: no such folder of results"),
        (["build", "out"], 2, "out: must be absent or an empty folder"),
        (["build", "new", "--embedded"], 4, "results on real data must not be submitted"),
        (["build"], 2, "out"),
        (["validate"], 2, "folder"),
        (["validate", "out", "--jsn"], 2, "unrecognized arguments: --jsn"),
        (["bild", "new"], 2, "Did you mean 'build'"),
        ([], 2, "must be told what to do"),
    ],
)
def test_a_mistake_is_told_with_its_exit_code(
    made: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    code: int,
    said: str,
) -> None:
    monkeypatch.chdir(made)
    assert main(["submit", *arguments]) == code
    printed = capsys.readouterr()
    assert said in printed.err
    assert printed.out == ""
    assert sorted(each.name for each in made.iterdir()) == ["out", "results"]


def test_what_is_no_submission_is_a_finding(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    assert main(["submit", "validate", str(tmp_path / "file")]) == 4
    assert "file: must be a folder" in capsys.readouterr().out
    assert main(["submit", "validate", str(tmp_path)]) == 4
    assert "submission.json: must be there" in capsys.readouterr().out


def test_validating_loads_no_torch_and_opens_no_socket(made: Path) -> None:
    script = """
import sys
def listen(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo"):
        raise SystemExit(f"{event} {arguments}")
sys.addaudithook(listen)
from marble_eval.cli import main
code = main(["submit", "validate", "out"])
sys.exit(code or (9 if {"torch", "transformers", "librosa"} & set(sys.modules) else 0))
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=made, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")
