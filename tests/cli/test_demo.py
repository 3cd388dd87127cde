"""`marble-eval demo` as a newcomer runs it: nothing there before, no network."""

from __future__ import annotations

import csv
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from marble_eval.cli import main

if TYPE_CHECKING:
    import pytest

#: One of one class a track, one with many outputs; the others are run in tests/embedded.
TASKS = ("EmbeddedKey", "EmbeddedRecipe")
ENCODERS = {"mel", "chroma", "mert-random-small"}


def test_demo_goes_from_nothing_to_an_embedded_leaderboard(tmp_path: Path) -> None:
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "COLUMNS": "200"}
    environment["MARBLE_EVAL_HOME"] = str(tmp_path / "home")
    done = subprocess.run(
        [sys.executable, "-m", "marble_eval", "demo", *TASKS],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    rows = [line for line in done.stdout.splitlines() if line.startswith(TASKS)]
    table = rows[-len(TASKS) :]
    scores = {
        line.split()[0]: [
            tuple(map(float, each))
            for each in re.findall(r"(-?\d+\.\d) \[(-?\d+\.\d), (-?\d+\.\d)\]", line)
        ]
        for line in table
    }
    assert set(scores) == set(TASKS)
    for of_encoders in scores.values():
        assert len(of_encoders) == len(ENCODERS)
        assert all(low <= value <= high < 97 for value, low, high in of_encoders)
    # Chroma hears keys better than mel does, and mel better than random weights.
    (mel, chroma, random) = scores["EmbeddedKey"]
    assert chroma[1] > mel[2] and mel[1] > random[2]
    assert list(tmp_path.iterdir()) == [tmp_path / "home"]  # the working folder stays as it was

    page = (tmp_path / "home" / "demo" / "report.html").read_text(encoding="utf-8")
    assert all(name in page for name in (*TASKS, *ENCODERS))
    with (tmp_path / "home" / "demo" / "leaderboard.csv").open(encoding="utf-8") as stream:
        of_board = list(csv.DictReader(stream))
    assert {row["encoder"] for row in of_board} == ENCODERS
    assert {row["embedded"] for row in of_board} == {"true"}
    assert {row["task"] for row in of_board} == set(TASKS)

    real = tmp_path / "real.csv"
    results = str(tmp_path / "home" / "demo" / "results")
    assert main(["leaderboard", results, "--csv", str(real)]) == 0
    with real.open(encoding="utf-8") as stream:
        assert {row["source"] for row in csv.DictReader(stream)} == {"reported"}


def test_a_task_that_is_not_embedded_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "EmbedddedKey"]) == 2
    assert "Did you mean 'EmbeddedKey'" in capsys.readouterr().err
