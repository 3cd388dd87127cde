"""Commands as people first type them: each gets a sentence with the spelling that was meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from marble_eval.cli import main
from marble_eval.cli.table import table
from tests.conftest import write_small_task


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_small_task(tmp_path / "toy")
    (tmp_path / "clips.csv").write_text("path,label\n")
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("GTZAN", "Got 'GTZAN'. Write task=GTZAN."),
        ("gtzn", "Got 'gtzn'. Write task=GTZAN?"),
        ("mel task=./toy", "Got 'mel'. Write encoder=mel."),
        ("toy encoder=mel", "Got 'toy'. Write task=./toy."),
        ("task=./toy layers=5,6", "Write layers=[5,6]."),
        ("task=./toy encoder=mel,chroma", "Write -m encoder=mel,chroma for several runs."),
        ("task=GTZAN,./toy encoder=mel", "Write -m task=GTZAN,./toy for several runs."),
        ("task=./toy probe=mlp,linear", "Write -m probe=mlp,linear for several runs."),
        ("task=./toy seed=1,2", "Write seed=[1,2] for a list, or -m seed=1,2 for several runs."),
        ("--task GTZAN", "no option is called '--task'. Write task=GTZAN."),
        ("--task=GTZAN", "no option is called '--task'. Write task=GTZAN."),
        ("task=./toy --device cuda", "no option is called '--device'. Write engine.device=cuda."),
        ("task=./toy --limit 10", "no option is called '--limit'. Known: "),
        ("task=./toy device=cuda", "Write engine.device=cuda."),
        ("task=./toy root=/data", "Write task.root=/data."),
        ("task=./toy encoder=mert", "Did you mean 'mert-v0' or"),
        ("task=./toy encoder=mert", "'mert-v1-330m'"),
        (
            "task=toy encoder=mel",
            "no task is called 'toy', but a folder here is. Write task=./toy.",
        ),
        ("-m task=toy,GTZAN encoder=mel", "Write task=./toy."),
        ("task=./clips.csv", "task=./clips.csv: a task must be a folder with a task.yaml."),
        ("task=clips.csv", "put the table there as tracks.csv, and task=./my-task."),
    ],
)
def test_a_first_try_gets_the_right_spelling(
    words: str, expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", *words.split()]) == 2
    out, said = capsys.readouterr()
    assert expected in said
    assert "hydra" not in said.lower() and not out


def test_the_home_of_a_user_is_expanded_in_paths(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert main(["run", "task=~/toy", "encoder=mel", "protocol=quick", "results=~/out"]) == 0
    assert list((tmp_path / "out").rglob("result.json"))
    assert main(["leaderboard", "~/out", "--embedded", "--md=~/board.md"]) == 0
    assert (tmp_path / "board.md").is_file()
    capsys.readouterr()
    assert main(["run", "task=~/toy", "encoder=mert-v1-95m", "encoder.path=~/lost"]) == 3
    assert str(tmp_path / "lost") in capsys.readouterr().err
    assert not (tmp_path / "~").exists()


def test_a_board_is_written_to_stdout(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "task=./toy", "encoder=mel", "protocol=quick"]) == 0
    capsys.readouterr()
    assert main(["leaderboard", "--md", "-"]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("#") and "mel" in printed
    assert main(["leaderboard", "--csv", "-", "--json", "board.json"]) == 0
    out, err = capsys.readouterr()
    assert out.splitlines()[0].count(",") > 10 and "board.json" in err
    assert main(["leaderboard", "--csv", "-", "--md", "-"]) == 2
    assert not Path("-").exists()


@pytest.mark.parametrize("words", ["tasks", "encoders", "data list"])
def test_tables_fit_the_terminal(
    words: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert main(words.split()) == 0
    printed = capsys.readouterr().out
    assert max(map(len, printed.splitlines())) <= 80
    assert "GTZAN" in printed or "mel" in printed


def test_columns_that_do_not_fit_go_below(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "24")
    rows = [("task", "hours", "licence", "data"), ("GTZAN", "8.3", "none is stated", "by hand")]
    assert table(rows).splitlines() == [
        *("task   hours", "    licence | data"),
        *("GTZAN  8.3", "    none is stated | by", "    hand"),
    ]
