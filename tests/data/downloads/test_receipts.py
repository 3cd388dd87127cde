"""Notes on what was fetched: found again, and never taken for another's."""

from __future__ import annotations

from pathlib import Path

import pytest

from marble_eval.data.downloads.receipts import are_there, digest_like, read_receipt, write_receipt


def test_a_note_is_read_as_it_was_written(tmp_path: Path) -> None:
    write_receipt(tmp_path, "audio/mp3.zip.001", {"files": ["ä.wav"]})
    assert read_receipt(tmp_path, "audio/mp3.zip.001") == {
        "name": "audio/mp3.zip.001",
        "files": ["ä.wav"],
    }
    assert [each.name for each in (tmp_path / ".downloads").iterdir()] == ["audio_mp3.zip.001.json"]


def test_a_note_of_a_like_name_is_not_taken(tmp_path: Path) -> None:
    write_receipt(tmp_path, "a/b", {})
    assert read_receipt(tmp_path, "a_b") == {}
    assert read_receipt(tmp_path, "c") == {}


def test_files_are_looked_for_in_every_folder(tmp_path: Path) -> None:
    names = ["a/1.wav", "a/2.wav", "b/1.wav", "a/3.wav", "4.wav"]
    for each in names:
        (tmp_path / each).parent.mkdir(exist_ok=True)
        (tmp_path / each).touch()
    assert are_there(tmp_path, names)
    for each in (*names, "c/1.wav"):
        (tmp_path / each).unlink(missing_ok=True)
        assert not are_there(tmp_path, [*names, "c/1.wav"])
        if each in names:
            assert not are_there(tmp_path, names)
            (tmp_path / each).touch()
    assert not are_there(tmp_path, [])


def test_digests_are_those_of_md5sum_sha256sum_and_git(tmp_path: Path) -> None:
    """What `md5sum`, `sha256sum` and `git hash-object` print for this file."""
    (tmp_path / "a").write_bytes(b"A data set.\n")
    for printed in (
        "md5:5747c4a2f4b96a1d3c2f7dc7995a7bef",
        "sha256:640a4eeab542ff9fad269fceb08b5e1ba33bde8668ff211e5c3d307b6a297dba",
        "git:a3e4e545857ddd89e7ee3081c224bf96fddb1aec",
    ):
        assert digest_like(tmp_path / "a", f"{printed.partition(':')[0]}:") == printed
    with pytest.raises(ValueError, match="must begin with sha256, md5, git"):
        digest_like(tmp_path / "a", "crc32:0")
