"""Reading tracks from every layout, and holding them against the card.

The audio files are empty: nothing here opens one.
"""

from __future__ import annotations

import csv
import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from marble_eval.errors import MissingError, ValidationError
from marble_eval.spec import SPLITS, Layout, TaskSpec, Track, from_mapping
from marble_eval.tracks import check_tracks, read_labelled_tracks
from tests.conftest import SMALL_CARD

LISTS = {
    "train": ("flute/f.0", "clarinet/c.0", "organ/o.0"),
    "valid": ("flute/f.1", "organ/o.1"),
    "test": ("flute/f.2", "clarinet/c.2"),
}
FILES = {"train": "Small.train.jsonl", "valid": "Small.val.jsonl", "test": "Small.test.jsonl"}
FOLDERS = Layout(form="folders", folder="audio*", path="{id}.{extension}", extensions=("wav", "au"))
JSONL = Layout(form="jsonl", folder=".", files=FILES)
CSV = Layout(form="csv", folder=".", path="tracks.csv")


def card(*layouts: Layout, **changes: Any) -> TaskSpec:
    spec = from_mapping(TaskSpec, yaml.safe_load(SMALL_CARD), "card")
    sizes = {split: len(ids) for split, ids in LISTS.items()}
    values = {"sizes": sizes, "label_counts": {}, "data": layouts, **changes}
    return dataclasses.replace(spec, **values)


def lists() -> Mapping[str, Sequence[str]]:
    return LISTS


def no_lists() -> Mapping[str, Sequence[str]]:
    raise AssertionError("the published lists are not needed here")


def touch(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def all_ids() -> list[str]:
    return [name for ids in LISTS.values() for name in ids]


def refusal(error: type[Exception], *arguments: Any) -> str:
    with pytest.raises(error) as caught:
        read_labelled_tracks(*arguments)
    return str(caught.value)


# --- folders and split lists ---


def test_folders_give_the_tracks_of_the_lists_in_their_order(tmp_path: Path) -> None:
    touch(tmp_path, *(f"audio/{name}.wav" for name in all_ids()), "audio/flute/f.9.wav")
    tracks = read_labelled_tracks(tmp_path, card(FOLDERS), lists)
    assert [each.id for each in tracks] == all_ids()
    assert [each.split for each in tracks] == ["train"] * 3 + ["valid"] * 2 + ["test"] * 2
    assert tracks[1] == Track(
        id="clarinet/c.0",
        path=tmp_path / "audio/clarinet/c.0.wav",
        split="train",
        label="clarinet",
        group="clarinet/c.0",
    )
    check_tracks(tracks, card(FOLDERS), tmp_path)


def test_an_absent_file_is_still_a_track(tmp_path: Path) -> None:
    touch(tmp_path, *(f"audio/{name}.wav" for name in all_ids()[1:]))
    tracks = read_labelled_tracks(tmp_path, card(FOLDERS), lists)
    assert len(tracks) == 7
    assert [each.id for each in tracks if not each.path.exists()] == ["flute/f.0"]
    assert tracks[0].path == tmp_path / "audio/flute/f.0.wav"


def test_extensions_may_be_mixed_and_the_first_of_the_card_wins(tmp_path: Path) -> None:
    touch(tmp_path, "audio/flute/f.0.au", "audio/flute/f.1.wav", "audio/flute/f.1.au")
    by_id = {each.id: each for each in read_labelled_tracks(tmp_path, card(FOLDERS), lists)}
    assert by_id["flute/f.0"].path.name == "f.0.au"
    assert by_id["flute/f.1"].path.name == "f.1.wav"


def test_a_folder_of_other_audio_is_passed_over(tmp_path: Path) -> None:
    touch(tmp_path, "audio_examples/hello.wav", "audio_full/flute/f.0.wav")
    (tmp_path / "audio.txt").touch()
    tracks = read_labelled_tracks(tmp_path, card(FOLDERS), lists)
    assert tracks[0].path == tmp_path / "audio_full/flute/f.0.wav"


def test_linked_folders_are_followed(tmp_path: Path) -> None:
    touch(tmp_path, *(f"elsewhere/{name}.wav" for name in all_ids()))
    root = tmp_path / "root"
    (root / "audio").mkdir(parents=True)
    for label in ("flute", "clarinet", "organ"):
        (root / "audio" / label).symlink_to(tmp_path / "elsewhere" / label)
    tracks = read_labelled_tracks(root, card(FOLDERS), lists)
    assert all(each.path.exists() for each in tracks)


@pytest.mark.parametrize("names", [(), ("notes.txt",), ("audio/flute/readme.txt",), ("a/b.mp3",)])
def test_without_audio_the_lists_are_not_asked_for(tmp_path: Path, names: tuple[str, ...]) -> None:
    touch(tmp_path, *names)
    told = refusal(MissingError, tmp_path, card(FOLDERS, JSONL, CSV), no_lists)
    assert told.startswith(f"{tmp_path}: must hold Small in a known layout. Looked for ")
    assert "audio*/{id}.{extension}; ./Small.train.jsonl and its siblings; ./tracks.csv" in told
    assert told.endswith("found none of them. Set task.root to the right folder.")


def test_audio_that_is_on_no_list_is_not_the_data(tmp_path: Path) -> None:
    touch(tmp_path, "audio/holiday.wav")
    assert "found none of them" in refusal(MissingError, tmp_path, card(FOLDERS), lists)


def test_a_root_that_is_no_folder_is_refused(tmp_path: Path) -> None:
    nowhere = tmp_path / "nowhere"
    told = refusal(MissingError, nowhere, card(FOLDERS), no_lists)
    assert told.startswith(f"{nowhere}: must be the folder that holds Small. Got nothing there.")
    nowhere.touch()
    assert "Got a file." in refusal(MissingError, nowhere, card(FOLDERS), no_lists)


# --- JSON Lines ---


def write_jsonl(root: Path, prefix: str = "", **changes: str) -> None:
    for split, ids in LISTS.items():
        rows = [
            json.dumps({"audio_path": f"{prefix}{name}.wav", "label": name.split("/")[0]})
            for name in ids
        ]
        (root / FILES[split]).write_text(changes.get(split, "\n".join(rows) + "\n"))


@pytest.mark.parametrize("prefix", ["", "audio/", "data/Small/audio/", "./audio/", "../x/audio/"])
def test_jsonl_paths_may_start_in_any_folder_above(tmp_path: Path, prefix: str) -> None:
    folder = "" if not prefix else "audio/"
    touch(tmp_path, *(f"{folder}{name}.wav" for name in all_ids()))
    write_jsonl(tmp_path, prefix)
    tracks = read_labelled_tracks(tmp_path, card(JSONL), no_lists)
    assert [each.id for each in tracks] == all_ids()
    assert all(each.path.exists() for each in tracks)
    assert [each.label for each in tracks] == [name.split("/")[0] for name in all_ids()]
    check_tracks(tracks, card(JSONL), tmp_path)


def test_jsonl_may_name_absolute_paths(tmp_path: Path) -> None:
    elsewhere, root = tmp_path / "elsewhere", tmp_path / "root"
    root.mkdir()
    touch(elsewhere, *(f"{name}.wav" for name in all_ids()))
    write_jsonl(root, f"{elsewhere}/")
    tracks = read_labelled_tracks(root, card(JSONL), no_lists)
    assert all(each.path.is_relative_to(elsewhere) for each in tracks)
    touch(root, "flute/f.0.wav")  # a copy below the root comes first: it moves with the root
    (moved, *_) = read_labelled_tracks(root, card(JSONL), no_lists)
    assert moved.path == root / "flute/f.0.wav"


def test_an_absent_file_of_jsonl_is_named_below_the_root(tmp_path: Path) -> None:
    write_jsonl(tmp_path, "data/")
    (track, *_) = read_labelled_tracks(tmp_path, card(JSONL), no_lists)
    assert track.path == tmp_path / "data/flute/f.0.wav"


def test_jsonl_may_have_a_mark_blank_lines_and_any_line_end(tmp_path: Path) -> None:
    row = json.dumps({"audio_path": "flute/f\u2028x.wav", "label": "flute"}, ensure_ascii=False)
    write_jsonl(tmp_path, valid=f"\ufeff\r\n{row}\r\n\r\n", test="\n\n")
    tracks = read_labelled_tracks(tmp_path, card(JSONL), no_lists)
    assert [each.id for each in tracks if each.split == "valid"] == ["flute/f\u2028x"]
    assert not [each for each in tracks if each.split == "test"]


def test_one_jsonl_without_the_others_is_refused(tmp_path: Path) -> None:
    write_jsonl(tmp_path)
    (tmp_path / FILES["valid"]).unlink()
    told = refusal(MissingError, tmp_path, card(JSONL, CSV), no_lists)
    assert told == f"{tmp_path / FILES['valid']}: must lie beside the other splits' files. Add it."


@pytest.mark.parametrize(
    "line",
    [
        "{",
        "[]",
        "5",
        '{"label": "flute"}',
        '{"audio_path": "a.wav"}',
        '{"audio_path": 5, "label": "flute"}',
        '{"audio_path": null, "label": "flute"}',
        '{"audio_path": "", "label": "flute"}',
        '{"audio_path": "/", "label": "flute"}',
    ],
)
def test_a_line_that_is_no_track_is_told_with_its_number(tmp_path: Path, line: str) -> None:
    good = json.dumps({"audio_path": "flute/a.wav", "label": "flute"})
    write_jsonl(tmp_path, valid=f"{good}\n{line}\n")
    told = refusal(ValidationError, tmp_path, card(JSONL), no_lists)
    assert told.startswith(
        f"{tmp_path / FILES['valid']}, line 2: must be a JSON object with 'audio_path' and "
        f"'label'. Got {line!r} ("
    )


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    write_jsonl(tmp_path)
    (tmp_path / FILES["test"]).write_bytes("Flöte".encode("latin-1"))
    told = refusal(ValidationError, tmp_path, card(JSONL), no_lists)
    assert told.startswith(f"{tmp_path / FILES['test']}: must be UTF-8 text. Got ")
    (tmp_path / "tracks.csv").write_bytes("path,label,split\nFlöte,a,b".encode("utf-16"))
    told = refusal(ValidationError, tmp_path, card(CSV), no_lists)
    assert told.startswith(f"{tmp_path / 'tracks.csv'}: must be UTF-8 text. Got ")


# --- CSV ---


def write_csv(root: Path, text: str) -> None:
    (root / "tracks.csv").write_text(text, newline="")


def test_csv_gives_a_track_a_line(tmp_path: Path) -> None:
    with (tmp_path / "tracks.csv").open("w", newline="", encoding="utf-8-sig") as stream:
        writer = csv.writer(stream)
        writer.writerow(["note", "path", "label", "split", "group"])
        writer.writerow(["a, b", "take 1, loud/x.y.wav", " flute ", "train", "Ann"])
        writer.writerow(["two\nlines", "/elsewhere/z.flac", "organ", "test", ""])
    assert read_labelled_tracks(tmp_path, card(CSV), no_lists) == [
        Track("take 1, loud/x.y", tmp_path / "take 1, loud/x.y.wav", "train", "flute", "Ann"),
        Track("/elsewhere/z", Path("/elsewhere/z.flac"), "test", "organ", "/elsewhere/z"),
    ]


def test_a_group_column_may_be_left_out(tmp_path: Path) -> None:
    write_csv(tmp_path, "split,label,path\r\ntrain,flute,a.wav\r\n\r\nvalid,organ,b.wav\r\n")
    tracks = read_labelled_tracks(tmp_path, card(CSV), no_lists)
    assert [each.group for each in tracks] == ["a", "b"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "",
            ": must have the columns path, label, split, separated by commas, and may have 'group'"
            ". Got none. Missing: path, label, split.",
        ),
        ("path;label;split\na;b;c\n", "Got path;label;split. Missing: path, label, split."),
        ("path,label\na.wav,flute\n", "Got path, label. Missing: split."),
        ("path,label,split\na.wav,,train\n", ", line 2: 'label' must not be empty."),
        ("path,label,split\na.wav,flute\n", ", line 2: 'split' must not be empty."),
        (
            "path,label,split\n\n\na.wav,flute,val\n",
            ", line 4: 'split' must be one of train, valid, test. Got 'val'.",
        ),
        (
            'path,label,split,x\na.wav,flute,test,"1\n2"\n/,a,test,\n',
            ", line 4: 'path' must name a file. Got '/'.",
        ),
        ("path,label,split\n.,flute,test\n", ", line 2: 'path' must name a file. Got '.'."),
        (
            'path,label,split\n"a.wav,flute,test\nb.wav,organ,test\n',
            ": must be comma-separated values. Got unexpected end of data after line 1.",
        ),
    ],
)
def test_a_csv_that_is_no_list_of_tracks_is_told_with_its_line(
    tmp_path: Path, text: str, message: str
) -> None:
    write_csv(tmp_path, text)
    told = refusal(ValidationError, tmp_path, card(CSV), no_lists)
    assert told.startswith(str(tmp_path / "tracks.csv"))
    assert message in told


def test_the_first_layout_that_is_there_is_read(tmp_path: Path) -> None:
    touch(tmp_path, *(f"audio/{name}.wav" for name in all_ids()))
    write_csv(tmp_path, "path,label,split\nelsewhere.wav,flute,train\n")
    (only,) = read_labelled_tracks(tmp_path, card(JSONL, CSV, FOLDERS), no_lists)
    assert only.id == "elsewhere"
    assert len(read_labelled_tracks(tmp_path, card(JSONL, FOLDERS, CSV), lists)) == 7


# --- held against the card ---


def tracks_of(counts: Mapping[str, Mapping[str, int]]) -> list[Track]:
    return [
        Track(f"{split}-{label}-{take}", Path("x.wav"), split, label, f"{split}-{label}-{take}")
        for split, labels in counts.items()
        for label, count in labels.items()
        for take in range(count)
    ]


WHOLE = {
    "train": {"flute": 8, "clarinet": 8, "organ": 8},
    "valid": {"flute": 4, "clarinet": 4, "organ": 4},
    "test": {"flute": 4, "clarinet": 4, "organ": 4},
}
SPEC = from_mapping(TaskSpec, yaml.safe_load(SMALL_CARD), "card")


def excusing(*ids: str) -> TaskSpec:
    values = yaml.safe_load(SMALL_CARD)
    values["may_lack"] = [
        {"id": name, "split": "train", "label": "organ", "reason": "corrupt"} for name in ids
    ]
    return from_mapping(TaskSpec, values, "card")


def faults(tracks: Sequence[Track], spec: TaskSpec = SPEC) -> list[str]:
    with pytest.raises(ValidationError) as caught:
        check_tracks(tracks, spec, Path("data/small"))
    first, *lines = str(caught.value).split("\n  ")
    assert first == "data/small: does not follow the card of Small:"
    return lines


def test_the_whole_set_passes() -> None:
    check_tracks(tracks_of(WHOLE), SPEC, Path("x"))


def test_a_track_too_few_or_too_many_is_counted_by_split_and_label() -> None:
    assert faults(tracks_of(WHOLE)[:-1]) == [
        "test must have 12 tracks. Got 11.",
        "test must have 4 of 'organ'. Got 3.",
    ]
    more = {**WHOLE, "valid": {**WHOLE["valid"], "flute": 6}}
    assert faults(tracks_of(more)) == [
        "valid must have 12 tracks. Got 14.",
        "valid must have 4 of 'flute'. Got 6.",
    ]


def test_a_label_in_another_s_place_is_found_although_the_size_is_right() -> None:
    swapped = {**WHOLE, "test": {"flute": 5, "clarinet": 3, "organ": 4}}
    assert faults(tracks_of(swapped)) == [
        "test must have 4 of 'flute'. Got 5.",
        "test must have 4 of 'clarinet'. Got 3.",
    ]


def test_an_empty_split_is_named_and_counts_may_be_unknown() -> None:
    unknown = dataclasses.replace(SPEC, sizes={}, label_counts={})
    check_tracks(tracks_of(WHOLE)[::2], unknown, Path("x"))
    assert faults([each for each in tracks_of(WHOLE) if each.split != "valid"]) == [
        "valid has no track."
    ]
    assert faults([], unknown) == [f"{split} has no track." for split in SPLITS]


def test_an_excused_track_may_be_there_or_not_but_no_other_in_its_place() -> None:
    spec = excusing("train-organ-7")
    whole = tracks_of(WHOLE)
    check_tracks(whole, spec, Path("x"))
    without = [each for each in whole if each.id != "train-organ-7"]
    check_tracks(without, spec, Path("x"))
    assert faults(without[1:], spec) == [
        "train must have 24 tracks, or 23 without train-organ-7. Got 22.",
        "train must have 8 of 'flute'. Got 7.",
    ]
    assert faults(whole[1:], spec) == [
        "train must have 24 tracks. Got 23.",
        "train must have 8 of 'flute'. Got 7.",
    ]


def test_of_several_excused_tracks_any_may_be_absent() -> None:
    names = ["train-organ-5", "train-organ-6", "train-organ-7"]
    spec = excusing(*names)
    for absent in ([], names[:1], names[1:], names):
        there = [each for each in tracks_of(WHOLE) if each.id not in absent]
        check_tracks(there, spec, Path("x"))


def test_unknown_labels_and_splits_get_near_misses() -> None:
    tracks = tracks_of(WHOLE)
    tracks[0] = dataclasses.replace(tracks[0], label="flut")
    told = faults(tracks)
    assert told[0] == ("unknown label 'flut'. Did you mean 'flute'? Known: clarinet, flute, organ.")
    assert "train must have 8 of 'flute'. Got 7." in told
    tracks = [*tracks_of(WHOLE), dataclasses.replace(tracks[1], id="new", group="g", split="val")]
    assert faults(tracks) == ["'split' must be one of train, valid, test. Got val."]


def test_an_id_given_twice_is_refused() -> None:
    tracks = tracks_of(WHOLE)
    tracks[1] = tracks[0]
    assert faults(tracks) == ["ids must be unique; twice or more: train-flute-0"]


def test_a_group_on_two_sides_of_a_split_is_refused() -> None:
    tracks = tracks_of(WHOLE)
    for place in (0, 1, -1):
        tracks[place] = dataclasses.replace(tracks[place], group="Ann")
    assert faults(tracks) == ["a group must stay in one split; astride: Ann"]


def test_all_faults_come_in_one_list() -> None:
    tracks = tracks_of(WHOLE)
    tracks[1] = tracks[0]
    tracks[-1] = dataclasses.replace(tracks[-1], label="drum", group=tracks[0].group)
    assert [each.split(";")[0] for each in faults(tracks)] == [
        "ids must be unique",
        "unknown label 'drum'. Known: clarinet, flute, organ.",
        "a group must stay in one split",
        "test must have 4 of 'organ'. Got 3.",
    ]
