"""The files of a submission: none missing, none more, none changed, no way out of the folder."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.submission.edited_submissions import RESULT, TABLE, edit, file_findings, forge, rules

TWICE = "'files' must name a path once, whatever its case"


def test_every_file_has_the_checksum_that_sha256_gives(built: Path) -> None:
    manifest = json.loads((built / "submission.json").read_text())
    listed = {each["path"]: (each["sha256"], each["bytes"]) for each in manifest["files"]}
    there = [each for each in built.rglob("*") if each.is_file()]
    found = {
        str(each.relative_to(built)): (
            hashlib.sha256(each.read_bytes()).hexdigest(),
            len(each.read_bytes()),
        )
        for each in there
        if each.name != "submission.json"
    }
    assert listed == found
    assert file_findings(built) == []


def test_an_edited_file_is_named(submission: Path) -> None:
    text = (submission / RESULT).read_text()
    (submission / RESULT).write_text(text.replace("toy-encoder", "toy-encodes"))
    assert "must have the sha256 of the manifest" in rules(file_findings(submission))
    (submission / RESULT).write_text(text + " ")
    assert "must be as long as the manifest says" in rules(file_findings(submission))


@pytest.mark.parametrize(
    "name", [RESULT, TABLE, "LICENCES.md", "README.md", "environment.json", "leaderboard.wide.csv"]
)
def test_a_missing_file_is_named(submission: Path, name: str) -> None:
    (submission / name).unlink()
    assert any(each.startswith("must be there") for each in rules(file_findings(submission), name))


@pytest.mark.parametrize("name", [TABLE, "leaderboard.csv"])
def test_a_file_that_is_taken_out_of_the_manifest_too_is_missed(
    submission: Path, name: str
) -> None:
    (submission / name).unlink()
    forge(submission)
    (submission / name).unlink(missing_ok=True)
    forge_only_manifest(submission, name)
    assert "must be in every submission, and in its manifest" in rules(
        file_findings(submission), name
    )


def forge_only_manifest(folder: Path, without: str) -> None:
    def change(manifest: Any) -> None:
        manifest["files"] = [each for each in manifest["files"] if each["path"] != without]

    edit(folder / "submission.json", change)


@pytest.mark.parametrize("name", ["extra.txt", "results/Bär/notes.txt", ".hidden", "a\x1b[2Jb"])
def test_an_extra_file_is_named(submission: Path, name: str) -> None:
    (submission / name).parent.mkdir(exist_ok=True)
    (submission / name).write_text("hello")
    (found,) = file_findings(submission)
    assert (found.file, found.rule) == (name, "must be in the manifest")
    assert str(found).isprintable()


def test_an_extra_file_in_the_manifest_is_none_of_the_format(submission: Path) -> None:
    (submission / "run.sh").write_text("echo")
    entry = {"path": "run.sh", "sha256": hashlib.sha256(b"echo").hexdigest(), "bytes": 4}
    edit(submission / "submission.json", lambda manifest: manifest["files"].append(entry))
    assert "'files' must name files of this format" in rules(
        file_findings(submission), "submission.json"
    )
    assert rules(file_findings(submission), "run.sh") == ["must be in the manifest"]


@pytest.mark.parametrize(
    "path",
    [
        *("../result.json", "/etc/passwd", "results/../../x", "results\\..\\x", "C:\\x"),
        *("./README.md", "results/a/../b/c/result.json", "results/a/b/c/.../result.json"),
        *("README.md\n", "a\x00b"),
    ],
)
def test_a_path_that_leads_elsewhere_is_refused_and_not_read(submission: Path, path: str) -> None:
    entry = {"path": path, "sha256": "0" * 64, "bytes": 1}
    edit(submission / "submission.json", lambda manifest: manifest["files"].append(entry))
    (found,) = file_findings(submission)
    assert (found.file, found.rule) == (
        "submission.json",
        "'files' must name files of this format",
    )


def test_a_link_to_a_file_is_no_file(submission: Path, tmp_path: Path) -> None:
    shutil.move(submission / TABLE, tmp_path / "elsewhere")
    (submission / TABLE).symlink_to(tmp_path / "elsewhere")
    found = rules(file_findings(submission), TABLE)
    assert "must be a plain file in a plain folder" in found
    assert "must be there, since the manifest names it" in found


def test_a_link_to_a_folder_is_not_followed(submission: Path, tmp_path: Path) -> None:
    shutil.move(submission / "results", tmp_path / "elsewhere")
    (submission / "results").symlink_to(tmp_path / "elsewhere")
    assert rules(file_findings(submission), "results") == [
        "must be a plain file in a plain folder",
    ]
    assert "must be there, since the manifest names it" in rules(file_findings(submission))


def test_a_linked_manifest_is_not_read(submission: Path, tmp_path: Path) -> None:
    shutil.move(submission / "submission.json", tmp_path / "elsewhere")
    (submission / "submission.json").symlink_to(tmp_path / "elsewhere")
    (found,) = file_findings(submission)
    assert (found.file, found.got) == ("submission.json", "no such file")


def test_a_pipe_is_named_and_never_opened(submission: Path) -> None:
    os.mkfifo(submission / "pipe")
    assert rules(file_findings(submission), "pipe") == ["must be a plain file in a plain folder"]


def test_a_path_listed_twice_is_named_whatever_its_case(submission: Path) -> None:
    def twice(manifest: Any) -> None:
        manifest["files"].append(manifest["files"][0])

    edit(submission / "submission.json", twice)
    assert TWICE in rules(file_findings(submission), "submission.json")

    def in_capitals(manifest: Any) -> None:
        entry = next(each for each in manifest["files"] if each["path"] == RESULT)
        manifest["files"] = manifest["files"][:-1]
        manifest["files"].append({**entry, "path": RESULT.replace("toy", "Toy")})

    edit(submission / "submission.json", in_capitals)
    assert TWICE in rules(file_findings(submission), "submission.json")


def test_a_copy_that_was_killed_is_told(built: Path, tmp_path: Path) -> None:
    half = tmp_path / "half"
    for number, each in enumerate(sorted(built.rglob("*"))):
        if each.is_file() and number % 2:
            target = half / each.relative_to(built)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(each.read_bytes()[:1000])
    assert file_findings(half)
    (half / "submission.json").unlink(missing_ok=True)
    (found,) = file_findings(half)
    assert (found.file, found.got) == ("submission.json", "no such file")
