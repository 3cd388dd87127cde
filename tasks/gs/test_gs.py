"""GiantSteps key as people have it on disk: clips and previews, and the published list itself.

The audio is made up, mostly empty files. The few rows of the fixture are of the published
list; all of it is read where a folder of lists lies beside the checkout.
"""

from __future__ import annotations

import gzip
import hashlib
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

import marble_eval
from marble_eval.audio import clip_count
from marble_eval.data.tracks import check_tracks
from marble_eval.errors import MissingError, ValidationError
from marble_eval.probes.examples import examples_of
from marble_eval.registry import Task, load_task
from marble_eval.registry.configuration import load_protocol
from marble_eval.spec import SPLITS, SplitList, Track

HERE = Path(__file__).parent
PUBLISHED = HERE.parents[2] / "shared" / "data" / "splits"
LIST = HERE / "fixture" / "lists" / "metadata"
CLIPS = {"train": 3687, "valid": 942, "test": 2406}
SONGS = {"train": 923, "valid": 236, "test": 604}
#: Sharps as the annotations have them, and flats as the task has them.
FLATS = {"C#": "Db", "D#": "Eb", "F#": "Gb", "G#": "Ab", "A#": "Bb"}

Rows = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def task() -> Task:
    return load_task("GS")


@pytest.fixture(scope="module")
def published() -> Rows:
    path = PUBLISHED / "jukemir_giantsteps_clips.json.gz"
    if not path.is_file():
        pytest.skip(f"{path} is not there: only the fixture's rows are read")
    rows: Rows = json.loads(gzip.decompress(path.read_bytes()))
    return rows


def fixture_rows() -> Rows:
    rows: Rows = json.loads(gzip.decompress(LIST.read_bytes()))
    return rows


def songs_of(rows: Rows) -> dict[str, list[str]]:
    songs: dict[str, list[str]] = {}
    for name, row in rows.items():
        songs.setdefault(row["clip"]["audio_uid"], []).append(name)
    return songs


def touch(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


def as_v1(root: Path, rows: Rows, below: str = "giantsteps_clips") -> None:
    folder = root / below
    for name in rows:
        touch(folder / "wav" / f"{name}.wav")
    meta = {name: {"split": row["split"], "y": row["y"]} for name, row in rows.items()}
    (folder / "meta.json").write_text(json.dumps(meta))


def as_v2(root: Path, rows: Rows, prefix: str = "data/GS/giantsteps_clips/wav/") -> None:
    as_v1(root, rows)
    write_jsonl(root, list(rows.items()), prefix)


def write_jsonl(
    root: Path, rows: list[tuple[str, dict[str, Any]]], prefix: str = "giantsteps_clips/wav/"
) -> None:
    """Write the three files of MARBLE v2, with the fields that they have."""
    for split, file in {"train": "train", "valid": "val", "test": "test"}.items():
        lines = [
            {
                "audio_path": f"{prefix}{name}.wav",
                "ori_uid": row["clip"]["audio_uid"],
                "label": row["y"],
                "duration": 30.0,
                "sample_rate": 44100,
                "num_samples": 1323000,
                "bit_depth": 16,
                "channels": 1,
            }
            for name, row in rows
            if row["split"] == split
        ]
        text = "".join(f"{json.dumps(line)}\n" for line in lines)
        (root / f"GS.{file}.jsonl").write_text(text)


def as_releases(root: Path, rows: Rows) -> None:
    """The two repositories beside each other: numbers padded in one, and plain in the other."""
    for song, names in songs_of(rows).items():
        if rows[names[0]]["split"] == "test":
            touch(root / "giantsteps-key-dataset" / "audio" / f"{song}.LOFI.mp3")
        else:
            touch(root / "giantsteps-mtg-key-dataset" / "audio" / f"{int(song)}.LOFI.mp3")
            touch(root / "giantsteps-mtg-key-dataset" / "md5" / f"{int(song)}.LOFI.md5")


def as_previews(root: Path, rows: Rows, below: str = ".", suffix: str = ".LOFI.mp3") -> None:
    for song in songs_of(rows):
        touch(root / below / f"{song}{suffix}")


CLIP_LAYOUTS: dict[str, Callable[[Path, Rows], None]] = {
    "MARBLE v1": as_v1,
    "MARBLE v1, the folder itself": lambda root, rows: as_v1(root, rows, "."),
    "MARBLE v2": as_v2,
    "MARBLE v2, moved": lambda root, rows: as_v2(root, rows, "../elsewhere/giantsteps_clips/wav/"),
}
SONG_LAYOUTS: dict[str, Callable[[Path, Rows], None]] = {
    "both releases": as_releases,
    "previews in the root": as_previews,
    "previews made wav, deep": lambda root, rows: as_previews(root, rows, "a/b/c", ".wav"),
}
LAYOUTS = CLIP_LAYOUTS | SONG_LAYOUTS


def read(task: Task, root: Path, content: bytes | None = None) -> list[Track]:
    packed = LIST.read_bytes() if content is None else content
    tracks: list[Track] = task.kind.read_tracks(
        root, task.spec, lambda name: {"metadata": packed}[name]
    )
    return tracks


def by_song(tracks: list[Track]) -> dict[str, tuple[str, object, str]]:
    return {each.recording or each.id: (each.split, each.label, each.group) for each in tracks}


def test_the_published_list_has_the_card_s_digest_and_counts(task: Task, published: Rows) -> None:
    wanted = task.spec.split_lists["metadata"]
    packed = (PUBLISHED / "jukemir_giantsteps_clips.json.gz").read_bytes()
    assert hashlib.sha256(packed).hexdigest() == wanted.sha256
    assert Counter(row["split"] for row in published.values()) == CLIPS
    songs = [published[names[0]] for names in songs_of(published).values()]
    assert Counter(row["split"] for row in songs) == SONGS == dict(task.spec.sizes)
    for split in SPLITS:
        counts = Counter(row["y"] for row in songs if row["split"] == split)
        assert tuple(counts[key] for key in task.spec.labels) == task.spec.label_counts[split]
    test = Counter(row["y"] for row in published.values() if row["split"] == "test")
    assert test["F minor"] == 292 and test["Db major"] == 4


def test_songs_for_training_are_those_annotated_with_one_certain_key(published: Rows) -> None:
    path = PUBLISHED / "giantsteps_mtg_annotations.txt"
    if not path.is_file():
        pytest.skip(f"{path} is not there: the songs cannot be held against the annotations")
    certain = {}
    for line in path.read_text().splitlines()[1:]:
        song, key, confidence = (each.strip() for each in line.split("\t"))
        if confidence == "2" and "/" not in key:
            tonic, mode = key.split()
            certain[song.zfill(7)] = f"{FLATS.get(tonic, tonic)} {mode}"
    listed = {
        row["clip"]["audio_uid"]: row["y"] for row in published.values() if row["split"] != "test"
    }
    assert len(listed) == 1159
    assert listed == certain


def test_the_split_follows_the_hash_of_artists_and_no_collaborator_is_astride(
    published: Rows,
) -> None:
    sides: dict[str, set[str]] = {}
    for row in published.values():
        if row["split"] == "test":
            assert "beatport_metadata" not in row["extra"]
            continue
        for artist in row["extra"]["beatport_metadata"]["ARTIST"].split(","):
            sides.setdefault(artist.strip(), set()).add(row["split"])
            number = int(hashlib.sha1(artist.strip().lower().encode()).hexdigest(), 16)
            if number % 116 >= 100:
                assert row["split"] == "valid"
    assert len(sides) > 1000
    assert all(len(splits) == 1 for splits in sides.values())


def test_all_of_the_published_songs_pass_the_card_s_checks(
    task: Task, published: Rows, tmp_path: Path
) -> None:
    packed = (PUBLISHED / "jukemir_giantsteps_clips.json.gz").read_bytes()
    as_releases(tmp_path, published)
    tracks = read(task, tmp_path, packed)
    check_tracks(tracks, task.spec, tmp_path)
    assert len(tracks) == 1763 and all(each.path.is_file() for each in tracks)
    write_jsonl(tmp_path, list(published.items()))  # rows go before what is found
    clips = read(task, tmp_path, packed)
    check_tracks(clips, task.spec, tmp_path)
    assert Counter(each.split for each in clips) == CLIPS
    assert by_song(clips) == by_song(tracks)
    fewer = [each for each in tracks if each.id != "0010089"]
    with pytest.raises(ValidationError, match=r"test must have 604 recordings\. Got 603\."):
        check_tracks(fewer, task.spec, tmp_path)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_gives_the_same_songs(task: Task, tmp_path: Path, layout: str) -> None:
    rows = fixture_rows()
    LAYOUTS[layout](tmp_path, rows)
    tracks = read(task, tmp_path)
    assert by_song(tracks) == {
        row["clip"]["audio_uid"]: (
            row["split"],
            row["y"],
            row["extra"].get("beatport_metadata", {}).get("ARTIST", row["clip"]["audio_uid"]),
        )
        for row in rows.values()
    }
    wanted = rows if layout in CLIP_LAYOUTS else songs_of(rows)
    assert [each.id for each in tracks] == list(wanted)
    assert all(each.path.is_file() for each in tracks)
    sides: dict[str, set[str]] = {}
    for each in tracks:
        sides.setdefault(each.group, set()).add(each.split)
    assert all(len(splits) == 1 for splits in sides.values())


def test_the_fixture_is_a_piece_of_the_published_list(published: Rows) -> None:
    for name, row in fixture_rows().items():
        whole = published[name]
        assert (row["split"], row["y"], row["clip"]) == (
            whole["split"], whole["y"], whole["clip"]
        )  # fmt: skip


def test_rows_that_differ_from_the_published_list_are_all_named(task: Task, tmp_path: Path) -> None:
    rows = list(fixture_rows().items())
    as_v1(tmp_path, dict(rows))
    changed = [(name, json.loads(json.dumps(row))) for name, row in rows]
    changed[0][1]["split"] = "valid"
    changed[1][1]["y"] = "C major"
    changed[2][1]["clip"]["audio_uid"] = "0000001"
    stranger = ("9999999-0", rows[3][1])
    write_jsonl(tmp_path, [*changed[:-1], stranger, rows[4]])
    with pytest.raises(ValidationError) as caught:
        read(task, tmp_path)
    told = str(caught.value)
    assert f"{tmp_path}: 6 rows break a rule" in told
    first = rows[0][1]
    assert (
        f"{rows[0][0]}: split, key and song must be ('train', {first['y']!r}, "
        f"{first['clip']['audio_uid']!r}). Got ('valid'," in told
    )
    assert f"{rows[1][0]}: split, key and song must be" in told and "'C major'" in told
    assert f"{rows[2][0]}: split, key and song must be" in told and "'0000001'" in told
    assert "9999999-0: must be on the published list, and in one row. Got 1 rows." in told
    assert f"{rows[4][0]}: must be on the published list, and in one row. Got 2 rows." in told
    assert f"{rows[-1][0]}: must have a row, like all of the published list." in told


def test_sharps_in_rows_are_the_same_keys(task: Task, tmp_path: Path) -> None:
    rows = fixture_rows()
    sharps = {flat: sharp for sharp, flat in FLATS.items()}
    spelt = json.loads(json.dumps(rows))
    for row in spelt.values():
        tonic, mode = row["y"].split()
        row["y"] = f"{sharps.get(tonic, tonic)} {mode}"
    assert [row["y"] for row in spelt.values()] != [row["y"] for row in rows.values()]
    as_v2(tmp_path, spelt)
    assert [each.label for each in read(task, tmp_path)] == [row["y"] for row in rows.values()]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('{"audio_path": "wav/0005061-0.wav", "ori_uid": "0005061", "label": "H minor"}', "a key"),
        ('{"audio_path": "wav/0005061-0.wav", "label": "C minor"}', "'ori_uid' must be given"),
        ('{"ori_uid": "0005061", "label": "C minor"}', "'audio_path'"),
        ('{"audio_path": ', "must be a JSON object"),
    ],
)
def test_a_bad_row_is_told_with_its_line(task: Task, tmp_path: Path, line: str, told: str) -> None:
    as_v2(tmp_path, fixture_rows())
    with (tmp_path / "GS.val.jsonl").open("a") as stream:
        stream.write(f"{line}\n")
    with pytest.raises(ValidationError, match=r"GS\.val\.jsonl, line 4: ") as caught:
        read(task, tmp_path)
    assert told in str(caught.value)


def test_two_of_three_files_of_rows_are_not_enough(task: Task, tmp_path: Path) -> None:
    as_v2(tmp_path, fixture_rows())
    (tmp_path / "GS.val.jsonl").unlink()
    with pytest.raises(MissingError, match=r"GS\.val\.jsonl: must lie beside"):
        read(task, tmp_path)


@pytest.mark.parametrize("kind", ["nowhere", "a file", "an empty folder", "other music"])
def test_a_wrong_root_is_told_and_no_list_is_fetched_for_an_empty_one(
    task: Task, tmp_path: Path, kind: str
) -> None:
    root, asked = tmp_path / "root", []
    if kind == "a file":
        root.touch()
    elif kind != "nowhere":
        root.mkdir()
    if kind == "other music":
        touch(root / "audio" / "0000017.LOFI.mp3")

    def lists(name: str) -> bytes:
        asked.append(name)
        return LIST.read_bytes()

    with pytest.raises(MissingError) as caught:
        task.kind.read_tracks(root, task.spec, lists)
    assert str(caught.value).startswith(f"{root}: must ")
    assert "task.root" in str(caught.value) and "download task=GS" in str(caught.value)
    assert asked == (["metadata"] if kind == "other music" else [])


@pytest.mark.parametrize("layout", ["MARBLE v1", "both releases"])
def test_a_missing_file_is_still_a_track_where_it_should_be(
    task: Task, tmp_path: Path, layout: str
) -> None:
    LAYOUTS[layout](tmp_path, fixture_rows())
    lost = read(task, tmp_path)[-1]
    lost.path.unlink()
    tracks = read(task, tmp_path)
    assert [each.id for each in tracks if not each.path.exists()] == [lost.id]
    if layout == "MARBLE v1":
        assert tracks[-1].path == lost.path


def test_the_original_is_taken_before_what_was_made_of_it(task: Task, tmp_path: Path) -> None:
    rows = fixture_rows()
    as_previews(tmp_path, rows, "audio")
    as_previews(tmp_path, rows, "audio", ".LOFI.wav")
    assert {each.path.suffix for each in read(task, tmp_path)} == {".mp3"}


def test_clips_are_taken_before_previews(task: Task, tmp_path: Path) -> None:
    rows = fixture_rows()
    as_releases(tmp_path, rows)
    as_v1(tmp_path, rows)
    assert [each.id for each in read(task, tmp_path)] == list(rows)


def test_windows_cut_every_song_into_the_published_clips(task: Task, published: Rows) -> None:
    """Under v1 just as many; under v2, which pads, three previews give one more."""
    protocol = load_protocol("marble-v1")
    first = protocol.windowing(task.spec.protocols["marble-v1"])
    second = protocol.windowing(task.spec.protocols["marble-v2"])
    more = []
    for song, names in songs_of(published).items():
        clips = [published[name]["clip"] for name in names]
        # A header may promise 50 ms more than there is; a short last clip tells the truth.
        short = clips[-1]["clip_duration"] < 30
        seconds = 90 + clips[-1]["clip_duration"] if short else clips[0]["audio_duration"]
        assert clip_count(seconds, first) == len(names)
        if clip_count(seconds, second) != len(names):
            more.append(song)
            assert clip_count(seconds, second) == len(names) + 1
        assert clip_count(clips[-1]["clip_duration"], first) == 1
    assert len(more) == 3
    lengths = {row["clip"]["clip_duration"] for row in published.values()}
    shortest, longest = task.spec.length_seconds
    assert shortest <= min(lengths)
    assert max(row["clip"]["audio_duration"] for row in published.values()) <= longest


@pytest.mark.parametrize("layout", ["MARBLE v2", "both releases"])
def test_a_song_s_clips_are_scored_together_under_its_number(
    task: Task, tmp_path: Path, layout: str
) -> None:
    """Two clips of one song, or one preview of two clips: the same example either way."""
    LAYOUTS[layout](tmp_path, fixture_rows())
    tracks = [each for each in read(task, tmp_path) if each.split == "test"]
    two_clips = np.arange(2.0).reshape(2, 1, 1)
    features = {
        each.id: two_clips[: 1 if each.recording else 2] + int(each.id.endswith("-1"))
        for each in tracks
        if (each.recording or each.id) == "0010089"
    }
    of_song = [each for each in tracks if each.id in features]
    examples = examples_of(
        of_song,
        {name: len(clips) for name, clips in features.items()},
        lambda each: features[each.id],
        task.spec.protocols["marble-v1"].scored,
    )
    assert [each.id for each in examples.items] == ["0010089"]
    assert examples.clips.tolist() == [2]
    assert examples.features[0, :, 0].tolist() == [0.0, 1.0]


@pytest.mark.parametrize("layout", ["MARBLE v1", "both releases"])
def test_a_whole_run_scores_every_song_once(
    task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, layout: str
) -> None:
    monkeypatch.setenv("MARBLE_EVAL_HOME", str(tmp_path / "home"))
    rows, root = fixture_rows(), tmp_path / "GS"
    LAYOUTS[layout](root, rows)
    rng = np.random.default_rng(0)
    for each in read(task, root):
        audio = rng.normal(size=8000).astype(np.float32)
        soundfile.write(each.path, 0.1 * audio, 8000, format="WAV")
    (root / "giantsteps_clips.json.gz").write_bytes(LIST.read_bytes())
    listed = SplitList(
        task.spec.split_lists["metadata"].file, hashlib.sha256(LIST.read_bytes()).hexdigest()
    )
    spec = replace(task.spec, sizes={}, label_counts={}, split_lists={"metadata": listed})
    result = marble_eval.evaluate(
        "mel",
        replace(task, spec=spec),
        root=root,
        protocol=replace(load_protocol("quick"), max_epochs=2),
        seeds=1,
    )
    assert list(result.metrics) == ["weighted_score", "mirex_score", "accuracy"]
    assert {each.n for each in result.metrics.values()} == {3}
    assert result.features.clips == (11 if layout == "MARBLE v1" else 8)
    assert result.metrics["mirex_score"].value >= result.metrics["weighted_score"].value
