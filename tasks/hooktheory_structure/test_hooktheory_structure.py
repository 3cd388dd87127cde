"""HookTheoryStructure as MARBLE v2 publishes it: lists of section names, hooks of every length.

The data is not open, so the rows are made up, in the published form; the names are
those that its rows have.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

import marble_eval
from marble_eval.audio import clip_count
from marble_eval.data.tracks import check_tracks
from marble_eval.errors import MissingError, ValidationError
from marble_eval.registry import Task, load_task
from marble_eval.registry.configuration import load_protocol
from marble_eval.spec import Track

FIXTURE = Path(__file__).parent / "fixture" / "data"
#: MARBLE v2's classes, by the name that a row's list makes when it is joined.
CLASSES = {
    "intro": 0,
    "verse": 1,
    "pre-chorus": 2,
    "chorus": 3,
    "bridge": 4,
    "outro": 5,
    "instrumental": 6,
    "solo": 6,
    "pre-chorus_chorus": 3,
    "verse_pre-chorus": 1,
    "intro_verse": 1,
    "intro_chorus": 3,
}

Row = tuple[str, str, object]  # hook, song, sections
VALID: tuple[Row, ...] = (("v1", "songV", ["verse"]), ("v2", "songW", ["chorus"]))
TEST: tuple[Row, ...] = (("t1", "songT", ["verse"]), ("t2", "songU", ["chorus"]))


@pytest.fixture(scope="module")
def task() -> Task:
    return load_task("HookTheoryStructure")


def write(
    root: Path, train: Sequence[Row], valid: Sequence[Row] = VALID, test: Sequence[Row] = TEST
) -> Path:
    (root / "hooktheory_clips").mkdir(parents=True, exist_ok=True)
    for split, rows in {"train": train, "val": valid, "test": test}.items():
        lines = [
            {
                "audio_path": f"data/HookTheory/hooktheory_clips/{hook}.mp3",
                "ori_audio_path": f"data/HookTheory/audio/{song}.mp3",
                "ori_uid": song,
                "label": sections,
                "duration": 9.38,
                "segment_start": 40.18994140625,
                "segment_end": 49.570068359375,
                "sample_rate": 44100,
                "num_samples": 413658,
                "bit_depth": 16,
                "channels": 2,
            }
            for hook, song, sections in rows
        ]
        text = "".join(f"{json.dumps(line)}\n" for line in lines)
        (root / f"HookTheoryStructure.{split}.jsonl").write_text(text)
        for hook, _, _ in rows:
            (root / "hooktheory_clips" / f"{hook}.mp3").touch()
    return root


def said(task: Task, root: Path) -> list[str]:
    """Return what stands in a result of rows that are left out."""
    return list(task.kind.remarks(root, task.spec, lambda name: b""))


def read(task: Task, root: Path) -> list[Track]:
    def lists(name: str) -> bytes:
        raise AssertionError("the rows have their splits: no list is needed")

    tracks: list[Track] = task.kind.read_tracks(root, task.spec, lists)
    return tracks


@pytest.mark.parametrize("form", ["a list", "a joined name"])
def test_names_are_merged_and_numbered_as_in_marble(task: Task, tmp_path: Path, form: str) -> None:
    rows = [
        (f"hook{at}", f"song{at}", name.split("_") if form == "a list" else name)
        for at, name in enumerate(CLASSES)
    ]
    root = write(tmp_path, rows)
    tracks = read(task, root)
    assert said(task, root) == []  # nothing is left out
    check_tracks(tracks, task.spec, root)
    trained = [each for each in tracks if each.split == "train"]
    assert task.track_kind.encode(trained, task.spec).tolist() == list(CLASSES.values())
    assert {each.label for each in trained} == set(task.spec.labels)
    assert task.spec.labels[6] == "inst"


def test_rows_are_read_with_their_songs_as_groups(task: Task, tmp_path: Path) -> None:
    root = write(tmp_path, [("a", "song1", ["chorus"]), ("b", "song1", ["verse"])])
    first, second = read(task, root)[:2]
    assert (first.id, first.group, first.recording) == ("hooktheory_clips/a", "song1", "")
    assert (first.label, second.label, second.group) == ("chorus", "verse", "song1")
    assert first.path == root / "hooktheory_clips" / "a.mp3"


@pytest.mark.parametrize("label", [["coda"], ["chorus", "verse"], [], "", None, ["Verse"], 3])
def test_a_name_that_is_no_section_is_refused_with_its_line(
    task: Task, tmp_path: Path, label: object
) -> None:
    root = write(tmp_path, [("a", "song1", ["chorus"]), ("b", "song2", label)])
    with pytest.raises(ValidationError) as caught:
        read(task, root)
    told = str(caught.value)
    assert "HookTheoryStructure.train.jsonl, line 2: 'label' must be the name of a section" in told
    assert f"Got {label!r}." in told and "verse_pre-chorus" in told


def test_a_song_of_two_splits_stays_where_it_is_tested(task: Task, tmp_path: Path) -> None:
    """By hand: x in train and test, y in train and valid, z in all three, w in train alone."""
    root = write(
        tmp_path,
        train=[(f"{song}1", song, ["verse"]) for song in "xyzw"],
        valid=[(f"{song}2", song, ["verse"]) for song in "yzv"],
        test=[(f"{song}3", song, ["verse"]) for song in "xzu"],
    )
    tracks = read(task, root)
    assert said(task, root) == [
        "HookTheoryStructure uses 6 of 10 hooks. Left out: 4 of songs that a later split has too."
    ]
    stayed = {each.id.split("/")[-1]: each.split for each in tracks}
    assert stayed == {
        "w1": "train", "y2": "valid", "v2": "valid", "x3": "test", "z3": "test", "u3": "test",
    }  # fmt: skip
    check_tracks(tracks, task.spec, root)


@pytest.mark.parametrize("kind", ["nowhere", "an empty folder", "two of three files"])
def test_a_wrong_root_is_told(task: Task, tmp_path: Path, kind: str) -> None:
    root = tmp_path / "root"
    if kind == "an empty folder":
        root.mkdir()
    if kind == "two of three files":
        write(root, [("a", "song1", ["chorus"])])
        (root / "HookTheoryStructure.val.jsonl").unlink()
    with pytest.raises(MissingError, match=rf"^{root}.*: must "):
        read(task, root)


def test_no_hook_is_too_short_to_be_scored(task: Task) -> None:
    """A rest of 1.2 s is a clip of its own in v1, and dropped in v2; a whole hook never is."""
    first, second = (
        load_protocol(name).windowing(task.spec.protocols[name])
        for name in ("marble-v1", "marble-v2")
    )
    for seconds in (1.0, 9.38, 15.0):
        assert clip_count(seconds, first) == clip_count(seconds, second) == 1
    assert (clip_count(16.2, first), clip_count(16.2, second)) == (2, 1)
    assert (clip_count(16.6, first), clip_count(16.6, second)) == (2, 2)


def test_both_tasks_of_hooktheory_share_audio_and_ids(task: Task, tmp_path: Path) -> None:
    of_keys = load_task("HookTheoryKey")
    assert of_keys.spec.dataset == task.spec.dataset
    keys = Path(__file__).parents[1] / "hooktheory_key" / "fixture" / "data"
    sections = {each.id: each for each in read(task, FIXTURE)}
    hooks = of_keys.kind.read_tracks(keys, of_keys.spec, lambda name: b"")
    assert {each.id for each in hooks} < set(sections)
    for each in hooks:
        other = sections[each.id]
        assert (each.group, each.split) == (other.group, other.split)
        assert each.path.name == other.path.name


def test_a_whole_run_says_what_it_leaves_out(
    task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MARBLE_EVAL_HOME", str(tmp_path / "home"))
    root, rng = tmp_path / "HookTheory", np.random.default_rng(0)
    (root / "hooktheory_clips").mkdir(parents=True)
    for path in FIXTURE.rglob("*"):
        if path.suffix == ".jsonl":
            (root / path.name).write_bytes(path.read_bytes())
        if path.suffix == ".mp3":
            audio = 0.1 * rng.uniform(-1, 1, 16000)
            soundfile.write(root / path.relative_to(FIXTURE), audio, 16000)
    result = marble_eval.evaluate(
        "mel",
        task,
        root=root,
        protocol=replace(load_protocol("quick"), max_epochs=2),
        seeds=1,
    )
    assert any("uses 12 of 13 hooks" in each for each in result.remarks)
    assert list(result.metrics) == ["accuracy", "macro_f1"]
    assert {each.n for each in result.metrics.values()} == {4}
    assert [each.name for each in result.labels] == list(task.spec.labels)
