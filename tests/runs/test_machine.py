"""What a machine lacks is found before anything is encoded or trained."""

from __future__ import annotations

import os
import shutil
import sys
from collections import namedtuple
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from marble_eval.cli import main
from marble_eval.files.home import home_folder, keep_compiled_code
from marble_eval.registry import load_task
from marble_eval.runs.task_data import data_folder, default_root
from tests.conftest import write_small_task


def run(root: Path, *options: str) -> int:
    task = write_small_task(root / "small")
    return main(["run", f"task={task}/", "encoder=mel", "protocol=quick", *options])


@pytest.mark.parametrize("flags", [[], ["--dry-run"]])
def test_results_below_a_file_are_refused_first(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], flags: list[str]
) -> None:
    (tmp_path / "plain").touch()
    assert run(tmp_path, f"results={tmp_path / 'plain' / 'results'}", *flags) == 1
    said = capsys.readouterr().err
    assert f"must be a folder. Got {tmp_path / 'plain'}, a file. Name another folder" in said
    assert "encode" not in said and "train" not in said


def test_results_that_may_not_be_written_are_refused_first(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    locked = tmp_path / "locked"
    locked.mkdir()
    allowed = os.access
    monkeypatch.setattr("os.access", lambda path, mode: path != locked and allowed(path, mode))
    assert run(tmp_path, f"results={locked / 'results'}") == 1
    said = capsys.readouterr().err
    assert f"that can be written. {locked} cannot. Name another folder: results=" in said
    assert "encode" not in said


def test_the_result_of_another_is_refused_before_training(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, f"results={tmp_path / 'results'}") == 0
    (found,) = (tmp_path / "results").rglob("result.json")
    found.write_text(found.read_text().replace('"name": "mel"', '"name": "mel?"'))
    capsys.readouterr()
    assert run(tmp_path, f"results={tmp_path / 'results'}", "--force") == 4
    said = capsys.readouterr().err
    assert "must be of encoder 'mel' to be replaced by it. Got 'mel?'" in said
    assert "train" not in said


def test_a_gpu_that_is_not_there_is_refused_first(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert run(tmp_path, "engine.device=cuda") == 2
    assert "probes: 'device' must be one of this machine. Got 'cuda'" in capsys.readouterr().err
    assert not (home_folder() / "features").exists()


def test_a_disk_without_room_is_refused_first(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**9, 10**9, 1000))
    assert run(tmp_path, f"results={tmp_path / 'results'}") == 1
    assert "must have room for new features of" in capsys.readouterr().err
    assert not list((home_folder() / "features").rglob("data.bin"))


def test_compiled_code_is_kept_below_the_home_of_who_has_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "numba", raising=False)
    for name in ("NUMBA_CACHE_DIR", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("HOME", str(tmp_path))
    keep_compiled_code()
    assert not os.environ["NUMBA_CACHE_DIR"]
    monkeypatch.setattr("os.access", lambda path, mode: False)
    keep_compiled_code()
    assert os.environ["NUMBA_CACHE_DIR"] == str(home_folder().absolute() / "numba")


def test_data_beside_the_card_of_a_package_is_found(tmp_path: Path) -> None:
    task = load_task(f"{write_small_task(tmp_path / 'small')}/")
    packaged = replace(task, provider="my-package 1.0")
    assert default_root(packaged) == task.folder
    data_folder(task.spec).mkdir(parents=True)  # a copy in the data home goes first
    assert default_root(packaged) == data_folder(task.spec)
    assert default_root(replace(task, provider="marble-eval 1.0")) == data_folder(task.spec)
