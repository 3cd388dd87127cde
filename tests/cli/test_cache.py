"""`marble-eval cache`: what it shows is what lies on the disk."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import numpy as np
import pytest

import marble_eval
from marble_eval.cli import main
from marble_eval.data.annotations.memory import remembered
from marble_eval.features.stores import ClipName, FrameStore
from marble_eval.files.home import home_folder


@pytest.fixture
def store(small_task: Path) -> Path:
    """The folder of a store that a run has filled."""
    marble_eval.evaluate("mel", str(small_task), protocol="quick", seeds=1)
    (folder,) = (home_folder() / "features").iterdir()
    return folder


def test_ls_shows_encoder_clips_and_bytes(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cache", "ls", "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert found["fingerprint"] == store.name
    assert (found["encoder"], found["clips"]) == ("mel", 48)
    assert found["bytes"] == 48 * 256 * 2  # one layer of 256 float16 numbers a clip
    assert main(["cache", "ls"]) == 0
    assert f"{store.name[:12]}  mel" in capsys.readouterr().out


def test_verify_counts_damaged_records_and_exits_4(
    store: Path, small_task: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["cache", "verify"]) == 0
    assert "48 records  ok" in capsys.readouterr().out
    data = bytearray((store / "data.bin").read_bytes())
    data[700] ^= 1
    (store / "data.bin").write_bytes(data)
    assert main(["cache", "verify"]) == 4
    assert "1 DAMAGED" in capsys.readouterr().out
    result = marble_eval.evaluate("mel", str(small_task), protocol="quick", seeds=1)
    assert result.cost.clips_encoded == 1
    assert main(["cache", "verify", "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert (found["records"], found["damaged"]) == (48, 0)


def test_a_store_that_cannot_be_opened_is_named_and_the_others_are_listed(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (store.parent / "half").mkdir()
    assert main(["cache", "ls"]) == 0
    captured = capsys.readouterr()
    assert "half" in captured.err
    assert store.name[:12] in captured.out
    assert main(["cache", "verify"]) == 4


def test_prune_deletes_what_is_named_and_nothing_else(
    store: Path, small_task: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    marble_eval.evaluate("mel", str(small_task), protocol="marble-v2", seeds=1)
    assert main(["cache", "prune", "--days", "1"]) == 0
    assert len(list(store.parent.iterdir())) == 2
    long_ago = time.time() - 3 * 86400
    os.utime(store / "data.bin", (long_ago, long_ago))
    assert main(["cache", "prune", "--days", "2"]) == 0
    assert not store.exists()
    (left,) = store.parent.iterdir()
    assert main(["cache", "prune", left.name[:8]]) == 0
    assert not left.exists()
    capsys.readouterr()
    assert main(["cache", "ls"]) == 0
    assert capsys.readouterr().out.startswith("0 stores")


@pytest.fixture
def frames(tmp_path: Path) -> Path:
    """The folder of a store of every frame: two tracks of 450, of two layers of width 3."""
    folder = home_folder() / "features" / "f00d"
    about = {"name": "mert", "pooling": "frames", "kept_layers": [3, 4]}
    store = FrameStore(folder, layers=2, width=3, dtype="float16", about=about)
    for audio in ("a" * 32, "b" * 32):
        store.append([ClipName(audio, 0, 1)], [np.ones((2, 450, 3), np.float16)])
    return folder


def test_ls_shows_tracks_and_frames_where_every_frame_is_kept(
    store: Path, frames: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["cache", "ls", "--json"]) == 0
    found = {each["fingerprint"]: each for each in json.loads(capsys.readouterr().out)}
    of_frames = found["f00d"]
    assert (of_frames["tracks"], of_frames["frames"], "clips" in of_frames) == (2, 900, False)
    assert of_frames["bytes"] == sum(each.stat().st_size for each in frames.glob("??/*"))
    assert of_frames["bytes"] > 900 * 2 * 3 * 2
    assert found[store.name]["clips"] == 48
    assert main(["cache", "ls"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[1:5] for line in lines if line.startswith("f00d")] == [
        ["mert", "2", "tracks,", "900"]
    ]
    assert lines[-1].startswith("2 stores")


def test_verify_finds_a_changed_byte_in_a_track_of_frames(
    frames: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["cache", "verify"]) == 0
    assert "2 records  ok" in capsys.readouterr().out
    (path,) = frames.glob("bb/*.frames")
    data = bytearray(path.read_bytes())
    data[700] ^= 1
    path.write_bytes(data)
    assert main(["cache", "verify"]) == 4
    assert "1 DAMAGED" in capsys.readouterr().out
    assert main(["cache", "verify", "--json"]) == 0  # it is gone, and is made again when needed
    (found,) = json.loads(capsys.readouterr().out)
    assert (found["records"], found["damaged"]) == (1, 0)


def test_prune_counts_the_files_of_every_track(
    frames: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    padding = frames / "aa" / "unfinished.part"
    padding.write_bytes(bytes(3_000_000))
    long_ago = time.time() - 3 * 86400
    first, last = sorted(frames.glob("??/*.frames"))
    os.utime(first, (long_ago, long_ago))
    assert main(["cache", "prune", "--days", "2"]) == 0  # the last was written today
    assert frames.exists()
    os.utime(last, (long_ago, long_ago))
    capsys.readouterr()
    assert main(["cache", "prune", "--days", "2"]) == 0
    assert capsys.readouterr().out == "deleted 1 stores, 3.0 MB\n"
    assert not frames.exists()


def test_annotations_read_from_slow_files_are_counted_and_forgotten(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(3):
        path = tmp_path / f"{number}.mid"
        path.write_text(f"notes {number}")
        remembered(path, lambda file: file.read_text(), reader="test 1")
    entries = [each for each in (home_folder() / "annotations").rglob("*") if each.is_file()]
    os.utime(entries[0], (time.time() - 10 * 86400,) * 2)
    assert main(["cache", "ls"]) == 0
    assert "annotations of 3 files" in capsys.readouterr().out
    assert main(["cache", "prune", "--days", "5"]) == 0
    assert "forgot the annotations of 1 files" in capsys.readouterr().out
    assert main(["cache", "prune", "--all"]) == 0
    assert not any(each.is_file() for each in (home_folder() / "annotations").rglob("*"))
