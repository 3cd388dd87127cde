"""Features and scores do not move with threads, processes, the order of files or the folder."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from threadpoolctl import threadpool_limits

from marble_eval.progress import Silence
from marble_eval.registry import load_encoder, load_task
from marble_eval.registry.configuration import load_engine
from marble_eval.runs.encoding import encode_tracks
from marble_eval.runs.run import settings_of
from marble_eval.runs.run_plan import plan_run

# Of its cepstra, sums over 64 bands, nearly a third have another last bit with two threads.
ENCODERS = ("mfcc", "mert-random")


def _features(
    task: Path,
    encoder: str,
    *,
    threads: int,
    workers: int = 0,
    processes: int = 0,
    backwards: bool = False,
) -> tuple[bytes, dict[str, bytes]]:
    """Encode a task in a process with so many threads: the store's data, and those of each file."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        with threadpool_limits(limits=threads, user_api="blas"):
            settings = settings_of(
                protocol="marble-v2",
                engine=replace(load_engine("local"), workers=workers, processes=processes),
                features={"dtype": "float32"},
            )
            options = {"size": "small"} if encoder == "mert-random" else {}
            loaded = load_encoder(encoder, device="cpu", **options)
            prepared = plan_run(load_task(str(task)), loaded, settings, Silence())
            if backwards:
                usable = prepared.survey.usable[::-1]
                prepared = replace(prepared, survey=replace(prepared.survey, usable=usable))
            encoded = encode_tracks(prepared, Silence())
    finally:
        torch.set_num_threads(before)
    assert encoded.clips_encoded > 0
    data = (prepared.plan.store.folder / "data.bin").read_bytes()
    return data, {audio: each.tobytes() for audio, each in encoded.features.items()}


@pytest.mark.parametrize("encoder", ENCODERS)
def test_features_are_the_same_bytes_however_they_are_computed(
    small_task: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, encoder: str
) -> None:
    def home(name: str) -> None:
        monkeypatch.setenv("MARBLE_EVAL_HOME", str(tmp_path / name))

    home("plain")
    data, by_audio = _features(small_task, encoder, threads=1)
    elsewhere = Path(shutil.copytree(small_task, tmp_path / "elsewhere"))
    others: dict[str, dict[str, Any]] = {
        "two": {"threads": 2, "workers": 1},
        "four": {"threads": 4, "workers": 3},
        "process": {"threads": 2, "processes": 1},
        "processes": {"threads": 1, "processes": 2},
    }
    for name, choices in others.items():
        home(name)
        assert _features(elsewhere, encoder, **choices)[0] == data, name
    home("backwards")
    assert _features(elsewhere, encoder, threads=2, backwards=True)[1] == by_audio


def test_a_result_is_the_same_with_one_thread_and_two(small_task: Path, tmp_path: Path) -> None:
    found = []
    for threads in ("1", "2"):
        folder = tmp_path / threads
        run = [sys.executable, "-m", "marble_eval", "run", f"task={small_task}", "encoder=mfcc"]
        run += ["protocol=marble-v2", "seeds=1", "features.dtype=float32"]
        environment = {
            **os.environ,
            "MARBLE_EVAL_HOME": str(folder / "home"),
            "OMP_NUM_THREADS": threads,
            "OPENBLAS_NUM_THREADS": threads,
        }
        folder.mkdir()
        done = subprocess.run(run, cwd=folder, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        (path,) = folder.rglob("result.json")
        result = json.loads(path.read_text())
        found.append({name: result[name] for name in result if name not in ("created", "cost")})
        assert found[-1]["predictions"]  # with the digest of every item's outputs
    assert found[0] == found[1]
