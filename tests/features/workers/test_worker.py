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
from marble_eval.features.workers.assignment import Assignment, Job, Parcel, Terms
from marble_eval.features.workers.batch import Form
from marble_eval.features.workers.batches import BatchSizes
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


def _all(jobs: Sequence[Job]) -> Iterator[Assignment]:
    return (Assignment(number, job, None, ()) for number, job in enumerate(jobs))


def _worker(encoder: Levels, batch_clips: int = 1, encoders: int = 1) -> Worker:
    return Worker(encoder, Terms((FORM,), 2, encoders, 1, batch_clips))


def _flat(answers: list[list[Parcel] | None]) -> list[Parcel]:
    return [each for some in answers if some for each in some]


def _names(parcels: list[Parcel]) -> list[tuple[int, int, int]]:
    return [(each.number, name.clip, name.of) for each in parcels for name in each.names]


@pytest.mark.parametrize(("batch_clips", "encoders"), [(1, 1), (1, 3), (3, 1), (4, 2)])
def test_clips_come_out_in_the_order_of_the_tracks(
    tmp_path: Path, batch_clips: int, encoders: int
) -> None:
    jobs = _jobs(tmp_path, (0.6, 0.25, 0.85, 0.1, 0.6, 0.25))
    parcels = _flat(list(_worker(Levels(), batch_clips, encoders).parcels(_all(jobs))))
    assert _names(parcels) == [
        (0, 0, 3), (0, 1, 3), (0, 2, 3), (1, 0, 1), (2, 0, 4), (2, 1, 4), (2, 2, 4), (2, 3, 4),
        (3, 0, 1), (4, 0, 3), (4, 1, 3), (4, 2, 3), (5, 0, 1),
    ]  # fmt: skip
    assert [each.number for each in parcels if each.is_last] == [0, 1, 2, 3, 4, 5]
    for parcel in parcels:
        audio, _ = soundfile.read(jobs[parcel.number].path, dtype="float32")
        for name, features in zip(parcel.names, parcel.features[0], strict=True):
            clip = audio[name.clip * 2000 : (name.clip + 1) * 2000]
            np.testing.assert_allclose(features, [[np.abs(clip).mean()]], rtol=1e-5)


def test_only_what_is_wanted_is_encoded_unless_the_track_turns_out_otherwise(
    tmp_path: Path,
) -> None:
    jobs = _jobs(tmp_path, (1.0, 1.0, 0.5))
    assignments = [
        Assignment(7, jobs[0], 4, (1, 3)),
        Assignment(8, jobs[1], 5, (4,)),  # it has four
        Assignment(9, jobs[2], 2, ()),
    ]
    parcels = _flat(list(_worker(Levels()).parcels(assignments)))
    assert _names(parcels) == [(7, 1, 4), (7, 3, 4), *((8, at, 4) for at in range(4))]
    assert [each.number for each in parcels if each.is_last] == [7, 8, 9]


def test_an_unusable_track_is_in_its_place_and_says_why(tmp_path: Path) -> None:
    jobs = _jobs(tmp_path, (0.25, 0.25))
    gone = Job("f" * 32, tmp_path / "gone.wav")
    changed = Job("e" * 32, jobs[1].path)
    parcels = _flat(list(_worker(Levels()).parcels(_all([gone, jobs[0], changed]))))
    assert [(each.number, each.unusable, each.is_lacking, each.is_last) for each in parcels] == [
        (0, "missing", True, True),
        (1, "", False, True),
        (2, "changed since its check", False, True),
    ]


def test_a_worker_that_gets_no_more_gives_all_it_has_and_goes_on_later(tmp_path: Path) -> None:
    """Otherwise who waits for parcels before giving more would wait for ever."""
    jobs = _jobs(tmp_path, (0.6, 0.25, 0.85, 0.25))
    every = list(_all(jobs))
    given: list[Assignment | None] = []

    def source() -> Iterator[Assignment | None]:
        while True:
            yield given.pop(0) if given else None

    before = threading.active_count()
    parcels = _worker(Levels(), batch_clips=8).parcels(source())
    got: list[Parcel] = []
    for some in (every[:2], every[2:3], every[3:]):
        given += some
        while not got or not (got[-1].number == some[-1].number and got[-1].is_last):
            answer = next(parcels)
            assert answer is not None
            got += answer
        assert next(parcels) is None
    parcels.close()
    assert len(_names(got)) == 3 + 1 + 4 + 1
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
    parcels = _flat(list(worker.parcels(_all(jobs))))
    assert tried == [(1, False), (2, False), (4, False), (8, True)]
    assert len(_names(parcels)) == 41
    # Two calls of each size are the trial; the first eight clips and what follows go by four.
    assert [count for count, samples in encoder.batches if samples == 2000][:8] == [
        1, 1, 2, 2, 4, 4, 4, 4
    ]  # fmt: skip
    assert {count for count, _ in encoder.batches[6:]} <= {1, 4}
