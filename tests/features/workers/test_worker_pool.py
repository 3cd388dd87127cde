"""A pool whose workers die, lag and disagree: what comes out is what one worker gives.

They are real workers with real encoders and files; only the pipe between is
missing, so that who answers when, and who dies when, is in the test's hand.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from marble_eval.audio import UnusableAudio
from marble_eval.errors import MarbleError, MissingError
from marble_eval.features.clip_rules import ClipCuts
from marble_eval.features.workers import worker_pool
from marble_eval.features.workers.messages import (
    Answer,
    EncodedClips,
    Form,
    Job,
    WorkerDied,
    WorkerHandle,
    WorkerOptions,
)
from marble_eval.features.workers.remote_worker import RemoteWorker, identity_of, worker_setup
from marble_eval.features.workers.worker import Worker
from marble_eval.features.workers.worker_pool import WorkerPool
from marble_eval.files.fingerprint import file_digest
from marble_eval.progress import Silence
from marble_eval.spec import Windowing

RATE = 8000
WINDOWING = Windowing("mean", "torchaudio-sinc", "track", None, 0.25, None, "keep", 0.1)
OPTIONS = WorkerOptions((Form(ClipCuts(WINDOWING, False, RATE, 1), "float32"),), 1, 1, 1)
CLIPS = (4, 1, 2, 1, 3, 1, 1, 5, 2, 2)


class Levels:
    """The mean level of a frame, in two layers."""

    name = "levels"
    sample_rate = RATE
    frame_rate = 80.0
    layers: Sequence[str] = ("0", "1")
    width = 1

    def __init__(self, weight: float = 1.0) -> None:
        self.weight = weight

    def hidden_states(self, audio: torch.Tensor) -> torch.Tensor:
        level = audio.reshape(len(audio), -1, 100).abs().mean(dim=2)[..., None]
        return torch.stack([level, self.weight * level.square()], dim=1)

    def fingerprint(self) -> str:
        return f"levels {self.weight}"


class _Local:
    """A member in this process; answers when it is its turn, and dies when told."""

    def __init__(self, worker: RemoteWorker, life: int) -> None:
        self.worker, self.life = worker, life
        self.asked: list[Job] | None = None
        self.got: list[Job] = []
        self.is_stopped = False

    def ask(self, jobs: list[Job]) -> None:
        self.asked = jobs
        self.got += jobs

    def answer(self) -> Answer:
        self.life -= 1
        if self.life < 0:
            return WorkerDied("told to")
        return self.worker.greet() if self.asked is None else self.worker.answer(self.asked)

    def stop(self) -> None:
        self.is_stopped = True
        if isinstance(self.worker._encoded, Generator):  # a process would end with its threads
            self.worker._encoded.close()


class _Host:
    """Hires workers whose number of answers is given; a random one answers first."""

    def __init__(self, lives: Iterator[int], encoder: Levels, seed: int = 0) -> None:
        self._lives, self._rng = lives, np.random.default_rng(seed)
        self._setup = worker_setup(encoder, OPTIONS)
        self.workers: list[_Local] = []
        self.is_closed = False

    def start(self) -> WorkerHandle:
        self.workers.append(_Local(RemoteWorker(self._setup, "cpu"), next(self._lives)))
        return self.workers[-1]

    def answers(
        self, workers: Sequence[WorkerHandle], seconds: float
    ) -> list[tuple[WorkerHandle, Answer]]:
        assert workers
        chosen = workers[int(self._rng.integers(len(workers)))]
        assert isinstance(chosen, _Local)
        return [(chosen, chosen.answer())]

    def close(self) -> None:
        self.is_closed = True


@pytest.fixture(scope="module")
def jobs(tmp_path_factory: pytest.TempPathFactory) -> list[Job]:
    folder = tmp_path_factory.mktemp("tracks")
    rng = np.random.default_rng(0)
    jobs = []
    for number, clips in enumerate(CLIPS):
        path = folder / f"{number}.wav"
        soundfile.write(path, rng.uniform(-0.5, 0.5, clips * RATE // 4), RATE)
        jobs.append(Job(file_digest(path), path))
    return jobs


def _flat(clips: list[EncodedClips]) -> list[tuple[str, int, int, bytes]]:
    return [
        (*name, features.tobytes())
        for some in clips
        for name, features in zip(some.names, some.features[0], strict=True)
    ]


def _alone(jobs: list[Job]) -> list[tuple[str, int, int, bytes]]:
    clips = Worker(Levels(), OPTIONS).encoded(iter(jobs))
    return [each for some in clips if some for each in _flat(some)]


def _run(
    jobs: list[Job], host: _Host, size: int = 3, progress: Silence | None = None
) -> list[tuple[str, int, int, bytes]]:
    whole = WorkerPool(host, size, identity_of(Levels(), OPTIONS), progress or Silence())
    clips = whole.encoded(iter(jobs), len(jobs))
    return [each for some in clips for each in _flat(some)]


def _for_ever() -> Iterator[int]:
    while True:
        yield 10**9


@pytest.mark.parametrize("size", [1, 2, 5, 20])
def test_a_pool_gives_what_one_worker_gives_in_the_same_order(jobs: list[Job], size: int) -> None:
    host = _Host(_for_ever(), Levels(), seed=size)
    found = _run(jobs, host, size)
    assert found == _alone(jobs)
    assert len(found) == sum(CLIPS)
    assert len(host.workers) == min(size, len(jobs))
    assert host.is_closed
    assert all(each.is_stopped for each in host.workers)


@pytest.mark.parametrize("seed", range(20))
def test_whoever_dies_and_when_nothing_is_lost_or_encoded_twice(
    jobs: list[Job], seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_pool, "_TRIES", 99)
    rng = np.random.default_rng(seed)
    lives = iter([*rng.integers(0, 9, 9).tolist(), *[10**9] * 20])
    host = _Host(lives, Levels(), seed)
    assert _run(jobs, host) == _alone(jobs)
    assert len(host.workers) > 3


def test_clips_that_had_arrived_are_not_given_to_the_next(jobs: list[Job]) -> None:
    # The greeting and two answers of a clip each: the track of 4 clips is half done.
    host = _Host(iter([3, 10**9]), Levels())
    assert _run(jobs, host, size=1) == _alone(jobs)
    first, second = host.workers
    assert first.got[0] == jobs[0]
    assert second.got[0] == jobs[0]._replace(clips=4, wanted=(2, 3))


def test_a_death_is_told(jobs: list[Job]) -> None:
    said: list[str] = []

    class Notes(Silence):
        def say(self, sentence: str) -> None:
            said.append(sentence)

    _run(jobs, _Host(iter([3, *[10**9] * 5]), Levels()), size=2, progress=Notes())
    assert len(said) == 1
    assert "(told to); another takes its tracks" in said[0]


def test_a_track_that_kills_three_workers_ends_the_run(jobs: list[Job]) -> None:
    # Each greets and then dies over what it was given first.
    host = _Host(iter([1] * 50), Levels())
    with pytest.raises(MarbleError, match=r"a worker must survive it\. Got 3 that died") as raised:
        _run(jobs, host, size=1)
    assert str(raised.value).startswith(f"{jobs[0].path}: ")
    assert len(host.workers) == 3
    assert host.is_closed


def test_workers_that_never_start_end_the_run(jobs: list[Job]) -> None:
    host = _Host(iter([0] * 50), Levels())
    with pytest.raises(MarbleError, match=r"must stay alive\. Got 8 that ended.*told to.*again"):
        _run(jobs, host, size=2)
    assert len(host.workers) == 8


def test_a_worker_with_other_weights_is_refused(jobs: list[Job]) -> None:
    host = _Host(_for_ever(), Levels(weight=1.5))
    with pytest.raises(
        MarbleError, match=r"fingerprint of the run, levels 1\.0\. Got levels 1\.5\. Bring"
    ):
        _run(jobs, host)
    assert host.is_closed


def test_a_file_that_is_here_but_not_there_stops_the_run_and_says_where(
    jobs: list[Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    def elsewhere(path: Path, *arguments: object, **options: object) -> None:
        raise UnusableAudio(path, "missing")

    monkeypatch.setattr("marble_eval.features.clip_rules.prepare", elsewhere)
    monkeypatch.setattr("marble_eval.features.workers.worker.os.access", lambda *arguments: False)
    monkeypatch.setattr(worker_pool, "_is_here", Path.exists)
    with pytest.raises(MissingError, match=r"Got 'missing' on .*, process \d+\..*share") as raised:
        _run(jobs, _Host(_for_ever(), Levels()))
    assert any(str(raised.value).startswith(f"{job.path}: ") for job in jobs)


def test_a_file_that_is_nowhere_is_that_files_fault(jobs: list[Job], tmp_path: Path) -> None:
    gone = Job("f" * 32, tmp_path / "gone.wav")
    host = _Host(_for_ever(), Levels())
    whole = WorkerPool(host, 2, identity_of(Levels(), OPTIONS), Silence())
    every = [jobs[0], gone, jobs[1]]
    clips = [each for some in whole.encoded(iter(every), 3) for each in some]
    assert [(each.audio, each.unusable) for each in clips if each.unusable] == [
        (gone.audio, "missing")
    ]
    assert [each for some in [clips] for each in _flat(some)] == _alone([jobs[0], jobs[1]])


def test_features_that_wait_for_their_turn_are_bounded(
    jobs: list[Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_pool, "_AHEAD_BYTES", 16)  # a clip has 8 bytes: four for two workers

    class Slow(_Host):
        """After the greetings, the first member answers only when nobody else is asked."""

        most = 0

        def answers(
            self, workers: Sequence[WorkerHandle], seconds: float
        ) -> list[tuple[WorkerHandle, Answer]]:
            new = [each for each in workers if isinstance(each, _Local) and each.asked is None]
            chosen = new[0] if new else workers[-1]
            assert isinstance(chosen, _Local)
            self.most = max(self.most, whole._bytes)
            return [(chosen, chosen.answer())]

    host = Slow(_for_ever(), Levels())
    whole = WorkerPool(host, 2, identity_of(Levels(), OPTIONS), Silence())
    clips = whole.encoded(iter(jobs), len(jobs))
    assert [each for some in clips for each in _flat(some)] == _alone(jobs)
    assert 16 <= host.most <= 40  # the last answer may pass the bound
    assert whole._bytes == 0


def test_leaving_early_ends_the_workers(jobs: list[Job]) -> None:
    host = _Host(_for_ever(), Levels())
    clips = WorkerPool(host, 2, identity_of(Levels(), OPTIONS), Silence()).encoded(
        iter(jobs), len(jobs)
    )
    next(clips)
    clips.close()
    assert host.is_closed
    assert all(each.is_stopped for each in host.workers)
