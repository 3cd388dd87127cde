"""The store of every frame: kills, neighbours, full disks, and bytes that were changed."""

import errno
import json
import multiprocessing
import os
import resource
import signal
import threading
import time
from collections.abc import Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from marble_eval.audio.pieces import FrameGrid
from marble_eval.errors import MarbleError
from marble_eval.features.clip_rules import FrameCuts
from marble_eval.features.extraction import Extraction, Job, extract
from marble_eval.features.stores import ClipName, FrameStore, StoreCheck, open_store
from marble_eval.features.stores.frame_file import BLOCK
from marble_eval.files.fingerprint import file_digest
from marble_eval.progress import Silence
from marble_eval.spec import EngineSpec, Windowing

LAYERS, WIDTH = 2, 3
A, B = "a" * 32, "b" * 32
RATE, HOP = 8000, 20
# Pieces of 1 s are 400 frames; a block has 512. The fourth track is a long one.
SECONDS = (0.5, 2.0, 1.7, 12.0, 3.1, 1.0)
WINDOWING = Windowing(
    channels="mean",
    resampler="torchaudio-sinc",
    normalise="track",
    crop_seconds=None,
    clip_seconds=1.0,
    hop_seconds=None,
    tail="keep",
    tail_seconds=0.5,
)
CUTS = FrameCuts(WINDOWING, False, HOP, FrameGrid(RATE, RATE / HOP, 1), (0, 2), 0.1)


def _open(folder: Path, **about: Any) -> FrameStore:
    return FrameStore(folder, layers=LAYERS, width=WIDTH, dtype="float16", about=about)


def _frames(count: int, seed: int = 0) -> np.ndarray:
    draws = np.random.default_rng(seed).standard_normal((LAYERS, count, WIDTH))
    return draws.astype(np.float16)


def _append(store: FrameStore, audio: str, frames: np.ndarray, *clips: int) -> None:
    """Append a track whose clips have so many frames each."""
    parts = np.split(frames, np.cumsum(clips)[:-1], axis=1)
    names = [ClipName(audio, at, len(clips)) for at in range(len(clips))]
    assert store.append(names, parts) == len(clips)


# --- one store -------------------------------------------------------------------------


def test_a_track_is_there_with_its_last_clip(tmp_path: Path) -> None:
    store, frames = _open(tmp_path / "store"), _frames(1300)
    assert not (tmp_path / "store").exists()  # a look writes nothing
    assert (store.clip_count(A), store.rows(A), store.wanted(A, 3)) == (None, 0, [0, 1, 2])
    for at, part in enumerate(np.split(frames, [600, 1000], axis=1)):
        assert not store.is_complete(A)
        assert _open(tmp_path / "store").tracks() == []
        store.append([ClipName(A, at, 3)], [part])
    for each in (store, FrameStore.open(tmp_path / "store")):
        assert each.is_complete(A) and each.is_whole(A)
        assert (each.clip_count(A), each.stored_clips(A), each.rows(A)) == (3, 3, 1300)
        assert each.wanted(A, 3) == []
        assert each.tracks() == [A]
        for layer in range(LAYERS):
            found = each.read_layer(A, layer, 500, 1250)
            np.testing.assert_array_equal(found, frames[layer, 500:1250])
    assert not store.is_whole(B)


def test_a_store_of_version_0_1_is_read_and_continued_to_the_same_frames(tmp_path: Path) -> None:
    """Files as 0.1.0 wrote them: 700 frames in two clips, and 30 in one."""
    old = Path(__file__).parent / "version_0_1" / "frames"
    store = open_store(old)
    assert store.verify() == StoreCheck(2, 0, store.data_bytes())
    assert store.contents() == {"tracks": 2, "frames": 730}
    first, second = _frames(700, 1), _frames(30, 2)
    np.testing.assert_array_equal(store.read(A), first.transpose(1, 0, 2))
    np.testing.assert_array_equal(store.read_layer(B, 1, 3, 9), second[1, 3:9])
    half = tmp_path / "store"
    (half / A[:2]).mkdir(parents=True)
    for name in ("about.json", f"{A[:2]}/{A}.frames"):
        (half / name).write_bytes((old / name).read_bytes())
    new = open_store(half)
    assert isinstance(new, FrameStore)
    assert (new.wanted(A, 2), new.wanted(B, 1)) == ([], [0])
    _append(new, B, second, 30)
    written = [each.relative_to(half) for each in half.rglob("*") if each.is_file()]
    assert len(written) == 3
    of_b = Path(B[:2]) / f"{B}.frames"
    for each in set(written) - {of_b}:
        assert (half / each).read_bytes() == (old / each).read_bytes()
    size = 30 * new.row_bytes  # then the footer, which names the audio since
    assert (half / of_b).read_bytes()[:size] == (old / of_b).read_bytes()[:size]
    assert f'"audio":"{B}"'.encode() in (half / of_b).read_bytes()[size:]
    assert new.read("0" * 32) is None


def test_clips_of_several_tracks_may_come_together(tmp_path: Path) -> None:
    store, first, second = _open(tmp_path), _frames(30), _frames(40, 1)
    names = [ClipName(A, 1, 2), ClipName(B, 0, 1)]
    store.append([ClipName(A, 0, 2)], [first[:, :10]])
    store.append(names, [first[:, 10:], second])
    assert store.tracks() == [A, B]
    np.testing.assert_array_equal(store.read_layer(A, 1, 0, 30), first[1])
    np.testing.assert_array_equal(store.read_layer(B, 0, 0, 40), second[0])
    assert store.data_bytes() == sum(each.stat().st_size for each in tmp_path.glob("??/*"))


def test_a_track_that_is_given_up_leaves_nothing(tmp_path: Path) -> None:
    store = _open(tmp_path)
    store.append([ClipName(A, 0, 2)], [_frames(600)])
    store.abandon()
    assert [*tmp_path.glob("??/*")] == []
    with pytest.raises(ValueError, match=r"in order\. Got ClipName"):
        store.append([ClipName(A, 1, 2)], [_frames(10)])
    store.append([ClipName(A, 0, 2)], [_frames(600)])
    _append(store, B, _frames(20), 20)  # another track begins before the end of the first
    assert store.tracks() == [B]
    assert len([*tmp_path.glob("??/*")]) == 1


def test_clips_out_of_order_or_of_another_shape_are_refused(tmp_path: Path) -> None:
    store = _open(tmp_path)
    store.append([ClipName(A, 0, 3)], [_frames(10)])
    with pytest.raises(ValueError, match=r"in order\. Got ClipName.*clip=2"):
        store.append([ClipName(A, 2, 3)], [_frames(10)])
    with pytest.raises(ValueError, match=r"2 layers of width 3\. Got the shape \(3, 5, 3\)"):
        store.append([ClipName(A, 1, 3)], [np.zeros((3, 5, 3), np.float16)])


def test_frames_that_are_not_there_are_not_made_up(tmp_path: Path) -> None:
    store = _open(tmp_path)
    _append(store, A, _frames(100), 100)
    assert store.read_layer(A, 0, 40, 40).shape == (0, WIDTH)
    for start, stop in ((0, 101), (-1, 5), (60, 50)):
        with pytest.raises(MarbleError, match=rf"hold the frames {start} to {stop}\. Got 100"):
            store.read_layer(A, 0, start, stop)
    with pytest.raises(MarbleError, match=r"no such track.*encoded anew"):
        store.read_layer(B, 0, 0, 1)


def test_a_store_tells_what_is_inside(tmp_path: Path) -> None:
    store = _open(tmp_path, name="mert", pooling="frames", kept_layers=[3, 5])
    _append(store, A, _frames(10), 10)
    about = json.loads((tmp_path / "about.json").read_text())
    assert about == {
        "name": "mert", "pooling": "frames", "kept_layers": [3, 5],
        "layers": LAYERS, "width": WIDTH, "dtype": "float16",
    }  # fmt: skip
    assert FrameStore.open(tmp_path).describe() == store.describe() == about
    (tmp_path / "about.json").write_text("{")
    with pytest.raises(MarbleError, match=r"readable about\.json.*Delete the folder"):
        FrameStore.open(tmp_path)
    _append(store, B, _frames(10), 10)
    assert FrameStore.open(tmp_path).tracks() == [A, B]


def test_a_changed_byte_in_any_block_is_found_and_the_track_forgotten(tmp_path: Path) -> None:
    frames = _frames(2 * BLOCK + 100)
    layer = BLOCK * WIDTH * 2
    places = [layer * at + 17 for at in range(2 * LAYERS)]  # one in each layer of full blocks
    places += [2 * LAYERS * layer + 11, frames.nbytes - 1, frames.nbytes + 3]
    for place in places:
        store = _open(tmp_path / str(place))
        for audio in (A, B):
            _append(store, audio, frames, 500, 624)
        path = tmp_path / str(place) / A[:2] / f"{A}.frames"
        content = bytearray(path.read_bytes())
        content[place] ^= 0x10
        path.write_bytes(content)
        checked = FrameStore.open(tmp_path / str(place)).verify()
        assert checked == StoreCheck(2, 1, 2 * len(content))
        assert not path.exists()
        assert not store.is_whole(A) and store.is_whole(B)
        assert not store.is_complete(A)
        assert FrameStore.open(tmp_path / str(place)).verify().damaged == 0


def test_a_check_looks_again_at_what_was_read_before(tmp_path: Path) -> None:
    store = _open(tmp_path)
    _append(store, A, _frames(100), 100)
    assert store.verify() == StoreCheck(1, 0, store.data_bytes())
    (path,) = tmp_path.glob("??/*.frames")
    path.write_bytes(path.read_bytes()[:-1])
    assert store.verify().damaged == 1
    assert store.tracks() == []
    assert store.wanted(A, 1) == [0]


def test_what_a_killed_writer_left_is_deleted_when_it_is_old(tmp_path: Path) -> None:
    store = _open(tmp_path)
    store.append([ClipName(A, 0, 2)], [_frames(600)])
    (part,) = tmp_path.glob("??/*")
    assert _open(tmp_path).verify() == StoreCheck(0, 0, 0)
    assert part.exists()  # it may have a writer yet
    long_ago = time.time() - 2 * 86400
    os.utime(part, (long_ago, long_ago))
    _open(tmp_path).verify()
    assert not part.exists()


def test_a_track_that_must_not_be_read_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = _open(tmp_path)
    _append(store, A, _frames(100), 100)
    real = Path.open

    def forbidden(self: Path, *arguments: Any, **options: Any) -> Any:
        if self.suffix == ".frames":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return real(self, *arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", forbidden)
        with pytest.raises(MarbleError, match=r"(?s)Permission denied.*MARBLE_EVAL_HOME") as raised:
            _open(tmp_path).is_complete(A)
    assert str(raised.value).startswith(f"{tmp_path / A[:2] / A}.frames: ")
    assert store.is_whole(A)


def test_writers_that_begin_at_once_describe_the_store_well(tmp_path: Path) -> None:
    faults: list[BaseException] = []
    folder = tmp_path / "store"

    def begin(audio: str) -> None:
        try:
            _append(_open(folder, name="mel"), audio, _frames(5), 5)
        except BaseException as error:
            faults.append(error)

    for _ in range(20):
        (folder / "about.json").unlink(missing_ok=True)
        threads = [threading.Thread(target=begin, args=(each * 32,)) for each in "abcd"]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        assert FrameStore.open(folder).describe()["name"] == "mel"
    assert faults == []
    assert [each.name for each in folder.iterdir() if each.is_file()] == ["about.json"]


# --- filled by the extraction ----------------------------------------------------------


class Slices:
    """Three layers of three numbers a frame; may be slow, and may hang."""

    name, sample_rate, frame_rate, width = "slices", RATE, RATE / HOP, WIDTH
    layers: Sequence[str] = ("zero", "one", "two")

    def __init__(self, seconds_a_piece: float = 0.0, hang_after: int = 10**9) -> None:
        self._seconds, self._hang_after = seconds_a_piece, hang_after
        self.pieces = 0

    def hidden_states(self, audio: torch.Tensor) -> torch.Tensor:
        time.sleep(self._seconds * len(audio) if self.pieces < self._hang_after else 3600)
        self.pieces += len(audio)
        frames = audio.reshape(len(audio), -1, HOP)[:, :, :WIDTH]
        return torch.stack([frames, frames.square(), frames.abs()], dim=1)

    def fingerprint(self) -> str:
        return "slices"


@pytest.fixture(scope="module")
def jobs(tmp_path_factory: pytest.TempPathFactory) -> list[Job]:
    folder = tmp_path_factory.mktemp("tracks")
    rng = np.random.default_rng(0)
    jobs = []
    for number, each in enumerate(SECONDS):
        path = folder / f"{number}.wav"
        soundfile.write(path, rng.uniform(-0.5, 0.5, round(each * RATE)), RATE)
        jobs.append(Job(file_digest(path), path))
    return jobs


def _fill(
    folder: Path,
    jobs: list[Job],
    workers: int = 1,
    batch_clips: int = 1,
    encoder: Slices | None = None,
) -> Extraction:
    return extract(
        jobs,
        encoder or Slices(),
        _open(folder),
        CUTS,
        expected_clips=20,
        engine=EngineSpec("cpu", workers, batch_clips, 2, 0, 0, None, None, None),
        progress=Silence(),
    )


def _bytes(folder: Path) -> dict[str, bytes]:
    """Return every file of the tracks that are there."""
    return {each.name: each.read_bytes() for each in sorted(folder.glob("??/*.frames"))}


def _check_features(folder: Path, jobs: list[Job]) -> None:
    store = _open(folder)
    for job in jobs:
        audio, _ = soundfile.read(job.path, dtype="float32")
        states = Slices().hidden_states(torch.from_numpy(audio)[None])[0].numpy()
        assert store.rows(job.audio) == len(audio) // HOP
        for place, layer in enumerate((0, 2)):
            found = store.read_layer(job.audio, place, 0, len(audio) // HOP)
            np.testing.assert_array_equal(found, states[layer].astype(np.float16))


def _fill_as_child(folder: Path, jobs: list[Job], workers: int, pace: dict[str, Any]) -> None:
    _fill(folder, jobs, workers, encoder=Slices(**pace))


def _started(folder: Path, jobs: list[Job], workers: int = 1, **pace: Any) -> BaseProcess:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["pytest", "marble_eval.features.extraction"])
    process = context.Process(
        target=_fill_as_child, args=(folder, jobs, workers, pace), daemon=True
    )
    process.start()
    return process


@pytest.mark.parametrize(("workers", "batch_clips"), [(1, 1), (1, 4), (3, 1), (3, 2)])
def test_workers_and_batches_change_no_byte(
    tmp_path: Path, jobs: list[Job], workers: int, batch_clips: int
) -> None:
    # 1, 2, 2, 12, 3 and 1 pieces: a rest of 0.1 s joins the one before.
    assert _fill(tmp_path / "plain", jobs).encoded == 21
    assert _fill(tmp_path / "store", jobs, workers, batch_clips).encoded == 21
    assert _bytes(tmp_path / "store") == _bytes(tmp_path / "plain")
    _check_features(tmp_path / "store", jobs)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_writer_killed_within_a_long_track_leaves_nothing_that_is_read(
    tmp_path: Path, jobs: list[Job], workers: int
) -> None:
    folder = tmp_path / "store"
    # Five pieces go before the long track, of whose twelve seven more are encoded.
    process = _started(folder, jobs, workers, seconds_a_piece=0.01, hang_after=12)
    deadline = time.monotonic() + 60
    long = jobs[3].audio
    while not any(each.stat().st_size > 20000 for each in folder.glob(f"??/{long}.*.part")):
        if not process.is_alive() or time.monotonic() > deadline:
            raise AssertionError(f"the process ended with {process.exitcode} before its time")
        time.sleep(0.002)
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    assert process.exitcode == -signal.SIGKILL
    (part,) = folder.glob("??/*.part")  # half of the track is on the disk
    store = _open(folder)
    assert store.tracks() == sorted(each.audio for each in jobs[:3])
    assert (store.clip_count(long), store.rows(long)) == (None, 0)
    assert store.verify().damaged == 0
    _check_features(folder, jobs[:3])
    encoder = Slices()
    assert _fill(folder, jobs, workers, encoder=encoder).encoded == encoder.pieces == 16
    _fill(tmp_path / "whole", jobs)
    assert _bytes(folder) == _bytes(tmp_path / "whole")
    assert part.exists()
    assert _fill(folder, jobs).encoded == 0


@pytest.mark.parametrize("order", [1, -1], ids=["same", "back"])
def test_two_processes_fill_one_store_at_once(tmp_path: Path, jobs: list[Job], order: int) -> None:
    folder = tmp_path / "store"
    both = [_started(folder, mine, seconds_a_piece=0.01) for mine in (jobs, jobs[::order])]
    for process in both:
        process.join()
        assert process.exitcode == 0
    _fill(tmp_path / "whole", jobs)
    assert _bytes(folder) == _bytes(tmp_path / "whole")
    assert [*folder.glob("??/*.part")] == []
    assert _open(folder).verify().damaged == 0


def test_an_interrupt_within_a_track_leaves_no_part_of_it(tmp_path: Path, jobs: list[Job]) -> None:
    class Stopped(Slices):
        def hidden_states(self, audio: torch.Tensor) -> torch.Tensor:
            if self.pieces == 10:
                raise KeyboardInterrupt
            return super().hidden_states(audio)

    with pytest.raises(KeyboardInterrupt):
        _fill(tmp_path, jobs, encoder=Stopped())
    assert _open(tmp_path).tracks() == sorted(each.audio for each in jobs[:3])
    assert [*tmp_path.glob("??/*.part")] == []


def test_a_disk_that_is_full_is_named_and_the_other_tracks_stay_good(
    tmp_path: Path, jobs: list[Job]
) -> None:
    folder = tmp_path / "store"
    # The long track takes 4800 frames of 12 bytes; those before it 800 at most.
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (30000, before[1]))
    try:
        with pytest.raises(MarbleError, match=r"File too large.*MARBLE_EVAL_HOME") as raised:
            _fill(folder, jobs)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert str(raised.value).startswith(f"{folder}: ")
    assert [*folder.glob("??/*.part")] == []
    assert _open(folder).tracks() == sorted(each.audio for each in jobs[:3])
    _check_features(folder, jobs[:3])
    _fill(folder, jobs)
    _fill(tmp_path / "whole", jobs)
    assert _bytes(folder) == _bytes(tmp_path / "whole")


def test_a_disk_that_is_full_at_the_very_end_of_a_track_is_no_track(
    tmp_path: Path, jobs: list[Job]
) -> None:
    size = 4800 * LAYERS * WIDTH * 2
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    for room in (size - 1, size, size + 20):  # in the last block, before and in what describes it
        folder = tmp_path / str(room)
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, before[1]))
        try:
            with pytest.raises(MarbleError, match="File too large"):
                _fill(folder, jobs[3:4])
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        assert [*folder.glob("??/*")] == []


def test_a_folder_that_must_not_be_written_is_named(tmp_path: Path, jobs: list[Job]) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(MarbleError, match="MARBLE_EVAL_HOME") as raised:
        _fill(tmp_path / "file" / "store", jobs)
    assert str(raised.value).startswith(f"{tmp_path / 'file' / 'store'}: ")
