"""Filling the cache with real files, real threads and processes that are really killed."""

import multiprocessing
import os
import resource
import shutil
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from marble_eval.audio import UnusableAudio, prepare
from marble_eval.encoders.mert import random_mert
from marble_eval.errors import MarbleError
from marble_eval.features import clip_rules
from marble_eval.features.clip_rules import ClipCuts
from marble_eval.features.extraction import Extraction, Job, extract
from marble_eval.features.stores import ClipName, PooledStore
from marble_eval.features.workers import worker
from marble_eval.files.fingerprint import file_digest
from marble_eval.progress import Silence
from marble_eval.spec import EngineSpec, Windowing

RATE = 8000
WINDOWING = Windowing(
    channels="mean",
    resampler="torchaudio-sinc",
    normalise="track",
    crop_seconds=None,
    clip_seconds=0.5,
    hop_seconds=None,
    tail="keep",
    tail_seconds=0.1,
)
CUTS = ClipCuts(WINDOWING, normalised=False, sample_rate=RATE, minimum_samples=1)
MERT_CUTS = ClipCuts(WINDOWING, normalised=True, sample_rate=24000, minimum_samples=400)
# Clips of 0.5 s and shorter tails, alone and beside one another: 40 clips.
SECONDS = (2.0, 0.9, 0.9, 0.5, 0.5, 1.0, 2.3, 0.3, 0.3, 0.3, 3.0, 1.7, 0.5, 1.9, 2.5)
CLIPS = 40


class Slices:
    """Three layers of four numbers a frame; notes the clips it was given."""

    name = "slices"
    sample_rate = RATE
    frame_rate = 80.0
    layers: Sequence[str] = ("0", "1", "2")
    width = 4

    def __init__(
        self, seconds_a_clip: float = 0.0, stop_after: int = 10**9, hang_after: int = 10**9
    ) -> None:
        self._seconds, self._stop_after, self._hang_after = seconds_a_clip, stop_after, hang_after
        self.clips: list[bytes] = []
        self.batches: list[tuple[int, int]] = []
        self.threads: set[int] = set()

    def hidden_states(self, audio: torch.Tensor) -> torch.Tensor:
        if len(self.clips) >= self._stop_after:
            raise KeyboardInterrupt
        time.sleep(self._seconds * len(audio) if len(self.clips) < self._hang_after else 3600)
        self.threads.add(torch.get_num_threads())
        self.batches.append((len(audio), audio.shape[1]))
        self.clips += [each.numpy().tobytes() for each in audio]
        frames = audio.reshape(len(audio), -1, 4, 25).sum(3)
        return torch.stack([frames, frames.abs(), frames.square()], dim=1)

    def fingerprint(self) -> str:
        return "slices"


def _tracks(folder: Path, seconds: Sequence[float] = SECONDS) -> list[Job]:
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    jobs = []
    for number, each in enumerate(seconds):
        path = folder / f"{number:02d}.wav"
        soundfile.write(path, rng.uniform(-0.5, 0.5, round(each * RATE)), RATE)
        jobs.append(Job(file_digest(path), path))
    return jobs


def _store(folder: Path) -> PooledStore:
    return PooledStore(folder, layers=3, width=4, dtype="float16")


def _engine(
    workers: int = 1, batch_clips: int = 1, readers: int = 2, processes: int = 0
) -> EngineSpec:
    return EngineSpec("cpu", workers, batch_clips, readers, 0, processes, None, None, None)


def _extract(
    jobs: list[Job],
    folder: Path,
    encoder: Slices | None = None,
    engine: EngineSpec | None = None,
    progress: Silence | None = None,
) -> Extraction:
    return extract(
        jobs,
        encoder or Slices(),
        _store(folder),
        CUTS,
        expected_clips=CLIPS,
        engine=engine or _engine(),
        progress=progress or Silence(),
    )


def _bytes(folder: Path) -> tuple[bytes, bytes]:
    return (folder / "data.bin").read_bytes(), (folder / "index.jsonl").read_bytes()


def _lines(folder: Path) -> int:
    path = folder / "index.jsonl"
    return path.read_bytes().count(b"\n") if path.exists() else 0


def _check_features(jobs: list[Job], folder: Path) -> None:
    """Compare what is stored with the encoder on each clip alone."""
    store = _store(folder)
    for job in jobs:
        audio, _ = soundfile.read(job.path, dtype="float32")
        starts = range(0, len(audio), RATE // 2)
        clips = [audio[start : start + RATE // 2] for start in starts]
        states = [Slices().hidden_states(torch.from_numpy(clip)[None]) for clip in clips]
        expected = np.concatenate([each.mean(dim=2).numpy() for each in states])
        np.testing.assert_array_equal(store.read(job.audio), expected.astype(np.float16))


@pytest.fixture(scope="module")
def jobs(tmp_path_factory: pytest.TempPathFactory) -> list[Job]:
    return _tracks(tmp_path_factory.mktemp("tracks"))


# --- processes -----------------------------------------------------------------------


def _fill_as_child(folder: Path, jobs: list[Job], engine: EngineSpec, **pace: Any) -> None:
    _extract(jobs, folder, Slices(**pace), engine)


def _fill_through_cli(folder: Path, jobs: list[Job], engine: EngineSpec, **pace: Any) -> None:
    from marble_eval import cli
    from marble_eval.cli import demo

    demo.main = lambda argv: _extract(jobs, folder, Slices(**pace), engine).encoded
    sys.exit(cli.main(["demo"]))


def _started(
    folder: Path, jobs: list[Job], engine: EngineSpec, fill: Any = _fill_as_child, **pace: Any
) -> BaseProcess:
    """Start a process that fills a store."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["pytest", "marble_eval.features.extraction"])
    process = context.Process(target=fill, args=(folder, jobs, engine), kwargs=pace, daemon=True)
    process.start()
    return process


def _await_lines(folder: Path, process: BaseProcess, count: int) -> None:
    deadline = time.monotonic() + 60
    while _lines(folder) < count:
        if not process.is_alive() or time.monotonic() > deadline:
            raise AssertionError(f"the process ended with {process.exitcode} before its time")
        time.sleep(0.002)


@pytest.mark.parametrize(("workers", "batch_clips"), [(1, 1), (2, 3)])
def test_a_run_killed_again_and_again_ends_with_the_same_bytes(
    tmp_path: Path, jobs: list[Job], workers: int, batch_clips: int
) -> None:
    engine = _engine(workers, batch_clips)
    whole = Slices()
    assert _extract(jobs, tmp_path / "whole", whole, engine).encoded == CLIPS
    batches = _lines(tmp_path / "whole")
    folder = tmp_path / "store"
    for share in (0.1, 0.45, 0.8):
        # It hangs near its end, so that it is not through before it is killed.
        almost = CLIPS - len(_store(folder)) - 4
        process = _started(folder, jobs, engine, seconds_a_clip=0.01, hang_after=almost)
        _await_lines(folder, process, round(share * batches))
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        assert process.exitcode == -signal.SIGKILL
        assert _lines(folder) < batches
    left = CLIPS - len(_store(folder))
    encoder = Slices()
    assert _extract(jobs, folder, encoder, engine).encoded == left
    assert len(encoder.clips) == left < CLIPS
    assert _bytes(folder) == _bytes(tmp_path / "whole")
    assert _store(folder).verify().damaged == 0
    again = Slices()
    assert _extract(jobs, folder, again, engine).encoded == 0
    assert again.clips == []


@pytest.mark.parametrize(
    "others", [slice(None), slice(None, None, -1), slice(5, None)], ids=["same", "back", "overlap"]
)
def test_two_processes_fill_one_store_at_once(
    tmp_path: Path, jobs: list[Job], others: slice
) -> None:
    folder = tmp_path / "store"
    both = [
        _started(folder, mine, _engine(), seconds_a_clip=0.005)
        for mine in (jobs[:12], list(jobs)[others])
    ]
    for process in both:
        process.join()
        assert process.exitcode == 0
    check = _store(folder).verify()
    assert (check.records, check.damaged) == (CLIPS, 0)
    assert check.bytes == CLIPS * 3 * 4 * 2  # nothing is there twice
    _check_features(jobs, folder)


def test_ctrl_c_keeps_what_is_finished_and_ends_at_once(tmp_path: Path, jobs: list[Job]) -> None:
    folder = tmp_path / "store"
    process = _started(folder, jobs, _engine(workers=2), _fill_through_cli, seconds_a_clip=0.25)
    _await_lines(folder, process, 3)
    assert process.pid is not None
    os.kill(process.pid, signal.SIGINT)
    began = time.monotonic()
    process.join(10)
    assert process.exitcode == 130
    assert time.monotonic() - began < 2  # the 30 clips left would take 4 s more
    assert 3 <= _lines(folder) < 15
    assert _store(folder).verify().damaged == 0


# --- one process ---------------------------------------------------------------------


def _no_pool_is_left() -> bool:
    names = [thread.name for thread in threading.enumerate()]
    return not any(name.startswith(("reader", "encoder")) for name in names)


def _torn(whole: tuple[bytes, bytes]) -> Iterator[tuple[bytes, bytes]]:
    """States of the two files around a line in their middle, as kills and faults leave them."""
    data, index = whole
    lines = index.splitlines(keepends=True)
    middle = len(lines) // 2
    start, end = len(b"".join(lines[:middle])), len(b"".join(lines[: middle + 1]))
    yield data[:1], b""
    yield data, index[:start]
    yield data, index[: start + 1]
    yield data, index[: (start + end) // 2]
    yield data, index[: end - 1]
    yield data, index[:end] + b"\0\0\0"
    yield data, index[:end] + b"garbage\n"
    yield data + b"garbage", index[:end]
    yield data[: len(data) // 2 - 5], index
    yield data[:-1], index[:-1]
    yield b"", index


@pytest.mark.parametrize("batch_clips", [1, 3])
def test_torn_files_are_completed_byte_for_byte(
    tmp_path: Path, jobs: list[Job], batch_clips: int
) -> None:
    engine = _engine(1, batch_clips)
    _extract(jobs, tmp_path / "whole", engine=engine)
    whole = _bytes(tmp_path / "whole")
    for number, (data, index) in enumerate(_torn(whole)):
        folder = tmp_path / str(number)
        shutil.copytree(tmp_path / "whole", folder)
        (folder / "data.bin").write_bytes(data)
        (folder / "index.jsonl").write_bytes(index)
        store, encoder = _store(folder), Slices()
        missing = [job for job in jobs if store.read(job.audio) is None]
        left = CLIPS - len(store)
        extract(
            missing,
            encoder,
            store,
            CUTS,
            expected_clips=CLIPS,
            engine=engine,
            progress=Silence(),
        )
        assert _bytes(folder) == whole
        assert left <= len(encoder.clips) < left + batch_clips


@pytest.mark.parametrize(("workers", "batch_clips"), [(1, 1), (1, 4), (3, 2)])
def test_a_track_has_the_features_it_has_alone(
    tmp_path: Path, jobs: list[Job], workers: int, batch_clips: int
) -> None:
    encoder = Slices()
    _extract(jobs, tmp_path, encoder, _engine(workers, batch_clips))
    _check_features(jobs, tmp_path)
    assert max(count for count, _ in encoder.batches) == batch_clips
    assert {samples for _, samples in encoder.batches} == {1600, 2400, 3200, 4000}


def test_a_tracks_features_are_those_of_mert_on_its_clips(tmp_path: Path) -> None:
    encoder = random_mert(size="small", seed=0, precision="float32", device="cpu")
    jobs = _tracks(tmp_path / "tracks", (0.6, 0.5, 1.1))
    store = PooledStore(tmp_path / "store", layers=5, width=192, dtype="float32")
    extract(
        jobs,
        encoder,
        store,
        MERT_CUTS,
        expected_clips=5,
        engine=_engine(2, 4),
        progress=Silence(),
    )
    for job in jobs:
        clips = prepare(
            job.path, sample_rate=24000, windowing=WINDOWING, normalise=True, minimum_samples=400
        )
        alone = [encoder.hidden_states(torch.from_numpy(clip)[None]).mean(2) for clip in clips]
        found = store.read(job.audio)
        assert found is not None
        np.testing.assert_allclose(found, torch.cat(alone).numpy(), rtol=0, atol=1e-5)


def test_a_run_of_mert_cut_off_ends_with_the_same_bytes(tmp_path: Path) -> None:
    encoder = random_mert(size="small", seed=0, precision="float32", device="cpu")
    jobs = _tracks(tmp_path / "tracks", (1.6, 0.5, 1.1, 0.5, 0.9))

    def fill(folder: Path) -> tuple[bytes, bytes]:
        extract(
            jobs,
            encoder,
            PooledStore(folder, layers=5, width=192, dtype="float32"),
            MERT_CUTS,
            expected_clips=11,
            engine=_engine(2, 1),  # in batches the last bits depend on who shares one
            progress=Silence(),
        )
        return _bytes(folder)

    whole = fill(tmp_path / "whole")
    lines = whole[1].splitlines(keepends=True)
    assert len(lines) == 11
    for kept in range(len(lines)):
        folder = tmp_path / str(kept)
        folder.mkdir()
        (folder / "data.bin").write_bytes(whole[0])
        (folder / "index.jsonl").write_bytes(b"".join(lines[:kept]) + lines[kept][:-9])
        assert fill(folder) == whole


def test_what_is_stored_already_is_not_encoded(tmp_path: Path, jobs: list[Job]) -> None:
    _extract(jobs[:4], tmp_path / "store")
    encoder = Slices()
    assert _extract(jobs, tmp_path / "store", encoder).encoded == CLIPS - 9
    assert len(encoder.clips) == CLIPS - 9
    assert len(set(encoder.clips)) == len(encoder.clips)


def test_a_disk_that_is_full_is_named_and_the_store_stays_good(
    tmp_path: Path, jobs: list[Job]
) -> None:
    folder = tmp_path / "store"
    _extract(jobs, tmp_path / "whole")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1500, before[1]))
    try:
        with pytest.raises(MarbleError, match=r"File too large.*MARBLE_EVAL_HOME") as raised:
            _extract(jobs, folder)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert str(raised.value).startswith(f"{folder}: ")
    assert _no_pool_is_left()
    assert (folder / "index.jsonl").stat().st_size == 1500  # a torn line
    assert 0 < len(_store(folder)) < CLIPS
    assert _store(folder).verify().damaged == 0
    _extract(jobs, folder)
    assert _bytes(folder) == _bytes(tmp_path / "whole")


def test_a_folder_that_must_not_be_written_is_named(tmp_path: Path, jobs: list[Job]) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(MarbleError, match="MARBLE_EVAL_HOME") as raised:
        _extract(jobs, tmp_path / "file" / "store")
    assert str(raised.value).startswith(f"{tmp_path / 'file' / 'store'}: ")


@pytest.mark.parametrize("workers", [1, 3])
def test_an_interrupt_in_the_encoder_keeps_what_is_finished(
    tmp_path: Path, jobs: list[Job], workers: int
) -> None:
    with pytest.raises(KeyboardInterrupt):
        _extract(jobs, tmp_path / "store", Slices(stop_after=20), _engine(workers))
    assert _no_pool_is_left()
    _extract(jobs, tmp_path / "whole")
    data, index = _bytes(tmp_path / "store")
    whole = _bytes(tmp_path / "whole")
    assert 20 - workers <= index.count(b"\n") <= 20 + workers
    assert whole[0].startswith(data)
    assert whole[1].startswith(index)


@pytest.mark.parametrize("part", ["prepare", "encode_batch"])
def test_a_fault_in_a_worker_comes_out_and_the_pools_end(
    tmp_path: Path, jobs: list[Job], monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    module = clip_rules if part == "prepare" else worker
    real, calls = getattr(module, part), []

    def faulty(*arguments: Any, **options: Any) -> Any:
        calls.append(part)
        if len(calls) == 7:
            raise ZeroDivisionError("a fault of ours")
        return real(*arguments, **options)

    monkeypatch.setattr(module, part, faulty)
    with pytest.raises(ZeroDivisionError, match="a fault of ours"):
        _extract(jobs, tmp_path, engine=_engine(2))
    assert _no_pool_is_left()
    assert _store(tmp_path).verify().damaged == 0


def _threads_of_a_new_thread() -> int:
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(torch.get_num_threads).result()


def test_arithmetic_has_one_thread_whose_others_are_given_back(
    tmp_path: Path, jobs: list[Job]
) -> None:
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        for workers in (1, 2):
            encoder = Slices(seconds_a_clip=0.001)
            _extract(jobs[:6], tmp_path / str(workers), encoder, _engine(workers))
            assert encoder.threads == {1}
            assert torch.get_num_threads() == _threads_of_a_new_thread() == 3
        with pytest.raises(KeyboardInterrupt):
            _extract(jobs, tmp_path / "stopped", Slices(stop_after=4), _engine(2))
        assert torch.get_num_threads() == _threads_of_a_new_thread() == 3
    finally:
        torch.set_num_threads(before)


def test_readers_never_run_far_ahead_of_the_encoder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = _tracks(tmp_path / "tracks", (0.5,) * 40)
    encoder = Slices(seconds_a_clip=0.005)
    most, read = 0, 0

    def counted(*arguments: Any, **options: Any) -> Any:
        nonlocal most, read
        read += 1
        most = max(most, read - len(encoder.clips))
        return prepare(*arguments, **options)

    monkeypatch.setattr(clip_rules, "prepare", counted)
    _extract(jobs, tmp_path / "store", encoder, _engine(workers=2, readers=3))
    assert read == 40
    # 2 x readers + workers are read ahead, workers + 1 on their way through the encoder.
    assert 4 <= most <= 2 * 3 + 2 + 3


def test_an_unusable_file_is_named_and_the_others_are_encoded(tmp_path: Path) -> None:
    jobs = _tracks(tmp_path / "tracks", (0.9, 0.5, 0.5, 0.7))
    silent = tmp_path / "tracks" / "silent.wav"
    soundfile.write(silent, np.zeros(4000), RATE)
    missing = Job("f" * 32, tmp_path / "missing.wav")
    every = [jobs[0], Job(file_digest(silent), silent), *jobs[1:3], missing, jobs[3]]
    outcome = _extract(every, tmp_path / "store")
    found = [(each.path, each.reason) for each in outcome.unusable]
    assert found == [(silent, "silent"), (missing.path, "missing")]
    assert outcome.encoded == 6
    _check_features(jobs, tmp_path / "store")
    # Neither the decoded audio nor the frames that held it are kept.
    assert all(isinstance(each, UnusableAudio) for each in outcome.unusable)
    assert all(each.__traceback__ is None for each in outcome.unusable)
    assert all(each.__context__ is None for each in outcome.unusable)


def test_a_file_that_changed_since_its_check_is_not_stored_under_its_old_digest(
    tmp_path: Path,
) -> None:
    jobs = _tracks(tmp_path, (0.9, 0.5, 0.7))
    soundfile.write(jobs[1].path, np.full(4000, 0.25), RATE)
    outcome = _extract(jobs, tmp_path / "store")
    assert [(each.path, each.reason) for each in outcome.unusable] == [
        (jobs[1].path, "changed since its check")
    ]
    assert _store(tmp_path / "store").clip_count(jobs[1].audio) is None
    _check_features([jobs[0], jobs[2]], tmp_path / "store")


class _Notes(Silence):
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.total, self.done, self.said = 0, 0, ""

    def begin(self, title: str, total: int) -> None:
        self.total = total

    def advance(self, steps: int = 1) -> None:
        self.done += steps

    def say(self, sentence: str) -> None:
        self.said += sentence


def test_progress_counts_every_clip_and_says_how_long_it_takes(
    tmp_path: Path, jobs: list[Job]
) -> None:
    notes = _Notes()
    _extract(jobs, tmp_path, engine=_engine(2, 3), progress=notes)
    assert notes.done == notes.total == CLIPS
    assert "min for all clips" in notes.said


def test_a_neighbour_that_is_always_first_is_no_fault(
    tmp_path: Path, jobs: list[Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    neighbour = _store(tmp_path)
    real = PooledStore.append

    def late(self: PooledStore, names: list[ClipName], features: list[np.ndarray]) -> int:
        real(neighbour, names, features)
        return real(self, names, features)

    monkeypatch.setattr(PooledStore, "append", late)
    assert _extract(jobs, tmp_path).encoded == CLIPS  # in vain, but well
    assert len(_store(tmp_path)) == CLIPS
    _check_features(jobs, tmp_path)
