"""MTGGenre from files to scores, and the tags that it shares with MTGTop50."""

from __future__ import annotations

import dataclasses
import hashlib
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from sklearn.metrics import average_precision_score, roc_auc_score

from marble_eval import evaluate
from marble_eval.registry import Task, load_task
from marble_eval.spec import SPLITS, SplitList

FIXTURE = Path(__file__).parent / "fixture"


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MARBLE_EVAL_HOME", str(tmp_path / "home"))


@pytest.fixture(scope="module")
def task() -> Task:
    return load_task("MTGGenre")


def of_fixture(task: Task, root: Path) -> Task:
    """Put the fixture's tables into the root, as a user without a network may do."""
    digests = {}
    for split in SPLITS:
        published = task.spec.split_lists[split].file
        content = (FIXTURE / "lists" / split).read_bytes()
        (root / Path(published).name).write_bytes(content)
        digests[split] = SplitList(published, hashlib.sha256(content).hexdigest())
    spec = dataclasses.replace(task.spec, sizes={}, split_lists=digests)
    return dataclasses.replace(task, spec=spec)


def test_every_label_is_a_genre(task: Task) -> None:
    assert len(task.spec.labels) == 87
    assert all(each.startswith("genre---") for each in task.spec.labels)


def test_the_fixture_runs_from_files_to_scores(task: Task, tmp_path: Path) -> None:
    """Tracks of 31.2 s are two clips each; scores are scikit-learn's on the track's outputs."""
    root = Path(shutil.copytree(FIXTURE / "data", tmp_path / "MTG"))
    rng = np.random.default_rng(0)
    for at, path in enumerate(sorted(root.rglob("*.mp3"))):
        time = np.arange(round(31.2 * 4000)) / 4000
        tone = np.sin(2 * np.pi * (150 + 40 * at) * time) + 0.01 * rng.standard_normal(len(time))
        soundfile.write(path, 0.3 * tone, 4000, format="WAV")  # known by content, not by name
    made = of_fixture(task, root)
    result = evaluate("mel", made, root=root, protocol="quick", results=tmp_path / "results")
    assert result.features.clips == 2 * 12 and result.counts.scored == 4
    (path,) = (tmp_path / "results").rglob("predictions.parquet")
    table = pd.read_parquet(path)
    test = table[(table["split"] == "test") & (table["seed"] == table["seed"].min())]
    assert sorted(test["group"]) == [
        "artist_359617", "artist_366613", "artist_369180", "artist_424343"
    ]  # fmt: skip
    tags = [text.split(";") for text in test["reference"]]
    for name, foreign in (
        ("roc_auc", roc_auc_score),
        ("average_precision", average_precision_score),
    ):
        values = [
            foreign([label in each for each in tags], test[f"output_{at}"])
            for at, label in enumerate(task.spec.labels)
            if any(label in each for each in tags)
        ]
        assert len(values) == 6  # ambient, electronic, soundtrack, alternative, hiphop, classical
        assert result.metrics[name].seed_values[0] == pytest.approx(np.mean(values))
