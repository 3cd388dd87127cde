"""A collection on disk: complete or not at all, whoever kills or damages it."""

from __future__ import annotations

import csv
import hashlib
import itertools
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import soundfile

from marble_eval.embedded.collection import (
    SAMPLE_RATE,
    Clip,
    Collection,
    seed_of,
    write_collection,
)
from marble_eval.embedded.composer import Note
from marble_eval.embedded.recording import at_level
from marble_eval.embedded.renderer import Renderer
from marble_eval.errors import MissingError, SpecError

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Beep:
    """A recipe of one note."""

    pitch: int


def play(renderer: Renderer, beep: Beep) -> np.ndarray:
    return at_level(renderer.render([Note(0.0, 0.2, beep.pitch, 90)], 73, seconds=0.2), -20.0)


BEEPS = Collection(
    version=1,
    columns=("label", "height"),
    clips=tuple(
        Clip(
            f"audio/{split}_{pitch}.wav", (f"{pitch}", "high;low"), split, f"{split} é", Beep(pitch)
        )
        for split in ("train", "valid", "test")
        for pitch in range(60, 64)
    ),
    play=play,
)

START = """
import itertools, os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
import test_collection as here
from marble_eval.embedded import collection
root = Path(sys.argv[1])
"""


def start(script: str, root: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", START + script, str(root), str(Path(__file__).parent)],
        stderr=subprocess.PIPE,
        text=True,
    )


def digests(root: Path) -> dict[str, str]:
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def test_a_collection_is_a_csv_of_wav_files_that_are_there(tmp_path: Path) -> None:
    root = write_collection(tmp_path / "deep" / "music", BEEPS)
    assert root == tmp_path / "deep" / "music"
    text = (root / "tracks.csv").read_text(encoding="utf-8")
    assert text.startswith("path,label,height,split,group\n")
    assert "\r" not in text
    rows = list(csv.DictReader(text.splitlines()))
    assert [row["path"] for row in rows] == [clip.path for clip in BEEPS.clips]
    assert rows[0] == {
        "path": "audio/train_60.wav",
        "label": "60",
        "height": "high;low",
        "split": "train",
        "group": "train é",
    }
    assert {row["path"] for row in rows} == {
        path.relative_to(root).as_posix() for path in root.glob("audio/*.wav")
    }
    for row in rows:
        info = soundfile.info(root / row["path"])
        assert (info.samplerate, info.channels, info.subtype, info.frames) == (
            *(SAMPLE_RATE, 1, "PCM_16", 4800),
        )


def test_a_complete_copy_is_left_untouched(tmp_path: Path) -> None:
    root = write_collection(tmp_path / "music", BEEPS)
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*")}
    assert write_collection(root, BEEPS) == root
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*")} == before


@pytest.mark.parametrize("damage", ["altered", "shortened", "missing", "manifest"])
def test_a_damaged_copy_is_made_again(damage: str, tmp_path: Path) -> None:
    root = write_collection(tmp_path / "data" / "music", BEEPS)
    sound = digests(root)
    victim = root / "audio" / "test_61.wav"
    if damage == "altered":
        content = bytearray(victim.read_bytes())
        content[1000] ^= 1
        victim.write_bytes(content)
    elif damage == "shortened":
        os.truncate(victim, 5000)
    elif damage == "missing":
        victim.unlink()
    else:
        text = (root / "manifest.json").read_text()
        (root / "manifest.json").write_text(text.replace('"recipe": "', '"recipe": "0'))
    assert digests(root) != sound
    write_collection(root, BEEPS)
    assert digests(root) == sound
    assert sorted(path.name for path in root.parent.iterdir()) == [".music.lock", "music"]


def changed(what: str) -> Collection[Beep]:
    first, *others = BEEPS.clips
    return {
        "version": replace(BEEPS, version=2),
        "column": replace(BEEPS, columns=("label", "depth")),
        "recipe": replace(BEEPS, clips=(replace(first, recipe=Beep(72)), *others)),
        "label": replace(BEEPS, clips=(replace(first, labels=("61", "low")), *others)),
        "group": replace(BEEPS, clips=(replace(first, group="another"), *others)),
        "fewer": replace(BEEPS, clips=tuple(others)),
    }[what]


@pytest.mark.parametrize("what", ["version", "column", "recipe", "label", "group", "fewer"])
def test_a_copy_of_an_older_recipe_is_replaced(what: str, tmp_path: Path) -> None:
    root = write_collection(tmp_path / "music", BEEPS)
    old = digests(root)
    write_collection(root, changed(what))
    new = digests(root)
    moved = {name for name in old.keys() | new.keys() if new.get(name) != old.get(name)}
    of_csv, of_clip = {"manifest.json", "tracks.csv"}, {"manifest.json", "audio/train_60.wav"}
    assert (
        moved
        == {
            "version": {"manifest.json"},
            "column": of_csv,
            "recipe": of_clip,
            "label": of_csv,
            "group": of_csv,
            "fewer": of_csv | of_clip,
        }[what]
    )


def test_a_folder_of_someone_else_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "songs").mkdir()
    (tmp_path / "songs" / "mine.wav").write_bytes(b"music")
    with pytest.raises(SpecError, match=r"1 other files, the first 'mine.wav'"):
        write_collection(tmp_path / "songs", BEEPS)
    assert digests(tmp_path / "songs") == {"mine.wav": hashlib.sha256(b"music").hexdigest()}
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(SpecError, match="must be a folder"):
        write_collection(tmp_path / "file", BEEPS)


def test_files_added_to_a_damaged_copy_are_not_thrown_away(tmp_path: Path) -> None:
    root = write_collection(tmp_path / "music", BEEPS)
    (root / "notes.txt").write_text("mine")
    write_collection(root, BEEPS)  # complete: nothing to do
    (root / "tracks.csv").unlink()
    with pytest.raises(SpecError, match=r"notes\.txt"):
        write_collection(root, BEEPS)
    assert (root / "notes.txt").read_text() == "mine"


def stopping_after(clips: int, how: Callable[[], None]) -> Collection[Beep]:
    calls = itertools.count()

    def stopped(renderer: Renderer, beep: Beep) -> np.ndarray:
        if next(calls) == clips:
            how()
        return play(renderer, beep)

    return replace(BEEPS, play=stopped)


def test_an_interrupt_leaves_nothing_behind(tmp_path: Path) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_collection(tmp_path / "data" / "music", stopping_after(5, interrupt))
    assert [path.name for path in (tmp_path / "data").iterdir()] == [".music.lock"]


def test_a_killed_run_leaves_nothing_that_passes_for_complete(tmp_path: Path) -> None:
    root = tmp_path / "data" / "music"
    killed = start(
        "kill = lambda: os.kill(os.getpid(), signal.SIGKILL)\n"
        "collection.write_collection(root, here.stopping_after(9, kill))\n",
        root,
    )
    killed.communicate(timeout=60)
    assert killed.returncode == -signal.SIGKILL
    assert not root.exists()
    assert len(list(root.parent.glob(".music.partial/audio/*.wav"))) == 9
    write_collection(root, BEEPS)
    assert len(digests(root)) == 14
    assert sorted(path.name for path in root.parent.iterdir()) == [".music.lock", "music"]


def test_processes_write_the_same_bytes_apart_and_at_once_in_one_place(tmp_path: Path) -> None:
    roots = [tmp_path / "one", tmp_path / "one", tmp_path / "other"]
    script = "collection.write_collection(root, here.BEEPS)\n"
    for process in [start(script, root) for root in roots]:
        _, stderr = process.communicate(timeout=60)
        assert process.returncode == 0, stderr
    here = write_collection(tmp_path / "here", BEEPS)
    assert digests(tmp_path / "one") == digests(tmp_path / "other") == digests(here)


def test_a_complete_copy_needs_no_synthesiser(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = write_collection(tmp_path / "music", BEEPS)
    monkeypatch.setitem(sys.modules, "tinysoundfont", None)
    assert write_collection(root, BEEPS) == root
    shutil.rmtree(root)
    with pytest.raises(MissingError, match="pip install --no-deps tinysoundfont"):
        write_collection(root, BEEPS)
    assert not root.exists()


def test_a_seed_is_the_start_of_a_hash_of_its_words() -> None:
    digest = hashlib.blake2b(b"EmbeddedKey/train/3", digest_size=8).hexdigest()
    assert seed_of("EmbeddedKey", "train", 3) == int(digest, 16)
    assert seed_of("a", 1) != seed_of("a", 2)
