"""Files of chords: as they were published, as people write them, and what is no such file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import mir_eval
import numpy as np
import pytest

from marble_eval.data.annotations.chord_files import checked_chords, read_chords

# Lines of published files: Isophonics' Beatles (spaces) and Queen (tabs), RWC, and McGill
# Billboard 0035, where some ends pass the next start by 6e-14 s and others fall short of it.
BEATLES = """0.000000 0.497838 N
4.586464 6.989730 E:min
6.989730 9.985104 G
"""
QUEEN = "0.000\t0.459\tN\n0.459\t4.122\tBb:maj6\n4.122\t4.911\tC:7"
RWC = "0.000\t0.104\tN\n0.104\t1.858\tAb:min\n43.992\t44.494\tBb:maj(*3)\n44.494\t47.636\tC:min7\n"
BILLBOARD = """38.53234126925005\t40.64340136000006\tC:7(#9)
40.64340136\t41.69333333274999\tEb:5
41.69333333274999\t42.743265305499975\tC:1/1
57.229629392562416\t57.49371881999991\tX
57.49371882\t59.55345238024998\tC:7(#9)
"""


def written(folder: Path, name: str, text: str, encoding: str = "utf-8") -> Path:
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return path


def refusal(path: Path) -> str:
    with pytest.raises(ValueError) as caught:
        read_chords(path)
    assert str(caught.value).startswith(str(path))
    return str(caught.value).removeprefix(str(path))


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("text", [BEATLES, QUEEN, RWC, BILLBOARD])
def test_published_files_are_read_as_mir_eval_reads_them(
    tmp_path: Path, text: str, end: str
) -> None:
    path = written(tmp_path, "01 Für Elise.lab", text.replace("\n", end), "utf-8")
    intervals, names = mir_eval.io.load_labeled_intervals(str(path))
    found = read_chords(path)
    assert found.names == tuple(names)
    assert found.intervals.dtype == np.float64
    np.testing.assert_allclose(found.intervals, intervals, rtol=0, atol=1e-12)
    assert (found.intervals[:-1, 1] <= found.intervals[1:, 0]).all()


def test_ends_that_pass_the_next_start_by_rounding_are_cut_there(tmp_path: Path) -> None:
    found = read_chords(written(tmp_path, "a.lab", BILLBOARD))
    assert found.intervals[0].tolist() == [38.53234126925005, 40.64340136]
    assert found.intervals[3, 1] == 57.49371881999991  # a gap stays one
    near = [[0, 1.0009], [1.0, 2.0]]
    assert checked_chords(near, ["C", "D"]).intervals.tolist() == [[0, 1], [1, 2]]
    with pytest.raises(ValueError, match=r"chord 2: a chord must start when .* Got 1\.0 s after 0"):
        checked_chords([[0, 1.002], [1.0, 2.0]], ["C", "D"])


def test_a_csv_may_have_titles_and_quoted_names(tmp_path: Path) -> None:
    for text in (
        'start,end,chord\n0,1.5,A:min7/b3\n1.5,2,"Db:sus4(b7,9)"\n',
        '\ufeff# Größe\nstart_time,end_time,label\n\n0,1.5,A:min7/b3\n1.5,2,"Db:sus4(b7,9)"\n',
        '0,1.5,"A:min7/b3"\n1.5,2,"Db:sus4(b7,9)"',
    ):
        found = read_chords(written(tmp_path, "a.csv", text))
        assert found.names == ("A:min7/b3", "Db:sus4(b7,9)")
        assert found.intervals.tolist() == [[0.0, 1.5], [1.5, 2.0]]


def test_a_sharp_is_no_comment(tmp_path: Path) -> None:
    assert read_chords(written(tmp_path, "a.txt", "# by Ann\n0 1 F#:min\n")).names == ("F#:min",)


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("a.lab", "0 1 C\n1 2 Am7\n", ", line 2: a chord must be named as in A:min7/b3, C, N"),
        ("a.lab", "0 1 C\n1 2 H:maj\n2 3 H:maj\n", "Got 'H:maj'. Line 3 breaks a rule too."),
        ("a.lab", "0 1 C\n1 1 D\n", ", line 2: a chord must end after it starts. Got 1.0 to 1.0"),
        ("a.lab", "0 1 C\n2 1 D\n", ", line 2: a chord must end after it starts."),
        ("a.lab", "# a\n0 2 C\n1 3 D\n", "has ended. Got 1.0 s after 0.0 to 2.0 s."),
        ("a.lab", "1 2 C\n0 1 D\n", ", line 2: a chord must start when the one before it"),
        ("a.lab", "1 1.0005 C\n1 2 D\n", ", line 2: a chord must start when the one before it"),
        ("a.lab", "0,0 1,5 C\n", "with a decimal point. Got '0,0'."),
        ("a.lab", "0 1\n", ", line 1: a line must have start, end and name of a chord. "),
        ("a.lab", "0 1 C : maj\n", "Got 5 cells"),
        ("a.csv", "0,1,Db:sus4(b7,9)\n", "Got 4 cells: '0 1 Db:sus4(b7 9)'."),
        ("a.csv", "start,duration,chord\n0,1,C\n", "must be start, end, name. Got start"),
        ("a.lab", "-1 1 C\n", "Got '-1'."),
        ("a.lab", "\n", ": must have one chord or more. Got none."),
        ("a.xml", "0 1 C\n", ": a file of chords must be one of .lab, .txt, .csv"),
    ],
)  # fmt: skip
def test_a_bad_line_is_told(tmp_path: Path, name: str, text: str, told: str) -> None:
    assert told in refusal(written(tmp_path, name, text))


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    assert refusal(tmp_path / "gone.lab") == ": there is no such file."


def test_every_name_that_mir_eval_knows_is_taken() -> None:
    names = [
        *(
            f"{root}:{quality}"
            for root in ("C", "F#", "Bb")
            for quality in mir_eval.chord.QUALITIES
        ),
        *("N", "X", "C", "G/3", "E:7(*3)", "G:(1,5)", "C:min(*b3)"),
    ]
    names = [each for each in names if not each.endswith(":")]
    intervals = [[at, at + 1] for at in range(len(names))]
    assert checked_chords(intervals, names).names == tuple(names)
    with pytest.raises(ValueError, match="chord 2: a chord must be named"):
        checked_chords(intervals[:2], ["C", "X:maj"])


# --- JAMS ---


def jams_file(folder: Path, *annotations: dict[str, Any]) -> Path:
    return written(folder, "TRÄ.jams", json.dumps({"annotations": annotations}))


def chord_annotation(rows: list[tuple[float, Any, Any]], **more: Any) -> dict[str, Any]:
    data = [
        {"time": time, "duration": duration, "value": value, "confidence": 1}
        for time, duration, value in rows
    ]
    return {"namespace": "chord", "data": data, **more}


def test_jams_has_durations_whose_sums_are_rounded(tmp_path: Path) -> None:
    # 0.1 + 0.2 is 0.30000000000000004, which passes the next start.
    found = read_chords(
        jams_file(
            tmp_path,
            {"namespace": "beat", "data": [{"time": 0.0}]},
            chord_annotation([(0.1, 0.2, "C:maj"), (0.3, 1, "N"), (1.3, 0.7, "X")]),
            chord_annotation([]),
        )
    )
    assert found.names == ("C:maj", "N", "X")
    assert found.intervals.tolist() == [[0.1, 0.3], [0.3, 1.3], [1.3, 2.0]]


def test_both_namespaces_and_both_forms_of_data_are_read(tmp_path: Path) -> None:
    data = {"time": [0.0, 1.0], "duration": [1.0, 2.0], "value": ["C", "D:min"]}
    found = read_chords(jams_file(tmp_path, {"namespace": "chord_harte", "data": data}))
    assert (found.names, found.intervals.tolist()) == (("C", "D:min"), [[0.0, 1.0], [1.0, 3.0]])


@pytest.mark.parametrize(
    ("annotations", "told"),
    [
        ([chord_annotation([(0, None, "C")])], ": chord 1: a time must be a number of seconds"),
        ([chord_annotation([(0, 1, None)])], ": chord 1: a name must be text. Got 'None'."),
        ([chord_annotation([(0, 1, {"tonic": "C"})])], ": chord 1: a name must be text."),
        ([chord_annotation([(0, 1, "C"), (1, 1, "c")])], ": chord 2: a chord must be named as in"),
        ([chord_annotation([(0, 0, "C")])], ": chord 1: a chord must end after it starts."),
        ([chord_annotation([(0, 1, "C")])] * 2, ": must have one annotation of chord. Got 2."),
        (
            [chord_annotation([(0, 1, "I")], namespace="chord_roman")],
            ": must have an annotation of the namespace chord or chord_harte, with one observation "
            "or more. Got chord_roman.",
        ),
    ],
)
def test_jams_without_chords_is_told(
    tmp_path: Path, annotations: list[dict[str, Any]], told: str
) -> None:
    assert told in refusal(jams_file(tmp_path, *annotations))


# --- chords in memory ---


@pytest.mark.parametrize(
    ("intervals", "names", "told"),
    [
        ([[0, 1]], ["C", "D"], "chords must have a start and an end in seconds and a name each."),
        ([[0, 1, 2]], ["C"], "chords must have a start and an end in seconds"),
        ([["now", "then"]], ["C"], "chords must have a start and an end in seconds"),
        ([[0, float("nan")]], ["C"], "chord 1: a time must be a number of seconds"),
    ],
)
def test_what_is_no_chord_is_told(intervals: Any, names: list[str], told: str) -> None:
    with pytest.raises(ValueError) as caught:
        checked_chords(intervals, names)
    assert str(caught.value).startswith(told)


def test_there_may_be_no_chords_in_memory() -> None:
    assert checked_chords([], []).intervals.shape == (0, 2)
