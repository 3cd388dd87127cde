"""MARBLE v2's JSON Lines: one file a split, paths written from somewhere above."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path, PurePosixPath

import pytest

from marble_eval.data.layouts import read_layouts
from marble_eval.data.layouts.rows import below
from marble_eval.data.tracks import check_tracks
from marble_eval.errors import MissingError, ValidationError
from tests.data.layouts.conftest import (
    CSV,
    FILES,
    JSONL,
    LISTS,
    all_ids,
    card,
    reading,
    refusal,
    touch,
)


def write_jsonl(root: Path, prefix: str = "", **changes: str) -> None:
    for split, ids in LISTS.items():
        rows = [
            json.dumps({"audio_path": f"{prefix}{name}.wav", "label": name.split("/")[0]})
            for name in ids
        ]
        (root / FILES[split]).write_text(changes.get(split, "\n".join(rows) + "\n"))


@pytest.mark.parametrize("prefix", ["", "audio/", "data/Small/audio/", "./audio/", "../x/audio/"])
def test_paths_may_start_in_any_folder_above(tmp_path: Path, prefix: str) -> None:
    folder = "" if not prefix else "audio/"
    touch(tmp_path, *(f"{folder}{name}.wav" for name in all_ids()))
    write_jsonl(tmp_path, prefix)
    tracks = read_layouts(reading(tmp_path, card(JSONL)))
    assert [each.id for each in tracks] == all_ids()
    assert all(each.path.exists() for each in tracks)
    assert [each.label for each in tracks] == [name.split("/")[0] for name in all_ids()]
    check_tracks(tracks, card(JSONL), tmp_path)


def test_paths_may_be_absolute(tmp_path: Path) -> None:
    elsewhere, root = tmp_path / "elsewhere", tmp_path / "root"
    root.mkdir()
    touch(elsewhere, *(f"{name}.wav" for name in all_ids()))
    write_jsonl(root, f"{elsewhere}/")
    tracks = read_layouts(reading(root, card(JSONL)))
    assert all(each.path.is_relative_to(elsewhere) for each in tracks)
    touch(root, "flute/f.0.wav")  # a copy below the root comes first: it moves with the root
    (moved, *_) = read_layouts(reading(root, card(JSONL)))
    assert moved.path == root / "flute/f.0.wav"


def test_an_absent_file_is_named_below_the_root(tmp_path: Path) -> None:
    write_jsonl(tmp_path, "data/")
    (track, *_) = read_layouts(reading(tmp_path, card(JSONL)))
    assert track.path == tmp_path / "data/flute/f.0.wav"


def test_there_may_be_a_mark_blank_lines_and_any_line_end(tmp_path: Path) -> None:
    row = json.dumps({"audio_path": "flute/f\u2028x.wav", "label": "flute"}, ensure_ascii=False)
    write_jsonl(tmp_path, valid=f"\ufeff\r\n{row}\r\n\r\n", test="\n\n")
    tracks = read_layouts(reading(tmp_path, card(JSONL)))
    assert [each.id for each in tracks if each.split == "valid"] == ["flute/f\u2028x"]
    assert not [each for each in tracks if each.split == "test"]


def test_groups_and_recordings_come_from_the_fields_that_the_card_names(tmp_path: Path) -> None:
    layout = dataclasses.replace(JSONL, group="artist", recording="song")
    row = {"audio_path": "a/b.wav", "label": "flute", "artist": "Ann", "song": 5}
    write_jsonl(tmp_path, train=json.dumps(row) + "\n", valid="", test="")
    (track,) = read_layouts(reading(tmp_path, card(layout)))
    assert (track.group, track.recording) == ("Ann", "5")
    (plain,) = read_layouts(reading(tmp_path, card(JSONL)))
    assert (plain.group, plain.recording) == ("a/b", "")
    row["artist"] = ""
    write_jsonl(tmp_path, train=json.dumps(row) + "\n", valid="", test="")
    assert refusal(ValidationError, reading(tmp_path, card(layout))) == (
        f"{tmp_path / FILES['train']}, line 1: 'artist' must be given."
    )


def test_one_file_without_the_others_is_refused(tmp_path: Path) -> None:
    write_jsonl(tmp_path)
    (tmp_path / FILES["valid"]).unlink()
    told = refusal(MissingError, reading(tmp_path, card(JSONL, CSV)))
    assert told == f"{tmp_path / FILES['valid']}: must lie beside the other splits' files. Add it."


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "must be a JSON object with 'audio_path'. Got '{' (Expecting property name"),
        ("[]", "must be a JSON object with 'audio_path'. Got '[]'."),
        ("5", "must be a JSON object with 'audio_path'. Got '5'."),
        ('{"label": "flute"}', "must be a JSON object with 'audio_path'. Got "),
        ('{"audio_path": "a.wav"}', "'label' must not be empty."),
        ('{"audio_path": "a.wav", "label": ""}', "'label' must not be empty."),
        ('{"audio_path": "a.wav", "label": ["x"]}', "'label' must be the name of a class. Got ["),
        ('{"audio_path": "", "label": "flute"}', "'audio_path' must name a file. Got ''."),
        ('{"audio_path": null, "label": "flute"}', "'audio_path' must name a file. Got None."),
        ('{"audio_path": "/", "label": "flute"}', "'audio_path' must name a file. Got '/'."),
        ('{"audio_path": 5, "label": "flute"}', "'audio_path' must name a file. Got 5."),
    ],
)
def test_a_line_that_is_no_track_is_told_with_its_number(
    tmp_path: Path, line: str, message: str
) -> None:
    good = json.dumps({"audio_path": "flute/a.wav", "label": "flute"})
    write_jsonl(tmp_path, valid=f"{good}\n{line}\n")
    told = refusal(ValidationError, reading(tmp_path, card(JSONL)))
    assert told.startswith(f"{tmp_path / FILES['valid']}, line 2: {message}")


def test_all_bad_lines_of_a_file_come_in_one_list(tmp_path: Path) -> None:
    good = json.dumps({"audio_path": "flute/a.wav", "label": "flute"})
    write_jsonl(tmp_path, valid=f"[]\n{good}\n\n5\n")
    told = refusal(ValidationError, reading(tmp_path, card(JSONL))).split("\n  ")
    assert told[0] == f"{tmp_path / FILES['valid']}: 2 rows break a rule:"
    assert [each.split(":")[0] for each in told[1:]] == ["line 1", "line 4"]


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    write_jsonl(tmp_path)
    (tmp_path / FILES["test"]).write_bytes("Flöte".encode("latin-1"))
    told = refusal(ValidationError, reading(tmp_path, card(JSONL)))
    assert told.startswith(f"{tmp_path / FILES['test']}, line 1: must be UTF-8 text. Got ")


def test_a_path_is_found_by_its_end(tmp_path: Path) -> None:
    touch(tmp_path, "b/c.wav")
    assert below(tmp_path, PurePosixPath("a/b/c.wav")) == tmp_path / "b/c.wav"
    assert below(tmp_path, PurePosixPath("../b/c.wav")) == tmp_path / "b/c.wav"
    assert below(tmp_path, PurePosixPath("a/b/d.wav")) == tmp_path / "a/b/d.wav"
    assert below(tmp_path, PurePosixPath("/x/d.wav")) == Path("/x/d.wav")
