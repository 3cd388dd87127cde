"""Encoders in processes of their own: real ones, really killed."""

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from marble_eval.encoders.mert import random_mert
from marble_eval.errors import SpecError
from marble_eval.features.clip_rules import ClipCuts
from marble_eval.features.extraction import Extraction, Job, extract
from marble_eval.features.stores import PooledStore
from marble_eval.features.workers.processes import visible_gpus
from marble_eval.files.fingerprint import file_digest
from marble_eval.progress import Silence
from marble_eval.registry import load_encoder
from marble_eval.spec import EngineSpec, Windowing

RATE = 24000
WINDOWING = Windowing("mean", "torchaudio-sinc", "track", None, 0.5, None, "keep", 0.1)
CUTS = ClipCuts(WINDOWING, normalised=True, sample_rate=RATE, minimum_samples=400)
SECONDS = (1.6, 0.5, 0.9, 0.5, 2.5, 0.5, 0.7, 0.5, 0.5, 1.3, 0.5, 0.5)
CLIPS = 23


class Failing:
    """Like MERT, but breaks over the tenth clip; made by a class, so it is sent whole."""

    def __init__(self, *, fails: bool = True) -> None:
        self._inner = random_mert(size="small", seed=0, precision="float32", device="cpu")
        self.name, self.sample_rate, self.frame_rate = "failing", RATE, 75.0
        self.layers: Sequence[str] = self._inner.layers
        self.width = self._inner.width
        self.fails, self.clips = fails, 0

    def hidden_states(self, audio: torch.Tensor) -> torch.Tensor:
        self.clips += 1
        if self.fails and self.clips == 10:
            raise ZeroDivisionError("the tenth")
        return self._inner.hidden_states(audio)

    def fingerprint(self) -> str:
        return "failing"


@pytest.fixture(scope="module")
def jobs(tmp_path_factory: pytest.TempPathFactory) -> list[Job]:
    folder = tmp_path_factory.mktemp("tracks")
    rng = np.random.default_rng(0)
    jobs = []
    for number, each in enumerate(SECONDS):
        path = folder / f"{number:02d}.wav"
        soundfile.write(path, rng.uniform(-0.5, 0.5, round(each * RATE)), RATE)
        jobs.append(Job(file_digest(path), path))
    return jobs


def _extract(
    jobs: list[Job],
    folder: Path,
    encoder: object | None = None,
    processes: int = 0,
    progress: Silence | None = None,
) -> Extraction:
    return extract(
        jobs,
        encoder or load_encoder("mert-random", size="small", device="cpu"),  # type: ignore[arg-type]
        PooledStore(folder, layers=5, width=192, dtype="float32"),
        CUTS,
        expected_clips=CLIPS,
        engine=EngineSpec("cpu", 2, 1, 2, 0, processes, None, None, None),
        progress=progress or Silence(),
    )


def _bytes(folder: Path) -> tuple[bytes, bytes]:
    return (folder / "data.bin").read_bytes(), (folder / "index.jsonl").read_bytes()


class _Killer(Silence):
    """Kills a process when some clips are written."""

    def __init__(self, after: int) -> None:
        self.after, self.done, self.victims = after, 0, [0]
        self.said: list[str] = []

    def advance(self, steps: int = 1) -> None:
        self.done += steps
        if self.done >= self.after and self.victims == [0]:
            victim = multiprocessing.active_children()[0]
            assert victim.pid is not None
            os.kill(victim.pid, signal.SIGKILL)
            self.victims = [victim.pid]

    def say(self, sentence: str) -> None:
        self.said.append(sentence)


def test_a_store_filled_by_processes_of_which_one_is_killed_is_that_of_this_one(
    tmp_path: Path, jobs: list[Job]
) -> None:
    assert _extract(jobs, tmp_path / "here").encoded == CLIPS
    killer = _Killer(3)
    assert _extract(jobs, tmp_path / "there", None, 2, killer).encoded == CLIPS
    assert any("(signal 9); another takes its tracks" in each for each in killer.said)
    assert _bytes(tmp_path / "there") == _bytes(tmp_path / "here")
    assert multiprocessing.active_children() == []


def test_an_error_of_an_encoder_that_is_sent_whole_comes_out_as_it_is(
    tmp_path: Path, jobs: list[Job]
) -> None:
    with pytest.raises(ZeroDivisionError, match="the tenth") as raised:
        _extract(jobs, tmp_path / "store", Failing(), 1)
    assert "hidden_states" in raised.value.__notes__[0]  # where, in the other process
    assert multiprocessing.active_children() == []
    store = PooledStore.open(tmp_path / "store")
    assert 0 < len(store) < 10
    _extract(jobs, tmp_path / "store", Failing(fails=False))
    _extract(jobs, tmp_path / "here")
    assert _bytes(tmp_path / "store") == _bytes(tmp_path / "here")


def test_an_encoder_that_cannot_be_sent_is_refused_in_a_sentence(
    tmp_path: Path, jobs: list[Job]
) -> None:
    encoder = Failing()
    encoder.lock = threading.Lock()  # type: ignore[attr-defined]
    with pytest.raises(
        SpecError, match=r"encoder failing: must be loaded by .*load_encoder.*processes=0"
    ):
        _extract(jobs, tmp_path, encoder, 2)
    assert multiprocessing.active_children() == []


def _fill_as_child(folder: Path, jobs: list[Job]) -> None:
    encoder = random_mert(size="small", seed=0, precision="float32", device="cpu")
    _extract(jobs, folder, encoder, 1)


def test_processes_end_with_a_driver_that_is_killed(tmp_path: Path, jobs: list[Job]) -> None:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["pytest", "marble_eval.features.extraction"])
    driver = context.Process(target=_fill_as_child, args=(tmp_path / "store", jobs))
    driver.start()
    assert driver.pid is not None
    deadline = time.monotonic() + 60
    children: list[int] = []
    while not (children and (tmp_path / "store" / "index.jsonl").exists()):
        assert driver.is_alive() and time.monotonic() < deadline
        children = _children(driver.pid)
        time.sleep(0.005)
    os.kill(driver.pid, signal.SIGKILL)
    driver.join()
    while any(Path(f"/proc/{each}").exists() for each in children):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    _extract(jobs, tmp_path / "store")
    _extract(jobs, tmp_path / "here")
    assert _bytes(tmp_path / "store") == _bytes(tmp_path / "here")


def _children(pid: int) -> list[int]:
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(each) for each in found]


def test_gpus_are_named_as_the_variable_names_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert visible_gpus(3) == ["0", "1", "2"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4, GPU-8c2f")
    assert visible_gpus(2) == ["4", "GPU-8c2f"]
