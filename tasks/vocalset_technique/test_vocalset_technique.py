"""VocalSetT: its card and README, its windows, and a run over the fixture."""

from __future__ import annotations

import csv
import dataclasses
import re
import shutil
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import soundfile

import marble_eval
from marble_eval.audio import clip_bounds
from marble_eval.data.layouts.vocalset import SINGERS
from marble_eval.registry import Task
from marble_eval.registry import load_task as read_task
from marble_eval.registry.configuration import load_protocol
from marble_eval.spec import Track

FOLDER = Path(__file__).parent
PUBLISHED = FOLDER.parents[1] / "results" / "published" / "marble_2023.csv"
NAMES = ("VocalSetT", "VocalSetS", "VocalSetTv1", "VocalSetSv1")
RATE = 44_100


@cache
def load_task(name: str) -> Task:
    """Read every card once in this module, not once a test."""
    return read_task(name)


def no_lists(name: str) -> bytes:
    raise AssertionError("no list is pinned")


def readme_table(heading: str) -> list[list[str]]:
    """Return the cells of the table below a heading of the README."""
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    section = re.split(r"^## ", text.split(f"\n## {heading}\n")[1], flags=re.MULTILINE)[0]
    rows = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]


def tracks() -> list[Track]:
    task = load_task("VocalSetTechnique")
    found: list[Track] = task.kind.read_tracks(FOLDER / "fixture" / "data", task.spec, no_lists)
    return found


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("protocol", ["marble-v1", "marble-v2"])
@pytest.mark.parametrize(
    ("samples", "lengths"),
    [
        (132_000, [132_000]),  # one of MARBLE's pieces
        (132_001, [132_000]),
        (263_999, [132_000]),
        (264_000, [132_000, 132_000]),
        (400_000, [132_000, 132_000, 132_000]),
        (60_000, [60_000]),  # MARBLE drops it
    ],
)
def test_a_clip_is_a_piece_of_marble_s_and_the_rest_is_dropped(
    name: str, protocol: str, samples: int, lengths: list[int]
) -> None:
    rules = load_task(name).spec.protocols[protocol]
    clips = clip_bounds(samples, RATE, load_protocol(protocol).windowing(rules))
    assert [each.length for each in clips] == lengths
    assert [each.start for each in clips] == [132_000 * at for at in range(len(lengths))]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("rate", [16_000, 22_050, 24_000, 44_100, 48_000])
def test_a_piece_is_one_clip_at_every_encoder_s_rate(name: str, rate: int) -> None:
    """MARBLE's pieces are 132,000 samples, and are resampled before they are cut."""
    rules = load_task(name).spec.protocols["marble-v1"]
    resampled = -(-132_000 * rate // RATE)
    (clip,) = clip_bounds(resampled, rate, load_protocol("marble-v1").windowing(rules))
    assert resampled - clip.length in (0, 1)


@pytest.mark.parametrize(("name", "patience"), [*zip(NAMES, (10, 20, 10, 20), strict=True)])
def test_training_follows_the_shipped_configs(name: str, patience: int) -> None:
    for rules in load_task(name).spec.protocols.values():
        assert (rules.max_epochs, rules.plateau_patience) == (100, 5)
        assert rules.stop_patience == patience
        assert (rules.scored, rules.also_scored, rules.batch_of) == ("clip", "recording", "clips")


def test_the_four_tasks_share_their_data_and_its_download() -> None:
    specs = [load_task(name).spec for name in NAMES]
    assert {each.dataset for each in specs} == {"VocalSet"}
    ((download,),) = {each.downloads for each in specs}
    assert download.digest == "md5:0c09396242f946e7111ad7d8fc649b81"  # Zenodo 1203819
    assert [each.column for each in specs] == ["VocalSetT", "VocalSetS", "", ""]


def test_every_singer_of_the_fixture_is_on_one_side() -> None:
    found = tracks()
    assert {(each.group, each.split) for each in found} == {
        ("f1", "train"), ("f4", "train"), ("m2", "train"), ("m9", "train"), ("f3", "valid"),
        ("m1", "valid"), ("f2", "test"), ("m10", "test"),
    }  # fmt: skip
    assert "vibrato/m10_caro_vibrato" not in {each.id for each in found}, "one of the five left out"


def test_mel_is_scored_by_clip_and_by_recording(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MARBLE_EVAL_HOME", str(tmp_path / "home"))
    root = tmp_path / "vocalset"
    shutil.copytree(FOLDER / "fixture" / "data", root)
    found = load_task("VocalSetT").kind.read_tracks(root, load_task("VocalSetT").spec, no_lists)
    for at, each in enumerate(found):
        time = np.arange(300_000 if at % 2 else 140_000) / RATE  # two clips, or one
        soundfile.write(each.path, 0.2 * np.sin(2 * np.pi * (200 + 7 * at) * time), RATE)
    clips = {each.id: 2 if at % 2 else 1 for at, each in enumerate(found)}
    result = marble_eval.evaluate(
        marble_eval.load_encoder("mel"),
        load_task("VocalSetT"),
        root=root,
        protocol=dataclasses.replace(load_protocol("quick"), max_epochs=2),
        seeds=1,
    )
    test = [each.id for each in found if each.split == "test"]
    assert result.metrics["accuracy"].n == sum(clips[name] for name in test)
    assert result.metrics["accuracy_by_recording"].n == len(test) == 3
    assert result.features.clips == sum(clips.values())


def test_the_readme_s_split_and_scores_are_those_of_the_rule_and_of_results() -> None:
    shown = {split: tuple(names.split(", ")) for split, names in readme_table("The split")[2:]}
    assert shown == SINGERS
    with PUBLISHED.open(encoding="utf-8") as stream:
        rows = [row for row in csv.DictReader(stream) if row["task"] == "VocalSetT"]
    stored = {row["encoder"]: row["value"] for row in rows}
    scores = {name.split(" (")[0]: value for name, value in readme_table("Published accuracy")[2:]}
    assert scores == stored and len(stored) == 10
