"""A copy of the data held against its card: everything that can be wrong is found and named."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from marble_eval.errors import MissingError
from marble_eval.progress import Silence
from marble_eval.registry import Task, load_task
from marble_eval.runs.verification import Verification, verify
from marble_eval.spec import Excused, Track


def checked(task: Task, root: Path | None = None, *, decode: bool = False) -> Verification:
    return verify(task, root, None, decode=decode, readers=2, progress=Silence())


@pytest.fixture
def task(small_task: Path) -> Task:
    return load_task(f"{small_task}/")


def rewrite(root: Path, change: Callable[[list[str]], list[str]]) -> None:
    table = root / "tracks.csv"
    table.write_text("\n".join(change(table.read_text().splitlines())) + "\n")


def test_a_good_copy_is_found_good_and_counted(task: Task) -> None:
    found = checked(task)
    assert found.good
    assert dict(found.found) == dict(found.expected) == {"train": 24, "valid": 12, "test": 12}
    assert found.labels["train"] == {name: [8, 8] for name in ("flute", "clarinet", "organ")}
    assert found.hours == pytest.approx(48 * 0.8 / 3600)
    assert (found.missing, found.unreadable, found.extra, found.faults) == ((), (), (), ())


def test_missing_and_unreadable_files_are_told_apart(task: Task) -> None:
    (task.folder / "train_flute_0.wav").unlink()
    (task.folder / "test_organ_1.wav").write_bytes(b"no audio")
    whole = (task.folder / "valid_organ_2.wav").read_bytes()
    (task.folder / "valid_organ_2.wav").write_bytes(whole[: len(whole) // 2])
    found = checked(task)
    assert not found.good
    assert [each.id for each in found.missing] == ["train_flute_0"]
    assert {each.id: each.split for each in found.unreadable} == {
        "test_organ_1": "test",
        "valid_organ_2": "valid",
    }
    assert "truncated" in {each.id: each.reason for each in found.unreadable}["valid_organ_2"]
    assert dict(found.found) == {"train": 23, "valid": 11, "test": 11}
    assert found.labels["train"]["flute"] == [7, 8]


def test_an_excused_track_is_no_fault_but_is_told(task: Task) -> None:
    (task.folder / "train_flute_0.wav").unlink()
    excused = Excused("train_flute_0", "train", "corrupt in one copy", "flute")
    found = checked(replace(task, spec=replace(task.spec, may_lack=(excused,))))
    assert found.good
    assert [each.reason for each in found.excused] == ["missing; corrupt in one copy"]


def test_a_file_of_another_length_is_named(task: Task) -> None:
    soundfile.write(task.folder / "test_organ_0.wav", np.full(22050, 0.1), 22050)
    found = checked(replace(task, spec=replace(task.spec, length_seconds=(0.8, 0.8))))
    assert [(each.id, each.reason) for each in found.wrong_length] == [
        ("test_organ_0", "1.00 s, 0.8 to 0.8 s expected")
    ]
    assert not found.good


def test_files_that_no_track_names_are_counted_and_no_fault(task: Task) -> None:
    (task.folder / "more").mkdir()
    (task.folder / "more" / "Extra.FLAC").write_bytes(b"")
    (task.folder / "notes.txt").write_text("no audio")
    found = checked(task)
    assert found.good
    assert found.extra == ("more/Extra.FLAC",)


def test_counts_that_are_not_the_card_s_are_a_fault(task: Task) -> None:
    rewrite(task.folder, lambda lines: lines[:-1])
    found = checked(task)
    assert not found.good
    assert found.faults == (
        "test must have 12 tracks. Got 11.",
        "test must have 4 of 'organ'. Got 3.",
    )
    assert len(found.extra) == 1


def test_an_artist_in_two_splits_is_a_fault(task: Task) -> None:
    def read(*arguments: Any) -> list[Track]:
        tracks: list[Track] = task.kind.read_tracks(*arguments)
        shared = ("train_flute_0", "test_organ_0")
        return [replace(each, group="Ann") if each.id in shared else each for each in tracks]

    found = checked(task.overriding(read_tracks=read))
    assert found.astride == ("Ann",)
    assert found.faults == ("a group must stay in one split; astride: Ann",)
    assert not found.good


def test_the_same_audio_in_two_splits_is_a_fault_of_one_s_own_data(task: Task) -> None:
    copied = (task.folder / "train_flute_0.wav").read_bytes()
    (task.folder / "test_flute_0.wav").write_bytes(copied)
    found = checked(task)
    assert found.shared == ("train_flute_0 (train) and test_flute_0 (test)",)
    assert not found.good
    published = checked(replace(task, provider="somebody 1.0"), task.folder)
    assert published.shared == found.shared and published.good


def test_a_compressed_file_is_read_to_its_end_on_request(task: Task) -> None:
    """A cut flac opens well; only decoding finds the end missing."""
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 44100)
    path = task.folder / "a.flac"
    soundfile.write(path, noise, 22050)
    path.write_bytes(path.read_bytes()[:40000])
    rewrite(
        task.folder, lambda lines: [line.replace("train_flute_0.wav", "a.flac") for line in lines]
    )
    assert checked(task).good
    found = checked(task, decode=True)
    assert not found.good
    assert [each.id for each in found.unreadable] == ["a"]


def test_a_folder_that_is_not_there_is_missing(task: Task, tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="must be the folder that holds Small"):
        checked(task, tmp_path / "nowhere")
