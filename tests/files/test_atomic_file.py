"""A file is the old one or the new one, never a part."""

from __future__ import annotations

from pathlib import Path

import pytest

from marble_eval.files.atomic_file import write_atomically


def test_a_file_is_written_and_replaced_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    for content in (b"old", b"new and longer"):
        write_atomically(tmp_path / "table.csv", content)
        assert (tmp_path / "table.csv").read_bytes() == content
    assert [each.name for each in tmp_path.iterdir()] == ["table.csv"]


def test_a_broken_write_leaves_the_old_file_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "table.csv"
    write_atomically(file, b"old")

    def no_space(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", no_space)
    with pytest.raises(OSError, match="No space left"):
        write_atomically(file, b"new and longer")
    assert [each.name for each in tmp_path.iterdir()] == ["table.csv"]
    assert file.read_bytes() == b"old"
