"""GTZANBeat as people have it on disk: every layout, missing and bad annotations, every count.

The audio is synthetic and so are the beats, in the form in which GTZAN-Rhythm has them: one
JAMS file a track, an annotation of beats and one of downbeats.
"""

from __future__ import annotations

import csv
import dataclasses
import json
import re
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import soundfile

import marble_eval
from marble_eval.errors import MissingError, ValidationError
from marble_eval.registry import Task, load_task
from marble_eval.registry.configuration import load_protocol
from marble_eval.spec import SPLITS, Track

FIXTURE = Path(__file__).parent / "fixture"
ROOT = Path(__file__).parents[2]
PUBLISHED = ROOT.parent / "shared" / "data" / "splits"
ARCHIVE = "GTZAN-Rhythm_v2_ismir2015_lbd"
IDS = {
    "train": ("blues/blues.00029", "jazz/jazz.00003", "rock/rock.00012"),
    "valid": ("country/country.00041", "reggae/reggae.00008"),
    "test": ("disco/disco.00020", "pop/pop.00066"),
}
ALL = tuple(name for split in SPLITS for name in IDS[split])


@pytest.fixture(scope="module")
def task() -> Task:
    """The task without its counts, which seven tracks do not have."""
    whole = load_task("GTZANBeat")
    return dataclasses.replace(whole, spec=dataclasses.replace(whole.spec, sizes={}))


def lists(split: str) -> bytes:
    return "".join(f"{name}.wav\n" for name in IDS[split]).encode()


def beats_of(name: str) -> tuple[list[float], list[float]]:
    """Make up beats: each track has its own, three a bar."""
    start = 0.1 + ALL.index(name) / 100
    beats = [round(start + 0.31 * count, 6) for count in range(6)]
    return beats, beats[1::3]


def label_of(name: str) -> str:
    beats, downbeats = beats_of(name)
    return json.dumps({"beats": beats, "downbeats": downbeats}, separators=(",", ":"))


def jams(beats: Sequence[float], downbeats: Sequence[float]) -> str:
    """Write annotations as GTZAN-Rhythm does: the value is 1 at every beat."""
    annotations = [
        {
            "annotation_metadata": {"corpus": "GTZAN", "data_source": "manual annotation"},
            "data": [
                {"time": time, "duration": 0.0, "value": 1.0, "confidence": 1.0} for time in times
            ],
            "namespace": "beat",
            "sandbox": {"annotation_type": purpose},
        }
        for purpose, times in (("beat", beats), ("downbeat", downbeats))
    ]
    return json.dumps({"annotations": annotations, "file_metadata": {"duration": 30.0}})


def write_audio(root: Path, below: str, *, extension: str = "wav") -> Path:
    for name in ALL:
        path = root / below / f"{name}.{extension}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return root


def write_jams(root: Path, below: str) -> Path:
    (root / below).mkdir(parents=True, exist_ok=True)
    for name in ALL:
        (root / below / f"{name.split('/')[1]}.wav.jams").write_text(jams(*beats_of(name)))
    return root


def as_rows(root: Path, prefix: str) -> Path:
    write_audio(root, "genres")
    for split, file in {"train": "train", "valid": "val", "test": "test"}.items():
        rows = []
        for name in IDS[split]:
            beats, downbeats = beats_of(name)
            label = {"beat": beats, "downbeat": downbeats, "tempo": 193.5, "meter": "3/4"}
            rows.append({"audio_path": f"{prefix}{name}.wav", "label": label, "duration": 30.01})
        text = "".join(f"{json.dumps(row)}\n" for row in rows)
        (root / f"GTZANBeatTracking.{file}.jsonl").write_text(text)
    return root


def as_folders(root: Path, audio: str, annotations: str, extension: str = "wav") -> Path:
    return write_jams(write_audio(root, audio, extension=extension), annotations)


LAYOUTS: dict[str, Callable[[Path], Path]] = {
    "MARBLE v2": partial(as_rows, prefix="data/GTZAN/genres/"),
    "MARBLE v2, moved": partial(as_rows, prefix="../elsewhere/genres/"),
    "the archives": partial(as_folders, audio="genres", annotations=f"{ARCHIVE}/jams"),
    "MARBLE v1": partial(as_folders, audio="genres", annotations=ARCHIVE),
    "a folder for the release": partial(
        as_folders, audio="genres", annotations=f"{ARCHIVE}_2015-10-28/{ARCHIVE}/jams"
    ),
    "Kaggle's archive": partial(
        as_folders, audio="Data/genres_original", annotations=f"{ARCHIVE}/jams"
    ),
    "the folder of genres itself": partial(as_folders, audio=".", annotations="jams"),
    "the original archive": partial(
        as_folders, audio="genres", annotations=f"{ARCHIVE}/jams", extension="au"
    ),
}


def read(task: Task, root: Path) -> list[Track]:
    tracks: list[Track] = task.kind.read_tracks(root, task.spec, lists)
    return tracks


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_gives_the_same_tracks_and_beats(
    task: Task, tmp_path: Path, layout: str
) -> None:
    tracks = read(task, LAYOUTS[layout](tmp_path / "GTZAN"))
    assert [(each.id, each.split) for each in tracks] == [
        (name, split) for split in SPLITS for name in IDS[split]
    ]
    assert [each.label for each in tracks] == [label_of(name) for name in ALL]
    assert all(each.path.is_file() for each in tracks)
    assert all(each.group == each.id for each in tracks)


def test_the_fixture_has_downbeats_where_its_annotation_says(task: Task) -> None:
    tracks = read(task, FIXTURE / "data")
    assert [each.id for each in tracks] == list(ALL)
    assert tracks[0].label == '{"beats":[0.458,0.785,1.112,1.456,1.783],"downbeats":[0.785]}'
    for each in tracks:
        annotation = task.frame_kind.annotation_of(each.label)
        assert len(annotation.beats) >= 2 and len(annotation.downbeats) >= 1
        assert set(annotation.downbeats) <= set(annotation.beats)
        assert annotation.beats[-1] < 2


def test_ids_and_audio_are_those_of_the_genre_task(task: Task, tmp_path: Path) -> None:
    """So that a folder serves both, and predictions can be laid side by side."""
    root = as_folders(tmp_path, "genres", f"{ARCHIVE}/jams")
    genre = load_task("GTZAN")
    others = genre.kind.read_tracks(root, genre.spec, lists)
    tracks = read(task, root)
    assert [(each.id, each.split, each.path) for each in tracks] == [
        (each.id, each.split, each.path) for each in others
    ]
    for name in ("dataset", "split_source", "split_lists", "length_seconds", "hours"):
        assert getattr(task.spec, name) == getattr(genre.spec, name)
    assert load_task("GTZANBeat").spec.sizes == genre.spec.sizes
    assert [each.id for each in task.spec.may_lack] == [each.id for each in genre.spec.may_lack]


def test_the_published_lists_give_930_tracks(tmp_path: Path) -> None:
    files = {split: PUBLISHED / f"gtzan_{split}_filtered.txt" for split in SPLITS}
    if not all(path.is_file() for path in files.values()):
        pytest.skip(f"{PUBLISHED} is not there, so the published lists cannot be read")
    names = [line for path in files.values() for line in path.read_text().split()]
    (tmp_path / "genres").mkdir()
    (tmp_path / ARCHIVE / "jams").mkdir(parents=True)
    for name in names:
        (tmp_path / "genres" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "genres" / name).touch()
        annotation = jams([0.5, 1.0], [0.5])
        (tmp_path / ARCHIVE / "jams" / f"{name.split('/')[1]}.jams").write_text(annotation)
    whole = load_task("GTZANBeat")
    tracks = whole.kind.read_tracks(tmp_path, whole.spec, lambda split: files[split].read_bytes())
    assert Counter(each.split for each in tracks) == whole.spec.sizes
    assert whole.spec.sizes == {"train": 443, "valid": 197, "test": 290}
    assert "reggae/reggae.00086.wav" not in names, "other collections lack its beats"


def test_tracks_without_annotation_are_named_all_at_once(task: Task, tmp_path: Path) -> None:
    root = as_folders(tmp_path, "genres", f"{ARCHIVE}/jams")
    for stem in ("jazz.00003", "pop.00066"):
        (root / ARCHIVE / "jams" / f"{stem}.wav.jams").unlink()
    with pytest.raises(MissingError) as caught:
        read(task, root)
    told = str(caught.value)
    assert "Missing: 2 of 7: jazz.00003.wav.jams, pop.00066.wav.jams. " in told
    assert "data download task=GTZANBeat --dry-run" in told


def test_audio_without_any_annotation_is_told(task: Task, tmp_path: Path) -> None:
    with pytest.raises(MissingError, match=r"must hold the beats of every track.*7 of 7"):
        read(task, write_audio(tmp_path, "genres"))


def test_absent_audio_is_still_a_track(task: Task, tmp_path: Path) -> None:
    root = as_folders(tmp_path, "genres", f"{ARCHIVE}/jams")
    (root / "genres" / "jazz" / "jazz.00003.wav").unlink()
    absent = [each for each in read(task, root) if not each.path.exists()]
    assert [each.id for each in absent] == ["jazz/jazz.00003"]
    assert absent[0].label == label_of("jazz/jazz.00003")


def test_bad_annotations_are_named_all_at_once(task: Task, tmp_path: Path) -> None:
    root = as_folders(tmp_path, "genres", f"{ARCHIVE}/jams")
    (root / ARCHIVE / "jams" / "jazz.00003.wav.jams").write_text("{")
    (root / ARCHIVE / "jams" / "pop.00066.wav.jams").write_text(jams([1.0, 1.0], [1.0]))
    with pytest.raises(ValidationError) as caught:
        read(task, root)
    told = str(caught.value)
    assert "jazz/jazz.00003: " in told and "pop/pop.00066: " in told
    assert "jazz.00003.wav.jams" in told and "pop.00066.wav.jams" in told
    assert "blues.00029" not in told


def test_a_row_without_beats_is_refused_with_its_line(task: Task, tmp_path: Path) -> None:
    root = as_rows(tmp_path, "genres/")
    path = root / "GTZANBeatTracking.val.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    rows[1]["label"] = "reggae"
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    with pytest.raises(ValidationError, match=r"GTZANBeatTracking\.val\.jsonl, line 2: 'label'"):
        read(task, root)


@pytest.mark.parametrize("kind", ["nowhere", "an empty folder", "annotations alone"])
def test_a_wrong_root_is_told(task: Task, tmp_path: Path, kind: str) -> None:
    root = tmp_path / "root"
    if kind == "an empty folder":
        root.mkdir()
    if kind == "annotations alone":
        write_jams(root, f"{ARCHIVE}/jams")
    with pytest.raises(MissingError) as caught:
        read(task, root)
    assert str(caught.value).startswith(f"{root}: must ")
    assert "download task=GTZANBeat" in str(caught.value)


def test_the_protocols_say_what_the_shipped_configs_say() -> None:
    rules = load_task("GTZANBT").spec.protocols
    first, second = rules["marble-v1"], rules["marble-v2"]
    assert (first.max_epochs, first.plateau_patience, first.stop_patience) == (100, 6, 20)
    assert (second.max_epochs, second.plateau_patience, second.stop_patience) == (50, 5, 10)
    assert (first.clip_seconds, second.clip_seconds) == (None, 10.0)
    assert (first.learning_rates, second.learning_rates) == (None, (1e-3,))
    assert first.frames is not None and first.frames == second.frames
    assert first.frames.tolerance == 0.07, "MARBLE's code; its paper says 0.02"
    assert first.frames.tempo == (55.0, 215.0) and first.frames.downbeat_tempo == (18.0, 72.0)


def test_a_4_4_bar_at_120_is_in_the_bars_range_and_not_in_the_beats() -> None:
    rules = load_task("GTZANBeatTracking").spec.protocols["marble-v1"].frames
    assert rules is not None
    slowest, fastest = rules.downbeat_tempo
    assert slowest < 120 / 4 < fastest
    assert 120 / 4 < rules.tempo[0]


def test_the_readme_s_published_values_are_those_in_results() -> None:
    with (ROOT / "results" / "published" / "marble_2023.csv").open(encoding="utf-8") as stream:
        rows = [row for row in csv.DictReader(stream) if row["task"] == "GTZANBeat"]
    text = (Path(__file__).parent / "README.md").read_text(encoding="utf-8")
    section = text.split("\n## Published values\n")[1].split("\n## ")[0]
    shown = dict(re.findall(r"^\| ([^|]+?)(?: \(.+\))? \| (\d+\.\d) \|$", section, re.MULTILINE))
    assert shown == {row["encoder"]: row["value"] for row in rows}
    assert {row["metric"] for row in rows} == {load_task("GTZANBeat").spec.main_metric}


def test_a_whole_run_scores_every_metric(
    task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MARBLE_EVAL_HOME", str(tmp_path / "home"))
    root, rng = (
        as_folders(tmp_path / "GTZAN", "genres", f"{ARCHIVE}/jams"),
        np.random.default_rng(0),
    )
    for name in ALL:
        audio = 0.01 * rng.standard_normal(2 * 22050)
        for time in beats_of(name)[0]:
            audio[int(time * 22050) :][:441] += np.hanning(441)
        soundfile.write(root / "genres" / f"{name}.wav", audio, 22050)
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
    assert list(result.metrics)[: len(task.spec.metrics)] == list(task.spec.metrics)
    assert {result.metrics[name].n for name in ("beat_f1", "downbeat_f1")} == {2}
    assert result.task.sizes == {"train": 3, "valid": 2, "test": 2}
    assert any("round the references" in each for each in result.remarks)
