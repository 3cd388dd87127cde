"""MTGMood against the published tables of split-0, where a folder of them lies at hand."""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import pytest

from marble_eval.data.splits import published_list
from marble_eval.data.tracks import check_tracks
from marble_eval.errors import ValidationError
from marble_eval.registry import Task, load_task
from marble_eval.spec import SPLITS, Track

PUBLISHED = Path(__file__).parents[3] / "shared" / "data" / "splits"
FILES = {
    split: PUBLISHED / f"autotagging_moodtheme-{name}.tsv"
    for split, name in zip(SPLITS, ("train", "validation", "test"), strict=True)
}


class Line(NamedTuple):
    """A row of a table, taken apart without our reader."""

    artist: str
    path: str
    seconds: float
    tags: list[str]


@pytest.fixture(scope="module")
def task() -> Task:
    return load_task("MTGMood")


@pytest.fixture(scope="module")
def tables() -> dict[str, list[Line]]:
    if not all(path.is_file() for path in FILES.values()):
        pytest.skip(f"the published tables are not in {PUBLISHED}")
    found: dict[str, list[Line]] = {}
    for split, path in FILES.items():
        lines = path.read_bytes().decode("ascii").split("\r\n")
        assert lines.pop() == "" and lines.pop(0).split("\t")[-1] == "TAGS"
        cells = [line.split("\t") for line in lines]
        found[split] = [Line(row[1], row[3], float(row[4]), row[5:]) for row in cells]
    return found


def read_published(task: Task, root: Path) -> list[Track]:
    """Read the published tables as a run does; one file of audio makes the layout."""
    (root / "audio-low" / "48").mkdir(parents=True, exist_ok=True)
    (root / "audio-low" / "48" / "948.low.mp3").touch()
    tracks: list[Track] = task.kind.read_tracks(
        root, task.spec, lambda name: published_list(task.spec, root, PUBLISHED, name)
    )
    return tracks


def test_the_published_tables_have_the_card_s_digests(
    task: Task, tables: dict[str, list[Line]]
) -> None:
    for split, path in FILES.items():
        assert hashlib.sha256(path.read_bytes()).hexdigest() == task.spec.split_lists[split].sha256
        assert Path(task.spec.split_lists[split].file).name == path.name


def test_the_labels_are_in_the_order_of_first_appearance(
    task: Task, tables: dict[str, list[Line]]
) -> None:
    seen: dict[str, None] = {}
    for split in ("train", "valid", "test"):
        for line in tables[split]:
            seen.update(dict.fromkeys(line.tags))
    assert tuple(seen) == task.spec.labels and len(seen) == 56


def test_tracks_and_positives_are_as_counted(task: Task, tables: dict[str, list[Line]]) -> None:
    assert {split: len(lines) for split, lines in tables.items()} == task.spec.sizes
    assert task.spec.sizes == {"train": 9949, "valid": 3802, "test": 4231}
    for split, lines in tables.items():
        counts = Counter(tag for line in lines for tag in line.tags)
        assert tuple(counts[each] for each in task.spec.labels) == task.spec.label_counts[split]
    assert min(task.spec.label_counts["valid"]) == 23
    assert min(task.spec.label_counts["test"]) == 25


def test_hours_and_lengths_are_as_the_tables_say(task: Task, tables: dict[str, list[Line]]) -> None:
    hours = [round(sum(line.seconds for line in tables[split]) / 3600) for split in SPLITS]
    assert hours == [611, 223, 261] and task.spec.hours == sum(hours)
    seconds = [line.seconds for lines in tables.values() for line in lines]
    shortest, longest = task.spec.length_seconds
    assert shortest <= min(seconds) < shortest + 1 and longest - 1 < max(seconds) <= longest


def test_no_artist_is_on_two_sides(tables: dict[str, list[Line]]) -> None:
    artists = {split: {line.artist for line in lines} for split, lines in tables.items()}
    assert {split: len(each) for split, each in artists.items()} == {
        "train": 874, "valid": 307, "test": 327
    }  # fmt: skip
    assert len(set.union(*artists.values())) == 874 + 307 + 327


def test_the_reader_gives_the_published_tracks(
    task: Task, tables: dict[str, list[Line]], tmp_path: Path
) -> None:
    tracks = read_published(task, tmp_path)
    check_tracks(tracks, task.spec, tmp_path)
    assert {each.id: (each.split, each.group, frozenset(each.label)) for each in tracks} == {
        line.path.removesuffix(".mp3"): (split, line.artist, frozenset(line.tags))
        for split, lines in tables.items()
        for line in lines
    }
    targets = task.track_kind.encode(tracks, task.spec)
    assert targets.shape == (17982, 56)
    assert targets.sum() == sum(len(line.tags) for lines in tables.values() for line in lines)


def test_one_track_fewer_is_refused_with_both_numbers(
    task: Task, tables: dict[str, list[Line]], tmp_path: Path
) -> None:
    tracks = read_published(task, tmp_path)
    lost = next(each for each in tracks if each.split == "test")
    with pytest.raises(ValidationError) as caught:
        check_tracks([each for each in tracks if each is not lost], task.spec, tmp_path)
    told = str(caught.value)
    assert "test must have 4231 tracks. Got 4230." in told and f"{lost.label[0]!r}" in told
