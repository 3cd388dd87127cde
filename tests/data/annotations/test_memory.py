"""What was read from annotation files is remembered: when it holds, and when it does not."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pretty_midi
import pytest

from marble_eval.data.annotations import memory, note_files
from marble_eval.data.annotations.memory import remembered
from marble_eval.data.annotations.midi import channels_of
from marble_eval.data.annotations.note_files import notes_text, read_notes
from marble_eval.files.home import home_folder
from marble_eval.kinds.frames import KIND as frames
from marble_eval.spec import Annotation, TaskSpec

SPEC = TaskSpec(name="Mine", kind="frames")


def midi_file(path: Path, *, notes: int = 40, seed: int = 0, lowest: int = 21) -> Path:
    """Write a file of notes at random times."""
    rng = np.random.default_rng(seed)
    midi, piano = pretty_midi.PrettyMIDI(), pretty_midi.Instrument(0)
    for onset in np.sort(rng.uniform(0, notes / 10, notes)):
        pitch = int(rng.integers(lowest, 109))
        piano.notes.append(pretty_midi.Note(80, pitch, onset, onset + rng.uniform(0.1, 1)))
    midi.instruments.append(piano)
    midi.write(str(path))
    return path


def label(path: Path) -> str:
    """Read a file as a table's cell names it."""
    text = frames.label_of({"notes": path.name}, "notes", SPEC, root=path.parent)
    assert type(text) is Annotation
    return text


def entries() -> list[Path]:
    return sorted(each for each in home_folder().rglob("*") if each.is_file())


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Count in a list how often a file is parsed."""
    calls: list[int] = []
    read = channels_of

    def counting(*arguments: Any, **options: Any) -> Any:
        calls.append(len(calls))
        return read(*arguments, **options)

    monkeypatch.setattr(note_files, "channels_of", counting)
    return calls


# --- what is remembered ---


def test_a_second_read_does_not_parse_and_gives_the_same_notes(
    tmp_path: Path, parsed: list[int]
) -> None:
    path = midi_file(tmp_path / "Für Elise.MID")
    parsed.clear()
    first = label(path)
    assert len(parsed) == 1
    assert label(path) == first == notes_text(read_notes(path))
    assert len(parsed) == 2  # that of read_notes, which remembers nothing
    assert label(Path(shutil.copy(path, tmp_path / "another name.midi"))) == first
    assert len(parsed) == 2
    (entry,) = entries()
    assert entry.relative_to(home_folder()).parts[0] == "annotations"
    assert len(entry.parent.name) == 2


def test_changed_bytes_are_parsed_anew(tmp_path: Path, parsed: list[int]) -> None:
    path = midi_file(tmp_path / "a.mid", seed=1)
    first = label(path)
    before = path.stat()
    midi_file(path, seed=2)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))  # the time says nothing
    parsed.clear()
    assert label(path) != first
    assert label(path) == notes_text(read_notes(path)) and len(parsed) == 2
    assert len(entries()) == 2


def test_text_files_are_read_without_a_memory(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("onset,end,pitch\n0.5,1.0,60\n")
    assert label(path) == "[[0.5,1.0,60]]"
    assert entries() == []


def test_what_is_refused_is_not_remembered(tmp_path: Path, parsed: list[int]) -> None:
    path = midi_file(tmp_path / "deep.mid", lowest=10)
    broken = tmp_path / "broken.mid"
    broken.write_bytes(b"MThd")
    parsed.clear()
    for _ in range(2):
        with pytest.raises(ValueError, match="must lie in the piano's range"):
            label(path)
        with pytest.raises(ValueError, match="must be a MIDI file"):
            label(broken)
        with pytest.raises(ValueError, match="there is no such file"):
            label(tmp_path / "absent.mid")
    assert len(parsed) == 4 and entries() == []


def test_another_reader_and_another_version_of_a_package_read_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.txt"
    path.write_text("Töne")
    asked: list[str] = []

    def read(name: str, reader: str) -> str:
        def reading(given: Path) -> str:
            asked.append(name)
            return f"{name} {given.read_text()}"

        return remembered(path, reading, reader=reader, packages=("mido",))

    assert read("first", "notes 1") == read("again", "notes 1") == "first Töne"
    assert read("second", "notes 2") == "second Töne"
    monkeypatch.setattr(memory, "version", lambda _: "99.0")
    assert read("third", "notes 1") == "third Töne"
    assert asked == ["first", "second", "third"]


def test_a_file_that_changes_while_it_is_read_is_not_remembered_as_the_old_one(
    tmp_path: Path,
) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")

    def slow(given: Path) -> str:
        given.write_text("new")
        return given.read_text()

    assert remembered(path, slow, reader="notes 1") == "new"
    path.write_text("old")
    assert remembered(path, Path.read_text, reader="notes 1") == "old"


# --- where it does not hold ---


@pytest.mark.parametrize("damage", ["empty", "short", "cut", "flipped", "other", "folder"])
def test_a_damaged_entry_is_read_anew(tmp_path: Path, damage: str, parsed: list[int]) -> None:
    path = midi_file(tmp_path / "a.mid", seed=1)
    first = label(path)
    (entry,) = entries()
    whole = entry.read_bytes()
    if damage == "other":  # a whole entry's text behind another's digest
        label(midi_file(tmp_path / "b.mid", seed=2))
        (other,) = set(entries()) - {entry}
        entry.write_bytes(whole[:16] + other.read_bytes()[16:])
    elif damage == "folder":
        entry.unlink()
        entry.mkdir()
    else:
        middle = len(whole) // 2
        flipped = whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :]
        contents = {"empty": b"", "short": whole[:9], "cut": whole[:-20], "flipped": flipped}
        entry.write_bytes(contents[damage])
    parsed.clear()
    assert label(path) == first
    assert len(parsed) == 1
    if damage != "folder":
        assert entry.read_bytes() == whole  # and is whole again
        assert label(path) == first and len(parsed) == 1


@pytest.mark.parametrize("home", ["/dev/null/home", "/proc/self/home", "~nobody-at-all/home"])
def test_a_home_that_cannot_be_written_does_not_hinder_reading(
    tmp_path: Path, home: str, monkeypatch: pytest.MonkeyPatch, parsed: list[int]
) -> None:
    path = midi_file(tmp_path / "a.mid")
    monkeypatch.setenv("MARBLE_EVAL_HOME", home)
    monkeypatch.chdir(tmp_path)
    parsed.clear()
    assert label(path) == label(path)
    assert len(parsed) == 2
    assert [each.name for each in tmp_path.iterdir()] == ["a.mid"]


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Let no file grow beyond a size, so that writing fails as on a full disk."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_a_full_disk_does_not_hinder_reading_and_leaves_nothing_behind(
    tmp_path: Path, parsed: list[int]
) -> None:
    path = midi_file(tmp_path / "a.mid")
    with largest_file(20):
        first = label(path)
    assert first == notes_text(read_notes(path))
    assert entries() == []
    parsed.clear()
    assert label(path) == label(path) == first
    assert len(parsed) == 1


READING = """
import sys
from pathlib import Path
from marble_eval.kinds.frames import KIND as frames
from marble_eval.spec import TaskSpec
folder, spec = Path(sys.argv[1]), TaskSpec(name="Mine", kind="frames")
print("ready", flush=True)
sys.stdin.readline()
for name in sorted(each.name for each in folder.iterdir()):
    print(frames.label_of({"notes": name}, "notes", spec, root=folder))
"""


def test_two_processes_at_once_read_the_same(tmp_path: Path) -> None:
    folder = tmp_path / "midi"
    folder.mkdir()
    for seed in range(12):
        midi_file(folder / f"{seed:02d}.mid", notes=100, seed=seed)
    both = [
        subprocess.Popen(
            [sys.executable, "-c", READING, str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    for each in both:
        assert each.stdout is not None
        assert each.stdout.readline() == "ready\n"
    for each in both:
        assert each.stdin is not None
        each.stdin.write("go\n")
        each.stdin.flush()
    told = [each.communicate(timeout=60)[0] for each in both]
    assert told[0] == told[1]
    wanted = [notes_text(read_notes(each)) for each in sorted(folder.iterdir())]
    assert told[0].splitlines() == wanted
    assert len(entries()) == 12  # one a file, and no part of one
    assert [label(each) for each in sorted(folder.iterdir())] == wanted
