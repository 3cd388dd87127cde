"""`marble-eval encoders`, `encoders check`, `init encoder` and `extract`, as users type them."""

from __future__ import annotations

import importlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from marble_eval import evaluate, load_task
from marble_eval.cli import main
from marble_eval.registry.configuration import config_names
from tests.conftest import write_small_task

COMMAND = [sys.executable, "-m", "marble_eval"]
TINY = Path(__file__).parents[1] / "data" / "mert" / "mert-v1-95m-like"


def run(arguments: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "MARBLE_EVAL_HOME": str(folder / "home")}
    return subprocess.run(
        [*COMMAND, *arguments], cwd=folder, env=environment, capture_output=True, text=True
    )


def test_the_list_tells_size_licence_and_training_data(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["encoders", "--json"]) == 0
    found = {each["name"]: each for each in json.loads(capsys.readouterr().out)}
    assert set(config_names("encoder")) <= set(found)
    card = found["mert-v1-330m"]["card"]
    assert (card["parameters"], card["layers"], card["width"]) == (330_000_000, 25, 1024)
    assert card["licence"] == "cc-by-nc-4.0" and "160,000 hours" in card["trained_on"]


def test_a_sound_encoder_is_green_and_a_bad_one_red_with_exit_4(tmp_path: Path) -> None:
    sound = run(
        ["encoders", "check", "encoder=mert-v1-95m", f"encoder.path={TINY}", "encoder.name=tiny"],
        tmp_path,
    )
    assert sound.returncode == 0, sound.stderr
    assert {line[:3] for line in sound.stdout.splitlines()} == {"ok "}

    written = run(["init", "encoder", "my_encoder"], tmp_path)
    assert written.returncode == 0, written.stderr
    module = tmp_path / "my_encoder.py"
    module.write_text(module.read_text().replace("24000 / 320", "24000 / 240"))
    bad = run(["encoders", "check", "encoder.target=my_encoder:load"], tmp_path)
    assert bad.returncode == 4
    (line,) = [each for each in bad.stdout.splitlines() if each.startswith("BAD")]
    assert line.split()[1:3] == ["frame", "rate"] and "Got 74" in line
    assert "1 of the rules above" in bad.stderr


def test_what_init_writes_passes_its_own_test_and_runs(tmp_path: Path) -> None:
    assert run(["init", "encoder", "my_encoder"], tmp_path).returncode == 0
    tested = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "test_my_encoder.py"],
        cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    assert tested.returncode == 0, tested.stdout
    assert "15 passed" in tested.stdout

    task = write_small_task(tmp_path / "small")
    done = run(["run", f"task={task}/", "encoder.target=my_encoder:load", "seeds=1"], tmp_path)
    assert done.returncode == 0, done.stderr
    assert "my-encoder" in done.stdout


def test_a_network_trained_on_between_two_evaluations_is_scored_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["init", "encoder", str(tmp_path / "in_training")]) == 0
    monkeypatch.syspath_prepend(str(tmp_path))
    module = importlib.import_module("in_training")
    network = module.load(device="cpu").network.train()
    encoder = module.InTraining(network, torch.device("cpu"))
    task = load_task(f"{write_small_task(tmp_path / 'small')}/")

    before = evaluate(encoder, task, protocol="quick", seeds=1)
    with torch.no_grad():
        for each in network.parameters():
            each.mul_(-1)
    after = evaluate(encoder, task, protocol="quick", seeds=1)

    assert network.training
    assert before.encoder.fingerprint != after.encoder.fingerprint
    assert after.cost.clips_encoded == before.cost.clips_encoded > 0


@pytest.mark.parametrize("name", ["My-Encoder", "9lives", "a.b.py"])
def test_a_name_that_no_module_can_have_is_refused(name: str, tmp_path: Path) -> None:
    assert main(["init", "encoder", str(tmp_path / name)]) == 2
    assert list(tmp_path.iterdir()) == []


def test_init_encoder_overwrites_nothing(tmp_path: Path) -> None:
    (tmp_path / "test_mine.py").write_text("kept")
    assert main(["init", "encoder", str(tmp_path / "mine")]) == 2
    assert [each.name for each in tmp_path.iterdir()] == ["test_mine.py"]


def test_what_was_extracted_is_not_encoded_again(tmp_path: Path) -> None:
    task = write_small_task(tmp_path / "small")
    done = run(["extract", f"task={task}/", "encoder=mel"], tmp_path)
    assert done.returncode == 0, done.stderr
    assert "48 tracks, 48 clips encoded" in done.stdout
    assert not (tmp_path / "results").exists()
    again = run(["run", f"task={task}/", "encoder=mel", "seeds=1"], tmp_path)
    assert "0 clips encoded" in again.stdout and "48 from the cache" in again.stdout


def test_checkpoints_become_a_curve_and_results_with_steps(tmp_path: Path) -> None:
    task = write_small_task(tmp_path / "small")
    for step in (300, 2000):
        shutil.copytree(TINY, tmp_path / "runs" / f"step{step}")
    done = run(
        ["run", f"task={task}/", "encoder.checkpoints=runs/step*/", "seeds=1", "layers=[1]"],
        tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert [line.split()[0] for line in done.stdout.splitlines()[-4:-2]] == ["300", "2000"]
    steps = [
        json.loads(each.read_text())["encoder"]["step"]
        for each in (tmp_path / "results").rglob("result.json")
    ]
    assert sorted(steps) == [300, 2000]
    (curve,) = (tmp_path / "results" / "curves").iterdir()
    assert curve.read_text().count("\n") == 1 + 2 * 2  # accuracy and macro_f1 of two steps


@pytest.mark.parametrize("launcher", ["joblib", "submitit_local"])
def test_a_grid_runs_side_by_side_and_its_worst_exit_code_counts(
    launcher: str, tmp_path: Path
) -> None:
    task = write_small_task(tmp_path / "small")
    grid = ["run", "-m", f"task={task}/", "seeds=1", f"hydra/launcher={launcher}"]
    done = run([*grid, "encoder=mel,chroma"], tmp_path)
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "results").rglob("result.json"))) == 2
    # The weights are not here and nothing is fetched, so one of the two jobs exits with 3.
    bad = run([*grid, "encoder=mel,mert-v0", "force=true"], tmp_path)
    assert bad.returncode == 3, bad.stderr
    assert not list((tmp_path / "results" / ".hydra").glob("codes-*"))


def test_an_unknown_launcher_is_refused_by_name(tmp_path: Path) -> None:
    task = write_small_task(tmp_path / "small")
    done = run(["run", "-m", f"task={task}/", "encoder=mel", "hydra/launcher=slurm"], tmp_path)
    assert done.returncode == 2
    assert "submitit_slurm" in done.stderr
