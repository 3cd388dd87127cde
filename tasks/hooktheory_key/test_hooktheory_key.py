"""HookTheoryKey as MARBLE v2 publishes it: rows in nine modes, hooks of every length.

The data is not open, so the rows are made up, in the published form; the modes and
spellings are those that its rows have.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import mir_eval
import numpy as np
import pytest
import soundfile

import marble_eval
from marble_eval.audio import clip_bounds, clip_count
from marble_eval.data.tracks import check_tracks
from marble_eval.errors import MissingError, ValidationError
from marble_eval.probes.examples import examples_of
from marble_eval.registry import Task, load_task
from marble_eval.registry.configuration import load_protocol
from marble_eval.spec import Track

FIXTURE = Path(__file__).parent / "fixture" / "data"
TONICS = ("C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B")
OTHER_MODES = (
    "dorian", "phrygian", "lydian", "mixolydian", "locrian", "harmonicMinor", "phrygianDominant",
)  # fmt: skip

Row = tuple[str, str, str]  # hook, song, key


@pytest.fixture(scope="module")
def task() -> Task:
    return load_task("HookTheoryKey")


def write(
    root: Path,
    train: Sequence[Row],
    valid: Sequence[Row] = (("v1", "songV", "C major"), ("v2", "songW", "C major")),
    test: Sequence[Row] = (("t1", "songT", "C major"), ("t2", "songU", "C major")),
    prefix: str = "data/HookTheory/hooktheory_clips/",
) -> Path:
    (root / "hooktheory_clips").mkdir(parents=True, exist_ok=True)
    for split, rows in {"train": train, "val": valid, "test": test}.items():
        lines = [
            {
                "audio_path": f"{prefix}{hook}.mp3",
                "ori_uid": song,
                "label": key,
                "duration": 10.68,
                "sample_rate": 48000,
                "num_samples": 512640,
                "bit_depth": 16,
                "channels": 2,
            }
            for hook, song, key in rows
        ]
        text = "".join(f"{json.dumps(line)}\n" for line in lines)
        (root / f"HookTheoryKey.{split}.jsonl").write_text(text)
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


def of_split(tracks: Sequence[Track], split: str) -> list[str]:
    return [each.id.split("/")[-1] for each in tracks if each.split == split]


def test_rows_are_read_with_their_songs_as_groups(task: Task, tmp_path: Path) -> None:
    root = write(tmp_path, [("a", "song1", "D major"), ("b", "song1", "Gb minor")])
    tracks = read(task, root)
    assert said(task, root) == []  # nothing is left out
    check_tracks(tracks, task.spec, root)
    first, second = tracks[:2]
    assert (first.id, first.split, first.label) == ("hooktheory_clips/a", "train", "D major")
    assert (first.group, first.recording) == ("song1", "")
    assert (second.label, second.group) == ("Gb minor", "song1")
    assert all(each.path.is_file() for each in tracks)


@pytest.mark.parametrize(
    "prefix", ["hooktheory_clips/", "../elsewhere/HookTheory/hooktheory_clips/"]
)
def test_a_copy_can_be_moved(task: Task, tmp_path: Path, prefix: str) -> None:
    here = read(task, write(tmp_path / "a", [("a", "song1", "D major")]))
    moved = read(task, write(tmp_path / "b", [("a", "song1", "D major")], prefix=prefix))
    assert [(each.id, each.label) for each in here] == [(each.id, each.label) for each in moved]
    assert all(each.path.is_file() for each in moved)


def test_of_nine_modes_two_are_the_task_and_the_others_are_counted(
    task: Task, tmp_path: Path
) -> None:
    rows = [
        (f"{tonic}-{mode}", f"song{tonic}{mode}", f"{tonic} {mode}")
        for mode in ("major", "minor", *OTHER_MODES)
        for tonic in TONICS
    ]
    write(tmp_path, rows)
    tracks = [each for each in read(task, tmp_path) if each.split == "train"]
    assert [each.label for each in tracks] == list(task.spec.labels)
    assert said(task, tmp_path) == [
        "HookTheoryKey uses 28 of 112 hooks. Left out: 84 in another mode than major and minor, "
        "0 of songs that a later split has too."
    ]


def test_every_label_is_a_key_that_mir_eval_knows(task: Task) -> None:
    for key in task.spec.labels:
        assert mir_eval.key.weighted_score(key, key) == 1.0
    assert len(task.spec.labels) == 24


@pytest.mark.parametrize("label", ["H minor", "c", "D mixo", "", None, 3, "D Dorian"])
def test_a_label_that_is_no_key_is_refused_with_its_line(
    task: Task, tmp_path: Path, label: object
) -> None:
    root = write(tmp_path, [("a", "song1", "D major"), ("b", "song2", "E minor")])
    path = root / "HookTheoryKey.train.jsonl"
    row = {"audio_path": "hooktheory_clips/b.mp3", "ori_uid": "song2", "label": label}
    path.write_text(path.read_text() + json.dumps(row) + "\n")
    with pytest.raises(
        ValidationError, match=r"HookTheoryKey\.train\.jsonl, line 3: a key must be"
    ):
        read(task, root)


def test_a_song_of_two_splits_stays_where_it_is_tested(task: Task, tmp_path: Path) -> None:
    """By hand: x in train and test, y in train and valid, z in all three, w in train alone."""
    root = write(
        tmp_path,
        train=[(f"{song}1", song, "C major") for song in "xyzw"],
        valid=[(f"{song}2", song, "C minor") for song in "yzv"],
        test=[(f"{song}3", song, "G major") for song in "xzu"],
    )
    tracks = read(task, root)
    assert "uses 6 of 10 hooks" in said(task, root)[0] and "4 of songs" in said(task, root)[0]
    assert of_split(tracks, "train") == ["w1"]
    assert of_split(tracks, "valid") == ["y2", "v2"]
    assert of_split(tracks, "test") == ["x3", "z3", "u3"]
    check_tracks(tracks, task.spec, root)


def test_a_hook_in_another_mode_does_not_take_its_song_out_of_training(
    task: Task, tmp_path: Path
) -> None:
    test = [("t1", "songT", "C major"), ("t2", "songU", "C major"), ("t3", "song1", "C dorian")]
    root = write(tmp_path, [("a", "song1", "D major")], test=test)
    tracks = read(task, root)
    assert "1 in another mode" in said(task, root)[0]
    assert of_split(tracks, "train") == ["a"] and of_split(tracks, "test") == ["t1", "t2"]


def test_a_row_without_a_song_is_refused(task: Task, tmp_path: Path) -> None:
    root = write(tmp_path, [("a", "", "D major")])
    with pytest.raises(ValidationError, match=r"line 1: 'ori_uid' must be given"):
        read(task, root)


@pytest.mark.parametrize("gone", ["train", "val", "test"])
def test_all_three_files_must_be_there(task: Task, tmp_path: Path, gone: str) -> None:
    root = write(tmp_path, [("a", "song1", "D major")])
    (root / f"HookTheoryKey.{gone}.jsonl").unlink()
    with pytest.raises(MissingError, match=rf"HookTheoryKey\.{gone}\.jsonl: must lie beside"):
        read(task, root)


@pytest.mark.parametrize("kind", ["nowhere", "an empty folder"])
def test_a_wrong_root_is_told(task: Task, tmp_path: Path, kind: str) -> None:
    root = tmp_path / "root"
    if kind != "nowhere":
        root.mkdir()
    with pytest.raises(MissingError) as caught:
        read(task, root)
    assert str(caught.value).startswith(f"{root}: must ")
    assert "download task=HookTheoryKey" in str(caught.value)


def test_no_hook_is_too_short_to_be_scored(task: Task) -> None:
    """MARBLE v2's own example has 10.68 s, and no clip there; 26 s are 15 and 11."""
    first, second = (
        load_protocol(name).windowing(task.spec.protocols[name])
        for name in ("marble-v1", "marble-v2")
    )
    for seconds in (2.0, 10.68, 11.99, 15.0):
        assert clip_count(seconds, first) == clip_count(seconds, second) == 1
    assert (clip_count(26.0, first), clip_count(26.0, second)) == (2, 1)
    assert (clip_count(27.5, first), clip_count(27.5, second)) == (2, 2)
    (bounds,) = clip_bounds(1068, 100, second)
    assert (bounds.stop, bounds.length) == (1068, 1500)  # padded with zeros to 15 s
    (bounds,) = clip_bounds(1068, 100, first)
    assert (bounds.stop, bounds.length) == (1068, 1068)


def test_hooks_of_a_song_are_scored_each_by_its_own_key(task: Task, tmp_path: Path) -> None:
    test = [("t1", "songT", "C major"), ("t2", "songT", "A minor"), ("t3", "songU", "C major")]
    tracks = read(task, write(tmp_path, [("a", "song1", "D major")], test=test))
    tested = [each for each in tracks if each.split == "test"]
    clips = {each.id: 2 for each in tested}
    for rules in task.spec.protocols.values():
        examples = examples_of(tested, clips, lambda _: np.zeros((2, 1, 1)), rules.scored)
        assert [each.label for each in examples.items] == ["C major", "A minor", "C major"]
        assert examples.clips.tolist() == [2, 2, 2]


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
    assert any("uses 10 of 13 hooks" in each for each in result.remarks)
    assert list(result.metrics) == ["weighted_score", "mirex_score", "accuracy"]
    assert {each.n for each in result.metrics.values()} == {3}
    assert result.task.sizes == {"train": 4, "valid": 3, "test": 3}
