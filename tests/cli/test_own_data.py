"""Data sets of one's own: a card of two lines, a table, audio, and no Python.

What users do is tried here on real files: every kind, with and without splits, and the
mistakes that tables come with. The real command is run where it is the point.
"""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

import marble_eval
from marble_eval.cli import main
from marble_eval.errors import MarbleError, MissingError, ValidationError
from marble_eval.results import Result, read_predictions, read_result

RATE = 16000
ROWS = dict[str, Any]

#: Labels of the kinds, as they stand in a table; chosen so that a tone's pitch tells them.
LABELS: dict[str, Callable[[int], ROWS]] = {
    "classification": lambda note: {"label": "high" if note > 66 else "low"},
    "tagging": lambda note: {
        "label": ";".join(["tone", *(["high"] if note > 66 else [])][note % 2 :])
    },
    "regression": lambda note: {"height": f"{note / 10:.1f}"},
    "key": lambda note: {"label": ("C major", "F# minor", "Eb", "Gb:min")[note % 4]},
    "pitch": lambda note: {"label": str(note)},
}
CARD = {"regression": "labels: [height]\n"}


def write_tone(path: Path, note: int, seed: int, seconds: float = 0.3) -> None:
    """Write a sine of a MIDI note in a little noise; no two seeds give the same file."""
    rng = np.random.default_rng(seed)
    time = np.arange(round(seconds * RATE)) / RATE
    sound = 0.3 * np.sin(2 * np.pi * 440 * 2 ** ((note - 69) / 12) * time)
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, sound + 0.01 * rng.standard_normal(len(time)), RATE)


def write_data(
    folder: Path, kind: str, *, split: bool = True, tracks: int = 40, lines: bool = False
) -> list[ROWS]:
    """Write a folder: a card of two lines, a table, and a tone for each row."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "task.yaml").write_text(f"name: mine\nkind: {kind}\n{CARD.get(kind, '')}")
    rows: list[ROWS] = []
    for number in range(tracks):
        note = (62, 65, 68, 71)[number % 4]
        write_tone(folder / "audio" / f"{number}.wav", note, number)
        row = {"path": f"audio/{number}.wav", **LABELS[kind](note), "group": f"g{number // 2}"}
        if split:
            row["split"] = ("train", "train", "train", "valid", "test")[number // 4 % 5]
        rows.append(row)
    if lines:
        (folder / "tracks.jsonl").write_text("\n".join(json.dumps(each) for each in rows))
    else:
        write_table(folder, rows)
    return rows


def write_table(folder: Path, rows: Sequence[Mapping[str, Any]], **options: Any) -> None:
    with (folder / "tracks.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, fieldnames=list(rows[0]), **options)
        writer.writeheader()
        writer.writerows(rows)


def evaluate(folder: Path, **choices: Any) -> Result:
    options = {"protocol": "quick", "probe": "linear", "seeds": 1, **choices}
    return marble_eval.evaluate("mel", f"{folder}/", **options)


def refusal(folder: Path, error: type[MarbleError] = ValidationError) -> str:
    with pytest.raises(error) as caught:
        evaluate(folder)
    return str(caught.value)


def typed(cwd: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "marble_eval", *words], cwd=cwd, capture_output=True, text=True
    )


# --- every kind ---


@pytest.mark.parametrize("kind", LABELS)
def test_a_card_of_two_lines_and_a_table_make_a_task(tmp_path: Path, kind: str) -> None:
    rows = write_data(tmp_path / "mine", kind, lines=True)
    results = tmp_path / "results"
    result = evaluate(tmp_path / "mine", results=results)
    assert result.task.kind == kind
    assert result.task.sizes == {"train": 24, "valid": 8, "test": 8}
    assert result.counts.scored == 8
    assert result.protocol.conforms and result.task.provider == "folder"
    (path,) = results.rglob("result.json")
    assert read_result(path) == result
    found = read_predictions(path)
    held = {f"audio/{at}" for at, row in enumerate(rows) if row["split"] == "test"}
    assert set(found.query("split == 'test'")["id"]) == held


@pytest.mark.parametrize("kind", LABELS)
def test_the_command_takes_a_csv_of_every_kind(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_data(tmp_path / "mine", kind, split=kind != "key")
    monkeypatch.chdir(tmp_path)
    assert main(["run", "task=./mine", "encoder=mel", "protocol=quick", "seeds=1"]) == 0
    (path,) = (tmp_path / "results").rglob("result.json")
    result = read_result(path)
    assert result.task.kind == kind
    told = capsys.readouterr().out
    assert "mine@1   mel (1)   quick" in told
    assert all(name in told for name in result.metrics)


def test_a_tone_s_pitch_is_told(tmp_path: Path) -> None:
    """The numbers mean something: a sine tells its pitch, so every kind scores far above chance."""
    for kind, metric, floor in (
        ("classification", "accuracy", 0.7),
        ("tagging", "roc_auc", 0.7),
        ("pitch", "accuracy", 0.6),
        ("regression", "r2", 0.5),
    ):
        write_data(tmp_path / kind, kind)
        result = evaluate(tmp_path / kind, protocol="marble-v1")
        assert result.metrics[metric].value > floor, kind


def test_own_tasks_make_a_suite(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for kind in ("pitch", "tagging"):
        write_data(tmp_path / kind, kind)
        card = tmp_path / kind / "task.yaml"
        card.write_text(card.read_text().replace("name: mine", f"name: my-{kind}"))
    (tmp_path / "mine.yaml").write_text("tasks: [./pitch, ./tagging, GTZAN]\n")
    monkeypatch.chdir(tmp_path)
    job = ["run", "suite=./mine.yaml", "encoder=mel", "protocol=quick", "seeds=1"]
    assert main([*job, "--dry-run"]) == 0
    assert not (tmp_path / "results").exists()
    capsys.readouterr()
    assert main(job) == 0
    told = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [line[:2] for line in told if line and line[0].startswith("my-")] == [
        ["my-pitch", "accuracy"],
        ["my-tagging", "roc_auc"],
    ]
    assert ["missing:", "1", "of", "3", "tasks"] in told
    assert len(list((tmp_path / "results").rglob("result.json"))) == 2


# --- splits ---


def test_a_table_without_splits_is_divided_once(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    rows = write_data(folder, "classification", split=False, tracks=60)
    first = evaluate(folder)
    assert first.task.sizes == {"train": 36, "valid": 12, "test": 12}
    kept = folder / "tracks.split.csv"
    before = kept.read_bytes()
    again = evaluate(folder)
    assert again.task.split_digest == first.task.split_digest and kept.read_bytes() == before
    with kept.open(newline="") as stream:
        split_of = {row["id"]: row["split"] for row in csv.DictReader(stream)}
    sides = defaultdict(set)
    for row in rows:
        sides[row["group"]].add(split_of[row["path"].removesuffix(".wav")])
    assert len(sides) == 30 and all(len(splits) == 1 for splits in sides.values())

    write_table(folder, rows[:-2])
    told = refusal(folder)
    assert told.startswith(f"{kept}: must divide the tracks of tracks.csv.")
    kept.unlink()
    assert sum(evaluate(folder).task.sizes.values()) == 58


def test_somebody_else_gets_the_same_division(tmp_path: Path) -> None:
    for name in ("here", "there"):
        write_data(tmp_path / name, "tagging", split=False, tracks=60)
        evaluate(tmp_path / name)
    here, there = (tmp_path / name / "tracks.split.csv" for name in ("here", "there"))
    assert here.read_bytes() == there.read_bytes()


def test_labels_may_be_mended_after_the_division(tmp_path: Path) -> None:
    rows = write_data(tmp_path, "classification", split=False, tracks=60)
    first = evaluate(tmp_path)
    rows[0]["label"] = "middle"
    write_table(tmp_path, rows)
    second = evaluate(tmp_path)
    assert second.task.split_digest == first.task.split_digest
    assert second.unit != first.unit


def test_too_few_groups_are_told_before_anything_is_written(tmp_path: Path) -> None:
    rows = write_data(tmp_path, "classification", split=False)
    for row in rows:
        row["group"] = "the same"
    write_table(tmp_path, rows)
    assert "must have 10 or more groups to be divided. Got 1." in refusal(tmp_path)
    assert not (tmp_path / "tracks.split.csv").exists()


# --- mistakes ---


def test_all_bad_rows_are_told_at_once_and_nothing_is_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "mine"
    rows = write_data(folder, "classification")
    (folder / "task.yaml").write_text("name: mine\nkind: classification\nlabels: [high, low]\n")
    (folder / rows[1]["path"]).unlink()  # line 3
    rows[2]["label"] = "hihg"  # line 4
    rows[4]["label"] = ""  # line 6
    rows[5]["path"] = rows[0]["path"]  # line 7
    shutil.copy(folder / rows[6]["path"], folder / rows[12]["path"])  # lines 8 and 14
    rows[8]["split"] = "dev"  # line 10
    rows[10]["group"] = rows[0]["group"]  # line 12: training and training, no fault
    rows[15]["group"] = rows[0]["group"]  # line 17: training and validation
    write_table(folder, rows)
    monkeypatch.chdir(tmp_path)
    assert main(["run", "task=./mine", "encoder=mel"]) == 4
    first, *told = capsys.readouterr().err.splitlines()
    assert first == "marble-eval: error: mine/tracks.csv: 7 rows break a rule:"
    assert [line.split(": ")[0].strip() for line in told[:-1]] == [
        f"line {number}" for number in (3, 4, 6, 7, 10, 14, 17)
    ]
    for line, said in zip(
        told,
        (
            "the audio is missing: ",
            "unknown label 'hihg', not among the card's. Did you mean 'high'?",
            "'label' must not be empty.",
            "a track must have one row",
            "'split' must be one of train, valid, test. Got 'dev'.",
            "the same audio must not be in two splits.",
            "a group must stay in one split. Got 'g0' in valid, and in train in line 2.",
        ),
        strict=False,
    ):
        assert said in line
    assert not (tmp_path / "results").exists()
    assert not list(Path(os.environ["MARBLE_EVAL_HOME"]).rglob("data.bin"))


@pytest.mark.parametrize(
    ("kind", "column", "value", "said"),
    [
        ("regression", "height", "6,5", "'height' must be a finite number. Got '6,5'."),
        ("regression", "height", "high", "'height' must be a finite number. Got 'high'."),
        ("key", "label", "Fis-Dur", "a key must be a tonic from A to G"),
        ("key", "label", "c", "a key must be a tonic from A to G"),
        ("pitch", "label", "C4", "'label' must be a MIDI number, 0 to 127. Got 'C4'."),
        ("pitch", "label", "128", "'label' must be a MIDI number, 0 to 127. Got '128'."),
    ],
)
def test_what_a_kind_cannot_read_is_told_with_its_line(
    tmp_path: Path, kind: str, column: str, value: str, said: str
) -> None:
    rows = write_data(tmp_path, kind)
    rows[3][column] = value
    write_table(tmp_path, rows)
    told = refusal(tmp_path)
    assert told.startswith(f"{tmp_path / 'tracks.csv'}, line 5: {said}")


def test_missing_audio_alone_is_code_3(tmp_path: Path) -> None:
    rows = write_data(tmp_path / "mine", "classification")
    for at in (1, 20):
        (tmp_path / "mine" / rows[at]["path"]).unlink()
    told = refusal(tmp_path / "mine", MissingError)
    assert "2 audio files of mine cannot be used:" in told
    assert f"{rows[1]['path']}: missing" in told and f"{rows[20]['path']}: missing" in told
    assert evaluate(tmp_path / "mine", missing="report").counts.missing
    assert main(["run", f"task={tmp_path}/mine", "encoder=mel"]) == 3


def test_the_same_audio_in_two_splits_alone_is_code_4(tmp_path: Path) -> None:
    rows = write_data(tmp_path, "classification")
    at = next(at for at, row in enumerate(rows) if row["split"] == "test")
    shutil.copy(tmp_path / rows[0]["path"], tmp_path / rows[at]["path"])
    told = refusal(tmp_path)
    assert "the same audio must not be in two splits. Got 1 pairs" in told
    assert f"audio/0 (train) and audio/{at} (test)" in told


def test_one_class_alone_is_told(tmp_path: Path) -> None:
    rows = write_data(tmp_path, "classification")
    write_table(tmp_path, [row | {"label": "low"} for row in rows])
    assert "mine: 'labels' must be two or more classes. Got low." in refusal(tmp_path)


def test_one_group_alone_in_a_split_is_told(tmp_path: Path) -> None:
    rows = write_data(tmp_path, "classification")
    write_table(tmp_path, [row | {"group": row["split"]} for row in rows])
    told = refusal(tmp_path)
    for split in ("valid", "test"):
        assert f"{split} must have two or more groups, for an interval. Got one." in told


def test_a_split_without_rows_is_told(tmp_path: Path) -> None:
    rows = write_data(tmp_path, "classification")
    write_table(tmp_path, [row for row in rows if row["split"] != "valid"])
    assert "valid has no track." in refusal(tmp_path)


def test_tags_that_nobody_has_cannot_be_scored(tmp_path: Path) -> None:
    rows = write_data(tmp_path, "tagging")
    write_table(tmp_path, [row | {"label": "tone"} for row in rows])
    assert "the valid split, 8 tracks, cannot be scored: " in refusal(tmp_path)
    write_table(tmp_path, [row | {"label": ""} for row in rows])
    assert "cannot be scored" in refusal(tmp_path)


def test_a_number_that_never_varies_is_told(tmp_path: Path) -> None:
    rows = write_data(tmp_path, "regression")
    flat = [row | {"height": "5"} if row["split"] == "train" else row for row in rows]
    write_table(tmp_path, flat)
    assert "every dimension must vary in training. height does not." in refusal(tmp_path)


def test_a_regression_must_name_its_numbers(tmp_path: Path) -> None:
    write_data(tmp_path, "regression")
    (tmp_path / "task.yaml").write_text("name: mine\nkind: regression\n")
    with pytest.raises(MarbleError, match="'labels' must name the dimensions, which are columns"):
        evaluate(tmp_path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "Got none. Missing: path, label."),
        (b"path;label;split\na.wav;low;train\n", "It is separated by ';': save it with commas."),
        (b"path,label,split\n", "must have a row for each track. Got none."),
        ("path,label\nMüller.wav,low\n".encode("latin-1"), "must be UTF-8 text."),
        ("path,label\na.wav,low\n".encode("utf-16"), "must be UTF-8 text."),
    ],
)
def test_a_table_that_is_none_is_told(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "task.yaml").write_text("name: mine\nkind: classification\n")
    (tmp_path / "tracks.csv").write_bytes(content)
    told = refusal(tmp_path)
    assert told.startswith(f"{tmp_path / 'tracks.csv'}") and said in told


def test_a_folder_without_a_table_is_code_3(tmp_path: Path) -> None:
    (tmp_path / "task.yaml").write_text("name: mine\nkind: classification\n")
    told = refusal(tmp_path, MissingError)
    assert "Looked for ./tracks.csv; ./tracks.jsonl; found none of them." in told


# --- what tables and files are like ---


def test_spreadsheets_and_windows_are_read(tmp_path: Path) -> None:
    rows = write_data(tmp_path, "classification")
    plain = evaluate(tmp_path)
    text = (tmp_path / "tracks.csv").read_text()
    for content in (
        text.replace("\n", "\r\n").encode("utf-8"),
        text.encode("utf-8-sig"),
        (text + ",,,\n\n").encode(),
    ):
        (tmp_path / "tracks.csv").write_bytes(content)
        assert evaluate(tmp_path).unit == plain.unit
    write_table(tmp_path, rows, quoting=csv.QUOTE_ALL)
    assert evaluate(tmp_path).unit == plain.unit


def test_paths_may_be_absolute_linked_odd_and_loud(tmp_path: Path) -> None:
    """The real command, in a folder with a space and an umlaut, on files of many names."""
    folder = tmp_path / "Meine Töne"
    rows = write_data(folder, "classification")
    elsewhere = tmp_path / "else where"
    for at, name in ((0, "größe, laut.WAV"), (1, "a b.Wav"), (2, "it's.wav"), (3, "x.y.z.wav")):
        shutil.move(folder / rows[at]["path"], folder / name)
        rows[at]["path"] = name
    elsewhere.mkdir()
    shutil.move(folder / rows[4]["path"], elsewhere / "far.wav")
    rows[4]["path"] = str(elsewhere / "far.wav")
    shutil.move(folder / rows[5]["path"], elsewhere / "linked.wav")
    (folder / rows[5]["path"]).symlink_to(elsewhere / "linked.wav")
    sound, rate = soundfile.read(folder / rows[6]["path"])
    soundfile.write(folder / "seven.flac", np.stack([sound, sound], axis=1), rate)
    rows[6]["path"] = "seven.flac"
    write_table(folder, rows)
    done = typed(tmp_path, "run", "task=./Meine Töne", "encoder=mel", "protocol=quick", "seeds=1")
    assert done.returncode == 0, done.stderr
    (path,) = (tmp_path / "results").rglob("result.json")
    assert read_result(path).task.sizes == {"train": 24, "valid": 8, "test": 8}


def test_numbers_as_classes_keep_their_spelling(tmp_path: Path) -> None:
    rows = write_data(tmp_path, "classification")
    names = {"high": "01", "low": "1"}
    write_table(tmp_path, [row | {"label": names[row["label"]]} for row in rows])
    assert [each.name for each in evaluate(tmp_path).labels] == ["01", "1"]
    (tmp_path / "task.yaml").write_text("name: mine\nkind: classification\nlabels: [01, 1]\n")
    with pytest.raises(MarbleError, match=r"'labels'\[0\] must be of type str\. Got 1\."):
        evaluate(tmp_path)
    (tmp_path / "tracks.csv").unlink()
    numbers = {"high": 0, "low": 12}
    lines = [json.dumps(row | {"label": numbers[row["label"]]}) for row in rows]
    (tmp_path / "tracks.jsonl").write_text("\n".join(lines))
    (tmp_path / "task.yaml").write_text("name: mine\nkind: classification\n")
    assert [each.name for each in evaluate(tmp_path).labels] == ["0", "12"]


def test_lists_of_tags_in_jsonl_are_those_of_the_table(tmp_path: Path) -> None:
    rows = write_data(tmp_path / "csv", "tagging")
    write_data(tmp_path / "jsonl", "tagging")
    (tmp_path / "jsonl" / "tracks.csv").unlink()
    lines = [
        json.dumps(row | {"label": [tag for tag in row["label"].split(";") if tag]}) for row in rows
    ]
    (tmp_path / "jsonl" / "tracks.jsonl").write_text("\n".join(lines))
    first, second = evaluate(tmp_path / "csv"), evaluate(tmp_path / "jsonl")
    assert first.unit == second.unit and first.metrics == second.metrics


def test_a_card_may_cut_tracks_and_count_them(tmp_path: Path) -> None:
    write_data(tmp_path, "classification")
    (tmp_path / "task.yaml").write_text(
        "name: mine\nkind: classification\nlabels: [low, high]\nmetrics: [macro_f1]\n"
        "sizes: {train: 24, valid: 8, test: 8}\n"
        "protocols:\n  marble-v1: {clip_seconds: 0.1, tail: drop}\n"
    )
    result = evaluate(tmp_path)
    assert result.features.clips == 3 * 40  # 0.3 s each
    assert list(result.metrics) == ["macro_f1"]
    assert [each.name for each in result.labels] == ["low", "high"]
    with pytest.raises(MarbleError, match="must have a block 'marble-v2'"):
        evaluate(tmp_path, protocol="marble-v2")
    (tmp_path / "tracks.csv").write_text(
        "\n".join((tmp_path / "tracks.csv").read_text().splitlines()[:-1])
    )
    assert "test must have 8 tracks. Got 7." in refusal(tmp_path)
