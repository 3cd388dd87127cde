"""Digests remembered: never a wrong one, and a file is read again only when it must be."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from marble_eval.features.stores import digests
from marble_eval.features.stores.digests import DigestMemory
from marble_eval.files.fingerprint import file_digest


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Keep account of the files that are read."""
    seen: list[Path] = []

    def counted(path: Path) -> str:
        seen.append(path)
        return file_digest(path)

    monkeypatch.setattr(digests, "file_digest", counted)
    return seen


def old(path: Path, content: bytes) -> Path:
    """Write a file that was last changed long ago; its inode still changes now."""
    path.write_bytes(content)
    os.utime(path, (1e9, 1e9))
    return path


@pytest.fixture(autouse=True)
def _settled_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digests, "_SETTLED_NS", -1)


def test_a_file_is_read_once_over_two_runs(tmp_path: Path, read: list[Path]) -> None:
    path = old(tmp_path / "a.wav", b"one")
    for _ in range(2):
        memory = DigestMemory(tmp_path / "home" / "digests.jsonl")
        assert memory.digest(path) == file_digest(path)
        memory.keep()
    assert read == [path]


@pytest.mark.parametrize("change", ["content", "content of the same size and time", "replaced"])
def test_a_changed_file_is_read_again(tmp_path: Path, read: list[Path], change: str) -> None:
    path = old(tmp_path / "a.wav", b"one")
    memory = DigestMemory(tmp_path / "digests.jsonl")
    memory.digest(path)
    memory.keep()
    if change == "content":
        path.write_bytes(b"longer")
    elif change == "replaced":
        old(tmp_path / "b.wav", b"two").replace(path)
    else:
        time.sleep(0.01)
        old(path, b"two")
    again = DigestMemory(tmp_path / "digests.jsonl")
    assert again.digest(path) == file_digest(path)
    assert read == [path, path]


def test_a_file_that_has_just_changed_is_not_remembered(
    tmp_path: Path, read: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(digests, "_SETTLED_NS", 2_000_000_000)
    path = tmp_path / "a.wav"
    path.write_bytes(b"one")
    memory = DigestMemory(tmp_path / "digests.jsonl")
    memory.digest(path)
    memory.digest(path)
    memory.keep()
    assert read == [path, path]
    assert not (tmp_path / "digests.jsonl").exists()


def test_a_damaged_memory_only_costs_reading(tmp_path: Path, read: list[Path]) -> None:
    path, kept = old(tmp_path / "a.wav", b"one"), tmp_path / "digests.jsonl"
    memory = DigestMemory(kept)
    memory.digest(path)
    memory.keep()
    kept.write_bytes(b"\xff\xfe nonsense\n7\n" + kept.read_bytes()[:-9])
    assert DigestMemory(kept).digest(path) == file_digest(path)
    assert read == [path, path]


def test_a_memory_that_cannot_be_written_is_done_without(tmp_path: Path) -> None:
    path = old(tmp_path / "a.wav", b"one")
    (tmp_path / "home").write_text("a file where a folder should be")
    memory = DigestMemory(tmp_path / "home" / "digests.jsonl")
    assert memory.digest(path) == file_digest(path)
    memory.keep()
    assert (tmp_path / "home").is_file()


def test_a_missing_file_is_an_error_as_ever(tmp_path: Path) -> None:
    path = old(tmp_path / "a.wav", b"one")
    memory = DigestMemory(tmp_path / "digests.jsonl")
    memory.digest(path)
    path.unlink()
    with pytest.raises(FileNotFoundError):
        memory.digest(path)


def test_a_flipped_bit_of_a_line_costs_one_digest(tmp_path: Path, read: list[Path]) -> None:
    path, kept = old(tmp_path / "a.wav", b"one"), tmp_path / "digests.jsonl"
    memory = DigestMemory(kept)
    memory.digest(path)
    memory.keep()
    line = kept.read_bytes()
    at = line.index(file_digest(path).encode())
    kept.write_bytes(line[:at] + bytes([line[at] ^ 1]) + line[at + 1 :])
    for _ in range(2):  # the second finds the new line
        memory = DigestMemory(kept)
        assert memory.digest(path) == file_digest(path)
        memory.keep()
    assert read == [path, path]


def test_lines_of_earlier_versions_are_read(tmp_path: Path, read: list[Path]) -> None:
    path, kept = old(tmp_path / "a.wav", b"one"), tmp_path / "digests.jsonl"
    memory = DigestMemory(kept)
    memory.digest(path)
    memory.keep()
    kept.write_text(f"{kept.read_text().rpartition(',')[0]}]\n")
    assert DigestMemory(kept).digest(path) == file_digest(path)
    assert read == [path]
