"""The command line: verbs, exit codes, near misses, and what is not imported."""

from __future__ import annotations

import errno
import json
import subprocess
import sys
from pathlib import Path

import pytest

from marble_eval.cli import VERBS, main


@pytest.mark.parametrize("verb", VERBS)
def test_help_of_every_verb_has_examples(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([verb, "--help"]) == 0
    text = capsys.readouterr().out
    assert text.startswith(f"marble-eval {verb}:")
    assert f"  marble-eval {verb}" in text.split("example")[-1]


def test_a_bare_command_prints_help_and_is_a_usage_error(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main([]) == 2
    assert "usage: marble-eval VERB" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["rn"], 2, "Did you mean 'run'?"),
        (["run"], 2, "name a task"),
        (["run", "task=GTZN"], 2, "Did you mean 'GTZAN'"),
        (["run", "task=GTZAN", "encoder=mert-v1-95"], 2, "Did you mean 'mert-v1-95m'"),
        (["run", "task=GTZAN", "probe=mpl"], 2, "Did you mean 'mlp'"),
        (["run", "task=GTZAN", "protocol=marble-v3"], 2, "Did you mean 'marble-v"),
        (["run", "task=GTZAN", "engine.devce=cpu"], 2, "Did you mean 'device'"),
        (["run", "task=GTZAN", "sed=3"], 2, "'seed'"),
        (["run", "task=GTZAN", "encoder=mel", "seeds=many"], 2, "'seeds' must be of type int"),
        (["run", "task=GTZAN", "encoder=mel", "missing=skip"], 2, "must be one of stop, report"),
        (["run", "task=GTZAN", "task.metrics=[f1]"], 2, "no 'metrics' there"),
        (["run", "task=GTZAN", "layers=[5"], 2, "layers=[5"),
        (["run", "task=./nowhere"], 2, "nowhere/task.yaml: must exist"),
        (["run", "task=GTZAN", "encoder=mel", "task.root=/nowhere"], 3, "/nowhere: must be the"),
        (["run", "task=GTZAN", "encoder=mert-v1-95m", "encoder.path=/nowhere"], 3, "/nowhere"),
        (["run", "task=GTZAN", "encoder.target=nowhere:Encoder"], 2, "cannot be loaded"),
        (
            ["run", "task=GTZAN", "suite.root=/x"],
            2,
            "suite.root and suite.splits belong to a suite",
        ),
        (["run", "suite=embeded", "encoder=mel"], 2, "Did you mean 'embedded'"),
        (["run", "suite=embedded", "task=GTZAN"], 2, "not both"),
        (["run", "suite=marble-v1", "suite.root=/nowhere", "encoder=mel"], 3, "/nowhere: must be"),
        (["cache"], 2, "no such action"),
        (["cache", "prune"], 2, "say what"),
        (["cache", "prune", "abc"], 2, "no store begins with 'abc'"),
        (["leaderboard", "--cvs", "x"], 2, "unrecognized arguments: --cvs"),
        (["leaderboard", "/nowhere"], 3, "/nowhere: no such folder"),
        (["tasks", "GTZN"], 2, "Did you mean 'GTZAN'"),
    ],
)
def test_a_mistake_is_told_with_the_next_step(
    arguments: list[str], code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == code
    captured = capsys.readouterr()
    assert said in captured.err
    assert captured.err.startswith("marble-eval: error: ")
    assert captured.out == ""


def test_tasks_as_json_holds_nothing_but_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tasks", "--json"]) == 0
    tasks = {each["name"]: each for each in json.loads(capsys.readouterr().out)}
    assert tasks["GTZAN"]["tracks"] == {"train": 443, "valid": 197, "test": 290}


def test_a_task_page_has_sources_and_citation(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tasks", "GTZANGenre"]) == 0
    page = capsys.readouterr().out
    assert "https://github.com/coreyker/dnn-mgr" in page
    assert "@article{tzanetakis2002musical" in page


def test_encoders_are_listed_with_licence(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert main(["encoders"]) == 0
    lines = capsys.readouterr().out.splitlines()
    (mert,) = [line for line in lines if line.startswith("mert-v1-95m ")]
    assert "hf download m-a-p/MERT-v1-95M" in mert
    assert mert.split()[1:8] == ["95", "M", "13", "768", "24000", "75", "cc-by-nc-4.0"]


def test_doctor_finds_this_machine_fit(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor"]) == 0
    text = capsys.readouterr().out
    assert "reads wav, flac, ogg, mp3" in text
    assert "BAD" not in text


def test_doctor_names_a_home_that_cannot_be_made(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("os.access", lambda path, mode: False)
    assert main(["doctor"]) == 1
    assert "BAD  home" in capsys.readouterr().out


def test_help_and_lists_do_not_import_torch() -> None:
    """What is typed first must not wait for torch."""
    script = """
import sys
from marble_eval.cli import main
for arguments in (["--help"], ["--version"], ["run", "--help"], ["tasks"], ["encoders"],
                  ["cache", "ls"], ["leaderboard", "--help"], ["rn"]):
    main(arguments)
import marble_eval.leaderboard
heavy = {"torch", "transformers", "librosa", "sklearn"} & set(sys.modules)
sys.exit(f"imported {heavy}" if heavy else 0)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_output_that_nobody_reads_is_no_crash() -> None:
    command = f"{sys.executable} -m marble_eval tasks --json | head -c 1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert "Traceback" not in done.stderr


def test_a_full_disk_is_told_in_words_and_a_fault_of_ours_is_not_hidden(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from marble_eval.cli import tasks

    def full(_: list[str]) -> int:
        raise OSError(errno.ENOSPC, "No space left on device", "board.csv")

    def faulty(_: list[str]) -> int:
        raise FileNotFoundError(errno.ENOENT, "No such file or directory", "ours")

    monkeypatch.setattr(tasks, "main", full)
    assert main(["tasks"]) == 1
    assert "board.csv: No space left on device" in capsys.readouterr().err
    monkeypatch.setattr(tasks, "main", faulty)
    with pytest.raises(FileNotFoundError):
        main(["tasks"])
