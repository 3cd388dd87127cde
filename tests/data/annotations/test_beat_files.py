"""Files of beats: as they were published, as people write them, and what is no such file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import mir_eval
import numpy as np
import pytest

from marble_eval.data.annotations.beat_files import checked_beats, read_beats

# The first lines of published files.
# CPJKU/BallroomAnnotations, Albums-AnaBelen_Veneo-11.beats.
BALLROOM = """0.5300000000 1
0.8190000000 2
1.1030000000 3
1.3800000000 4
1.6570000000 1
1.9390000000 2
"""
# Albums-AnaBelen_Veneo-01.beats at its first revision: bar and beat in one number.
BALLROOM_2013 = """0.194467120\t0.4
0.849977324\t1.1
1.470022675\t1.2
2.080000000\t1.3
2.680000000\t1.4
3.300045351\t2.1
"""
# madmom's own sample, and the GTZAN annotations that mirdata names.
MADMOM = """# manually annotated beats for the sample.wav file
0.0913\t1
0.7997\t2
1.4806\t3
2.1478\t4
"""
MIRDATA = "0.113\t1\n0.829\t2\n1.537\t3\n2.28\t4\n2.992\t1\n\n"
# Harmonix has time, position and number of the bar.
HARMONIX = "0.0\t1\t1\n0.5555555555555556\t2\t1\n1.1111111111111112\t1\t2\n"


def written(folder: Path, name: str, text: str, encoding: str = "utf-8") -> Path:
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return path


def refusal(path: Path) -> str:
    with pytest.raises(ValueError) as caught:
        read_beats(path)
    assert str(caught.value).startswith(str(path))
    return str(caught.value).removeprefix(str(path))


# --- text, as published ---


@pytest.mark.parametrize(
    ("name", "text", "downbeats"),
    [
        ("ballroom.beats", BALLROOM, [0.53, 1.657]),
        ("ballroom 2013.beats", BALLROOM_2013, [0.849977324, 3.300045351]),
        ("madmom.beats", MADMOM, [0.0913]),
        ("gtzan_country_00000.beats", MIRDATA, [0.113, 2.992]),
        ("0001_12step.txt", HARMONIX, [0.0, 1.1111111111111112]),
    ],
)
def test_published_files_are_read(
    tmp_path: Path, name: str, text: str, downbeats: list[float]
) -> None:
    path = written(tmp_path, name, text)
    found = read_beats(path)
    lines = np.loadtxt(path, ndmin=2)  # which leaves blank lines and comments out too
    assert found.beats.dtype == np.float64
    assert found.beats.tolist() == lines[:, 0].tolist()
    assert found.downbeats.tolist() == downbeats


def test_a_file_of_times_alone_has_no_downbeats(tmp_path: Path) -> None:
    path = written(tmp_path, "click.txt", "0.5\n1\n1.5e0\n")
    found = read_beats(path)
    assert found.beats.tolist() == mir_eval.io.load_events(str(path)).tolist() == [0.5, 1.0, 1.5]
    assert found.downbeats.tolist() == []


def test_positions_may_be_written_as_floats(tmp_path: Path) -> None:
    rows = np.array([[0.5, 4], [1.0, 1], [1.5, 2]])
    np.savetxt(tmp_path / "a.txt", rows)  # 5.000000000000000000e-01 4.000000000000000000e+00
    np.savetxt(tmp_path / "b.txt", rows, fmt="%.3f")
    rows[:, 1] = [9.3, 10.1, 10.2]  # 9.300000000000000711e+00
    np.savetxt(tmp_path / "c.txt", rows)
    for name in "abc":
        found = read_beats(tmp_path / f"{name}.txt")
        assert (found.beats.tolist(), found.downbeats.tolist()) == ([0.5, 1.0, 1.5], [1.0])


def test_positions_that_are_all_alike_say_nothing_of_downbeats(tmp_path: Path) -> None:
    assert read_beats(written(tmp_path, "a.beats", "0.5 1\n1.0 1\n")).downbeats.size == 0
    assert read_beats(written(tmp_path, "b.beats", "0.5 1.1\n1.0 2.1\n")).downbeats.size == 0


def test_a_csv_may_have_titles_quotes_and_more_columns(tmp_path: Path) -> None:
    texts = [
        "time,position\n0.5,1\n1.0,2\n",
        'Time (s),Beat,comment\n0.5,1,\n1.0,2,"fills, loud"\n',
        '"0.5","1"\n" 1.0 ","2"\n',
        "# by Ann\n\n,,\nbeat_time, position\n0.5, 1\n1.0, 2\n",
    ]
    for text in texts:
        found = read_beats(written(tmp_path, "a.csv", text))
        assert (found.beats.tolist(), found.downbeats.tolist()) == ([0.5, 1.0], [0.5])
    found = read_beats(written(tmp_path, "a.tsv", "time\tposition\n0.5\t1\n1.0\t2\n"))
    assert found.downbeats.tolist() == [0.5]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends_and_byte_order_marks_do_not_matter(
    tmp_path: Path, encoding: str, end: str
) -> None:
    text = "# Größe\n" + BALLROOM
    path = written(tmp_path, "Müller – Walzer 1.beats", text.replace("\n", end), encoding)
    assert read_beats(path).beats.tolist() == [0.53, 0.819, 1.103, 1.38, 1.657, 1.939]


def test_the_suffix_may_be_in_capitals(tmp_path: Path) -> None:
    assert read_beats(written(tmp_path, "A.BEATS", BALLROOM)).beats.size == 6
    assert read_beats(written(tmp_path, "A.CSV", "0.5,1\n1,2\n")).beats.size == 2


@pytest.mark.parametrize(
    ("label", "downbeats"), [("b", []), ("9.3", []), ("{}", [9.3, 11.1]), ("", [])]
)
def test_a_label_track_has_its_time_twice(
    tmp_path: Path, label: str, downbeats: list[float]
) -> None:
    times = [9.3, 9.8, 10.3, 10.8, 11.1, 11.6]
    for form in ("{0}\t{0}\t{1}\n", "{0:.6f}\t{0:.6f}\t{1}\n"):
        lines = [
            form.format(each, label.format(number % 4 + 1)) for number, each in enumerate(times)
        ]
        found = read_beats(written(tmp_path, "a.txt", "".join(lines)))
        assert (found.beats.tolist(), found.downbeats.tolist()) == (times, downbeats)


# --- text that breaks a rule ---


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("a.beats", "0.5 1\n0,8 2\n", ", line 2: a time must be a number of seconds, 0 or more, "),
        ("a.csv", "0,530\n0,819\n", ", line 1: a position in the bar must be a whole number"),
        ("a.csv", "0,05\n0,8\n", "with a decimal point. Got '05'."),
        ("a.csv", "0,5\n0,9\n1,2\n", "Got 0.0 s after 0.0 s. Decimals need a point."),
        ("a.csv", "0,5;1\n", "Got '5;1'."),
        ("a.txt", "0.5\nnan\n", ", line 2: a time must be a number of seconds"),
        ("a.txt", "0.5\ninf\n", "Got 'inf'."),
        ("a.txt", "-0.5\n", "Got '-0.5'."),
        ("a.txt", "1_000\n", "Got '1_000'."),
        ("a.txt", "0.5 1\n1.0\n", ", line 2: a position in the bar must be given for every beat"),
        ("a.txt", "0.5 1\n1.0 0\n", ", line 2: a position in the bar must be a whole number"),
        ("a.txt", "0.5 1\n1.0 two\n", "Got 'two'."),
        ("a.txt", "0.5 1.1\n1 2\n1.5 1.3\n", ", line 2: positions must all be whole numbers, or"),
        ("a.txt", "0.5 1.1\n1 1.3\n1.5 1.2\n", ", line 3: bar and beat must rise. Got 1.2 after "),
        ("a.txt", "0 0.53\n1 0.82\n", "Got '0.53'."),  # the index that pandas writes
        ("a.csv", ",time,position\n0,0.5,1\n", ", line 1: the first columns must be time, pos"),
        ("a.csv", "time,confidence\n0.5,0.9\n", "position. Got time, confidence."),
        ("a.csv", "begin,0.5\n", ", line 1: a time must be a number of seconds"),
        ("a.beats", "", ": must have one beat or more. Got none."),
        ("a.csv", "time,position\n\n# none\n", ": must have one beat or more. Got none."),
        ("a.txt", "9.3 9.7\n9.8 10.2\n10.3 10.7\n", ", line 1: the second column must be pos"),
        ("a.txt", "0.5\0\n", ", line 1: must be UTF-8 text. Got a NUL byte."),
        ("a.lab", "0.5\n", ": a file of beats must be one of .beats, .txt, .csv"),
    ],
)  # fmt: skip
def test_a_bad_line_is_told(tmp_path: Path, name: str, text: str, told: str) -> None:
    assert told in refusal(written(tmp_path, name, text))


def test_of_a_thousand_lines_all_bad_ones_are_named(tmp_path: Path) -> None:
    lines = [f"{number / 2} {number % 4 + 1}" for number in range(1000)]
    lines[16], lines[499], lines[998] = "8,0 1", "x 4", "499.0 None"
    told = refusal(written(tmp_path, "long.beats", "\n".join(lines)))
    assert told.startswith(", line 17: a time must be a number of seconds")
    assert told.endswith("Got '8,0'. Lines 500 and 999 break a rule too.")


def test_of_very_many_bad_lines_ten_are_named_and_the_others_counted(tmp_path: Path) -> None:
    told = refusal(written(tmp_path, "long.beats", "1,0\n" * 1000))
    assert told.endswith("Lines 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 and 989 more break a rule too.")


def test_beats_that_do_not_rise_are_told_with_both_times_and_lines(tmp_path: Path) -> None:
    told = refusal(written(tmp_path, "a.beats", "# c\n0.5\n1.0\n1.0\n2.0\n1.5\n"))
    assert told == (
        ", line 4: a beat must come after the one before it. Got 1.0 s after 1.0 s. "
        "Line 6 breaks a rule too."
    )


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    assert refusal(tmp_path / "gone.beats") == ": there is no such file."
    (tmp_path / "folder.beats").mkdir()
    assert refusal(tmp_path / "folder.beats").startswith(": must be a file. Got a folder.")
    latin = written(tmp_path, "a.beats", "0.5 1\n# Größe\n", "latin-1")
    assert refusal(latin).startswith(", line 2: must be UTF-8 text. Got invalid")
    blob = written(tmp_path, "a.csv", "0.5\n" + "0" * 200_000)
    assert refusal(blob).startswith(", line 2: must be a row. Got field larger than field limit")
    wide = written(tmp_path, "b.beats", BALLROOM, "utf-16")
    assert refusal(wide).startswith(", line 1: must be UTF-8 text.")


# --- JAMS ---


def gtzan_rhythm(
    beats: list[float], downbeats: list[float], eighths: list[float]
) -> dict[str, Any]:
    """Return a file of GTZAN-Rhythm v2, as its authors' generate.py writes it with jams."""

    def beat(times: list[float], purpose: str) -> dict[str, Any]:
        return {
            "namespace": "beat",
            "sandbox": {"annotation_type": purpose},
            "time": 0,
            "duration": None,
            "annotation_metadata": {"corpus": "GTZAN", "data_source": "Manual annotations."},
            "data": [
                {"time": time, "duration": 0.0, "value": 1, "confidence": 1} for time in times
            ],
        }

    return {
        "file_metadata": {"duration": 30.0, "title": "", "jams_version": "0.2.0"},
        "sandbox": {},
        "annotations": [
            beat(beats, "beat"),
            beat(downbeats, "downbeat"),
            beat(eighths, "8th-note"),
            {"namespace": "tag_open", "sandbox": {"swing": "yes", "ternary": "no"}, "data": []},
            {"namespace": "tag_open", "sandbox": {"tempo mean": "120.00"}, "data": []},
        ],
    }


def jams_file(folder: Path, whole: object) -> Path:
    return written(folder, "blues.00000.wav.jams", json.dumps(whole, indent=2))


def beat_annotation(times: list[float], values: list[Any], **more: Any) -> dict[str, Any]:
    data = [{"time": time, "value": value} for time, value in zip(times, values, strict=True)]
    return {"annotations": [{"namespace": "beat", "data": data, **more}]}


def test_gtzan_rhythm_has_beats_and_downbeats_apart_and_eighths_are_neither(tmp_path: Path) -> None:
    whole = gtzan_rhythm([0.5, 1.0, 1.5], [1.0], [0.8, 1.3])
    found = read_beats(jams_file(tmp_path, whole))
    assert (found.beats.tolist(), found.downbeats.tolist()) == ([0.5, 1.0, 1.5], [1.0])


def test_gtzan_rhythm_has_tracks_without_downbeats(tmp_path: Path) -> None:
    found = read_beats(jams_file(tmp_path, gtzan_rhythm([0.5, 1.0], [], [])))
    assert (found.beats.tolist(), found.downbeats.tolist()) == ([0.5, 1.0], [])


def test_jams_may_have_lists_in_an_object(tmp_path: Path) -> None:
    data = {"time": [0.5, 1.0], "duration": [0.0, 0.0], "value": [4, 1], "confidence": [None, None]}
    whole = {"annotations": [{"namespace": "beat", "data": data}]}
    assert read_beats(jams_file(tmp_path, whole)).downbeats.tolist() == [1.0]


def test_values_of_beats_are_positions_unless_they_are_all_alike(tmp_path: Path) -> None:
    for values, downbeats in (
        ([1, 2.0, 1], [0.5, 1.5]),
        ([1, 1, 1], []),
        ([None, None, None], []),
        ([3, 4, None], []),
    ):
        whole = beat_annotation([0.5, 1.0, 1.5], values)
        assert read_beats(jams_file(tmp_path, whole)).downbeats.tolist() == downbeats


def test_positions_may_be_text_and_what_is_none_is_refused(tmp_path: Path) -> None:
    given: list[list[Any]] = [["4", "1", "2"], ["4.0", " 1 ", 2], [4, 1.0, "2"]]
    for values in given:
        found = read_beats(jams_file(tmp_path, beat_annotation([0.5, 1.0, 1.5], values)))
        assert found.downbeats.tolist() == [1.0]
    wrong: list[tuple[list[Any], str]] = [
        (["down", "1", "2"], "down"),
        ([9.3, 9.4, 10.1], "9.3"),
        ([True, 2, 3], "True"),
        ([0, 1, 2], "0"),
        ([{"position": "x"}, {"position": 1}, {"position": 2}], "x"),
    ]
    for values, got in wrong:
        told = refusal(jams_file(tmp_path, beat_annotation([0.5, 1.0, 1.5], values)))
        assert "must be a position in the bar" in told
        assert f"Got {got!r}." in told
    found = read_beats(jams_file(tmp_path, beat_annotation([0.5, 1.0], ["b", "b"])))
    assert found.downbeats.size == 0


def test_json_without_end_is_refused(tmp_path: Path) -> None:
    assert ": must be JSON." in refusal(written(tmp_path, "a.jams", "[" * 100_000))
    assert ": must be JSON." in refusal(written(tmp_path, "a.jams", "1" * 5000))


def test_beat_positions_as_guitarset_has_them(tmp_path: Path) -> None:
    values = [
        {"position": number % 4 + 1, "measure": number // 4, "num_beats": 4, "beat_units": 4}
        for number in range(6)
    ]
    whole = beat_annotation([0.1 + 0.5 * number for number in range(6)], values)
    whole["annotations"][0]["namespace"] = "beat_position"
    assert read_beats(jams_file(tmp_path, whole)).downbeats.tolist() == [0.1, 2.1]


def test_jams_puts_observations_in_order(tmp_path: Path) -> None:
    whole = beat_annotation([1.0, 0.5, 1.5], [2, 1, 1])
    assert read_beats(jams_file(tmp_path, whole)).beats.tolist() == [0.5, 1.0, 1.5]


@pytest.mark.parametrize(
    ("whole", "told"),
    [
        (
            beat_annotation([0.5, 0.5], [1, 2]),
            ": beat 2: a beat must come after the one before it.",
        ),
        (
            beat_annotation([], []),
            " must have an annotation of the namespace beat or beat_position",
        ),
        ({"annotations": [{"namespace": "tempo"}]}, "one observation or more. Got tempo."),
        ({"annotations": []}, "one observation or more. Got none."),
        (
            {"beat": [{"data": []}]},
            ": must be a JAMS file, an object with a list of 'annotations'.",
        ),
        ([1], ": must be a JAMS file"),
        (
            beat_annotation([0.5], [1], sandbox={"annotation_type": "8th-note"}),
            ": 'annotation_type' of an annotation must be 'beat'. Got 8th-note.",
        ),
        (
            {"annotations": beat_annotation([0.5], [1])["annotations"] * 2},
            ": must have one annotation of beat. Got 2. Take out those that are not meant.",
        ),
    ],
)
def test_jams_without_beats_is_told(tmp_path: Path, whole: object, told: str) -> None:
    assert told in refusal(jams_file(tmp_path, whole))


def test_jams_that_is_no_json_is_told_with_its_line(tmp_path: Path) -> None:
    told = refusal(written(tmp_path, "a.jams", '{\n"annotations": [\n'))
    assert told.startswith(", line 3: must be JSON. Got Expecting value.")


# --- times in memory ---


@pytest.mark.parametrize(
    ("beats", "downbeats", "told"),
    [
        (
            [0.5, 1.5, 1.2],
            [],
            "beat 3: a beat must come after the one before it. Got 1.2 s after 1.5",
        ),
        ([0.5, 1.0], [1.0, 1.0], "downbeat 2: a beat must come after the one before it."),
        (
            [0.5, float("nan")],
            [],
            "beat 2: a time must be a number of seconds, 0 or more. Got nan.",
        ),
        ([-0.1], [], "beat 1: a time must be a number of seconds, 0 or more. Got -0.1."),
        ([0.1], [float("inf")], "downbeat 1: a time must be a number of seconds"),
        ([[0.1]], [], "beats must be a list of times in seconds. Got '[[0.1]]'."),
        (["soon"], [], "beats must be a list of times in seconds. Got \"['soon']\"."),
    ],
)
def test_times_that_are_no_beats_are_told(beats: Any, downbeats: Any, told: str) -> None:
    with pytest.raises(ValueError) as caught:
        checked_beats(beats, downbeats)
    assert told in str(caught.value)


def test_there_may_be_no_beats_in_memory_and_what_is_given_is_not_shared() -> None:
    assert checked_beats([], []).beats.shape == (0,)
    given = np.array([1, 2])
    found = checked_beats(given, given).beats
    given[0] = 0
    assert found.tolist() == [1.0, 2.0]
