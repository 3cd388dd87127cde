"""The MTG-Jamendo reader and its four cards: every kind of copy, the tables, one cache for all.

The tracks are those of the cards' fixtures, rows of the real split-0; the published mood
tables are read too where a folder of them lies beside the checkout.
"""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import json
import re
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from marble_eval import evaluate
from marble_eval.audio import clip_bounds
from marble_eval.data.layouts.jamendo import Row, rows_of
from marble_eval.data.tracks import check_tracks
from marble_eval.errors import MissingError, ValidationError
from marble_eval.registry import Task, load_task
from marble_eval.registry.configuration import load_protocol
from marble_eval.spec import SPLITS, SplitList, Track

ROOT = Path(__file__).parents[3]
TASKS = ("MTGGenre", "MTGInstrument", "MTGMood", "MTGTop50")
FILES = {"train": "train", "valid": "val", "test": "test"}
HEAD = "TRACK_ID\tARTIST_ID\tALBUM_ID\tPATH\tDURATION\tTAGS"


@cache
def card(name: str) -> Task:
    return load_task(name)


@pytest.fixture(params=TASKS)
def task(request: pytest.FixtureRequest) -> Task:
    """One of the four, without the numbers that a fixture does not have."""
    return without_numbers(card(request.param))


def without_numbers(task: Task) -> Task:
    return dataclasses.replace(task, spec=dataclasses.replace(task.spec, sizes={}, label_counts={}))


def fixture_list(task: Task) -> Callable[[str], bytes]:
    return lambda name: (task.folder / "fixture" / "lists" / name).read_bytes()


def table(task: Task, split: str) -> list[list[str]]:
    """Return the cells of a table's rows, by another reader than ours."""
    text = fixture_list(task)(split).decode()
    return list(csv.reader(text.splitlines(), delimiter="\t"))[1:]


def names(task: Task) -> list[str]:
    return [row[3].removesuffix(".mp3") for split in SPLITS for row in table(task, split)]


def copy(task: Task, folder: Path, ending: str) -> None:
    for name in names(task):
        path = folder / f"{name}.{ending}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def read(task: Task, root: Path) -> list[Track]:
    """Read and check the tracks, as a run does."""
    tracks: list[Track] = task.kind.read_tracks(root, task.spec, fixture_list(task))
    check_tracks(tracks, task.spec, root)
    return tracks


def write_lists(task: Task, root: Path, pattern: str = "data/MTG/audio/{}.low.flac") -> None:
    """Write MARBLE v2's files, with the fields that they have and tags in an order of their own."""
    for split, name in FILES.items():
        rows = [
            {
                "audio_path": pattern.format(path.removesuffix(".mp3")),
                "label": tags[::-1],
                "duration": float(seconds),
                "sample_rate": 44100,
                "num_samples": round(float(seconds) * 44100),
                "bit_depth": 16,
                "channels": 1,
            }
            for _, _, _, path, seconds, *tags in table(task, split)
        ]
        text = "".join(f"{json.dumps(row)}\n" for row in rows)
        (root / f"{task.spec.name}.{name}.jsonl").write_text(text, encoding="utf-8")


def as_version_2(task: Task, root: Path) -> None:
    copy(task, root / "audio", "low.flac")
    write_lists(task, root)


def as_version_2_with_mp3(task: Task, root: Path) -> None:
    copy(task, root / "audio-low", "low.mp3")
    write_lists(task, root, "data/MTG/audio-low/{}.low.mp3")


def audio_in(folder: str, ending: str) -> Callable[[Task, Path], None]:
    return lambda task, root: copy(task, root / folder, ending)


def as_both_endings(task: Task, root: Path) -> None:
    copy(task, root / "audio-low", "low.mp3")
    for path in sorted((root / "audio-low").rglob("*.mp3"))[::2]:
        path.rename(path.with_suffix(".flac"))


LAYOUTS: dict[str, Callable[[Task, Path], None]] = {
    "MARBLE v1": audio_in("audio-low", "low.mp3"),
    "MARBLE v2": as_version_2,
    "MARBLE v2, mp3": as_version_2_with_mp3,
    "the publisher's folders": audio_in("raw_30s/audio-low", "low.mp3"),
    "low quality in the root": audio_in(".", "low.mp3"),
    "MARBLE v2's audio without its lists": audio_in("audio", "low.flac"),
    "flac and mp3": as_both_endings,
    "full quality": audio_in("audio", "mp3"),
    "full quality in the publisher's folders": audio_in("raw_30s/audio", "mp3"),
    "full quality in the root": audio_in(".", "mp3"),
    "full quality as flac": audio_in(".", "flac"),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_gives_the_same_tracks(task: Task, tmp_path: Path, layout: str) -> None:
    root = tmp_path / "MTG"
    LAYOUTS[layout](task, root)
    tracks = read(task, root)
    expected = {
        path.removesuffix(".mp3"): (split, artist, set(tags))
        for split in SPLITS
        for _, artist, _, path, _, *tags in table(task, split)
    }
    assert {each.id: (each.split, each.group, set(each.label)) for each in tracks} == expected
    order = task.spec.labels
    assert all(list(each.label) == sorted(each.label, key=order.index) for each in tracks)
    assert all(each.path.is_file() and each.recording == "" for each in tracks)
    assert all(each.path.name.split(".")[0] == each.id[3:] for each in tracks)


def test_the_subset_of_moods_may_lie_in_the_publisher_s_folders(tmp_path: Path) -> None:
    task = without_numbers(card("MTGMood"))
    for quality, ending in (("audio-low", "low.mp3"), ("audio", "mp3")):
        root = tmp_path / quality
        copy(task, root / "autotagging_moodtheme" / quality, ending)
        assert len(read(task, root)) == 9


def test_low_and_full_quality_are_never_mixed(task: Task, tmp_path: Path) -> None:
    """A missing low file is missing though the full one is there, whose features would differ."""
    copy(task, tmp_path / "audio", "mp3")
    copy(task, tmp_path / "audio-low", "low.mp3")
    gone = tmp_path / "audio-low" / f"{names(task)[0]}.low.mp3"
    gone.unlink()
    tracks = read(task, tmp_path)
    assert {each.path for each in tracks if not each.path.exists()} == {gone}
    assert all(each.path.name.endswith(".low.mp3") for each in tracks)


def test_lists_whose_audio_is_elsewhere_give_way_to_the_audio(task: Task, tmp_path: Path) -> None:
    write_lists(task, tmp_path)
    copy(task, tmp_path / "audio-low", "low.mp3")
    assert {each.path.suffix for each in read(task, tmp_path)} == {".mp3"}


@pytest.mark.parametrize("kind", ["empty", "others", "one folder too deep", "lists alone"])
def test_without_audio_the_tables_are_not_asked_for(task: Task, tmp_path: Path, kind: str) -> None:
    def lists(name: str) -> bytes:
        raise AssertionError("a table was asked for")

    root = tmp_path
    if kind == "others":
        (root / "audio-low").mkdir()
        (root / "audio-low" / "jazz.low.mp3").touch()
        (root / "12").mkdir()
        (root / "12" / "notes.txt").touch()
    if kind == "one folder too deep":
        copy(task, tmp_path / "audio-low", "low.mp3")
        root = next((tmp_path / "audio-low").iterdir())
    if kind == "lists alone":
        write_lists(task, root)
    with pytest.raises(MissingError) as caught:
        task.kind.read_tracks(root, task.spec, lists)
    told = str(caught.value)
    assert f"must hold {task.spec.name} in a known layout" in told and "task.root" in told
    assert "audio-low/{id}.{extension}" in told and "raw_30s/audio" in told


def test_audio_of_no_track_of_the_task_is_no_layout(task: Task, tmp_path: Path) -> None:
    (tmp_path / "audio-low" / "99").mkdir(parents=True)
    (tmp_path / "audio-low" / "99" / "199.low.mp3").touch()
    with pytest.raises(MissingError, match="found none of them"):
        read(task, tmp_path)


# --- bad rows ---


def test_a_table_is_read_as_published() -> None:
    """Rows of split-0; tags end the row, as many as there are."""
    text = (
        f"{HEAD}\r\n"
        "track_0938389\tartist_375935\talbum_110170\t89/938389.mp3\t180.0\t"
        "mood/theme---commercial\tmood/theme---emotional\r\n"
        "track_0000948\tartist_000087\talbum_000149\t48/948.mp3\t212.7\tmood/theme---background\r\n"
    )
    assert rows_of(text.encode(), Path("table.tsv")) == (
        Row("89/938389", "artist_375935", ("mood/theme---commercial", "mood/theme---emotional")),
        Row("48/948", "artist_000087", ("mood/theme---background",)),
    )


def test_bad_rows_of_a_table_are_all_named() -> None:
    whole = "track_1\tartist_1\talbum_1\t01/1.mp3\t31.0\tgenre---rock"
    lines = [
        HEAD,
        whole,
        whole.replace("\tgenre---rock", ""),
        whole.replace("01/1.mp3", ""),
        whole.replace("artist_1", ""),
        "track_1",
        whole,
    ]
    with pytest.raises(ValidationError) as caught:
        rows_of("\r\n".join(lines).encode(), Path("table.tsv"))
    told = str(caught.value)
    assert told.startswith("table.tsv: 4 rows break a rule")
    assert re.findall(r"line (\d): must have an artist, a path and a tag", told) == list("3456")


@pytest.mark.parametrize("head", ["", HEAD.replace("\t", ","), HEAD.replace("ARTIST_ID", "ID")])
def test_a_table_with_other_columns_is_refused(head: str) -> None:
    with pytest.raises(ValidationError, match=r"table\.tsv, line 1: must be TRACK_ID, ARTIST_ID"):
        rows_of(f"{head}\nx\n".encode(), Path("table.tsv"))


def test_an_unknown_tag_is_a_fault_in_lists_and_tables(task: Task, tmp_path: Path) -> None:
    as_version_2(task, tmp_path)
    known = str(table(task, "test")[0][5])
    path = tmp_path / f"{task.spec.name}.test.jsonl"
    path.write_text(path.read_text().replace(f'"{known}"', f'"{known}x"'))
    with pytest.raises(ValidationError, match=rf"unknown label '{known}x'.*Did you mean '{known}'"):
        read(task, tmp_path)
    path.unlink()
    for name in FILES.values():
        (tmp_path / f"{task.spec.name}.{name}.jsonl").unlink(missing_ok=True)
    tables = {split: fixture_list(task)(split).replace(b"---", b"--") for split in SPLITS}
    with pytest.raises(ValidationError, match="unknown label"):
        check_tracks(
            task.kind.read_tracks(tmp_path, task.spec, tables.__getitem__), task.spec, tmp_path
        )


def test_a_listed_track_that_no_table_has_is_refused(task: Task, tmp_path: Path) -> None:
    as_version_2(task, tmp_path)
    path = tmp_path / f"{task.spec.name}.val.jsonl"
    first, rest = path.read_text().split("\n", 1)
    name = json.loads(first)["audio_path"]
    path.write_text(first.replace(name, "data/MTG/audio/99/199.low.flac") + "\n" + rest)
    with pytest.raises(ValidationError, match=r"valid names '99/199', which is in no published"):
        read(task, tmp_path)


def test_an_artist_on_two_sides_is_refused(task: Task, tmp_path: Path) -> None:
    """MARBLE v2's lists name no artist; a track moved to another side is found by the tables."""
    as_version_2(task, tmp_path)
    artist = table(task, "train")[0][1].encode()
    other = table(task, "test")[0][1].encode()
    lists = fixture_list(task)
    tables = {split: lists(split).replace(other, artist) for split in SPLITS}
    with pytest.raises(
        ValidationError, match=rf"a group must stay in .*astride: {artist.decode()}"
    ):
        check_tracks(
            task.kind.read_tracks(tmp_path, task.spec, tables.__getitem__), task.spec, tmp_path
        )


def test_a_part_of_the_lists_is_refused(task: Task, tmp_path: Path) -> None:
    as_version_2(task, tmp_path)
    (tmp_path / f"{task.spec.name}.val.jsonl").unlink()
    with pytest.raises(MissingError, match=r"\.val\.jsonl: must lie beside the other splits'"):
        read(task, tmp_path)


# --- one audio, one cache ---


def runnable(task: Task, folder: Path) -> Task:
    """Put the fixture's tables where published ones are found, under their names and digests."""
    folder.mkdir(exist_ok=True)
    digests = {}
    for split, published in task.spec.split_lists.items():
        content = fixture_list(task)(split)
        (folder / Path(published.file).name).write_bytes(content)
        digests[split] = SplitList(published.file, hashlib.sha256(content).hexdigest())
    return dataclasses.replace(task, spec=dataclasses.replace(task.spec, split_lists=digests))


def test_tasks_on_the_same_audio_encode_it_once(tmp_path: Path) -> None:
    """Genre has 12 of the 13 tracks of top-50; the thirteenth has an instrument alone."""
    root, rng = tmp_path / "MTG", np.random.default_rng(0)
    both = {name: without_numbers(card(name)) for name in ("MTGGenre", "MTGTop50")}
    for at, name in enumerate(names(both["MTGTop50"])):
        path = root / "audio-low" / f"{name}.low.mp3"
        path.parent.mkdir(parents=True, exist_ok=True)
        time = np.arange(6000) / 16000
        tone = np.sin(2 * np.pi * (150 + 40 * at) * time) + 0.01 * rng.standard_normal(6000)
        soundfile.write(path, 0.3 * tone, 16000, format="MP3")
    results = {}
    for name, of_both in both.items():
        made = runnable(of_both, tmp_path / "tables")
        results[name] = evaluate(
            "mel", made, root=root, splits=tmp_path / "tables", protocol="quick"
        )
    assert results["MTGGenre"].cost.clips_encoded == 12
    assert results["MTGTop50"].cost.clips_encoded == 1
    for name, result in results.items():
        assert result.counts.scored == 4 and set(result.metrics) == {"roc_auc", "average_precision"}
        assert [each.name for each in result.labels] == list(both[name].spec.labels)


# --- the cards ---


def clips_of(task: Task, protocol: str, seconds: float) -> list[tuple[float, float]]:
    rules = load_protocol(protocol)
    bounds = clip_bounds(
        round(seconds * 1000), 1000, rules.windowing(task.spec.protocols[protocol])
    )
    return [(each.start / 1000, each.length / 1000) for each in bounds]


def test_windows_are_those_of_the_two_codes(task: Task) -> None:
    assert clips_of(task, "marble-v1", 70.5) == [(0, 30), (30, 30), (60, 10.5)]
    assert clips_of(task, "marble-v1", 60.9) == [(0, 30), (30, 30)]
    assert clips_of(task, "marble-v2", 84.0) == [(0, 30), (30, 30), (60, 30)]
    assert clips_of(task, "marble-v2", 83.9) == [(0, 30), (30, 30)]
    assert clips_of(task, "marble-v2", 20.0) == [(0, 30)]


def test_training_follows_the_shipped_configs(task: Task) -> None:
    first, second = (task.spec.protocols[each] for each in ("marble-v1", "marble-v2"))
    for each in (first, second):
        assert (each.plateau_patience, each.stop_patience, each.plateau_factor) == (3, 10, 0.5)
        assert (each.aggregation, each.scored) == ("mean-logits", "track")
    assert (first.max_epochs, first.learning_rates, first.batch_of) == (100, None, "tracks")
    assert (second.max_epochs, second.learning_rates, second.batch_of) == (20, (1e-3,), "clips")


def test_the_four_share_their_folder_and_the_commit_of_their_tables() -> None:
    specs = [card(name).spec for name in TASKS]
    assert {each.dataset for each in specs} == {"MTG"}
    assert len({each.split_source for each in specs}) == 1
    digests = {one.sha256 for each in specs for one in each.split_lists.values()}
    assert len(digests) == 12
    for spec, subset in zip(specs, ("genre", "instrument", "moodtheme", "top50tags"), strict=True):
        assert [Path(each.file).name for each in spec.split_lists.values()] == [
            f"autotagging_{subset}-{split}.tsv" for split in ("train", "validation", "test")
        ]


#: Counted in the published tables: tracks of each split, and their tags.
FACTS = {
    "MTGGenre": ((32572, 11043, 11479), 87, "genre---rock", "genre---90s"),
    "MTGInstrument": ((14395, 5466, 5115), 40, "instrument---voice", "instrument---pad"),
    "MTGMood": ((9949, 3802, 4231), 56, "mood/theme---background", "mood/theme---trailer"),
    "MTGTop50": ((32136, 10888, 11356), 50, "genre---rock", "genre---atmospheric"),
}


@pytest.mark.parametrize("name", TASKS)
def test_sizes_and_tags_are_those_counted(name: str) -> None:
    spec = card(name).spec
    sizes, tags, first, last = FACTS[name]
    assert spec.sizes == dict(zip(SPLITS, sizes, strict=True))
    assert (len(spec.labels), spec.labels[0], spec.labels[-1]) == (tags, first, last)


def section(task: Task, heading: str) -> str:
    text = (task.folder / "README.md").read_text(encoding="utf-8")
    return text.split(f"\n## {heading}\n")[1].split("\n## ")[0]


def test_the_readme_s_tags_are_the_card_s_in_order(task: Task) -> None:
    lines = re.findall(r"^    (.+)$", section(task, "Tags, in order"), re.MULTILINE)
    assert " ".join(lines) == ", ".join(f"{at} {each}" for at, each in enumerate(task.spec.labels))


def test_the_readme_s_published_scores_are_those_in_results(task: Task) -> None:
    with (ROOT / "results" / "published" / "marble_2023.csv").open(encoding="utf-8") as stream:
        rows = [row for row in csv.DictReader(stream) if row["task"] == task.spec.name]
    stored: dict[str, dict[str, str]] = {}
    for row in rows:
        stored.setdefault(row["encoder"], {})[row["metric"]] = row["value"]
    lines = [each for each in section(task, "Published scores").splitlines() if each[:1] == "|"]
    shown: list[Any] = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]
    assert stored == {
        name.split(" (")[0]: {"roc_auc": area, "average_precision": precision}
        for name, area, precision in shown
    }
    assert len(stored) == 10


def test_a_copied_fixture_has_the_layout_of_marble_v1(task: Task, tmp_path: Path) -> None:
    root = Path(shutil.copytree(task.folder / "fixture" / "data", tmp_path / "MTG"))
    tracks = read(task, root)
    assert sorted(each.id for each in tracks) == sorted(names(task))
    assert {each.path for each in tracks} == {each for each in root.rglob("*") if each.is_file()}
