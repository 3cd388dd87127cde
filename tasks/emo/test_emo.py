"""EmoMusic as people have it on disk: MARBLE's copies, the archive, and the published list itself.

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
from marble_eval.registry import Task, load_task
from marble_eval.registry.configuration import load_protocol
from marble_eval.spec import SplitList, Track

HERE = Path(__file__).parent
PUBLISHED = HERE.parents[2] / "shared" / "data" / "splits"
LIST = HERE / "fixture" / "lists" / "metadata"
SIZES = {"train": 504, "valid": 115, "test": 125}
#: Of the README and of MARBLE's protocol: mean and deviation of arousal, then of valence.
AROUSAL, VALENCE = (4.756063, 1.386010), (4.973865, 1.254618)

Rows = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def task() -> Task:
    return load_task("EMO")


@pytest.fixture(scope="module")
def published() -> Rows:
    path = PUBLISHED / "jukemir_emomusic.json.gz"
    if not path.is_file():
        pytest.skip(f"{path} is not there: only the fixture's rows are read")
    rows: Rows = json.loads(gzip.decompress(path.read_bytes()))
    return rows


def fixture_rows() -> Rows:
    rows: Rows = json.loads(gzip.decompress(LIST.read_bytes()))
    return rows


def ratings(row: dict[str, Any]) -> tuple[float, float]:
    """Return what listeners said, as the data set's own table has it."""
    rated = row["extra"]["static_annotations"]
    return float(rated["mean_arousal"]), float(rated["mean_valence"])


def touch(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


def as_v1(root: Path, rows: Rows, below: str = "emomusic") -> None:
    for name in rows:
        touch(root / below / "wav" / f"{name}.wav")
    (root / below / "meta.json").write_text(json.dumps(rows))


def as_v2(root: Path, rows: Rows, prefix: str = "data/EMO/emomusic/wav/") -> None:
    as_v1(root, rows)
    write_jsonl(root, list(rows.items()), prefix)


def write_jsonl(
    root: Path, rows: list[tuple[str, dict[str, Any]]], prefix: str = "emomusic/wav/"
) -> None:
    """Write the three files of MARBLE v2, with the fields that they have."""
    for split, file in {"train": "train", "valid": "val", "test": "test"}.items():
        lines = [
            {
                "audio_path": f"{prefix}{name}.wav",
                "label": row["y"],
                "duration": 45.01004535147392,
                "sample_rate": 44100,
                "num_samples": 1984943,
                "bit_depth": 16,
                "channels": 1,
            }
            for name, row in rows
            if row["split"] == split
        ]
        text = "".join(f"{json.dumps(line)}\n" for line in lines)
        (root / f"EMO.{file}.jsonl").write_text(text)


def as_archive(root: Path, rows: Rows, below: str) -> None:
    for name in rows:
        touch(root / below / f"{int(name)}.mp3")


LAYOUTS: dict[str, Callable[[Path, Rows], None]] = {
    "MARBLE v1": as_v1,
    "MARBLE v1, the folder itself": lambda root, rows: as_v1(root, rows, "."),
    "MARBLE v2": as_v2,
    "MARBLE v2, moved": lambda root, rows: as_v2(root, rows, "../elsewhere/emomusic/wav/"),
    "the archive": lambda root, rows: as_archive(root, rows, "clips_45seconds"),
    "the archive in its name": lambda root, rows: as_archive(
        root, rows, "clips_45sec/clips_45seconds"
    ),
    "clips_45sec": lambda root, rows: as_archive(root, rows, "clips_45sec"),
    "the archive deeper": lambda root, rows: as_archive(root, rows, "data/clips_45sec"),
    "clips in the root": lambda root, rows: as_archive(root, rows, "."),
}


def read(task: Task, root: Path, content: bytes | None = None) -> list[Track]:
    packed = LIST.read_bytes() if content is None else content
    tracks: list[Track] = task.kind.read_tracks(
        root, task.spec, lambda name: {"metadata": packed}[name]
    )
    return tracks


def test_the_published_list_has_the_card_s_digest_and_sizes(task: Task, published: Rows) -> None:
    packed = (PUBLISHED / "jukemir_emomusic.json.gz").read_bytes()
    assert hashlib.sha256(packed).hexdigest() == task.spec.split_lists["metadata"].sha256
    assert Counter(row["split"] for row in published.values()) == SIZES == dict(task.spec.sizes)
    sets = Counter(
        (row["extra"]["songs_info"]["Mediaeval 2013 set"], row["split"] == "test")
        for row in published.values()
    )
    assert sets == {("development", False): 619, ("evaluation", True): 125}


def test_marble_s_labels_are_standardised_by_the_development_set(
    task: Task, published: Rows
) -> None:
    rated = np.array([ratings(row) for row in published.values()])
    standard = np.array([row["y"] for row in published.values()])
    developed = np.array([row["split"] != "test" for row in published.values()])
    mean, deviation = rated[developed].mean(axis=0), rated[developed].std(axis=0)
    assert mean.tolist() == pytest.approx([AROUSAL[0], VALENCE[0]], abs=6e-7)
    assert deviation.tolist() == pytest.approx([AROUSAL[1], VALENCE[1]], abs=6e-7)
    np.testing.assert_allclose((rated - mean) / deviation, standard, atol=1e-12)
    turned_back = standard * [AROUSAL[1], VALENCE[1]] + [AROUSAL[0], VALENCE[0]]
    np.testing.assert_allclose(turned_back, rated, atol=2e-6)


def test_the_split_follows_the_hash_of_the_artist(published: Rows) -> None:
    for row in published.values():
        artist = row["extra"]["songs_info"]["Artist"].lower()
        plain = "".join(c for c in artist if c.isascii() and (c.isalpha() or c.isspace()))
        number = int(hashlib.sha1(" ".join(plain.split()).encode()).hexdigest(), 16)
        if row["split"] != "test":
            assert row["split"] == ("train" if number % 10 < 8 else "valid")


def test_the_official_sets_share_artists_as_the_readme_says(published: Rows) -> None:
    sides: dict[str, list[str]] = {}
    for row in published.values():
        sides.setdefault(row["extra"]["songs_info"]["Artist"], []).append(row["split"])
    tested = {artist: splits for artist, splits in sides.items() if "test" in splits}
    shared = {artist: splits for artist, splits in tested.items() if set(splits) != {"test"}}
    assert (len(tested), len(shared)) == (112, 52)
    assert sum(splits.count("test") for splits in shared.values()) == 65
    assert not [splits for splits in sides.values() if {"train", "valid"} <= set(splits)]


def test_all_of_the_published_songs_pass_the_card_s_checks(
    task: Task, published: Rows, tmp_path: Path
) -> None:
    as_archive(tmp_path, published, "clips_45sec")
    tracks = read(task, tmp_path, (PUBLISHED / "jukemir_emomusic.json.gz").read_bytes())
    check_tracks(tracks, task.spec, tmp_path)
    assert [each.label for each in tracks] == [ratings(row) for row in published.values()]
    assert len({each.group for each in tracks if each.split == "test"}) == 112
    with pytest.raises(ValidationError, match=r"test must have 125 tracks\. Got 124\."):
        check_tracks([each for each in tracks if each.id != "0003"], task.spec, tmp_path)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_gives_the_same_tracks(task: Task, tmp_path: Path, layout: str) -> None:
    rows = fixture_rows()
    LAYOUTS[layout](tmp_path, rows)
    tracks = read(task, tmp_path)
    assert [(each.id, each.split, each.label) for each in tracks] == [
        (name, row["split"], ratings(row)) for name, row in rows.items()
    ]
    assert all(each.path.is_file() and int(each.path.stem) == int(each.id) for each in tracks)
    sides: dict[str, set[str]] = {}
    for each in tracks:
        sides.setdefault(each.group, set()).add(each.split)
    assert all(len(splits) == 1 for splits in sides.values())
    assert tracks[0].group == "The New Mystikal Troubadours (development)"


def test_the_fixture_is_a_piece_of_the_published_list(published: Rows) -> None:
    for name, row in fixture_rows().items():
        assert (row["split"], row["y"]) == (published[name]["split"], published[name]["y"])
        assert ratings(row) == ratings(published[name])


def test_the_row_that_marble_shows_is_turned_back_by_hand(task: Task, tmp_path: Path) -> None:
    """4.756063 - 0.256898 * 1.386010 = 4.4; 4.973865 + 0.259948 * 1.254618 = 5.3."""
    as_v2(tmp_path, fixture_rows())
    labels = {each.id: each.label for each in read(task, tmp_path)}
    assert fixture_rows()["0005"]["y"] == [-0.2568980419200396, 0.25994786922319774]
    assert labels["0005"] == (4.4, 5.3)


def test_whole_songs_under_the_same_numbers_are_left_alone(task: Task, tmp_path: Path) -> None:
    rows = fixture_rows()
    as_archive(tmp_path, rows, "clips_45seconds")
    as_archive(tmp_path, rows, "songs")
    as_archive(tmp_path, rows, ".")
    assert {each.path.parent.name for each in read(task, tmp_path)} == {"clips_45seconds"}


def test_rows_that_differ_from_the_published_list_are_all_named(task: Task, tmp_path: Path) -> None:
    rows = list(fixture_rows().items())
    as_v1(tmp_path, dict(rows))
    changed = [(name, json.loads(json.dumps(row))) for name, row in rows]
    assert [name for name, _ in rows[:3]] == ["0002", "0003", "0005"]
    changed[0][1]["split"] = "train"
    changed[1][1]["y"].reverse()
    changed[2][1]["y"][0] += 0.01  # 0.014 points
    write_jsonl(tmp_path, [*changed[:-1], ("1001", rows[3][1]), rows[4]])
    with pytest.raises(ValidationError) as caught:
        read(task, tmp_path)
    told = str(caught.value)
    assert f"{tmp_path}: 6 rows break a rule" in told
    wanted = "split, arousal and valence must be"
    assert f"0002: {wanted} valid, 3.10, 3.00. Got train, 3.10, 3.00." in told
    assert f"0003: {wanted} test, 3.50, 3.30. Got test, 2.91, 3.84." in told
    assert f"0005: {wanted} train, 4.40, 5.30. Got train, 4.41, 5.30." in told
    assert "1001: must be on the published list, and in one row. Got 1 rows." in told
    assert f"{rows[4][0]}: must be on the published list, and in one row. Got 2 rows." in told
    assert f"{rows[-1][0]}: must have a row, like all of the published list." in told


@pytest.mark.parametrize(
    ("label", "told"),
    [
        ("[0.1]", "'label' must be 2 numbers, arousal, valence"),
        ('["high", 0.2]', "'arousal' must be a finite number"),
        ("[0.1, NaN]", "'valence' must be a finite number"),
        ("null", "'arousal' must be a finite number"),
    ],
)
def test_a_bad_label_is_told_with_its_line(
    task: Task, tmp_path: Path, label: str, told: str
) -> None:
    as_v2(tmp_path, fixture_rows())
    with (tmp_path / "EMO.test.jsonl").open("a") as stream:
        stream.write(f'{{"audio_path": "emomusic/wav/0005.wav", "label": {label}}}\n')
    with pytest.raises(ValidationError, match=r"EMO\.test\.jsonl, line 4: ") as caught:
        read(task, tmp_path)
    assert told in str(caught.value)


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
        touch(root / "9999.mp3")

    def lists(name: str) -> bytes:
        asked.append(name)
        return LIST.read_bytes()

    with pytest.raises(MissingError) as caught:
        task.kind.read_tracks(root, task.spec, lists)
    assert str(caught.value).startswith(f"{root}: must ")
    assert "task.root" in str(caught.value) and "download task=EMO" in str(caught.value)
    assert asked == (["metadata"] if kind == "other music" else [])


def test_a_missing_clip_is_still_a_track_where_it_should_be(task: Task, tmp_path: Path) -> None:
    as_archive(tmp_path, fixture_rows(), "clips_45seconds")
    lost = tmp_path / "clips_45seconds" / "5.mp3"
    lost.unlink()
    tracks = read(task, tmp_path)
    assert [each.path for each in tracks if not each.path.exists()] == [lost]


@pytest.mark.parametrize("seconds", [44.62, 45.01, 45.04])
def test_a_song_has_six_clips_under_v1_and_three_under_v2(task: Task, seconds: float) -> None:
    first, second = (load_protocol(name) for name in ("marble-v1", "marble-v2"))
    assert clip_count(seconds, first.windowing(task.spec.protocols["marble-v1"])) == 6
    assert clip_count(seconds, second.windowing(task.spec.protocols["marble-v2"])) == 3


def test_every_published_length_is_expected(task: Task, published: Rows) -> None:
    lengths = [row["clip"]["clip_duration"] for row in published.values()]
    shortest, longest = task.spec.length_seconds
    assert shortest <= min(lengths) <= max(lengths) <= longest
    assert task.spec.hours == pytest.approx(sum(lengths) / 3600, abs=0.05)


def test_a_whole_run_scores_both_dimensions(
    task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Loudness stands for arousal, so a probe on `mel` can learn something."""
    monkeypatch.setenv("MARBLE_EVAL_HOME", str(tmp_path / "home"))
    root = tmp_path / "EMO"
    as_v1(root, fixture_rows())
    rng = np.random.default_rng(0)
    for each in read(task, root):
        audio = 0.1 * float(each.label[0]) * rng.uniform(-1, 1, 16000)
        soundfile.write(each.path, audio, 8000)
    (root / "emomusic.json.gz").write_bytes(LIST.read_bytes())
    listed = SplitList(
        task.spec.split_lists["metadata"].file, hashlib.sha256(LIST.read_bytes()).hexdigest()
    )
    spec = replace(task.spec, sizes={}, split_lists={"metadata": listed})
    result = marble_eval.evaluate(
        "mel",
        replace(task, spec=spec),
        root=root,
        protocol=replace(load_protocol("quick"), max_epochs=3),
        seeds=1,
    )
    scores = {name: each.value for name, each in result.metrics.items()}
    assert list(scores) == ["r2", "r2_arousal", "r2_valence"]
    assert scores["r2"] == pytest.approx((scores["r2_arousal"] + scores["r2_valence"]) / 2)
    assert {each.n for each in result.metrics.values()} == {3}
