"""A worker by itself: what is wanted, in which order, in which batches, and its end."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from marble_eval.features.clip_rules import ClipCuts
from marble_eval.features.workers.batches import BatchSizes
from marble_eval.features.workers.messages import EncodedClips, Form, Job, WorkerOptions
from marble_eval.features.workers.worker import Worker
from marble_eval.files.fingerprint import file_digest
from marble_eval.spec import Windowing

RATE = 8000
WINDOWING = Windowing("mean", "torchaudio-sinc", "track", None, 0.25, None, "keep", 0.1)
FORM = Form(ClipCuts(WINDOWING, False, RATE, 1), "float32")


class Levels:
    """The mean level of a frame; notes its batches."""

    name = "levels"
    sample_rate = RATE
    frame_rate = 80.0
    layers: Sequence[str] = ("0",)
    width = 1

    def __init__(self, act: Callable[[int], None] = lambda count: None) -> None:
        self._act = act
        self.batches: list[tuple[int, int]] = []

    def hidden_states(self, audio: torch.Tensor) -> torch.Tensor:
        self._act(len(audio))
        self.batches.append((len(audio), audio.shape[1]))
        return audio.reshape(len(audio), 1, -1, 100).abs().mean(dim=3)[..., None]

    def fingerprint(self) -> str:
        return "levels"


def _jobs(folder: Path, seconds: Sequence[float]) -> list[Job]:
    rng = np.random.default_rng(0)
    jobs = []
    for number, each in enumerate(seconds):
        path = folder / f"{number}.wav"
        soundfile.write(path, rng.uniform(-0.5, 0.5, round(each * RATE)), RATE)
        jobs.append(Job(file_digest(path), path))
    return jobs


def _worker(encoder: Levels, batch_clips: int = 1, encoders: int = 1) -> Worker:
    return Worker(encoder, WorkerOptions((FORM,), 2, encoders, batch_clips))


def _flat(answers: list[list[EncodedClips] | None]) -> list[EncodedClips]:
    return [each for some in answers if some for each in some]


def _ends(jobs: list[Job], clips: list[EncodedClips]) -> list[int]:
    """Number the tracks that end, in the order in which they do."""
    audio = [each.audio for each in jobs]
    return [audio.index(each.audio) for each in clips if each.is_last]


def _names(jobs: list[Job], clips: list[EncodedClips]) -> list[tuple[int, int, int]]:
    audio = [each.audio for each in jobs]
    names = [name for each in clips for name in each.names]
    return [(audio.index(name.audio), name.clip, name.of) for name in names]


@pytest.mark.parametrize(("batch_clips", "encoders"), [(1, 1), (1, 3), (3, 1), (4, 2)])
def test_clips_come_out_in_the_order_of_the_tracks(
    tmp_path: Path, batch_clips: int, encoders: int
) -> None:
    jobs = _jobs(tmp_path, (0.6, 0.25, 0.85, 0.1, 0.6, 0.25))
    clips = _flat(list(_worker(Levels(), batch_clips, encoders).encoded(jobs)))
    assert _names(jobs, clips) == [
        (0, 0, 3), (0, 1, 3), (0, 2, 3), (1, 0, 1), (2, 0, 4), (2, 1, 4), (2, 2, 4), (2, 3, 4),
        (3, 0, 1), (4, 0, 3), (4, 1, 3), (4, 2, 3), (5, 0, 1),
    ]  # fmt: skip
    assert _ends(jobs, clips) == [0, 1, 2, 3, 4, 5]
    paths = {each.audio: each.path for each in jobs}
    for some in clips:
        audio, _ = soundfile.read(paths[some.audio], dtype="float32")
        for name, features in zip(some.names, some.features[0], strict=True):
            clip = audio[name.clip * 2000 : (name.clip + 1) * 2000]
            np.testing.assert_allclose(features, [[np.abs(clip).mean()]], rtol=1e-5)


def test_only_what_is_wanted_is_encoded_unless_the_track_turns_out_otherwise(
    tmp_path: Path,
) -> None:
    jobs = _jobs(tmp_path, (1.0, 1.0, 0.5))
    jobs = [
        jobs[0]._replace(clips=4, wanted=(1, 3)),
        jobs[1]._replace(clips=5, wanted=(4,)),  # it has four
        jobs[2]._replace(clips=2, wanted=()),
    ]
    clips = _flat(list(_worker(Levels()).encoded(jobs)))
    assert _names(jobs, clips) == [(0, 1, 4), (0, 3, 4), *((1, at, 4) for at in range(4))]
    assert _ends(jobs, clips) == [0, 1, 2]


def test_an_unusable_track_is_in_its_place_and_says_why(tmp_path: Path) -> None:
    jobs = _jobs(tmp_path, (0.25, 0.25))
    gone = Job("f" * 32, tmp_path / "gone.wav")
    changed = Job("e" * 32, jobs[1].path)
    clips = _flat(list(_worker(Levels()).encoded([gone, jobs[0], changed])))
    assert [(each.audio, each.unusable, each.is_lacking, each.is_last) for each in clips] == [
        (gone.audio, "missing", True, True),
        (jobs[0].audio, "", False, True),
        (changed.audio, "changed since its check", False, True),
    ]


def test_a_worker_that_gets_no_more_gives_all_it_has_and_goes_on_later(tmp_path: Path) -> None:
    """Otherwise who waits for clips before giving more would wait for ever."""
    jobs = _jobs(tmp_path, (0.6, 0.25, 0.85, 0.25))
    every = jobs
    given: list[Job | None] = []

    def source() -> Iterator[Job | None]:
        while True:
            yield given.pop(0) if given else None

    before = threading.active_count()
    clips = _worker(Levels(), batch_clips=8).encoded(source())
    got: list[EncodedClips] = []
    for some in (every[:2], every[2:3], every[3:]):
        given += some
        while not got or not (got[-1].audio == some[-1].audio and got[-1].is_last):
            answer = next(clips)
            assert answer is not None
            got += answer
        assert next(clips) is None
    clips.close()
    assert len(_names(jobs, got)) == 3 + 1 + 4 + 1
    assert threading.active_count() == before


def test_a_size_is_tried_on_the_clips_at_hand_and_then_kept(tmp_path: Path) -> None:
    def small_memory(count: int) -> None:
        if count > 4:
            raise torch.OutOfMemoryError("CUDA out of memory.")

    paces = {1: 1.0, 2: 1.9, 4: 3.5, 8: None}
    encoder = Levels(small_memory)
    worker = _worker(encoder)
    worker._sizes = BatchSizes(0)  # as on a GPU
    jobs = _jobs(tmp_path, (5.0, 0.15, 5.0))
    real = worker._pace
    tried: list[tuple[int, bool]] = []

    def pace(clip: object, count: int) -> float | None:
        tried.append((count, real(clip, count) is None))  # type: ignore[arg-type]
        return paces[count]

    worker._pace = pace  # type: ignore[method-assign]
    clips = _flat(list(worker.encoded(jobs)))
    assert tried == [(1, False), (2, False), (4, False), (8, True)]
    assert len(_names(jobs, clips)) == 41
    # Two calls of each size are the trial; the first eight clips and what follows go by four.
    assert [count for count, samples in encoder.batches if samples == 2000][:8] == [
        1, 1, 2, 2, 4, 4, 4, 4
    ]  # fmt: skip
    assert {count for count, _ in encoder.batches[6:]} <= {1, 4}
