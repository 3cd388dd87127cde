"""NSynthP: its card, its README, and a run over the fixture's notes."""

from __future__ import annotations

import csv
import dataclasses
import json
import re
import shutil
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import soundfile

import marble_eval
from marble_eval.audio import clip_bounds
from marble_eval.registry import Task
from marble_eval.registry import load_task as read_task
from marble_eval.registry.configuration import load_protocol
from marble_eval.spec import SPLITS

FOLDER = Path(__file__).parent
PUBLISHED = FOLDER.parents[1] / "results" / "published" / "marble_2023.csv"
SIZES = {"train": 289_205, "valid": 12_678, "test": 4_096}


@cache
def load_task(name: str) -> Task:
    """Read every card once in this module, not once a test."""
    return read_task(name)


def no_lists(name: str) -> bytes:
    raise AssertionError("NSynth's split is its own")


def readme_table(heading: str) -> list[list[str]]:
    """Return the cells of the table below a heading of the README."""
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    section = re.split(r"^## ", text.split(f"\n## {heading}\n")[1], flags=re.MULTILINE)[0]
    rows = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]


def test_there_is_an_output_for_every_midi_number() -> None:
    spec = load_task("NSynthPitch").spec
    assert spec.name == "NSynthP"
    assert spec.labels == tuple(str(number) for number in range(128))
    assert load_task("NSynthP").kind.outputs(spec) == 128


def test_the_sizes_are_those_that_nsynth_publishes() -> None:
    spec = load_task("NSynthP").spec
    assert spec.sizes == SIZES and sum(SIZES.values()) == 305_979
    assert spec.hours == pytest.approx(sum(SIZES.values()) * 4 / 3600, abs=0.05)


def test_the_note_s_number_is_no_pitch() -> None:
    """``note`` counts the notes of the data set; ``pitch`` is in the name as well."""
    task = load_task("NSynthP")
    tracks = task.kind.read_tracks(FOLDER / "fixture" / "data", task.spec, no_lists)
    assert [each.label for each in tracks] == [str(int(each.id.split("-")[1])) for each in tracks]
    targets = task.track_kind.encode(tracks, task.spec)
    assert targets.tolist() == [int(str(each.label)) for each in tracks]


def test_a_wrong_octave_is_wrong_but_right_as_chroma() -> None:
    task = load_task("NSynthP")
    reference, estimate = np.array([60, 61, 62, 63]), np.array([60, 73, 50, 64])
    scores = task.track_kind.score(reference, estimate, task.spec)
    assert {name: float(value) for name, value in scores.items()} == {
        "accuracy": 0.25, "chroma_accuracy": 0.75,
    }  # fmt: skip


@pytest.mark.parametrize("name", ["NSynthP", "NSynthI"])
@pytest.mark.parametrize("protocol", ["marble-v1", "marble-v2"])
def test_a_note_is_one_clip(name: str, protocol: str) -> None:
    rules = load_task(name).spec.protocols[protocol]
    (clip,) = clip_bounds(64_000, 16_000, load_protocol(protocol).windowing(rules))
    assert (clip.start, clip.stop, clip.length) == (0, 64_000, 64_000)
    assert (rules.max_epochs, rules.plateau_patience, rules.stop_patience) == (50, 3, 10)
    assert rules.learning_rates == (None if protocol == "marble-v1" else (1e-3,))


def test_downloads_are_the_three_archives_with_the_published_digests() -> None:
    downloads = load_task("NSynthP").spec.downloads
    assert [each.file for each in downloads] == [f"nsynth-{each}.jsonwav.tar.gz" for each in SPLITS]
    # The copy jg583/NSynth on the Hugging Face hub states this as its download size.
    assert sum(each.bytes or 0 for each in downloads) == 25_233_566_634
    assert downloads == load_task("NSynthI").spec.downloads
    assert load_task("NSynthP").spec.dataset == load_task("NSynthI").spec.dataset


def test_the_fixture_s_notes_are_written_as_nsynth_writes_them() -> None:
    for path in (FOLDER / "fixture" / "data").glob("*/examples.json"):
        for name, note in json.loads(path.read_text()).items():
            assert name == note["note_str"]
            assert name == f"{note['instrument_str']}-{note['pitch']:03d}-{note['velocity']:03d}"
            assert (path.parent / "audio" / f"{name}.wav").is_file()


def test_mel_tells_the_fixture_s_notes_from_end_to_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both tasks over the same files: the second encodes nothing."""
    monkeypatch.setenv("MARBLE_EVAL_HOME", str(tmp_path / "home"))
    root = tmp_path / "nsynth"
    shutil.copytree(FOLDER / "fixture" / "data", root)
    time = np.arange(64_000) / 16_000
    for at, path in enumerate(sorted(root.rglob("*.wav"))):
        hertz = 440 * 2 ** ((int(path.stem.split("-")[1]) - 69 + at / 100) / 12)
        soundfile.write(path, 0.2 * np.sin(2 * np.pi * hertz * time), 16_000)
    results = []
    for name in ("NSynthP", "NSynthI"):
        task = load_task(name)
        task = dataclasses.replace(task, spec=dataclasses.replace(task.spec, sizes={}))
        protocol = dataclasses.replace(load_protocol("quick"), max_epochs=2)
        results.append(
            marble_eval.evaluate(
                marble_eval.load_encoder("mel"), task, root=root, protocol=protocol, seeds=1
            )
        )
    pitch, family = results
    assert list(pitch.metrics) == ["accuracy", "chroma_accuracy"]
    assert list(family.metrics) == ["accuracy", "macro_f1"]
    assert pitch.features.clips == family.features.clips == 10
    assert (pitch.cost.clips_encoded, pitch.cost.clips_cached) == (10, 0)
    assert (family.cost.clips_encoded, family.cost.clips_cached) == (0, 10)
    (lead,) = (each for each in family.labels if each.name == "synth_lead")
    assert lead.n == 0 and set(lead.scores.values()) == {None}


def test_the_readme_s_sizes_and_scores_are_those_of_the_card_and_of_results() -> None:
    assert {row[0]: int(row[1].replace(",", "")) for row in readme_table("The split")[2:]} == SIZES
    with PUBLISHED.open(encoding="utf-8") as stream:
        rows = [row for row in csv.DictReader(stream) if row["task"] == "NSynthP"]
    stored = {row["encoder"]: row["value"] for row in rows}
    shown = {name.split(" (")[0]: value for name, value in readme_table("Published accuracy")[2:]}
    assert shown == stored and len(stored) == 10
