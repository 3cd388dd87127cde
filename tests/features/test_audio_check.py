"""A look at every file: what is cached, what is to be encoded, what cannot be used."""

import dataclasses
import errno
import os
import shutil
import struct
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from marble_eval.audio.pieces import FrameGrid
from marble_eval.features import audio_check as module
from marble_eval.features.audio_check import Survey, Unusable, survey
from marble_eval.features.clip_rules import ClipCuts, FrameCuts
from marble_eval.features.stores import ClipName, FrameStore, PooledStore, digests
from marble_eval.files.fingerprint import file_digest
from marble_eval.progress import Silence
from marble_eval.spec import Track, Windowing

RATE = 8000
WINDOWING = Windowing(
    channels="mean",
    resampler="torchaudio-sinc",
    normalise="track",
    crop_seconds=None,
    clip_seconds=0.5,
    hop_seconds=None,
    tail="keep",
    tail_seconds=0.01,
)


def _wav(path: Path, seconds: float, seed: int = 0, rate: int = RATE) -> Path:
    rng = np.random.default_rng(seed)
    soundfile.write(path, rng.uniform(-0.5, 0.5, round(seconds * rate)), rate)
    return path


def _track(path: Path, name: str | None = None) -> Track:
    return Track(
        id=name or path.stem, path=path, split="train", label="flute", group=name or path.stem
    )


def _store(folder: Path) -> PooledStore:
    return PooledStore(folder / "store", layers=1, width=2, dtype="float16")


def _survey(
    tracks: list[Track],
    folder: Path,
    *,
    minimum_samples: int = 400,
    progress: Silence | None = None,
    **changes: Any,
) -> Survey:
    cuts = ClipCuts(dataclasses.replace(WINDOWING, **changes), False, RATE, minimum_samples)
    return survey(tracks, _store(folder), cuts, readers=2, progress=progress or Silence())


def _keep(folder: Path, path: Path, clips: list[int], of: int) -> None:
    names = [ClipName(file_digest(path), clip, of) for clip in clips]
    _store(folder).append(names, [np.zeros((1, 2), np.float16)] * len(names))


def test_every_fault_is_named_with_its_reason_in_the_order_of_the_tracks(tmp_path: Path) -> None:
    good = _wav(tmp_path / "good.wav", 1.2)
    (tmp_path / "folder.wav").mkdir()
    (tmp_path / "empty.wav").touch()
    (tmp_path / "text.wav").write_text("this is not audio")
    (tmp_path / "cut.wav").write_bytes(good.read_bytes()[:9000])
    soundfile.write(tmp_path / "silent.wav", np.zeros(8000), RATE)
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 8000)
    noise[4000] = np.nan
    soundfile.write(tmp_path / "nan.wav", noise, RATE, subtype="FLOAT")
    _wav(tmp_path / "short.wav", 0.04)
    names = ["good", "missing", "folder", "empty", "text", "cut", "silent", "nan", "short"]
    found = _survey([_track(tmp_path / f"{name}.wav") for name in names], tmp_path)
    assert [(each.track.id, each.reason) for each in found.unusable] == [
        ("missing", "missing"),
        ("folder", "is a folder"),
        ("empty", "empty (0 bytes)"),
        ("text", "unreadable: Format not recognised"),
        ("cut", "truncated: 9000 of 19244 bytes"),
        ("silent", "silent"),
        ("nan", "not finite"),
        ("short", "too short: 0.04 s, 0.05 s needed"),
    ]
    assert [each.id for each in found.usable] == ["good"]
    assert found.digests == {"good": file_digest(good)}
    assert (found.cached_clips, found.new_clips) == (0, 3)


def test_odd_files_are_found_before_anything_is_encoded(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 8000)
    soundfile.write(tmp_path / "slow.wav", noise, 1)
    soundfile.write(tmp_path / "loud.wav", noise.astype(np.float32) * 1e30, RATE, subtype="FLOAT")
    soundfile.write(tmp_path / "short.flac", noise[:320], RATE)
    os.mkfifo(tmp_path / "fifo.wav")
    names = ["slow.wav", "loud.wav", "short.flac", "fifo.wav"]
    found = _survey([_track(tmp_path / name) for name in names], tmp_path)
    assert [(each.track.id, each.reason) for each in found.unusable] == [
        ("slow", "unreadable: its header says 1 Hz"),
        ("loud", "too loud: 5.0e+29 times full scale"),
        ("short", "too short: 0.04 s, 0.05 s needed"),
        ("fifo", "is a FIFO"),
    ]


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (errno.EACCES, "unreadable: Permission denied"),
        (errno.EIO, "unreadable: Input/output error"),
        (errno.ENOTDIR, "missing"),
    ],
)
def test_a_file_that_must_not_be_read_is_no_missing_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: int, reason: str
) -> None:
    def refused(path: Path) -> str:
        raise OSError(fault, os.strerror(fault), path)

    monkeypatch.setattr(digests, "file_digest", refused)
    # The folder around it may be closed too: then even exists() is an error.
    monkeypatch.setattr(Path, "stat", refused)
    found = _survey([_track(tmp_path / "a.wav")], tmp_path)
    assert [each.reason for each in found.unusable] == [reason]


def test_a_last_clip_that_is_too_short_for_the_encoder_is_found_now(tmp_path: Path) -> None:
    path = _wav(tmp_path / "a.wav", 1.02)
    found = _survey([_track(path)], tmp_path)
    assert [each.reason for each in found.unusable] == [
        "too short: last clip of 0.02 s, 0.05 s needed"
    ]
    for changes in ({"tail": "drop"}, {"tail": "pad"}, {"tail_seconds": 0.1}):
        assert not _survey([_track(path)], tmp_path, **changes).unusable


def test_a_file_shorter_than_a_clip_is_padded_only_where_clips_are(tmp_path: Path) -> None:
    path = _wav(tmp_path / "a.wav", 0.04)
    assert not _survey([_track(path)], tmp_path, tail="pad").unusable
    found = _survey([_track(path)], tmp_path, tail="pad", clip_seconds=None)
    assert [each.reason for each in found.unusable] == ["too short: 0.04 s, 0.05 s needed"]


@pytest.mark.parametrize(
    ("changes", "clips"),
    [
        ({}, 5),
        ({"tail": "drop"}, 4),
        ({"crop_seconds": 1.0}, 2),
        ({"crop_seconds": 60.0}, 5),
        ({"clip_seconds": None}, 1),
        ({"hop_seconds": 0.25}, 8),
    ],
)
def test_clips_to_encode_are_counted_from_the_header(
    tmp_path: Path, changes: dict[str, Any], clips: int
) -> None:
    # 2.2 s; with a hop of 0.25 s seven whole clips begin at 0 to 1.5 s, the tail at 1.75 s.
    path = _wav(tmp_path / "a.wav", 2.2, rate=22050)
    assert _survey([_track(path)], tmp_path, **changes).new_clips == clips


def test_cached_tracks_are_digested_and_nothing_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, part, new = (_wav(tmp_path / f"{at}.wav", 1.2, at) for at in range(3))
    _keep(tmp_path, whole, [0, 1, 2], 3)
    _keep(tmp_path, part, [0, 1], 3)
    opened: list[str] = []
    for name in ("inspect", "read"):
        real = getattr(module, name)

        def noted(path: Path, *arguments: Any, real: Any = real) -> Any:
            opened.append(path.stem)
            return real(path, *arguments)

        monkeypatch.setattr(module, name, noted)
    found = _survey([_track(path) for path in (whole, part, new)], tmp_path)
    assert (found.cached_clips, found.new_clips) == (3 + 2, 1 + 3)
    assert set(opened) == {"1", "2"}
    assert len(found.usable) == 3


def test_the_same_audio_under_two_names_is_counted_once(tmp_path: Path) -> None:
    first = _wav(tmp_path / "a.wav", 1.2)
    second = Path(shutil.copy(first, tmp_path / "b.wav"))
    tracks = [_track(first), _track(second), _track(first, "c")]
    found = _survey(tracks, tmp_path)
    assert (found.cached_clips, found.new_clips) == (0, 3)
    assert len(found.usable) == 3
    assert len(set(found.digests.values())) == 1
    _keep(tmp_path, first, [0, 1, 2], 3)
    assert _survey(tracks, tmp_path).cached_clips == 3


def test_compressed_files_are_left_to_the_decoder(tmp_path: Path) -> None:
    """Silence in an mp3 is found when it is decoded for the encoder, not twice."""
    soundfile.write(tmp_path / "silent.mp3", np.zeros(44100), 44100)
    soundfile.write(tmp_path / "silent.flac", np.zeros(44100), 44100)
    names = ("silent.mp3", "silent.flac")
    found = _survey([_track(tmp_path / name, name) for name in names], tmp_path)
    assert not found.unusable
    assert found.new_clips == 4
    (tmp_path / "silent.flac").write_bytes(b"fLaC" + struct.pack(">I", 34))
    found = _survey([_track(tmp_path / "silent.flac")], tmp_path)
    assert found.unusable[0].reason.startswith("unreadable")


def test_of_frames_pieces_and_rows_are_counted(tmp_path: Path) -> None:
    # At 50 frames a second, of which three make one; pieces of 0.5 s, a rest of 0.1 s or more.
    cuts = FrameCuts(
        dataclasses.replace(WINDOWING, tail_seconds=0.1),
        False,
        400,
        FrameGrid(RATE, 50.0, 3),
        (0,),
        0.1,
    )
    store = FrameStore(tmp_path / "frames", layers=1, width=2, dtype="float16")
    tracks = [_track(_wav(tmp_path / f"{at}.wav", 1.2 + at, at)) for at in range(3)]
    tracks.append(_track(tracks[0].path, "again"))

    def counted() -> tuple[int, int, int, int]:
        found = survey(tracks, store, cuts, readers=2, progress=Silence())
        assert [each.id for each in found.usable] == ["0", "1", "2", "again"]
        return found.cached_clips, found.new_clips, found.cached_rows, found.new_rows

    # Pieces have 8 rows, 0.48 s: 1.2, 2.2 and 3.2 s are 3, 5 and 7 pieces; 20, 37 and 53 rows.
    assert counted() == (0, 3 + 5 + 7, 0, 20 + 37 + 53)
    audio = file_digest(tracks[1].path)
    names = [ClipName(audio, clip, 5) for clip in range(5)]
    store.append(names[:4], [np.zeros((1, 8, 2), np.float16)] * 4)
    assert counted() == (0, 15, 0, 110)  # nothing is there before a track's last clip
    store.append(names[4:], [np.zeros((1, 4, 2), np.float16)])
    assert counted() == (5, 3 + 7, 36, 20 + 53)


class _Notes(Silence):
    def __init__(self) -> None:
        self.done: list[Any] = []

    def begin(self, title: str, total: int) -> None:
        self.done += [title, total]

    def advance(self, steps: int = 1) -> None:
        self.done.append(steps)

    def end(self) -> None:
        self.done.append("end")


def test_progress_counts_tracks(tmp_path: Path) -> None:
    notes = _Notes()
    paths = [_wav(tmp_path / "a.wav", 1.2), tmp_path / "missing.wav"]
    _survey([_track(path) for path in paths], tmp_path, progress=notes)
    assert notes.done == ["check", 2, 1, 1, "end"]


def test_an_interrupt_ends_the_readers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[Path] = []

    def interrupted(path: Path) -> str:
        looked.append(path)
        if len(looked) == 3:
            raise KeyboardInterrupt
        time.sleep(0.002)
        return "0" * 32

    monkeypatch.setattr(digests, "file_digest", interrupted)
    monkeypatch.setattr(module, "_ahead", lambda *arguments: (1, 1))
    notes = _Notes()
    tracks = [_track(tmp_path / f"{at}.wav") for at in range(500)]
    for each in tracks:
        each.path.touch()
    with pytest.raises(KeyboardInterrupt):
        _survey(tracks, tmp_path, progress=notes)
    assert not any(each.name.startswith("survey") for each in threading.enumerate())
    assert len(looked) < 100
    assert notes.done[-1] == "end"


def test_tracks_found_unusable_later_leave_the_survey(tmp_path: Path) -> None:
    tracks = [_track(_wav(tmp_path / f"{at}.wav", 0.5, at)) for at in range(3)]
    tracks.insert(0, _track(tmp_path / "missing.wav"))
    found = _survey(tracks, tmp_path).without([Unusable(tracks[2], "silent")])
    assert [each.id for each in found.usable] == ["0", "2"]
    assert set(found.digests) == {"0", "2"}
    assert [(each.track.id, each.reason) for each in found.unusable] == [
        ("missing", "missing"),
        ("1", "silent"),
    ]
