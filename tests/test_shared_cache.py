"""Tasks on the same audio never encode it twice: every clip goes once through the encoder."""

from __future__ import annotations

import dataclasses
import shutil
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

import marble_eval
from marble_eval.registry import Task, load_task, task_folders
from marble_eval.registry.configuration import load_protocol
from marble_eval.spec import Track
from tests.test_task_contract import RATE, Listener

FAMILIES: dict[str, list[str]] = defaultdict(list)
for _name, _each in task_folders().items():
    if _each.spec.column and _each.spec.dataset in ("MTG", "NSynth", "VocalSet"):
        FAMILIES[_each.spec.dataset].append(_name)


def readable(name: str) -> Task:
    """Load a task that takes its published lists from its fixture."""
    task = load_task(name)
    spec = dataclasses.replace(task.spec, sizes={}, label_counts={})

    def lists(each: str) -> bytes:
        return (task.folder / "fixture" / "lists" / each).read_bytes()

    def read(root: Path, spec: Any, _: Any) -> list[Track]:
        tracks: list[Track] = task.kind.read_tracks(root, spec, lists)
        return tracks

    return dataclasses.replace(task, spec=spec).overriding(read_tracks=read)


def test_the_families_are_there() -> None:
    assert len(FAMILIES["MTG"]) == 4 and len(FAMILIES["NSynth"]) == 2
    assert FAMILIES["VocalSet"] == ["VocalSetS", "VocalSetT"]


@pytest.mark.parametrize("protocol", ["marble-v1", "marble-v2"])
@pytest.mark.parametrize("dataset", sorted(FAMILIES))
def test_tasks_of_one_data_set_encode_each_file_once(
    tmp_path: Path, dataset: str, protocol: str
) -> None:
    root, tasks = tmp_path / dataset, [readable(name) for name in FAMILIES[dataset]]
    for each in tasks:
        shutil.copytree(each.folder / "fixture" / "data", root, dirs_exist_ok=True)
    heard: set[Path] = set()
    of_tasks = {}
    for each in tasks:
        of_tasks[each.spec.name] = each.kind.read_tracks(root, each.spec, None)  # type: ignore[arg-type]
    for at, path in enumerate(sorted({t.path for tracks in of_tasks.values() for t in tracks})):
        path.parent.mkdir(parents=True, exist_ok=True)
        time = np.arange(RATE) / RATE
        tone = 0.1 * np.sin(2 * np.pi * (200 + 9 * at) * time)
        soundfile.write(path, tone, RATE, format="WAV")
        heard.add(path)
    encoder = Listener()
    rules = dataclasses.replace(load_protocol(protocol), max_epochs=1, learning_rates=(0.001,))
    results = [
        marble_eval.evaluate(encoder, each, root=root, protocol=rules, seeds=1)  # type: ignore[arg-type]
        for each in tasks
    ]
    assert sum(each.cost.clips_encoded for each in results) == len(heard)
    assert sum(len({t.path for t in tracks}) for tracks in of_tasks.values()) > len(heard), (
        "the fixtures of the family must share audio, or nothing is shown"
    )


def test_beats_leave_behind_what_genres_need_of_the_same_audio(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Run after the beats of the same files, genre encodes nothing, and stores the same bytes."""
    beat, genre = readable("GTZANBeat"), load_task("GTZAN")
    root = tmp_path / "GTZAN"
    shutil.copytree(beat.folder / "fixture" / "data", root)
    lists = {
        name: (beat.folder / "fixture" / "lists" / name).read_bytes()
        for name in ("train", "valid", "test")
    }
    kind = genre.kind
    genre = dataclasses.replace(
        genre, spec=dataclasses.replace(genre.spec, sizes={}, label_counts={})
    ).overriding(
        read_tracks=lambda root, spec, _: kind.read_tracks(root, spec, lists.__getitem__),
    )
    rng = np.random.default_rng(0)
    files = sorted((root / "genres").rglob("*.wav"))
    for path in files:
        soundfile.write(path, 0.1 * rng.standard_normal(3 * RATE), RATE)
    quick = dataclasses.replace(load_protocol("marble-v1"), max_epochs=1, learning_rates=(0.001,))

    def stored(home: str, tasks: list[Task]) -> tuple[list[int], bytes]:
        monkeypatch.setenv("MARBLE_EVAL_HOME", str(tmp_path / home))
        encoder = Listener()
        results = [
            marble_eval.evaluate(encoder, each, root=root, protocol=quick, seeds=1)  # type: ignore[arg-type]
            for each in tasks
        ]
        clips = [each.cost.clips_encoded for each in results]
        (data,) = (tmp_path / home / "features").glob("*/data.bin")
        return clips, data.read_bytes()

    together, of_both = stored("both", [beat, genre])
    alone, of_genre = stored("genre", [genre])
    assert together == [len(files), 0] and alone == [len(files)]
    assert sorted(of_both[at : at + 12] for at in range(0, len(of_both), 12)) == sorted(
        of_genre[at : at + 12] for at in range(0, len(of_genre), 12)
    )
