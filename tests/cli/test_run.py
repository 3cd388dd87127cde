"""`marble-eval run` as users type it, on real files, and the same job from Python."""

from __future__ import annotations

import csv
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import soundfile
import torch
from sklearn.metrics import accuracy_score, f1_score

import marble_eval
from marble_eval.cli import main
from marble_eval.results import read_predictions, read_result
from tests.conftest import write_small_task

COMMAND = [sys.executable, "-m", "marble_eval"]


def result_of(results: Path) -> dict[str, Any]:
    (path,) = results.rglob("result.json")
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def test_from_audio_files_to_a_leaderboard_row(gtzan_root: Path, tmp_path: Path) -> None:
    """The real command on a GTZAN-shaped folder, to the CSV."""
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    run = [*COMMAND, "run", "task=GTZAN", f"task.root={gtzan_root}", "encoder=mel", "seeds=2"]
    done = subprocess.run(run, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "results" / "mel" / "1" / "GTZAN@1" / "marble-v1,seeds=1234-1235"
    assert str(folder.relative_to(tmp_path) / "result.json") in done.stdout
    assert "accuracy" in done.stdout and "accuracy" not in done.stderr

    result = read_result(folder / "result.json")
    assert result.task.sizes == {"train": 443, "valid": 197, "test": 290}
    assert result.protocol.conforms
    assert result.counts.scored == 290
    test = read_predictions(folder / "result.json").query("split == 'test' and seed == 1234")
    score = result.metrics["accuracy"]
    assert accuracy_score(test["reference"], test["estimate"]) == score.seed_values[0]
    assert score.low <= score.value <= score.high
    assert score.value > 0.3  # chance is 0.1, and the classes differ in their overtones
    macro = f1_score(test["reference"], test["estimate"], average="macro")
    assert result.metrics["macro_f1"].seed_values[0] == pytest.approx(macro)

    again = subprocess.run(run, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert "finished already" in again.stderr
    assert again.stdout == done.stdout

    board = subprocess.run(
        [*COMMAND, "leaderboard", "--csv", "board.csv"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert board.returncode == 0, board.stderr
    with (tmp_path / "board.csv").open(encoding="utf-8") as stream:
        rows = [row for row in csv.DictReader(stream) if row["source"] == "run"]
    assert [row["metric"] for row in rows] == ["accuracy", "macro_f1"]
    assert float(rows[0]["value"]) == pytest.approx(100 * score.value, abs=1e-4)
    wide = pd.read_csv(tmp_path / "board.wide.csv")
    assert wide.loc[wide["encoder"] == "mel", "GTZAN"].item() == pytest.approx(100 * score.value)
    assert wide.loc[wide["encoder"] == "MERT-v1-95M", "GTZAN"].item() == 74.8


def test_several_runs_in_one_command(small_task: Path, tmp_path: Path) -> None:
    results = tmp_path / "results"
    sweep = [f"task={small_task}", "encoder=mel", "probe=linear,logreg", f"results={results}"]
    assert main(["run", "-m", *sweep, "seeds=1"]) == 0
    variants = sorted(path.parent.name for path in results.rglob("result.json"))
    assert variants == ["marble-v1,probe=linear,seeds=1234", "marble-v1,probe=logreg,seeds=1234"]


def test_one_failing_run_does_not_sink_the_others(small_task: Path, tmp_path: Path) -> None:
    results = tmp_path / "results"
    jobs = [f"task={small_task},GTZAN", "encoder=mel", "protocol=quick", f"results={results}"]
    assert main(["run", "-m", *jobs]) == 3
    assert result_of(results)["task"]["name"] == "Small"


def test_every_protocol_and_probe_runs(small_task: Path, tmp_path: Path) -> None:
    for protocol in ("marble-v1", "marble-v2", "quick"):
        for probe in ("mlp", "linear", "logreg"):
            result = marble_eval.evaluate("mel", str(small_task), protocol=protocol, probe=probe)
            assert result.protocol.name == protocol
            assert result.metrics["accuracy"].n == 12
            assert result.protocol.track == (
                "constrained" if probe == "mlp" else "semi-constrained"
            )


def test_cfg_prints_the_config_and_runs_nothing(
    capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["run", "task=GTZAN", "encoder=mel", "--cfg", "job"]) == 0
    text = capfd.readouterr().out
    assert "name: GTZAN" in text
    assert "batch_tracks: 64" in text


def test_dry_run_says_what_would_be_done_and_writes_nothing(
    small_task: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = tmp_path / "results"
    job = [f"task={small_task}", "encoder=mel", f"results={results}"]
    assert main(["run", *job, "--dry-run"]) == 0
    text = capsys.readouterr().out
    assert "0 clips from the cache, 48 to encode" in text
    assert "8 probes" in text  # one layer, six rates, two more seeds
    assert "conforms" in text
    assert not results.exists()
    assert not (tmp_path / "home" / "features").exists()


def test_changed_rules_are_a_deviation(small_task: Path, tmp_path: Path) -> None:
    results = tmp_path / "results"
    job = [f"task={small_task}", "encoder=mel", f"results={results}", "seeds=1"]
    assert main(["run", *job, "protocol.batch_tracks=16"]) == 0
    found = result_of(results)
    assert found["protocol"]["deviations"] == [{"rule": "batch_tracks", "got": 16, "expected": 64}]
    assert not found["protocol"]["conforms"]


def test_unusable_files_stop_the_run_all_in_one_list(
    small_task: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (small_task / "test_organ_0.wav").unlink()
    (small_task / "train_flute_1.wav").write_bytes(b"")
    soundfile.write(small_task / "valid_organ_2.wav", np.zeros(9000), 22050)
    whole = (small_task / "train_organ_3.wav").read_bytes()
    (small_task / "train_organ_3.wav").write_bytes(whole[: len(whole) // 2])
    results = tmp_path / "results"
    job = [f"task={small_task}", "encoder=mel", f"results={results}", "seeds=1"]
    assert main(["run", *job]) == 3
    told = capsys.readouterr().err
    for name, reason in (
        ("test_organ_0.wav", "missing"),
        ("train_flute_1.wav", "empty"),
        ("valid_organ_2.wav", "silent"),
        ("train_organ_3.wav", "truncated"),
    ):
        (line,) = [each for each in told.splitlines() if name in each]
        assert reason in line
    assert not results.exists()

    assert main(["run", *job, "missing=report"]) == 0
    found = result_of(results)
    assert found["counts"]["expected"] == 12
    assert found["counts"]["scored"] == 11
    assert len(found["counts"]["missing"]) == 4
    assert {"split": "test", "count": 1, "of": 12} in found["protocol"]["deviations"]


def test_a_finished_run_is_made_again_when_the_data_changed(
    small_task: Path, tmp_path: Path
) -> None:
    results = tmp_path / "results"
    first = marble_eval.evaluate("mel", str(small_task), results=results, seeds=1)
    same = marble_eval.evaluate("mel", str(small_task), results=results, seeds=1)
    assert same.created == first.created and same.unit == first.unit
    write_small_task(small_task, seed=1)
    other = marble_eval.evaluate("mel", str(small_task), results=results, seeds=1)
    assert other.unit != first.unit
    assert other.task.data_digest != first.task.data_digest


class Halves(torch.nn.Module):
    """An encoder in somebody's training loop: dropout, and random numbers of its own."""

    name, sample_rate, frame_rate, width = "halves", 22050, 10.0, 8
    layers: Sequence[str] = ("0", "1", "2")

    def __init__(self) -> None:
        super().__init__()
        self.project = torch.nn.Linear(2205, 8)
        self.drop = torch.nn.Dropout(0.5)

    def hidden_states(self, audio: torch.Tensor) -> torch.Tensor:
        torch.rand(3)
        frames = audio.unfold(1, 2205, 2205)
        first = self.drop(self.project(torch.fft.fft(frames).abs()))
        return torch.stack([first, first.relu(), first.tanh()], dim=1)

    def fingerprint(self) -> str:
        return f"{float(self.project.weight.detach().sum()):.8f}"


def test_evaluate_leaves_a_training_loop_as_it_was(
    small_task: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(1)
    model = Halves()
    model.train()
    model.drop.eval()
    states = torch.get_rng_state(), random.getstate()
    drawn_by_numpy = np.random.get_state(legacy=False)
    threads, precision = torch.get_num_threads(), torch.get_float32_matmul_precision()
    weights = model.project.weight.detach().clone()
    result = marble_eval.evaluate(model, str(small_task), protocol="quick", seeds=1)
    assert model.training and model.project.training and not model.drop.training
    assert torch.equal(torch.get_rng_state(), states[0])
    assert str(np.random.get_state(legacy=False)) == str(drawn_by_numpy)
    assert random.getstate() == states[1]
    assert torch.get_num_threads() == threads
    assert torch.get_float32_matmul_precision() == precision
    assert torch.equal(model.project.weight, weights) and model.project.weight.grad is None
    assert torch.is_grad_enabled()
    again = marble_eval.evaluate(model, str(small_task), protocol="quick", seeds=1)
    assert again.metrics == result.metrics
    with torch.no_grad():
        model.project.weight.mul_(-1)
    changed = marble_eval.evaluate(model, str(small_task), protocol="quick", seeds=1)
    assert changed.features.fingerprint != result.features.fingerprint


def test_no_socket_is_opened_when_offline(
    gtzan_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: Any, **options: Any) -> Any:
        raise AssertionError(f"a socket was opened: {arguments}")

    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    for jsonl in gtzan_root.glob("*.jsonl"):
        (tmp_path / jsonl.name).unlink(missing_ok=True)
    (tmp_path / "genres").symlink_to(gtzan_root / "genres")
    with pytest.raises(marble_eval.errors.MissingError, match="HF_HUB_OFFLINE forbids"):
        marble_eval.evaluate("mel", "GTZAN", root=tmp_path)
    with pytest.raises(marble_eval.errors.MissingError, match="hf download m-a-p/MERT-v1-95M"):
        marble_eval.evaluate("mert-v1-95m", "GTZAN", root=gtzan_root)


def test_interrupt_keeps_finished_work_and_exits_130(small_task: Path, tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text(
        "import time\n"
        "import marble_eval\n"
        "class Slow:\n"
        "    def __init__(self):\n"
        "        self.inner = marble_eval.load_encoder('mel')\n"
        "    def __getattr__(self, name):\n"
        "        return getattr(self.inner, name)\n"
        "    def hidden_states(self, audio):\n"
        "        time.sleep(0.2)\n"
        "        return self.inner.hidden_states(audio)\n"
    )
    home = tmp_path / "home"
    job = [*COMMAND, "run", f"task={small_task}", "encoder.target=slow:Slow", "engine.workers=1"]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    with subprocess.Popen(
        job, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True
    ) as process:
        deadline = time.monotonic() + 60
        while not list(home.rglob("index.jsonl")) and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=30)
    assert process.returncode == 130, told
    assert "finished work is kept" in told
    (index,) = home.rglob("index.jsonl")
    assert 1 <= len(index.read_text().splitlines()) < 48
    assert not (tmp_path / "results").exists()
