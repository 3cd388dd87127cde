"""One table for all tracks, as people write them: by hand, with pandas, with a spreadsheet."""

from __future__ import annotations

import csv
import dataclasses
import json
import os
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from marble_eval.data.layouts import Reading, read_layouts
from marble_eval.errors import ValidationError
from marble_eval.kinds.key import KIND as key
from marble_eval.kinds.pitch import KIND as pitch
from marble_eval.kinds.regression import KIND as regression
from marble_eval.kinds.tagging import KIND as tagging
from marble_eval.spec import Layout, TaskSpec, Track
from tests.data.layouts.conftest import CSV, FOLDERS, card, lists, no_lists, reading, refusal, touch

LINES = Layout(form="table", path="tracks.jsonl")
HEAD = "path,label,split\n"


def write_csv(root: Path, text: str) -> None:
    (root / "tracks.csv").write_text(text, newline="", encoding="utf-8")


def write_lines(root: Path, rows: Sequence[object]) -> None:
    text = "\n".join(json.dumps(each) for each in rows)
    (root / "tracks.jsonl").write_text(text, encoding="utf-8")


def told_of(root: Path, text: str, **changes: Any) -> str:
    write_csv(root, text)
    return refusal(ValidationError, reading(root, card(CSV, **changes)))


def read_csv(root: Path, text: str, **changes: Any) -> list[Track]:
    write_csv(root, text)
    return read_layouts(reading(root, card(CSV, **changes)))


def faults(told: str, root: Path) -> dict[str, str]:
    """Return what is said of each line."""
    first, *lines = told.split("\n  ")
    assert first == f"{root / 'tracks.csv'}: {len(lines)} rows break a rule:"
    return {line.split(": ", 1)[0]: line.split(": ", 1)[1] for line in lines}


# --- what is read ---


def test_a_track_is_a_line(tmp_path: Path) -> None:
    with (tmp_path / "tracks.csv").open("w", newline="", encoding="utf-8-sig") as stream:
        writer = csv.writer(stream)
        writer.writerow(["note", "path", "label", "split", "group"])
        writer.writerow(["a, b", "take 1, loud/x.y.wav", " flute ", "train", "Ann"])
        writer.writerow(["two\nlines", "/elsewhere/z.flac", "organ", "test", ""])
    assert read_layouts(reading(tmp_path, card(CSV))) == [
        Track("take 1, loud/x.y", tmp_path / "take 1, loud/x.y.wav", "train", "flute", "Ann"),
        Track("/elsewhere/z", Path("/elsewhere/z.flac"), "test", "organ", "/elsewhere/z"),
    ]


def test_pandas_and_this_reader_agree(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {
            "path": ['say "ah".wav', "größe, b.WAV", "c\u2028d.wav"],
            "label": ["flute", "organ", "flute"],
            "split": ["train", "valid", "test"],
            "group": ["Ann", "Bob", "Cäcilie"],
        }
    )
    for options in ({}, {"lineterminator": "\r\n"}, {"encoding": "utf-8-sig"}, {"quoting": 1}):
        frame.to_csv(tmp_path / "tracks.csv", index=False, **options)
        tracks = read_layouts(reading(tmp_path, card(CSV)))
        assert [str(each.path) for each in tracks] == [f"{tmp_path}/{p}" for p in frame["path"]]
        for name in ("label", "split", "group"):
            assert [getattr(each, name) for each in tracks] == list(frame[name])


def test_group_and_recording_may_be_left_out_by_column_or_by_cell(tmp_path: Path) -> None:
    tracks = read_csv(
        tmp_path, "split,label,path\r\ntrain,flute,a.wav\r\n\r\nvalid,organ,b.wav\r\n"
    )
    assert [(each.group, each.recording) for each in tracks] == [("a", ""), ("b", "")]
    head = "path,label,split,group,recording\n"
    tracks = read_csv(
        tmp_path, f"{head}a.wav,flute,train,0,r\nb.wav,organ,train,,\nc.wav,flute,test"
    )
    assert [each.group for each in tracks] == ["0", "b", "c"]
    assert [each.recording for each in tracks] == ["r", "", ""]


def test_spreadsheets_leave_blanks_behind(tmp_path: Path) -> None:
    text = "\n,,,\n path , label ,split,,\na.wav,flute,train,,\n,,,,\n\n b.wav , organ , valid ,,\n"
    assert [(each.id, each.label, each.split) for each in read_csv(tmp_path, text)] == [
        ("a", "flute", "train"),
        ("b", "organ", "valid"),
    ]


def test_numbers_may_be_labels_and_keep_their_spelling(tmp_path: Path) -> None:
    rows = f"{HEAD}a.wav,01,train\nb.wav,1,valid\n"
    assert [each.label for each in read_csv(tmp_path, rows, labels=())] == ["01", "1"]
    write_lines(tmp_path, [{"path": "a.wav", "label": 1}, {"path": "b.wav", "label": "01"}])
    spec = card(LINES, labels=("1", "01"))
    with pytest.raises(ValidationError, match="must have 10 or more groups"):  # not of the labels
        read_layouts(reading(tmp_path, spec))


def test_jsonl_has_the_same_names(tmp_path: Path) -> None:
    write_lines(
        tmp_path,
        [
            {"path": "a.wav", "label": "flute", "split": "train", "group": 0, "recording": 7},
            {"path": "b.wav", "label": "organ", "split": "test", "group": None, "tempo": [1, 2]},
        ],
    )
    assert read_layouts(reading(tmp_path, card(LINES))) == [
        Track("a", tmp_path / "a.wav", "train", "flute", "0", "7"),
        Track("b", tmp_path / "b.wav", "test", "organ", "b", ""),
    ]


def test_the_label_may_stand_under_another_name(tmp_path: Path) -> None:
    write_csv(tmp_path, "path,genre,split\na.wav,flute,train\n")
    spec = card(dataclasses.replace(CSV, label="genre"))
    assert read_layouts(reading(tmp_path, spec))[0].label == "flute"
    told = refusal(ValidationError, reading(tmp_path, card(CSV)))
    assert "must have the columns path, label, separated" in told


def test_the_first_layout_that_is_there_is_read(tmp_path: Path) -> None:
    names = [name for split in ("train", "valid", "test") for name in lists(split).decode().split()]
    touch(tmp_path, *(f"audio/{name}" for name in names))
    write_csv(tmp_path, f"{HEAD}elsewhere.wav,flute,train\n")
    (only,) = read_layouts(reading(tmp_path, card(LINES, CSV, FOLDERS)))
    assert only.id == "elsewhere"
    assert len(read_layouts(reading(tmp_path, card(LINES, FOLDERS, CSV), lists))) == 7


# --- the labels of each kind ---


def of_kind(root: Path, kind: Any, rows: str | Sequence[object], **changes: Any) -> list[Track]:
    spec = TaskSpec(name="Mine", kind=kind.name, **changes)
    if isinstance(rows, str):
        write_csv(root, rows)
    else:
        write_lines(root, rows)
    return list(kind.read_tracks(root, spec, no_lists))


def labels(tracks: Sequence[Track]) -> list[object]:
    return [each.label for each in tracks]


def test_tags_are_divided_by_semicolons_or_listed(tmp_path: Path) -> None:
    rows = f"{HEAD}a.wav,bell; drone ;bell,train\nb.wav,,valid\nc.wav,;bell;,test\n"
    wanted = [("bell", "drone"), (), ("bell",)]
    assert labels(of_kind(tmp_path, tagging, rows)) == wanted
    (tmp_path / "tracks.csv").unlink()
    lines = [
        {"path": "a.wav", "label": ["bell", "drone", "bell"], "split": "train"},
        {"path": "b.wav", "label": [], "split": "valid"},
        {"path": "c.wav", "label": "bell", "split": "test"},
    ]
    assert labels(of_kind(tmp_path, tagging, lines)) == wanted


def test_a_row_that_ends_before_its_tags_has_none_given_rather_than_no_tags(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match=r"line 3: 'label' must be tags, .* Got None\.$"):
        of_kind(tmp_path, tagging, "split,path,label\ntrain,a.wav,bell\ntrain,b.wav\n")


def test_numbers_stand_in_columns_or_in_a_list_or_mapping(tmp_path: Path) -> None:
    names = {"labels": ("arousal", "valence")}
    rows = "valence,path,arousal,split\n4,a.wav,5.5,train\n-1e2,b.wav, 0 ,test\n"
    assert labels(of_kind(tmp_path, regression, rows, **names)) == [(5.5, 4.0), (0.0, -100.0)]
    (tmp_path / "tracks.csv").unlink()
    lines: list[Mapping[str, object]] = [
        {"path": "a.wav", "split": "train", "arousal": 5.5, "valence": 4},
        {"path": "b.wav", "split": "train", "label": [5.5, 4]},
        {"path": "c.wav", "split": "train", "label": {"valence": 4, "arousal": 5.5}},
    ]
    assert labels(of_kind(tmp_path, regression, lines, **names)) == [(5.5, 4.0)] * 3


@pytest.mark.parametrize("cell", ["", "loud", "nan", "inf", '"5,5"', "1e999"])
def test_a_cell_that_is_no_number_is_told(tmp_path: Path, cell: str) -> None:
    rows = f"path,arousal,split\na.wav,1,train\nb.wav,{cell},test\n"
    with pytest.raises(ValidationError, match=r"line 3: 'arousal' must be a finite number\. Got '"):
        of_kind(tmp_path, regression, rows, labels=("arousal",))


def test_a_missing_column_of_numbers_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match=r"Got path, arousal\. Missing: valence\."):
        of_kind(tmp_path, regression, "path,arousal\n", labels=("arousal", "valence"))


def test_keys_may_be_spelt_in_many_ways(tmp_path: Path) -> None:
    rows = f"{HEAD}a.wav,F# minor,train\nb.wav,Gb min,valid\nc.wav,f#:minor,test\nd.wav,Eb,test\n"
    found = labels(of_kind(tmp_path, key, rows))
    assert found == ["Gb minor", "Gb minor", "Gb minor", "Eb major"]
    with pytest.raises(ValidationError, match=r"line 2: a key must be a tonic .* Got 'H moll'"):
        of_kind(tmp_path, key, f"{HEAD}a.wav,H moll,train\n")


def test_pitches_are_midi_numbers(tmp_path: Path) -> None:
    rows = f"{HEAD}a.wav,60,train\nb.wav,060,valid\nc.wav,0,test\nd.wav,127,test\n"
    assert labels(of_kind(tmp_path, pitch, rows)) == ["60", "60", "0", "127"]
    for cell in ("128", "-1", "60.5", "C4", ""):
        with pytest.raises(ValidationError, match="line 2: 'label' must be a MIDI number"):
            of_kind(tmp_path, pitch, f"{HEAD}a.wav,{cell},train\n")
    (tmp_path / "tracks.csv").unlink()
    lines = [{"path": "a.wav", "label": 60, "split": "train"}]
    assert labels(of_kind(tmp_path, pitch, lines)) == ["60"]


# --- what is no table ---


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "",
            ": must have the columns path, label, separated by commas, and may have split, group, "
            "recording. Got none. Missing: path, label.",
        ),
        ("\n \n", "Got none. Missing: path, label."),
        (
            "path;label;split\na;b;c\n",
            "Got path;label;split. Missing: path, label. It is separated by ';': save it with",
        ),
        ("path\tlabel\na\tb\n", r"Missing: path, label. It is separated by '\t': save it with"),
        ("Path,label\na.wav,flute\n", "Got Path, label. Missing: path."),
        ("path,label,label\na.wav,b,c\n", ": a column must be there once. Got 'label' twice."),
        (HEAD, ": must have a row for each track. Got none."),
        (
            f'{HEAD}"a.wav,flute,test\nb.wav,organ,test\n',
            ": must be comma-separated values. Got unexpected end of data after line ",
        ),
    ],
)
def test_a_file_that_is_no_table_is_refused(tmp_path: Path, text: str, message: str) -> None:
    told = told_of(tmp_path, text)
    assert told.startswith(str(tmp_path / "tracks.csv"))
    assert message in told


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    for encoding in ("latin-1", "utf-16"):
        (tmp_path / "tracks.csv").write_bytes(f"{HEAD}Flöte.wav,a,test\n".encode(encoding))
        told = refusal(ValidationError, reading(tmp_path, card(CSV)))
        assert told.startswith(f"{tmp_path / 'tracks.csv'}, line ")
        assert ": must be UTF-8 text. Got " in told


def test_an_empty_jsonl_is_refused(tmp_path: Path) -> None:
    (tmp_path / "tracks.jsonl").write_text("\n\n")
    told = refusal(ValidationError, reading(tmp_path, card(LINES)))
    assert told == f"{tmp_path / 'tracks.jsonl'}: must have a row for each track. Got none."


# --- rows that break a rule ---


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("a.wav,,train", "'label' must not be empty."),
        ("a.wav,flute", "'split' must not be empty."),
        ("a.wav", "'label' must not be empty."),
        (",flute,train", "'path' must not be empty."),
        ("/,flute,train", "'path' must name a file. Got '/'."),
        (".,flute,train", "'path' must name a file. Got '.'."),
        ("a.wav,flute,val", "'split' must be one of train, valid, test. Got 'val'."),
        (
            "my, song.wav,flute,train",
            "must have 3 cells like the first line. Got 4. Quote a cell that holds a comma.",
        ),
        (
            "a.wav,flut,train",
            "unknown label 'flut', not among the card's. Did you mean 'flute'? "
            "Known: clarinet, flute, organ.",
        ),
    ],
)
def test_a_bad_row_is_told_with_its_line(tmp_path: Path, row: str, message: str) -> None:
    touch(tmp_path, "a.wav", "b.wav")
    told = told_of(tmp_path, f"{HEAD}\nb.wav,organ,train\n{row}\n")
    assert told == f"{tmp_path / 'tracks.csv'}, line 4: {message}"


def test_the_line_is_that_of_the_file_whatever_cells_hold(tmp_path: Path) -> None:
    touch(tmp_path, "b.wav")
    told = told_of(tmp_path, 'path,label,split,x\nb.wav,organ,test,"1\n2"\n/,a,test,\n')
    assert told.endswith("tracks.csv, line 4: 'path' must name a file. Got '/'.")


def test_all_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    """Every kind of fault in one table: the message has each line, and nothing else."""
    (tmp_path / "first.wav").write_bytes(b"the same sound")
    (tmp_path / "again.wav").write_bytes(b"the same sound")
    (tmp_path / "other.wav").write_bytes(b"an other sound")  # of the same length
    touch(tmp_path, *(f"{name}.wav" for name in "abcdefgh"))
    for name in "abcdefgh":
        (tmp_path / f"{name}.wav").write_text(name)
    (tmp_path / "x").mkdir()
    (tmp_path / "folder.wav").mkdir()
    rows = [
        "path,label,split,group",
        "a.wav,flute,train,Ann",  # 2
        "b.wav,,train,Bob",  # 3
        "c.wav,flut,train,Cid",  # 4
        "d.wav,flut,valid,Dan",  # 5
        "e.wav,organ,dev,Eve",  # 6
        "./a.wav,flute,train,Ann",  # 7
        "x/../c.wav,organ,train,Fay",  # 8
        "f.wav,organ,test,Ann",  # 9
        "gone.wav,organ,test,Gil",  # 10
        "first.wav,flute,train,Hal",  # 11
        "again.wav,flute,valid,Ida",  # 12
        "other.wav,flute,test,Jim",  # 13
        "folder.wav,flute,test,Kim",  # 14
        "g.wav,flute,test,Lee,,more",  # 15
    ]
    told = faults(told_of(tmp_path, "\n".join(rows)), tmp_path)
    assert {line: sentence.split(".")[0] for line, sentence in told.items()} == {
        "line 3": "'label' must not be empty",
        "line 4": "unknown label 'flut', not among the card's, and in 1 other row",
        "line 6": "'split' must be one of train, valid, test",
        "line 7": "a track must have one row, and an id (its path without extension) of its own",
        "line 8": "a track must have one row, and an id (its path without extension) of its own",
        "line 9": "a group must stay in one split",
        "line 10": f"the audio is missing: {tmp_path}/gone",
        "line 12": "the same audio must not be in two splits",
        "line 14": f"the audio cannot be read: {tmp_path}/folder",
        "line 15": "must have 4 cells like the first line",
    }
    assert told["line 7"].endswith("Got 'a', which is in line 2.")
    assert told["line 9"].endswith("Got 'Ann' in test, and in train in line 2.")
    assert told["line 12"].endswith("Got 'again' in valid, which is 'first' of train in line 11.")


def test_missing_audio_alone_is_no_fault_of_the_table(tmp_path: Path) -> None:
    (track,) = read_csv(tmp_path, f"{HEAD}gone.wav,flute,train\n")
    assert not track.path.exists()


def test_one_id_for_two_files_is_refused(tmp_path: Path) -> None:
    told = told_of(tmp_path, f"{HEAD}a.wav,flute,train\na.mp3,flute,train\n")
    assert "Got 'a', which is in line 2." in told


def test_of_many_bad_rows_twenty_are_named_and_the_others_counted(tmp_path: Path) -> None:
    told = told_of(tmp_path, HEAD + "a.wav,,train\n" * 30)
    assert told.count("'label' must not be empty.") == 20
    assert told.startswith(f"{tmp_path / 'tracks.csv'}: 30 rows break a rule:")
    assert told.endswith("\n  and 10 more")


def test_bad_lines_of_json_are_told_with_the_others(tmp_path: Path) -> None:
    (tmp_path / "tracks.jsonl").write_text(
        '{"path": "a.wav", "label": "flute", "split": "train"}\n'
        "{\n"
        '{"label": "flute", "split": "train"}\n'
        '{"path": "b.wav", "label": 1.5, "split": "train"}\n'
        '{"path": "c.wav", "label": "flute"}\n'
        '{"path": "d.wav", "genre": "flute", "split": "train"}\n'
    )
    touch(tmp_path, "a.wav")
    told = refusal(ValidationError, reading(tmp_path, card(LINES))).split("\n  ")
    assert told[0] == f"{tmp_path / 'tracks.jsonl'}: 5 rows break a rule:"
    assert told[1].startswith("line 2: must be a JSON object with 'path'. Got '{' (")
    assert told[2].startswith("line 3: must be a JSON object with 'path'. Got '{\"label\"")
    assert told[3:] == [
        "line 4: 'label' must be the name of a class. Got 1.5.",
        "line 5: 'split' must be given in every row or in none.",
        "line 6: 'label' must not be empty.",
    ]


def test_a_reader_is_given_the_columns_that_the_kind_wants(tmp_path: Path) -> None:
    write_csv(tmp_path, "path,split,arousal\na.wav,train,1\n")
    spec = TaskSpec(name="Mine", kind="regression", labels=("arousal",))
    found = Reading(tmp_path, spec, no_lists, regression.label_of, ("arousal",))
    assert read_layouts(found)[0].label == (1.0,)


# --- what programs and other systems write ---

NFC, NFD = (unicodedata.normalize(form, "forró") for form in ("NFC", "NFD"))


@pytest.mark.parametrize("lines", [False, True])
def test_two_unicode_forms_are_one_label_and_one_file(tmp_path: Path, lines: bool) -> None:
    touch(tmp_path, f"{NFD}/a{NFD}.wav", f"{NFC} b.wav", f"x {NFC}/{NFD}.wav")
    paths = [f"{NFC}/a{NFC}.wav", f"{NFD} b.wav", f"x {NFD}/{NFC}.wav"]
    rows = [(path, label, "train", NFD) for path, label in zip(paths, [NFC, NFD, NFC], strict=True)]
    if lines:
        keys = ("path", "label", "split", "group")
        write_lines(tmp_path, [dict(zip(keys, row, strict=True)) for row in rows])
    else:
        write_csv(tmp_path, "path,label,split,group\n" + "\n".join(map(",".join, rows)))
    tracks = read_layouts(reading(tmp_path, card(LINES if lines else CSV, labels=(NFC,))))
    assert {each.label for each in tracks} == {each.group for each in tracks} == {NFC}
    assert [each.id for each in tracks] == [f"{NFC}/a{NFC}", f"{NFC} b", f"x {NFC}/{NFC}"]
    assert all(each.path.exists() for each in tracks)


@pytest.mark.parametrize(
    ("cell", "tags"),
    [
        ("['rock', 'slow']", ("rock", "slow")),
        ('["rock", "slow"]', ("rock", "slow")),
        ("('rock',)", ("rock",)),
        ("{'rock'}", ("rock",)),
        ("[]", ()),
        ("[\"it's\", 'a\\'b']", ("it's", "a'b")),
        ("rock; (live)", ("rock", "(live)")),
    ],
)
def test_a_list_in_a_cell_is_a_list_of_tags(tmp_path: Path, cell: str, tags: Any) -> None:
    with (tmp_path / "tracks.csv").open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([("path", "label", "split"), ("a.wav", cell, "train")])
    spec = TaskSpec(name="Mine", kind="tagging", data=(CSV,))
    (track,) = read_layouts(Reading(tmp_path, spec, no_lists, tagging.label_of))
    assert track.label == tags


@pytest.mark.parametrize("cell", ["['rock' 'slow']", "[rock, slow]", "[1, 2]"])
def test_a_list_that_cannot_be_read_for_sure_is_refused(tmp_path: Path, cell: str) -> None:
    write_csv(tmp_path, f'{HEAD}a.wav,"{cell}",train\n')
    spec = TaskSpec(name="Mine", kind="tagging", data=(CSV,))
    told = refusal(ValidationError, Reading(tmp_path, spec, no_lists, tagging.label_of))
    assert "line 2: a list in a cell must have each name in quotes" in told


def test_a_list_is_no_class_and_1_000_is_no_number(tmp_path: Path) -> None:
    assert "must be the name of a class" in told_of(tmp_path, f"{HEAD}a.wav,\"['flute']\",train\n")
    spec = TaskSpec(name="Mine", kind="regression", labels=("arousal",), data=(CSV,))
    for cell in ("1_000", "inf", "١", "0x10"):
        write_csv(tmp_path, f"path,split,arousal\na.wav,train,{cell}\n")
        found = Reading(tmp_path, spec, no_lists, regression.label_of, ("arousal",))
        assert "'arousal' must be a finite number." in refusal(ValidationError, found)


@pytest.mark.parametrize("path", ["a\\0.wav", "C:\\music\\0.wav", "C:/music/0.wav"])
def test_paths_of_windows_have_a_hint(tmp_path: Path, path: str) -> None:
    touch(tmp_path, "a/0.wav")
    assert "not with Windows' backslash or drive letter" in told_of(
        tmp_path, f"{HEAD}{path},flute,train\n"
    )


def test_a_backslash_in_the_name_of_a_file_that_is_there_is_part_of_it(tmp_path: Path) -> None:
    touch(tmp_path, "a\\b.wav")
    (track,) = read_csv(tmp_path, f"{HEAD}a\\b.wav,flute,train\n")
    assert track.path.exists()


def test_what_is_no_file_of_text_is_named_at_once(tmp_path: Path) -> None:
    path = tmp_path / "tracks.csv"
    makers: dict[str, Callable[[], Any]] = {
        ": must be a file. Got a folder.": path.mkdir,
        ": must be a file. Got a FIFO.": lambda: os.mkfifo(path),
        ": must be a file. Got a device.": lambda: path.symlink_to("/dev/zero"),
        ", line 2: must be UTF-8 text. Got a NUL byte.": lambda: path.write_text("a\na\0b\n"),
        ": is a git-lfs pointer, not the file itself.": lambda: path.write_text(
            "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\n"
        ),
        ": is a web page (HTML)": lambda: path.write_text("<!DOCTYPE html>\n<html>404"),
        ": must have at most 10,000 columns. Got 100,000.": lambda: path.write_text("a," * 99_999),
    }
    for told, make in makers.items():
        make()
        assert refusal(ValidationError, reading(tmp_path, card(CSV))).startswith(f"{path}{told}")
        path.rmdir() if path.is_dir() else path.unlink()


def test_text_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "tracks.jsonl").write_text(
        '{"path": "a.wav", "label": "\\ud800", "split": "train"}\n'
        '{"path": "b\\u0000.wav", "label": "flute", "split": "train"}\n'
        f"{'[' * 100_000}\n"
    )
    told = refusal(ValidationError, reading(tmp_path, card(LINES))).split("\n  ")
    assert told[1] == "line 1: must be Unicode text without NUL. Got '\\ud800'."
    assert told[2] == "line 2: must be Unicode text without NUL. Got 'b\\x00.wav'."
    assert told[3].startswith("line 3: must be a JSON object")
