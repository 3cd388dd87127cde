"""VocalSet as people have it on disk: the release, and MARBLE's pieces with its lists."""

from __future__ import annotations

import dataclasses
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from marble_eval.data.layouts import Reading, read_layouts
from marble_eval.data.layouts.vocalset import LEFT_OUT, TECHNIQUES
from marble_eval.data.tracks import check_tracks
from marble_eval.errors import MissingError, SpecError, ValidationError
from marble_eval.registry import Task
from marble_eval.registry import load_task as read_task
from marble_eval.spec import Layout, TaskSpec, Track
from tests.data.layouts.conftest import no_lists, reading, refusal, touch

#: Files of the release with the names that it really has, and what each is.
RELEASE = {
    "female1/arpeggios/belt/f1_arpeggios_belt_c_a": "belt/f1_arpeggios_belt_c_a",
    "female1/scales/slow_forte/f1_scales_f_slow_forte_a": "slow_forte/f1_scales_f_slow_forte_a",
    "female2/arpeggios/lip_trill/lip_trill_arps": "lip_trill/f2_lip_trill_arps",
    "female2/scales/straight/f2_scales_straight_u(1)": "straight/f2_scales_straight_u(1)",
    "female2/scales/straight/f2_scales_straight_u": "straight/f2_scales_straight_u",
    "female3/scales/fast_piano/scales_fast_piano_f": "fast_piano/f3_scales_fast_piano_f",
    "female4/scales/straight/scales_straight_a": "straight/f4_scales_straight_a",
    "female7/long_tones/trillo/f7_ long_trillo_i": "trillo/f7_ long_trillo_i",
    "male1/scales/straight/m1_straight_tone_scales_u": "straight/m1_straight_tone_scales_u",
    "male4/excerpts/spoken/m4_ row_spoken": "spoken/m4_ row_spoken",
    "male8/excerpts/straight/row_straight": "straight/m8_row_straight",
    "male10/scales/vibrato/m10_scales_vibrato_a": "vibrato/m10_scales_vibrato_a",
    "male11/long_tones/pp/m11_long_pp_a": "pp/m11_long_pp_a",
}
#: What MARBLE's script deletes or never sees, and what no archive should hold.
NOT_READ = (
    "FULL/female2/scales/vibrato/f2_scales_vibrato_a(1).wav",
    "FULL/female2/arpeggios/vibrado/slow_vibrato_arps.wav",
    "FULL/female2/arpeggios/vibrado/f2_arpeggios_vibrato_a.wav",
    "FULL/male10/excerpts/vibrato/caro_vibrato.wav",
    "FULL/male10/excerpts/vibrato/dona_vibrato.wav",
    "FULL/male10/excerpts/vibrato/row_vibrato.wav",
    "FULL/female1/arpeggios/belt/._f1_arpeggios_belt_c_e.wav",
    "FULL/female1/arpeggios/belt/.DS_Store",
    "FULL/female10/arpeggios/belt/f10_arpeggios_belt_a.wav",
    "__MACOSX/FULL/female1/arpeggios/belt/._f1_arpeggios_belt_c_a.wav",
)
CLASSES = "belt breathy inhaled lip_trill spoken straight trill trillo vibrato vocal_fry".split()


@cache
def load_task(name: str) -> Task:
    """Read every card once in this module, not once a test."""
    return read_task(name)


def release(root: Path, below: str = "FULL") -> Path:
    touch(root, *(f"{below}/{name}.wav" for name in RELEASE))
    return root


def pieces(root: Path, below: str = "audio") -> Path:
    """Cut each recording into two, as MARBLE's script names them."""
    touch(root, *(f"{below}/{name}_{at:02d}.wav" for name in RELEASE.values() for at in (0, 1)))
    return root


def read(name: str, root: Path, **changes: Any) -> list[Track]:
    task = load_task(name)
    spec = dataclasses.replace(task.spec, **changes)
    tracks: list[Track] = task.kind.read_tracks(root, spec, no_lists)
    return tracks


def write_lists(root: Path, kind: str, **of_split: str) -> None:
    for split, names in of_split.items():
        lines = [f"{name}.wav\n" for name in names.split("|")]
        (root / f"{split}_{kind}.txt").write_text("".join(lines))


def faults(name: str, root: Path) -> str:
    spec = load_task(name).spec
    return refusal(ValidationError, reading(root, spec))


@pytest.mark.parametrize("below", ["FULL", "."])
def test_the_release_is_read_with_the_singer_of_the_folder(tmp_path: Path, below: str) -> None:
    tracks = read("VocalSetS", release(tmp_path, below))
    assert {each.id: each.path.relative_to(tmp_path / below) for each in tracks} == {
        name: Path(f"{path}.wav") for path, name in RELEASE.items()
    }
    for each in tracks:
        folder = each.path.relative_to(tmp_path / below).parts[0]
        assert each.label == folder.replace("female", "f").replace("male", "m")
        assert each.recording == "" and each.path.is_file()


def test_what_marble_deletes_and_what_is_no_recording_is_left_out(tmp_path: Path) -> None:
    before = read("VocalSetS", release(tmp_path))
    touch(tmp_path, *NOT_READ)
    assert read("VocalSetS", tmp_path) == before
    assert len(LEFT_OUT) == 5 and len(TECHNIQUES) == 17


def test_the_one_file_that_names_another_singer_goes_by_its_folder(tmp_path: Path) -> None:
    names = ["male8/excerpts/vibrato/m9_caro_vibrato", "male9/excerpts/vibrato/m9_caro_vibrato"]
    touch(tmp_path, *(f"FULL/{name}.wav" for name in names))
    tracks = read("VocalSetS", tmp_path)
    assert {each.id: each.label for each in tracks} == {
        "vibrato/m8_caro_vibrato": "m8", "vibrato/m9_caro_vibrato": "m9",
    }  # fmt: skip


def test_the_technique_task_has_ten_of_the_seventeen(tmp_path: Path) -> None:
    tracks = read("VocalSetT", release(tmp_path))
    assert {each.id for each in tracks} == {
        name for name in RELEASE.values() if name.split("/")[0] in CLASSES
    }
    assert all(each.label == each.id.split("/")[0] for each in tracks)
    assert [load_task(name).spec.labels for name in ("VocalSetT", "VocalSetTv1")] == (
        [tuple(CLASSES)] * 2
    )


@pytest.mark.parametrize("name", ["VocalSetT", "VocalSetS"])
def test_pieces_and_release_agree_in_recordings_labels_groups_and_splits(
    name: str, tmp_path: Path
) -> None:
    whole = read(name, release(tmp_path / "release"))
    cut = read(name, pieces(tmp_path / "pieces"))
    assert len(cut) == 2 * len(whole) and all(each.path.is_file() for each in cut)
    facts = {each.id: (each.label, each.group, each.split) for each in whole}
    assert {each.recording: (each.label, each.group, each.split) for each in cut} == facts
    assert {each.id for each in cut} == {f"{name}_{at}" for name in facts for at in ("00", "01")}
    check_tracks(whole, load_task(name).spec, tmp_path)
    check_tracks(cut, load_task(name).spec, tmp_path)


def test_a_technique_s_singer_and_a_singer_s_exercise_are_on_one_side(tmp_path: Path) -> None:
    release(tmp_path)
    by_singer = {each.id: (each.group, each.split) for each in read("VocalSetT", tmp_path)}
    assert by_singer["belt/f1_arpeggios_belt_c_a"] == ("f1", "train")
    assert by_singer["trillo/f7_ long_trillo_i"] == ("f7", "valid")
    assert by_singer["vibrato/m10_scales_vibrato_a"] == ("m10", "test")
    by_exercise = {each.id: (each.group, each.split) for each in read("VocalSetS", tmp_path)}
    assert by_exercise["slow_forte/f1_scales_f_slow_forte_a"] == ("f1/scales/slow_forte", "valid")
    assert by_exercise["spoken/m4_ row_spoken"] == ("m4/row", "test")
    twice = [by_exercise[f"straight/f2_scales_straight_u{take}"] for take in ("", "(1)")]
    assert twice == [("f2/scales/straight", "test")] * 2


def test_marble_s_lists_name_the_pieces(tmp_path: Path) -> None:
    write_lists(
        tmp_path, "t", train="belt/f1_scales_belt_a_00|belt/f1_scales_belt_a_01",
        valid="spoken/m4_ row_spoken_00", test="lip_trill/f2_lip_trill_arps_10",
    )  # fmt: skip
    touch(tmp_path, "audio/belt/f1_scales_belt_a_00.wav", "audio/belt/on_no_list.wav")
    tracks = read("VocalSetTv1", tmp_path)
    assert tracks[0] == Track(
        id="belt/f1_scales_belt_a_00",
        path=tmp_path / "audio/belt/f1_scales_belt_a_00.wav",
        split="train",
        label="belt",
        group="belt/f1_scales_belt_a",
        recording="belt/f1_scales_belt_a",
    )
    assert [(each.id, each.split, each.group) for each in tracks[1:]] == [
        ("belt/f1_scales_belt_a_01", "train", "belt/f1_scales_belt_a"),  # reported as missing
        ("spoken/m4_ row_spoken_00", "valid", "spoken/m4_ row_spoken"),
        ("lip_trill/f2_lip_trill_arps_10", "test", "f2"),
    ]


def test_marble_s_lists_divide_the_release_too(tmp_path: Path) -> None:
    """Both of m8's and m9's caro were one file for MARBLE; what is on no list is not read."""
    release(tmp_path)
    touch(tmp_path, "FULL/male8/excerpts/vibrato/m9_caro_vibrato.wav")
    write_lists(
        tmp_path, "s", train="belt/f1_arpeggios_belt_c_a_00|belt/f1_arpeggios_belt_c_a_01",
        valid="pp/m11_long_pp_a_00|vibrato/m9_caro_vibrato_00", test="straight/m8_row_straight_00",
    )  # fmt: skip
    tracks = read("VocalSetSv1", tmp_path)
    assert {each.id: (each.label, each.split, each.group) for each in tracks} == {
        "belt/f1_arpeggios_belt_c_a": ("f1", "train", "belt/f1_arpeggios_belt_c_a"),
        "pp/m11_long_pp_a": ("m11", "valid", "pp/m11_long_pp_a"),
        "vibrato/m8_caro_vibrato": ("m8", "valid", "vibrato/m8_caro_vibrato"),
        "straight/m8_row_straight": ("m8", "test", "straight/m8_row_straight"),
    }
    assert all(each.path.is_file() for each in tracks)


def test_lists_with_the_line_ends_of_another_system_are_read(tmp_path: Path) -> None:
    for split, name in {"train": "f1", "valid": "f3", "test": "f2"}.items():
        line = f"belt/{name}_scales_belt_a_00.wav\r\n\r\n"
        (tmp_path / f"{split}_t.txt").write_bytes(line.encode())
    touch(tmp_path, "audio/belt/f1_scales_belt_a_00.wav")
    assert [each.split for each in read("VocalSetTv1", tmp_path)] == ["train", "valid", "test"]


def test_every_bad_line_of_a_list_is_named(tmp_path: Path) -> None:
    pieces(tmp_path)
    write_lists(
        tmp_path, "t", train="belt/f1_scales_belt_a_00", test="x",
        valid="belt/f1_scales_belt_a|belt/f12_scales_belt_a_00|belt/f1_scales_belt_a_00",
    )  # fmt: skip
    told = faults("VocalSetTv1", tmp_path)
    assert f"{tmp_path / 'valid_t.txt'}: 3 rows break a rule" in told
    assert "line 1: must be <technique>/<singer>_…_<number>.wav. Got 'belt/f1_" in told
    assert "line 2: must be" in told
    assert "line 3: 'belt/f1_scales_belt_a_00.wav' must be on one list, and once." in told


def test_one_list_alone_is_refused(tmp_path: Path) -> None:
    pieces(tmp_path)
    write_lists(tmp_path, "t", train="belt/f1_scales_belt_a_00")
    spec = load_task("VocalSetTv1").spec
    assert "valid_t.txt: must lie beside the other splits' lists" in (
        refusal(MissingError, reading(tmp_path, spec))
    )


def test_pieces_without_their_lists_are_refused_and_told_where_lists_are(tmp_path: Path) -> None:
    spec = load_task("VocalSetSv1").spec
    told = refusal(MissingError, reading(pieces(tmp_path), spec))
    assert "must hold train_s.txt, valid_s.txt, test_s.txt beside the pieces" in told
    assert "data download task=VocalSetSv1 --dry-run" in told
    assert "https://github.com/nicolaus625/CMI-bench/tree/0a83837" in spec.instructions


def test_a_release_that_is_not_whole_is_refused_where_the_rule_needs_it(tmp_path: Path) -> None:
    told = faults("VocalSetTv1", release(tmp_path))
    assert "340 groups of techniques and 397 of singers" in told
    assert "put MARBLE's lists into this folder" in told


def test_files_that_are_no_pieces_are_named(tmp_path: Path) -> None:
    touch(pieces(tmp_path), "audio/belt/warmup.wav", "audio/belt/f1_scales_belt_a.wav")
    told = faults("VocalSetT", tmp_path)
    assert "2 rows break a rule" in told
    assert "belt/warmup.wav: must be <singer>_…_<number of the piece>.wav." in told


@pytest.mark.parametrize("name", ["VocalSetT", "VocalSetS", "VocalSetTv1", "VocalSetSv1"])
def test_another_folder_is_no_vocalset(name: str, tmp_path: Path) -> None:
    touch(tmp_path, "audio/notes.txt", "FULL/readme-anon.txt", "genres/jazz/jazz.00000.wav")
    told = refusal(MissingError, reading(tmp_path, load_task(name).spec))
    assert f"must hold {name} in a known layout" in told
    assert f"data download task={name} --dry-run" in told


@pytest.mark.parametrize(
    "layout",
    [
        Layout("vocalset", path="FULL", label="vowel", group="singer"),
        Layout("vocalset", path="FULL", label="singer"),
        Layout("vocalset", path="FULL", label="singer", group="vowel"),
    ],
)
def test_a_card_that_says_something_else_is_refused(layout: Layout, tmp_path: Path) -> None:
    spec: TaskSpec = dataclasses.replace(load_task("VocalSetS").spec, data=(layout,))
    with pytest.raises(SpecError, match="VocalSetS: for the form vocalset, 'label' must be"):
        read_layouts(Reading(tmp_path, spec, no_lists, lambda row, field, _: str(row[field])))
