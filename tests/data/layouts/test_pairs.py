"""Audio with an annotation file for each track, in the folders that people have."""

from __future__ import annotations

import csv
import os
import unicodedata
from collections import Counter
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from marble_eval.data.annotations.beat_files import beats_text, read_beats
from marble_eval.data.layouts import Reading, read_layouts
from marble_eval.errors import MarbleError, MissingError, ValidationError
from marble_eval.kinds.beat import KIND as beat
from marble_eval.spec import Layout, TaskSpec, Track
from tests.data.layouts.conftest import no_lists, touch

PAIRS = Layout(form="pairs", path="{stem}.beats", extensions=("wav", "flac"))
BEATS = "0.53 1\n0.819 2\n1.103 1\n"


def of(root: Path, layout: Layout = PAIRS, **card: Any) -> Reading:
    """Return a reading whose labels are the beats themselves, and what the kind was given."""

    def label_of(row: Mapping[str, Any], field: str, spec: TaskSpec) -> str:
        assert not Path(row["path"]).is_absolute()
        return beats_text(read_beats(root / row[field]))

    return Reading(
        root, TaskSpec(name="Mine", kind="beat", data=(layout,), **card), no_lists, label_of
    )


def write(root: Path, *names: str, text: str = BEATS) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def fill(root: Path, count: int = 10, folder: str = "") -> list[str]:
    """Write some whole pairs, so that there is enough to be divided."""
    names = [f"{folder}t{number:02d}" for number in range(count)]
    touch(root, *(f"{name}.wav" for name in names))
    write(root, *(f"{name}.beats" for name in names))
    return names


def refusal(reading: Reading, error: type[MarbleError] = ValidationError) -> str:
    with pytest.raises(error) as caught:
        read_layouts(reading)
    return str(caught.value)


def told(root: Path, **options: Any) -> list[str]:
    """Return what is said of each file."""
    first, *lines = refusal(of(root, **options)).split("\n  ")
    if not lines:
        return [first.removeprefix(f"{root}: ")]
    assert first == f"{root}: {len(lines)} files break a rule:"
    return lines


# --- what is read ---


def test_annotations_may_lie_beside_their_audio(tmp_path: Path) -> None:
    names = fill(tmp_path, 6) + fill(tmp_path, 6, "live/Köln 1975/")
    tracks = read_layouts(of(tmp_path))
    assert [each.id for each in tracks] == sorted(names)
    assert tracks[0] == Track(
        id="live/Köln 1975/t00",
        path=tmp_path / "live/Köln 1975/t00.wav",
        split=tracks[0].split,
        label='{"beats":[0.53,0.819,1.103],"downbeats":[0.53,1.103]}',
        group="live/Köln 1975/t00",
    )


def test_annotations_may_lie_in_a_folder_of_their_own_as_ballroom_s_do(tmp_path: Path) -> None:
    names = [f"Albums-Latin_Jam-{number:02d}" for number in range(12)]
    touch(
        tmp_path,
        *(
            f"BallroomData/{'Waltz' if at % 2 else 'Jive'}/{each}.wav"
            for at, each in enumerate(names)
        ),
    )
    write(tmp_path, *(f"BallroomAnnotations-master/{each}.beats" for each in names))
    write(tmp_path, "BallroomAnnotations-master/README.md", "BallroomData/allBallroomFiles")
    layout = Layout(form="pairs", folder="BallroomData", path="{stem}.beats", extensions=("wav",))
    tracks = read_layouts(of(tmp_path, layout))
    assert len(tracks) == 12
    assert tracks[0].id == "Jive/Albums-Latin_Jam-00"
    assert (tmp_path / "Mine.split.csv").is_file()


def test_the_kind_of_beats_reads_them(tmp_path: Path) -> None:
    fill(tmp_path / "müsik sammlung")
    spec = TaskSpec(name="Mine", kind="beat", data=(PAIRS,))
    tracks = beat.read_tracks(tmp_path, spec, no_lists)
    assert {each.label for each in tracks} == {
        '{"beats":[0.53,0.819,1.103],"downbeats":[0.53,1.103]}'
    }
    write(tmp_path, "müsik sammlung/t04.beats", text="0.53 1\n0,8 2\n")
    reading = Reading(tmp_path, spec, no_lists, partial(beat.label_of, root=tmp_path))
    said = refusal(reading)
    assert said.startswith(f"{tmp_path}: müsik sammlung/t04.wav: ")
    assert f"{tmp_path}/müsik sammlung/t04.beats, line 2: a time must be" in said


def test_the_kind_is_handed_the_names_of_both_files(tmp_path: Path) -> None:
    fill(tmp_path, folder="a/")
    layout = Layout(
        form="pairs", folder="a", path="{stem}.beats", extensions=("wav",), label="beats"
    )
    rows = []

    def label_of(row: Mapping[str, Any], field: str, spec: TaskSpec) -> str:
        rows.append((dict(row), field))
        return "x"

    spec = TaskSpec(name="Mine", kind="beat", data=(layout,))
    read_layouts(Reading(tmp_path, spec, no_lists, label_of))
    assert rows[3] == ({"path": "t03.wav", "beats": "a/t03.beats"}, "beats")


def test_the_name_of_the_annotation_may_hold_that_of_the_audio_as_gtzan_rhythm_s_does(
    tmp_path: Path,
) -> None:
    names = [f"blues.{number:05d}" for number in range(10)]
    touch(tmp_path, *(f"genres/blues/{name}.wav" for name in names))
    write(
        tmp_path,
        *(f"jams/{name}.wav.jams" for name in names),
        text='{"annotations": [{"namespace": "beat", "data": [{"time": 1}]}]}',
    )
    layout = Layout(form="pairs", path="{stem}.wav.jams", extensions=("wav",))
    tracks = read_layouts(of(tmp_path, layout))
    assert tracks[0].id == "genres/blues/blues.00000"
    assert tracks[0].label == '{"beats":[1.0],"downbeats":[]}'


def test_extensions_are_taken_in_any_case_and_other_files_left_alone(tmp_path: Path) -> None:
    fill(tmp_path)
    touch(tmp_path, "LOUD.WAV", "soft.flac", "cover.jpg", "soft.mp3")
    write(tmp_path, "LOUD.beats", "soft.beats")
    assert {"LOUD", "soft"} < {each.id for each in read_layouts(of(tmp_path))}
    assert len(read_layouts(of(tmp_path))) == 12


def test_hidden_files_are_left_alone(tmp_path: Path) -> None:
    fill(tmp_path)
    touch(tmp_path, "._t00.wav", ".trash/t99.wav", ".git/x.wav")
    write(tmp_path, "._t00.beats", ".trash/t00.beats")
    assert len(read_layouts(of(tmp_path))) == 10


def test_an_umlaut_is_one_in_one_part_or_in_two(tmp_path: Path) -> None:
    fill(tmp_path)
    one, two = (unicodedata.normalize(form, "Für Elise") for form in ("NFC", "NFD"))
    touch(tmp_path, f"{two}.wav")
    write(tmp_path, f"{one}.beats")
    tracks = read_layouts(of(tmp_path))
    assert tracks[0].id == one  # the same on every machine
    assert tracks[0].path == tmp_path / f"{two}.wav"


def test_linked_folders_are_followed_and_circles_left(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    fill(tmp_path / "other disk")
    (root / "songs").symlink_to(tmp_path / "other disk")
    (tmp_path / "other disk" / "back").symlink_to(root)
    assert [each.id for each in read_layouts(of(root))] == [f"songs/t{at:02d}" for at in range(10)]


def test_the_same_name_in_two_folders_is_two_tracks_if_each_has_its_annotation(
    tmp_path: Path,
) -> None:
    fill(tmp_path, 5, "first album/")
    fill(tmp_path, 5, "second album/")
    write(tmp_path, "second album/t03.beats", text="7.5\n")
    labels = {each.id: each.label for each in read_layouts(of(tmp_path))}
    assert labels["second album/t03"] == '{"beats":[7.5],"downbeats":[]}'
    assert labels["first album/t03"] != labels["second album/t03"]


# --- the division ---


def test_the_division_is_kept_and_kept_to(tmp_path: Path) -> None:
    fill(tmp_path, 50)
    first = read_layouts(of(tmp_path))
    assert Counter(each.split for each in first) == {"train": 30, "valid": 10, "test": 10}
    with (tmp_path / "Mine.split.csv").open(newline="", encoding="utf-8") as stream:
        kept = {row["id"]: row["split"] for row in csv.DictReader(stream)}
    assert kept == {each.id: each.split for each in first}
    swapped = {"train": "test", "test": "train", "valid": "valid"}
    lines = [f"{name},{swapped[split]}" for name, split in kept.items()]
    write(tmp_path, "Mine.split.csv", text="id,split\n" + "\n".join(lines))
    again = read_layouts(of(tmp_path))
    assert [each.split for each in again] == [swapped[each.split] for each in first]


def test_the_kept_division_is_no_annotation(tmp_path: Path) -> None:
    names = [f"t{number}" for number in range(10)]
    touch(tmp_path, *(f"{name}.wav" for name in names))
    write(tmp_path, *(f"{name}.csv" for name in names), text="time,position\n0.5,1\n1,2\n")
    layout = Layout(form="pairs", path="{stem}.csv", extensions=("wav",))
    assert read_layouts(of(tmp_path, layout)) == read_layouts(of(tmp_path, layout))


@pytest.mark.parametrize("count", [10, 11, 13])
def test_ten_tracks_can_be_divided(tmp_path: Path, count: int) -> None:
    fill(tmp_path, count)
    splits = Counter(each.split for each in read_layouts(of(tmp_path)))
    assert min(splits["valid"], splits["test"]) >= 2


def test_fewer_need_a_division_of_their_own(tmp_path: Path) -> None:
    fill(tmp_path, 9)
    assert refusal(of(tmp_path)) == (
        f"{tmp_path}: must have 10 or more tracks to be divided. Got 9. Add some, or write "
        f"{tmp_path}/Mine.split.csv with the columns id, split, and train, valid, test."
    )
    lines = [f"t{at:02d},{('train', 'valid', 'test')[at % 3]}" for at in range(9)]
    write(tmp_path, "Mine.split.csv", text="id,split\n" + "\n".join(lines))
    assert [each.split for each in read_layouts(of(tmp_path))] == ["train", "valid", "test"] * 3


def test_a_new_track_is_not_divided_behind_one_s_back(tmp_path: Path) -> None:
    fill(tmp_path, 10)
    read_layouts(of(tmp_path))
    fill(tmp_path, 11)
    assert refusal(of(tmp_path)).startswith(
        f"{tmp_path}/Mine.split.csv: must divide the tracks of Mine. Got 1 tracks that it lacks"
    )


# --- what is not one to one ---


def test_all_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    fill(tmp_path)
    touch(tmp_path, "alone.wav", "twice.wav", "t00.flac", "x/shared.wav", "y/shared.wav")
    touch(tmp_path, "bad.wav", "empty.wav")
    write(
        tmp_path, "a/twice.beats", "b/twice.beats", "shared.beats", "lost.beats", "copy/t01.beats"
    )
    write(tmp_path, "bad.beats", text="0.5 1\n1.0 2\n0.9 3\n")
    write(tmp_path, "empty.beats", text="")
    assert told(tmp_path) == [
        "alone.wav: must have one annotation called 'alone.beats'. Got none.",
        f"bad.wav: {tmp_path}/bad.beats, line 3: a beat must come after the one before it. Got 0.9 "
        "s after 1.0 s.",
        "copy/t01.beats: an annotation must have its audio. Got none. Add it, or take the file "
        "away.",
        f"empty.wav: {tmp_path}/empty.beats: must have one beat or more. Got none.",
        "lost.beats: an annotation must have its audio. Got none. Add it, or take the file away.",
        "t00.wav: a track must have one audio file. Got t00.flac too.",
        f"twice.wav: must have one annotation called 'twice.beats'. Got {tmp_path}/a/twice.beats, "
        f"{tmp_path}/b/twice.beats.",
        f"y/shared.wav: must have its own annotation. Got {tmp_path}/shared.beats, that of "
        f"{tmp_path}/x/shared.wav.",
    ]


def test_an_annotation_without_audio_is_no_fault_where_the_card_counts(tmp_path: Path) -> None:
    fill(tmp_path)
    write(tmp_path, "lost.beats")
    assert len(told(tmp_path)) == 1
    sizes = {"train": 6, "valid": 2, "test": 2}
    assert len(read_layouts(of(tmp_path, sizes=sizes))) == 10
    touch(tmp_path, "alone.wav")
    with pytest.raises(ValidationError, match=r": alone\.wav: must have one annotation called"):
        read_layouts(of(tmp_path, sizes=sizes))


def test_of_many_files_twenty_are_named_and_the_others_counted(tmp_path: Path) -> None:
    fill(tmp_path)
    touch(tmp_path, *(f"u{number:02d}.wav" for number in range(25)))
    said = refusal(of(tmp_path)).split("\n  ")
    assert said[0] == f"{tmp_path}: 25 files break a rule:"
    assert said[20].startswith("u19.wav: ")
    assert said[21:] == ["and 5 more"]


@pytest.mark.parametrize("names", [["a.wav", "b.wav"], ["a.beats"], ["README.md"], []])
def test_audio_alone_or_annotations_alone_are_not_this_layout(
    tmp_path: Path, names: list[str]
) -> None:
    touch(tmp_path, *names)
    said = refusal(of(tmp_path), MissingError)
    assert "Looked for audio (.wav, .flac) in . with a file {stem}.beats for each;" in said
    absent = Layout(form="pairs", folder="gone", path="{stem}.beats", extensions=("wav",))
    assert "in gone with a file" in refusal(of(tmp_path, absent), MissingError)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every folder")
def test_a_folder_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    fill(tmp_path)
    (tmp_path / "secret").mkdir(mode=0)
    said = refusal(of(tmp_path), MissingError)
    assert said == f"{tmp_path}/secret: cannot be read: Permission denied. Make it readable."
