"""Chords1217 as people have it on disk: MARBLE v2's rows, and the source's folders with its lists.

The data is not open, so rows and files of chords are made up, in the published forms; the
lists of the folders are the published ones where they lie beside the checkout.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import mir_eval
import numpy as np
import pytest
import soundfile

import marble_eval
from marble_eval.errors import MissingError, ValidationError
from marble_eval.registry import Task, load_task
from marble_eval.registry.configuration import load_protocol
from marble_eval.spec import Track

FIXTURE = Path(__file__).parent / "fixture" / "data"
PUBLISHED = Path(__file__).parents[3] / "shared" / "data" / "splits"
TRAIN = tuple(f"TRAAA{number:02d}149E3BF4C4C" for number in range(8))
TEST = ("TRAIIEF149E3861F6C", "TRAPEUF149E3BF4C4C")

Chord = tuple[float, float, str]
CHORDS: tuple[Chord, ...] = ((0.0, 0.421247, "N"), (0.421247, 1.1, "E:maj"), (1.2, 1.9, "D:maj/2"))
LABEL = '[[0.0,0.421247,"N"],[0.421247,1.1,"E:maj"],[1.2,1.9,"D:maj/2"]]'


@pytest.fixture(scope="module")
def task() -> Task:
    return load_task("Chords1217")


def lists(name: str) -> bytes:
    """Give lists as the source has them: no line end behind the last id."""
    return "\n".join({"train00": TRAIN, "test00": TEST}[name]).encode()


def no_lists(name: str) -> bytes:
    raise AssertionError("the rows have their splits: no list is needed")


def read(task: Task, root: Path, given: Callable[[str], bytes] = lists) -> list[Track]:
    tracks: list[Track] = task.kind.read_tracks(root, task.spec, given)
    return tracks


def write_folders(root: Path, *, extension: str = "mp3", chords: str = "chordlab") -> Path:
    (root / "audio").mkdir(parents=True)
    (root / chords).mkdir(exist_ok=True)
    for name in (*TRAIN, *TEST):
        (root / "audio" / f"{name}.{extension}").touch()
        lines = [f"{start}\t{end}\t{chord}\n" for start, end, chord in CHORDS]
        (root / chords / f"{name}.lab").write_text("".join(lines))
    return root


def write_rows(root: Path, splits: Mapping[str, Sequence[str]], chords: Sequence[Chord]) -> Path:
    (root / "audio").mkdir(parents=True)
    for split, names in splits.items():
        rows = []
        for name in names:
            (root / "audio" / f"{name}.flac").touch()
            label = [
                {"start_time": start, "end_time": end, "chord_str": chord}
                for start, end, chord in chords
            ]
            path = f"data/Chords1217/audio/{name}.flac"
            rows.append({"audio_path": path, "label": label, "sample_rate": 24000, "channels": 1})
        text = "".join(f"{json.dumps(row)}\n" for row in rows)
        (root / f"Chords1217.{split}.jsonl").write_text(text)
    return root


def of_split(tracks: Sequence[Track], split: str) -> set[str]:
    return {each.id.removeprefix("audio/") for each in tracks if each.split == split}


def test_the_published_lists_give_730_243_and_244_songs(task: Task, tmp_path: Path) -> None:
    files = {name: PUBLISHED / f"chords_{name}.csv" for name in ("train00", "test00", "all_1217")}
    if not all(path.is_file() for path in files.values()):
        pytest.skip(f"{PUBLISHED} is not there, so the published lists cannot be read")
    published = {name: path.read_bytes() for name, path in files.items()}
    ids = {name: content.decode().split() for name, content in published.items()}
    for name, each in task.spec.split_lists.items():
        assert hashlib.sha256(published[name]).hexdigest() == each.sha256
        assert each.file == f"data/{name}.csv"
    (tmp_path / "audio").mkdir()
    for name in ids["all_1217"]:
        (tmp_path / "audio" / f"{name}.mp3").touch()
        (tmp_path / "audio" / f"{name}.lab").write_text("0 1.5 C:maj\n")
    tracks = read(task, tmp_path, published.__getitem__)
    assert Counter(each.split for each in tracks) == {"train": 730, "valid": 243, "test": 244}
    assert of_split(tracks, "test") == set(ids["test00"])
    assert {each.id.removeprefix("audio/") for each in tracks} == set(ids["all_1217"])
    assert len({each.id for each in tracks}) == 1217
    # By the very calls of the source's train_eval_test_split.py: the first draw after its seed.
    state = np.random.get_state()
    np.random.seed(20190326)
    drawn = np.random.permutation(973)
    np.random.set_state(state)
    held_out = [ids["train00"][place] for place in drawn][-(973 // 4) :]
    assert of_split(tracks, "valid") == set(held_out)
    first = sorted(held_out)[:3]
    assert first == ["TRADINA127F847B84E", "TRAGTML149E3B2F15F", "TRAPSWJ149E36CDE23"]


def test_validation_comes_out_of_training_alone(task: Task, tmp_path: Path) -> None:
    tracks = read(task, write_folders(tmp_path))
    assert of_split(tracks, "test") == set(TEST)
    valid, train = of_split(tracks, "valid"), of_split(tracks, "train")
    assert (len(valid), len(train)) == (2, 6)  # a quarter of eight
    assert valid | train == set(TRAIN)
    again = read(task, tmp_path)
    assert tracks == again


@pytest.mark.parametrize("extension", ["mp3", "flac", "wav"])
@pytest.mark.parametrize("below", [".", "chord_data_1217"])
@pytest.mark.parametrize("chords", ["chordlab", "audio"])
def test_folders_are_read_wherever_they_are(
    task: Task, tmp_path: Path, extension: str, below: str, chords: str
) -> None:
    write_folders(tmp_path / below, extension=extension, chords=chords)
    tracks = read(task, tmp_path)
    assert len(tracks) == 10
    assert all(each.path.is_file() and each.path.suffix == f".{extension}" for each in tracks)
    assert {each.label for each in tracks} == {LABEL}
    assert all(each.id == f"audio/{each.path.stem}" == each.group for each in tracks)


def test_rows_and_folders_give_the_same_songs_the_same_chords(task: Task, tmp_path: Path) -> None:
    folders = read(task, write_folders(tmp_path / "folders"))
    splits = {"train": TRAIN[2:], "val": TRAIN[:2], "test": TEST}
    rows = read(task, write_rows(tmp_path / "rows", splits, CHORDS), no_lists)
    assert {each.id: each.label for each in rows} == {each.id: each.label for each in folders}
    assert of_split(rows, "valid") == set(TRAIN[:2])
    assert all(each.path.is_file() for each in rows)


def test_a_result_says_whose_split_it_is(task: Task, tmp_path: Path) -> None:
    folders = write_folders(tmp_path / "folders")
    rows = write_rows(tmp_path / "rows", {"train": TRAIN, "val": TEST, "test": TEST}, CHORDS)
    (of_folders,) = task.kind.remarks(folders, task.spec, lists)
    (of_rows,) = task.kind.remarks(rows, task.spec, lists)
    assert "the source's first fold" in of_folders
    assert "that of MARBLE v2's rows" in of_rows


def test_the_published_example_s_rounding_is_no_overlap(task: Task, tmp_path: Path) -> None:
    """Times of TRWTQYM149E35B4C40 as MARBLE v2's code shows them: one ends 1e-9 s too late."""
    chords = (
        (0.42124700000000004, 1.2562470000000001, "N"),
        (62.022868, 76.26493500000001, "E:maj"),
        (76.264934999, 96.71347999900001, "E:maj"),
        (96.71348, 97.94413800000001, "F#:maj"),
    )
    root = write_rows(tmp_path, {"train": TRAIN, "val": TEST, "test": TEST}, chords)
    annotation = task.frame_kind.annotation_of(read(task, root, no_lists)[0].label)
    starts, ends = annotation.intervals.T
    assert (ends[:-1] <= starts[1:]).all()
    assert starts.tolist() == [start for start, _, _ in chords]
    assert annotation.names == ("N", "E:maj", "E:maj", "F#:maj")


def test_the_fixture_is_read_without_lists(task: Task) -> None:
    tracks = read(task, FIXTURE, no_lists)
    assert Counter(each.split for each in tracks) == {"train": 3, "valid": 2, "test": 2}
    for each in tracks:
        annotation = task.frame_kind.annotation_of(each.label)
        assert len(annotation.names) >= 2 and annotation.intervals.max() < 2
        for name in annotation.names:
            mir_eval.chord.validate_chord_label(name)


def test_classes_are_those_of_the_kind(task: Task) -> None:
    assert task.spec.labels == task.kind.labels
    assert len(task.spec.labels) == 25 and task.spec.labels[-1] == "N"


def test_songs_without_chords_are_named_all_at_once(task: Task, tmp_path: Path) -> None:
    write_folders(tmp_path)
    for name in (TRAIN[3], TEST[1]):
        (tmp_path / "chordlab" / f"{name}.lab").unlink()
    with pytest.raises(MissingError) as caught:
        read(task, tmp_path)
    told = str(caught.value)
    assert f"Missing: 2 of 10: {TRAIN[3]}.lab, {TEST[1]}.lab. " in told
    assert "data download task=Chords1217 --dry-run" in told


def test_absent_audio_is_still_a_track(task: Task, tmp_path: Path) -> None:
    write_folders(tmp_path)
    (tmp_path / "audio" / f"{TEST[0]}.mp3").unlink()
    absent = [each for each in read(task, tmp_path) if not each.path.exists()]
    assert [each.id for each in absent] == [f"audio/{TEST[0]}"]


def test_bad_chords_are_named_with_file_and_line(task: Task, tmp_path: Path) -> None:
    write_folders(tmp_path)
    (tmp_path / "chordlab" / f"{TEST[0]}.lab").write_text("0 1 C:maj\n1 2 Hmoll\n")
    (tmp_path / "chordlab" / f"{TRAIN[0]}.lab").write_text("0 1 C:maj\n0.5 2 G:maj\n")
    with pytest.raises(ValidationError) as caught:
        read(task, tmp_path)
    told = str(caught.value)
    for name in (TEST[0], TRAIN[0]):
        assert f"audio/{name}: " in told and f"{name}.lab, line 2" in told
    assert "Hmoll" in told


def test_a_row_with_a_strange_chord_is_refused_with_its_line(task: Task, tmp_path: Path) -> None:
    root = write_rows(tmp_path, {"train": TRAIN, "val": TEST, "test": TEST}, CHORDS)
    path = root / "Chords1217.test.jsonl"
    path.write_text(path.read_text().replace("E:maj", "E:mayor", 1))
    with pytest.raises(ValidationError, match=r"Chords1217\.test\.jsonl, line 1: 'label'.*mayor"):
        read(task, root, no_lists)


@pytest.mark.parametrize("gone", ["train", "val", "test"])
def test_all_three_files_must_be_there(task: Task, tmp_path: Path, gone: str) -> None:
    root = write_rows(tmp_path, {"train": TRAIN, "val": TEST, "test": TEST}, CHORDS)
    (root / f"Chords1217.{gone}.jsonl").unlink()
    with pytest.raises(MissingError, match=rf"Chords1217\.{gone}\.jsonl: must lie beside"):
        read(task, root, no_lists)


@pytest.mark.parametrize("kind", ["nowhere", "an empty folder", "chords alone"])
def test_a_wrong_root_is_told(task: Task, tmp_path: Path, kind: str) -> None:
    root = tmp_path / "root"
    if kind != "nowhere":
        root.mkdir()
    if kind == "chords alone":
        (root / "chordlab").mkdir()
        (root / "chordlab" / f"{TEST[0]}.lab").write_text("0 1 C:maj\n")
    with pytest.raises(MissingError) as caught:
        read(task, root)
    assert str(caught.value).startswith(f"{root}: must ")
    assert "download task=Chords1217" in str(caught.value)


def test_the_protocols_cut_as_v2_s_config_does(task: Task) -> None:
    for rules in task.spec.protocols.values():
        assert rules.clip_seconds == 15.0 and rules.tail_seconds == 0.1 * rules.clip_seconds
        assert (rules.max_epochs, rules.plateau_patience, rules.stop_patience) == (50, 5, 10)
        assert rules.frames is not None
        assert rules.frames.window_seconds == 15.0 and rules.frames.widening == ()
    assert task.spec.protocols["marble-v2"].learning_rates == (1e-3,)


def test_a_whole_run_scores_every_metric(
    task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MARBLE_EVAL_HOME", str(tmp_path / "home"))
    root, rng = write_folders(tmp_path / "data", extension="wav"), np.random.default_rng(0)
    time = np.arange(2 * 16000) / 16000
    for path in sorted((root / "audio").iterdir()):
        tone = 0.1 * np.sin(2 * np.pi * 330 * time) + 0.01 * rng.standard_normal(len(time))
        soundfile.write(path, tone, 16000)
    tried = task.overriding(
        read_tracks=lambda root, spec, _: task.kind.read_tracks(root, spec, lists)
    )
    result = marble_eval.evaluate(
        "mel",
        tried,
        root=root,
        protocol=dataclasses.replace(load_protocol("quick"), max_epochs=2),
        seeds=1,
    )
    assert list(result.metrics) == ["majmin", "root", "frame_accuracy"]
    assert all(0 <= each.value <= 1 for each in result.metrics.values())
    assert result.task.sizes == {"train": 6, "valid": 2, "test": 2}
    assert any("the source's first fold" in each for each in result.remarks)
