"""`marble-eval demo` as a newcomer runs it: nothing there before, no network."""

from __future__ import annotations

import csv
import os
import re
import subprocess
import sys
from pathlib import Path

from marble_eval.cli import main


def test_demo_goes_from_nothing_to_an_embedded_leaderboard(tmp_path: Path) -> None:
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "MARBLE_EVAL_HOME": str(tmp_path / "home")}
    done = subprocess.run(
        [sys.executable, "-m", "marble_eval", "demo"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    scores = re.findall(r"accuracy +(\d+\.\d) +\[(\d+\.\d), (\d+\.\d)\]", done.stdout)
    assert len(scores) == 2  # mel and mert-random
    for value, low, high in scores:
        assert 12.5 < float(low) <= float(value) <= float(high) < 100  # above chance, not perfect
    assert done.stdout.count("embedded data") == 2
    assert list(tmp_path.iterdir()) == [tmp_path / "home"]  # the working folder stays as it was

    with (tmp_path / "home" / "demo" / "leaderboard.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert {row["encoder"] for row in rows} == {"mel", "mert-random-small"}
    assert {row["embedded"] for row in rows} == {"true"}

    real = tmp_path / "real.csv"
    results = str(tmp_path / "home" / "demo" / "results")
    assert main(["leaderboard", results, "--csv", str(real)]) == 0
    with real.open(encoding="utf-8") as stream:
        assert {row["source"] for row in csv.DictReader(stream)} == {"reported"}
