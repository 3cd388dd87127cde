"""Ballroom as it is unpacked: clips by dance, beats in a folder of their own, a split by albums.

The names of clips are of the published form, all of the replicas among them; the audio is
empty and the beats are made up.
"""

from __future__ import annotations

import csv
import dataclasses
import re
import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import soundfile

import marble_eval
from marble_eval.data.tracks import groups_astride
from marble_eval.errors import MissingError, ValidationError
from marble_eval.registry import Task, load_task
from marble_eval.registry.configuration import load_protocol
from marble_eval.spec import SPLITS, Track

FIXTURE = Path(__file__).parent / "fixture" / "data"
README = (Path(__file__).parent / "README.md").read_text(encoding="utf-8")
DANCES = ("ChaChaCha", "Quickstep", "Rumba-International", "Samba", "Waltz")
ANNOTATIONS = "BallroomAnnotations-1db08914a8ae15edb01f104046e30bad88effe67"


@pytest.fixture(scope="module")
def task() -> Task:
    return load_task("Ballroom")


def replicas() -> list[tuple[str, str]]:
    """Read the pairs as the README lists them."""
    return re.findall(r"^\| ((?:Albums|Media)-\S+) \| ((?:Albums|Media)-\S+) \|$", README, re.M)


def names() -> list[str]:
    """Make a collection of 24 albums and 16 media with five clips each, and every replica."""
    albums = [f"Albums-Some_Album{number}-{at:02d}" for number in range(24) for at in range(1, 6)]
    media = [f"Media-{1030 + number}{at:02d}" for number in range(16) for at in range(21, 26)]
    stems = sorted({*albums, *media, *(each for pair in replicas() for each in pair)})
    return [f"{DANCES[at % len(DANCES)]}/{stem}" for at, stem in enumerate(stems)]


def write(root: Path, clips: Sequence[str]) -> Path:
    (root / ANNOTATIONS).mkdir(parents=True)
    (root / ANNOTATIONS / "README.md").write_text("Ballroom beat and bar annotations\n")
    for name in clips:
        path = root / "BallroomData" / f"{name}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        (root / ANNOTATIONS / f"{path.stem}.beats").write_text("0.5300000000 1\n0.8190000000 2\n")
    (root / "BallroomData" / "allBallroomFiles").write_text("./Waltz/Media-105901.wav\n")
    return root


def read(task: Task, root: Path) -> list[Track]:
    tracks: list[Track] = task.kind.read_tracks(root, task.spec, lambda name: b"")
    return tracks


def said(task: Task, root: Path) -> list[str]:
    return list(task.kind.remarks(root, task.spec, lambda name: b""))


def splits(tracks: Sequence[Track]) -> dict[str, str]:
    return {each.id: each.split for each in tracks}


def test_albums_stay_on_one_side_and_dances_are_spread(task: Task, tmp_path: Path) -> None:
    tracks = read(task, write(tmp_path, names()))
    assert groups_astride(tracks) == []
    sizes = Counter(each.split for each in tracks)
    assert set(sizes) == set(SPLITS)
    shares = {split: sizes[split] / len(tracks) for split in SPLITS}
    assert shares["train"] == pytest.approx(0.6, abs=0.1)
    for split in ("valid", "test"):
        assert shares[split] == pytest.approx(0.2, abs=0.08)
        dances = Counter(each.id.split("/")[0] for each in tracks if each.split == split)
        assert set(dances) == set(DANCES)
        assert len({each.group for each in tracks if each.split == split}) >= 2


def test_the_same_clips_are_always_divided_alike(task: Task, tmp_path: Path) -> None:
    first = read(task, write(tmp_path / "first", names()))
    again = read(task, tmp_path / "first")
    other = read(task, write(tmp_path / "other", list(reversed(names()))))
    assert splits(first) == splits(again) == splits(other)
    assert (tmp_path / "first" / "Ballroom.split.csv").read_bytes() == (
        tmp_path / "other" / "Ballroom.split.csv"
    ).read_bytes()


def test_an_album_is_told_from_a_name(task: Task, tmp_path: Path) -> None:
    tracks = {each.id.split("/")[1]: each.group for each in read(task, write(tmp_path, names()))}
    assert tracks["Albums-Latin_Jam2-05"] == "Albums-Latin_Jam2"
    assert tracks["Albums-AnaBelen_Veneo-11"] == "Albums-AnaBelen_Veneo"
    assert tracks["Media-103402"] == "Media-1034"


def test_of_each_pair_of_replicas_the_first_is_used(task: Task, tmp_path: Path) -> None:
    assert len(replicas()) == 13
    stems = {each.id.split("/")[1] for each in read(task, write(tmp_path, names()))}
    for used, left_out in replicas():
        assert used in stems and left_out not in stems
    assert len(stems) == len(names()) - 13
    assert said(task, tmp_path)[1] == (
        f"Ballroom uses {len(names()) - 13} of {len(names())} clips. Left out: 13 that are there "
        f"twice."
    )
    assert 698 - 13 == 685 and "685 of 698 clips are used" in README


def test_the_kept_division_is_used_and_names_the_replicas_too(task: Task, tmp_path: Path) -> None:
    read(task, write(tmp_path, names()))
    with (tmp_path / "Ballroom.split.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert {row["id"] for row in rows} == set(names())
    swapped = {"train": "test", "test": "train", "valid": "valid"}
    lines = [f"{row['id']},{swapped[row['split']]}\n" for row in rows]
    (tmp_path / "Ballroom.split.csv").write_text("id,split\n" + "".join(lines))
    kept = {row["id"]: swapped[row["split"]] for row in rows}
    assert all(kept[name] == split for name, split in splits(read(task, tmp_path)).items())


def test_a_division_of_one_s_own_with_an_album_on_two_sides_is_seen(
    task: Task, tmp_path: Path
) -> None:
    write(tmp_path, names())
    lines = [f"{name},{SPLITS[at % 3]}\n" for at, name in enumerate(names())]
    (tmp_path / "Ballroom.split.csv").write_text("id,split\n" + "".join(lines))
    assert "Albums-Some_Album0" in groups_astride(read(task, tmp_path))


def test_clips_without_beats_are_named_and_a_mended_copy_is_divided_anew(
    task: Task, tmp_path: Path
) -> None:
    gone = ["Albums-Some_Album3-02", "Media-103621"]
    write(tmp_path, names())
    for stem in gone:
        (tmp_path / ANNOTATIONS / f"{stem}.beats").unlink()
    with pytest.raises(ValidationError) as caught:
        read(task, tmp_path)
    assert all(f"{stem}.beats" in str(caught.value) for stem in gone)
    assert not (tmp_path / "Ballroom.split.csv").exists()
    for stem in gone:
        (tmp_path / ANNOTATIONS / f"{stem}.beats").write_text("0.5 1\n1.0 2\n")
    assert len(read(task, tmp_path)) == len(names()) - 13


def test_a_failed_reading_leaves_a_kept_division_alone(task: Task, tmp_path: Path) -> None:
    read(task, write(tmp_path, names()))
    kept = (tmp_path / "Ballroom.split.csv").read_bytes()
    (tmp_path / ANNOTATIONS / "Media-103402.beats").write_text("noon 1\n")
    with pytest.raises(ValidationError, match=r"Media-103402\.beats"):
        read(task, tmp_path)
    assert (tmp_path / "Ballroom.split.csv").read_bytes() == kept


def test_downbeats_are_the_first_of_the_bar(task: Task) -> None:
    tracks = {each.id: each for each in read(task, FIXTURE)}
    assert len(tracks) == 6, "Albums-Fire-09 is Albums-Fire-08"
    waltz = tracks["Waltz/Media-105901"]
    assert waltz.label == '{"beats":[0.207,0.875,1.543],"downbeats":[1.543]}'
    for each in tracks.values():
        annotation = task.frame_kind.annotation_of(each.label)
        assert len(annotation.beats) >= 2 and len(annotation.downbeats) >= 1
        assert annotation.beats[-1] < 2


@pytest.mark.parametrize("kind", ["nowhere", "an empty folder", "clips alone"])
def test_a_wrong_root_is_told(task: Task, tmp_path: Path, kind: str) -> None:
    root = tmp_path / "root"
    if kind != "nowhere":
        root.mkdir()
    if kind == "clips alone":
        write(root, names())
        shutil.rmtree(root / ANNOTATIONS)
    with pytest.raises(MissingError) as caught:
        read(task, root)
    assert str(caught.value).startswith(f"{root}: must ")
    assert "download task=Ballroom" in str(caught.value)
    assert not (root / "Ballroom.split.csv").exists()


def test_its_rules_are_those_of_gtzan_beat(task: Task) -> None:
    other = load_task("GTZANBeat")
    assert task.spec.protocols == other.spec.protocols
    assert task.spec.metrics == other.spec.metrics


def test_a_whole_run_scores_every_metric(
    task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MARBLE_EVAL_HOME", str(tmp_path / "home"))
    root, rng = tmp_path / "data", np.random.default_rng(0)
    shutil.copytree(FIXTURE, root)
    for each in read(task, root):
        audio = 0.01 * rng.standard_normal(2 * 16000)
        for time in task.frame_kind.annotation_of(each.label).beats:
            audio[int(time * 16000) :][:320] += np.hanning(320)[: 2 * 16000 - int(time * 16000)]
        soundfile.write(each.path, audio, 16000)
    result = marble_eval.evaluate(
        "mel",
        task,
        root=root,
        protocol=dataclasses.replace(load_protocol("quick"), max_epochs=2),
        seeds=1,
    )
    assert list(result.metrics)[: len(task.spec.metrics)] == list(task.spec.metrics)
    assert result.task.sizes == {"train": 2, "valid": 2, "test": 2}
    assert any("Left out: 1 that are there twice" in each for each in result.remarks)
