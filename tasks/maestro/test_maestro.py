"""MAESTRO as it is released: the table, the MIDI files, and what 2.0.0 has that 3.0.0 has not.

The rows are like the published ones; the notes are made up, and the audio is empty.
"""

from __future__ import annotations

import csv
import dataclasses
import io
import re
import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import mido  # type: ignore[import-untyped]
import numpy as np
import pytest
import soundfile

import marble_eval
from marble_eval.data.tracks import groups_astride
from marble_eval.errors import MissingError, ValidationError
from marble_eval.registry import Task, load_task
from marble_eval.registry.configuration import load_protocol
from marble_eval.spec import Track

FIXTURE = Path(__file__).parent / "fixture" / "data"
V3, V2 = "maestro-v3.0.0", "maestro-v2.0.0"
QUARTET = "2018/MIDI-Unprocessed_Chamber1_MID--AUDIO_07_R3_2018_wav--2"
SCARLATTI = "2008/MIDI-Unprocessed_09_R3_2008_01-07_ORIG_MID--AUDIO_09_R3_2008_wav--2"
SONGS = "Song Transcriptions: Aufenthalt, Gretchen am Spinnrade, Der Erlkonig"

Row = tuple[str, str, str, str]  # composer, title, split, file


@pytest.fixture(scope="module")
def task() -> Task:
    return load_task("MAESTRO")


def read(task: Task, root: Path) -> list[Track]:
    def lists(name: str) -> bytes:
        raise AssertionError("the table has the split: no list is needed")

    tracks: list[Track] = task.kind.read_tracks(root, task.spec, lists)
    return tracks


def said(task: Task, root: Path) -> list[str]:
    return list(task.kind.remarks(root, task.spec, lambda name: b""))


def midi(pitch: int = 60) -> bytes:
    """One note from 0.5 s to 1 s: 384 ticks are half a second."""
    file, stream = mido.MidiFile(ticks_per_beat=384), io.BytesIO()
    track = mido.MidiTrack()
    track.append(mido.Message("note_on", note=pitch, velocity=64, time=384))
    track.append(mido.Message("note_on", note=pitch, velocity=0, time=384))
    file.tracks.append(track)
    file.save(file=stream)
    return stream.getvalue()


def release(root: Path, rows: Sequence[Row], version: str = V3) -> Path:
    folder = root / version
    folder.mkdir(parents=True)
    with (folder / f"{version}.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(
            "canonical_composer canonical_title split year midi_filename audio_filename "
            "duration".split()
        )
        for composer, title, split, name in rows:
            year = name.split("/")[0]
            writer.writerow([composer, title, split, year, f"{name}.midi", f"{name}.wav", 1.5])
            (folder / year).mkdir(exist_ok=True)
            (folder / f"{name}.midi").write_bytes(midi())
            (folder / f"{name}.wav").touch()
    return root


def some_rows() -> list[Row]:
    return [
        ("César Franck", "Prélude, chorale, et fugue, M. 21", "train", "2014/a--1"),
        ("Alexander Scriabin", "Sonata No. 9", "validation", "2006/b--1"),
        ("Alexander Scriabin", 'Sonata No. 9, Op. 68, "Black Mass"', "test", "2018/c--1"),
    ]


def test_the_fixture_gives_tracks_by_work_and_notes_by_the_pedal(task: Task) -> None:
    tracks = {each.id: each for each in read(task, FIXTURE)}
    assert Counter(each.split for each in tracks.values()) == {"train": 3, "valid": 2, "test": 2}
    assert tracks[SCARLATTI].group == "Domenico Scarlatti: Sonata K. 525"
    assert tracks[SCARLATTI].path == FIXTURE / V3 / f"{SCARLATTI}.wav"
    held = next(each for each in tracks.values() if "07_R1_2009" in each.id)
    # Released at 0.25 s with the pedal down from 0.156 s to 0.625 s, and struck again at 0.5 s.
    assert held.label == "[[0.125,0.5,51],[0.5,1.75,51]]"
    for each in tracks.values():
        annotation = task.frame_kind.annotation_of(each.label)
        assert len(annotation.pitches) >= 2 and annotation.intervals.max() < 2
    assert said(task, FIXTURE) == []


def test_both_versions_are_the_same_tracks(task: Task, tmp_path: Path) -> None:
    third = read(task, release(tmp_path / "third", some_rows()))
    more = [*some_rows(), ("Johannes Brahms", "Piano Quintet", "train", QUARTET)]
    second_root = release(tmp_path / "second", more, V2)
    second = read(task, second_root)
    assert [(each.id, each.split, each.group, each.label) for each in second] == [
        (each.id, each.split, each.group, each.label) for each in third
    ]
    assert said(task, second_root) == [
        "MAESTRO uses 3 of 4 performances. Left out: 1 of chamber music, which version 3.0.0 "
        "does not have."
    ]
    assert [each.split for each in third] == ["train", "valid", "test"]
    assert third[0].group == "César Franck: Prélude, chorale, et fugue, M. 21"
    assert third[2].id == "2018/c--1"


def test_the_newest_version_is_read(task: Task, tmp_path: Path) -> None:
    release(tmp_path, some_rows()[:2], V2)
    release(tmp_path, some_rows(), V3)
    assert len(read(task, tmp_path)) == 3


def test_the_root_may_be_the_release_itself(task: Task, tmp_path: Path) -> None:
    release(tmp_path, some_rows())
    tracks = read(task, tmp_path / V3)
    assert [each.id for each in tracks] == [each.id for each in read(task, tmp_path)]
    assert all(each.path.is_file() for each in tracks)


def test_flac_and_mid_stand_in_for_wav_and_midi(task: Task, tmp_path: Path) -> None:
    before = read(task, release(tmp_path, some_rows()))
    for path in [*tmp_path.rglob("*.wav")]:
        path.rename(path.with_suffix(".flac"))
    for path in [*tmp_path.rglob("*.midi")]:
        path.rename(path.with_suffix(".mid"))
    after = read(task, tmp_path)
    assert [each.path.suffix for each in after] == [".flac"] * 3
    assert all(each.path.is_file() for each in after)
    assert [(each.id, each.label) for each in after] == [(each.id, each.label) for each in before]


def test_absent_audio_is_still_a_track(task: Task, tmp_path: Path) -> None:
    release(tmp_path, some_rows())
    (tmp_path / V3 / "2018" / "c--1.wav").unlink()
    absent = [each for each in read(task, tmp_path) if not each.path.exists()]
    assert [(each.id, each.path.suffix) for each in absent] == [("2018/c--1", ".wav")]


def test_a_work_is_one_group_and_a_divided_collection_is_none(task: Task, tmp_path: Path) -> None:
    """As published: songs under one title, some for training and some for test."""
    songs = [
        ("Schubert / Liszt", SONGS, split, f"2004/song{at}")
        for at, split in enumerate(["train", "test", "train", "test"])
    ]
    works = [("Schubert", "Sonata D960", "train", f"2004/sonata{at}") for at in range(2)]
    tracks = read(task, release(tmp_path, [*songs, *works]))
    assert groups_astride(tracks) == []
    assert [each.group for each in tracks[:4]] == [each.id for each in tracks[:4]]
    assert {each.group for each in tracks[4:]} == {"Schubert: Sonata D960"}


def test_missing_midi_files_are_named_all_at_once(task: Task, tmp_path: Path) -> None:
    release(tmp_path, some_rows())
    for name in ("2014/a--1", "2018/c--1"):
        (tmp_path / V3 / f"{name}.midi").unlink()
    with pytest.raises(MissingError) as caught:
        read(task, tmp_path)
    told = str(caught.value)
    assert "Missing: 2 of 3: " in told and "a--1.midi, " in told and "c--1.midi. " in told
    assert "data download task=MAESTRO --dry-run" in told


def test_the_midi_of_what_is_left_out_need_not_be_there(task: Task, tmp_path: Path) -> None:
    release(tmp_path, [*some_rows(), ("Brahms", "Quintet", "test", QUARTET)], V2)
    (tmp_path / V2 / f"{QUARTET}.midi").unlink()
    assert len(read(task, tmp_path)) == 3


def test_bad_midi_files_are_named_all_at_once_with_their_lines(task: Task, tmp_path: Path) -> None:
    release(tmp_path, some_rows())
    (tmp_path / V3 / "2014" / "a--1.midi").write_bytes(b"MThd")
    (tmp_path / V3 / "2018" / "c--1.midi").write_bytes(midi(pitch=20))  # below the lowest key
    with pytest.raises(ValidationError) as caught:
        read(task, tmp_path)
    told = str(caught.value)
    assert "line 2: " in told and "a--1.midi" in told
    assert "line 4: " in told and "21 to 108" in told


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (",validation,", ",valid,", r"line 3: 'split' must be one of train, validation, test"),
        ("2018/c--1.midi", "", r"line 4: 'midi_filename' must not be empty"),
        ("canonical_title", "title", r"must have the columns .* Missing: canonical_title"),
        ('"Prélude', '"" Prélude', r"must be comma-separated values|must not be empty"),
    ],
)
def test_a_bad_table_is_refused_with_its_line(
    task: Task, tmp_path: Path, old: str, new: str, told: str
) -> None:
    path = release(tmp_path, some_rows()) / V3 / f"{V3}.csv"
    path.write_text(path.read_text(encoding="utf-8").replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ValidationError, match=rf"{V3}\.csv.*({told})"):
        read(task, tmp_path)


def test_a_table_without_rows_is_refused(task: Task, tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="must have a row for each performance"):
        read(task, release(tmp_path, []))


@pytest.mark.parametrize("kind", ["nowhere", "a file", "an empty folder"])
def test_a_wrong_root_is_told(task: Task, tmp_path: Path, kind: str) -> None:
    root = tmp_path / "root"
    if kind == "a file":
        root.touch()
    if kind == "an empty folder":
        root.mkdir()
    for ask in (read, said):
        with pytest.raises(MissingError) as caught:
            ask(task, root)
        assert str(caught.value).startswith(f"{root}: must ")
        assert "download task=MAESTRO" in str(caught.value)


def test_the_card_s_sizes_are_those_of_3_0_0_which_2_0_0_has_without_six(task: Task) -> None:
    """2.0.0 has 967, 137 and 178 performances; five and one of them are with a quartet."""
    assert task.spec.sizes == {"train": 967 - 5, "valid": 137, "test": 178 - 1}
    assert sum(task.spec.sizes.values()) == 1276 == 1282 - 6
    text = (Path(__file__).parent / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (train|valid|test) \| (\d+) \| ([\d.]+) \| [\d.]+ \|$", text, re.M)
    assert {split: int(size) for split, size, _ in rows} == task.spec.sizes
    assert sum(float(hours) for *_, hours in rows) == pytest.approx(task.spec.hours, abs=0.2)


def test_the_readme_s_bytes_are_what_the_frames_take(task: Task) -> None:
    assert task.spec.hours is not None
    text = (Path(__file__).parent / "README.md").read_text(encoding="utf-8")
    layer = task.spec.hours * 3600 * 75 * 768 * 2
    for rate, layers in ((75, 13), (75, 1), (37.5, 1), (25, 1)):
        gigabytes = layer * rate / 75 * layers / 1e9
        assert f"| {gigabytes:,.0f} GB |" in text


def test_outputs_are_the_88_keys(task: Task) -> None:
    assert task.spec.labels == task.kind.labels and len(task.spec.labels) == 88
    assert (task.spec.labels[0], task.spec.labels[-1]) == ("A0", "C8")


def test_the_protocols_say_what_v1_s_config_says(task: Task) -> None:
    for rules in task.spec.protocols.values():
        assert (rules.max_epochs, rules.plateau_patience, rules.stop_patience) == (50, 2, 5)
        assert rules.clip_seconds == 10.0 and rules.frames is not None
        assert (rules.frames.window_seconds, rules.frames.batch_windows) == (10.0, 64)
        assert (rules.frames.threshold, rules.frames.tolerance) == (0.5, 0.05)
        assert rules.frames.context_seconds == 1.0


def tones(root: Path, task: Task, tracks: Sequence[Track]) -> None:
    """Let the notes sound, so that there is something to be heard."""
    time = np.arange(2 * 16000) / 16000
    for each in tracks:
        annotation = task.frame_kind.annotation_of(each.label)
        audio = np.zeros(len(time))
        for (onset, end), pitch in zip(annotation.intervals, annotation.pitches, strict=True):
            sounding = (time >= onset) & (time < end)
            audio += 0.1 * sounding * np.sin(2 * np.pi * 440 * 2 ** ((pitch - 69) / 12) * time)
        soundfile.write(each.path, audio, 16000)


def test_a_whole_run_scores_every_metric(
    task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MARBLE_EVAL_HOME", str(tmp_path / "home"))
    root = tmp_path / "data"
    shutil.copytree(FIXTURE, root)
    tones(root, task, read(task, root))
    tried = dataclasses.replace(task, spec=dataclasses.replace(task.spec, sizes={}))
    result = marble_eval.evaluate(
        "mel",
        tried,
        root=root,
        protocol=dataclasses.replace(load_protocol("quick"), max_epochs=2),
        seeds=1,
    )
    assert list(result.metrics) == list(task.spec.metrics)
    assert all(0 <= each.value <= 1 for each in result.metrics.values())
    assert result.task.sizes == {"train": 3, "valid": 2, "test": 2}
