"""Annotations in time of one's own: a card of two lines, audio, and files of beats, chords, notes.

What users do is tried here on real files, for every kind that has an estimate for every
frame: with a table and without, with files and with JSON, and the mistakes they come with.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pretty_midi
import pytest
import soundfile

import marble_eval
from marble_eval.cli import main
from marble_eval.errors import MarbleError, MissingError, ValidationError
from marble_eval.results import Result, read_predictions, read_result

RATE = 16000
SPLITS = ("train", "train", "train", "valid", "test")

COLUMNS = {"beat": "beats", "chord": "chords", "frames": "notes"}
SUFFIXES = {"beat": ".beats", "chord": ".lab", "frames": ".csv"}

#: A triad, or one note of it: two halves of a track.
HALVES = (("C:maj", (60, 64, 67)), ("F#:min", (66, 69, 73)))


def tones(notes: Sequence[int], seconds: float) -> np.ndarray:
    time = np.arange(round(seconds * RATE)) / RATE
    hertz = 440 * 2 ** ((np.array(notes)[:, None] - 69) / 12)
    return np.asarray(0.1 * np.sin(2 * np.pi * hertz * time).sum(axis=0))


def piece(kind: str, number: int, seconds: float) -> tuple[np.ndarray, str, object]:
    """Return the sound of a track, its annotation as a file has it, and the same as JSON."""
    rng = np.random.default_rng(number)
    halves = HALVES if number % 2 else HALVES[::-1]
    half = seconds / 2
    if kind == "beat":
        times = np.arange(0.1, seconds - 0.05, 0.5)
        sound = np.zeros(round(seconds * RATE))
        for each in times:
            sound[round(each * RATE) :][:400] = 0.5
        text = "".join(f"{each:.2f} {at % 4 + 1}\n" for at, each in enumerate(times))
        beats = [float(f"{each:.2f}") for each in times]
        given: object = {"beats": beats, "downbeats": beats[::4]}
    elif kind == "chord":
        sound = np.concatenate([tones(notes, half) for _, notes in halves])
        given = [[at * half, (at + 1) * half, name] for at, (name, _) in enumerate(halves)]
        text = "".join(f"{at * half} {(at + 1) * half} {n}\n" for at, (n, _) in enumerate(halves))
    else:
        sound = np.concatenate([tones(notes[:1], half) for _, notes in halves])
        given = [[at * half, (at + 1) * half, notes[0]] for at, (_, notes) in enumerate(halves)]
        text = "".join(
            f"{at * half},{(at + 1) * half},{n[0]}\n" for at, (_, n) in enumerate(halves)
        )
    return sound + 0.003 * rng.standard_normal(len(sound)), text, given


def write_data(
    folder: Path, kind: str, *, tracks: int = 20, seconds: float = 2.0, split: bool = True
) -> list[dict[str, str]]:
    """Write a folder: a card of two lines, a table, and for each row audio and annotation."""
    (folder / "audio").mkdir(parents=True)
    (folder / "task.yaml").write_text(f"name: mine\nkind: {kind}\n")
    rows = []
    for number in range(tracks):
        sound, text, _ = piece(kind, number, seconds)
        soundfile.write(folder / "audio" / f"{number}.wav", sound, RATE)
        name = f"audio/{number}{SUFFIXES[kind]}"
        (folder / name).write_text(text)
        row = {"path": f"audio/{number}.wav", COLUMNS[kind]: name, "group": f"g{number // 2}"}
        rows.append(row | ({"split": SPLITS[number // 2 % 5]} if split else {}))
    write_table(folder, rows)
    return rows


def write_table(folder: Path, rows: Sequence[Mapping[str, str]]) -> None:
    with (folder / "tracks.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def evaluate(folder: Path, **choices: object) -> Result:
    options = {"protocol": "quick", "probe": "linear", "seeds": 1, **choices}
    return marble_eval.evaluate("chroma", f"{folder}/", **options)  # type: ignore[arg-type]


def refusal(folder: Path, error: type[MarbleError] = ValidationError) -> str:
    with pytest.raises(error) as caught:
        evaluate(folder)
    return str(caught.value)


# --- every kind ---


@pytest.mark.parametrize("kind", COLUMNS)
def test_a_table_of_annotation_files_makes_a_task(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = write_data(tmp_path / "mine", kind)
    monkeypatch.chdir(tmp_path)
    assert main(["run", "task=./mine", "encoder=chroma", "protocol=quick", "seeds=1"]) == 0
    (path,) = (tmp_path / "results").rglob("result.json")
    result = read_result(path)
    assert (result.task.kind, result.task.provider) == (kind, "folder")
    assert result.task.sizes == {"train": 12, "valid": 4, "test": 4}
    assert result.protocol.conforms and result.counts.scored == 4
    told = capsys.readouterr().out
    assert all(name in told for name in result.metrics)
    held = {
        row["path"].removesuffix(".wav"): json.dumps(
            piece(kind, number, 2.0)[2], separators=(",", ":")
        )
        for number, row in enumerate(rows)
        if row["split"] == "test"
    }
    found = read_predictions(path).query("split == 'test'")
    assert dict(zip(found["id"], found["reference"], strict=True)) == held


@pytest.mark.parametrize("kind", COLUMNS)
def test_the_annotations_may_stand_in_json(tmp_path: Path, kind: str) -> None:
    rows = write_data(tmp_path / "files", kind)
    write_data(tmp_path / "json", kind)
    (tmp_path / "json" / "tracks.csv").unlink()
    for each in (tmp_path / "json" / "audio").glob(f"*{SUFFIXES[kind]}"):
        each.unlink()
    given = [
        json.dumps(row | {COLUMNS[kind]: piece(kind, number, 2.0)[2]})
        for number, row in enumerate(rows)
    ]
    (tmp_path / "json" / "tracks.jsonl").write_text("\n".join(given))
    first, second = evaluate(tmp_path / "files"), evaluate(tmp_path / "json")
    assert first.unit == second.unit and first.metrics == second.metrics


@pytest.mark.parametrize("kind", COLUMNS)
def test_a_table_without_splits_is_divided_once(tmp_path: Path, kind: str) -> None:
    write_data(tmp_path / "mine", kind, split=False)
    first = evaluate(tmp_path / "mine")
    assert first.task.sizes == {"train": 12, "valid": 4, "test": 4}
    kept = (tmp_path / "mine" / "tracks.split.csv").read_bytes()
    assert evaluate(tmp_path / "mine").task.split_digest == first.task.split_digest
    assert (tmp_path / "mine" / "tracks.split.csv").read_bytes() == kept


def test_audio_and_annotations_alone_are_enough(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    write_data(folder, "chord")
    (folder / "tracks.csv").unlink()
    card = "name: mine\nkind: chord\ndata:\n"
    layout = '  - {form: pairs, folder: audio, path: "{stem}.lab", extensions: [wav]}\n'
    (folder / "task.yaml").write_text(card + layout)
    result = evaluate(folder, protocol="marble-v1", probe="mlp")
    assert result.task.sizes == {"train": 12, "valid": 4, "test": 4}
    assert (folder / "mine.split.csv").is_file()
    assert result.metrics["frame_accuracy"].low > 0.9
    (folder / "audio" / "7.lab").unlink()
    assert "audio/7.wav: must have one annotation called '7.lab'. Got none." in refusal(folder)


def test_midi_is_read_like_lines_of_text(tmp_path: Path) -> None:
    rows = write_data(tmp_path / "mine", "frames")
    for number, row in enumerate(rows):
        midi, piano = pretty_midi.PrettyMIDI(), pretty_midi.Instrument(0)
        given = piece("frames", number, 2.0)[2]
        assert isinstance(given, list)
        piano.notes = [pretty_midi.Note(80, pitch, onset, end) for onset, end, pitch in given]
        midi.instruments.append(piano)
        row["notes"] = f"{number}.mid"
        midi.write(str(tmp_path / "mine" / row["notes"]))
    files = evaluate(tmp_path / "mine")
    write_table(tmp_path / "mine", rows)
    read = evaluate(tmp_path / "mine")
    assert read.unit == files.unit and read.metrics == files.metrics


def test_a_long_track_is_cut_and_scored_as_a_whole(tmp_path: Path) -> None:
    """Ninety seconds and a half: three clips of half a minute, the rest joins the last."""
    folder = tmp_path / "mine"
    rows = write_data(folder, "chord")
    sound, text, given = piece("chord", 40, 90.5)
    soundfile.write(folder / "audio" / "long.wav", sound, RATE)
    (folder / "audio" / "long.lab").write_text(text)
    rows.append({"path": "audio/long.wav", "chords": "audio/long.lab", "group": "long"})
    rows[-1]["split"] = "test"
    write_table(folder, rows)
    result = evaluate(folder, protocol="marble-v1", probe="mlp", results=tmp_path / "results")
    assert result.features.clips == 20 + 3
    (path,) = (tmp_path / "results").rglob("result.json")
    found = read_predictions(path).set_index("id").loc["audio/long"]
    assert json.loads(found["reference"]) == given
    times = [end for _, end, _ in json.loads(found["estimate"])]
    assert times[-1] == pytest.approx(90.5, abs=0.1)
    assert not any(abs(each - cut) < 0.2 for each in times for cut in (30, 60))
    assert result.metrics["majmin"].value > 0.9


# --- mistakes ---


def test_all_bad_rows_are_told_with_table_and_file(tmp_path: Path) -> None:
    rows = write_data(tmp_path, "beat")
    (tmp_path / rows[1]["beats"]).unlink()  # line 3
    (tmp_path / rows[2]["beats"]).write_text("0.5 1\n0,9 2\n")  # line 4
    rows[4]["beats"] = ""  # line 6
    rows[6]["beats"] = rows[6]["path"]  # line 8
    (tmp_path / rows[8]["beats"]).write_text("0.5 1\n0.4 2\n")  # line 10
    write_table(tmp_path, rows)
    first, *told = refusal(tmp_path).splitlines()
    assert first == f"{tmp_path / 'tracks.csv'}: 5 rows break a rule:"
    for line, start, said in zip(
        told,
        ("line 3: 'beats': ", "line 4: 'beats': ", "line 6: ", "line 8: 'beats': ", "line 10: "),
        (
            f"{tmp_path}/audio/1.beats: there is no such file.",
            f"{tmp_path}/audio/2.beats, line 2: a time must be a number of seconds",
            f"'beats' must name a file of beats below {tmp_path}",
            "a file of beats must be one of .beats, .txt, .csv, .tsv, .jams. Got '.wav'.",
            f"{tmp_path}/audio/8.beats, line 2: a beat must come after the one before it.",
        ),
        strict=True,
    ):
        assert line.strip().startswith(start) and said in line


@pytest.mark.parametrize("kind", COLUMNS)
def test_a_table_without_the_column_is_told(tmp_path: Path, kind: str) -> None:
    rows = write_data(tmp_path, kind)
    column = COLUMNS[kind]
    write_table(tmp_path, [{"label" if k == column else k: v for k, v in r.items()} for r in rows])
    assert f"must have the columns path, {column}, separated by commas" in refusal(tmp_path)


def test_references_in_which_there_is_nothing_to_be_found_are_told(tmp_path: Path) -> None:
    rows = write_data(tmp_path, "chord")
    for row in rows:
        if row["split"] == "valid":
            (tmp_path / row["chords"]).write_text("0 2 X\n")
    assert "the valid split must have references that frame_accuracy can" in refusal(tmp_path)


def test_missing_audio_is_code_3(tmp_path: Path) -> None:
    rows = write_data(tmp_path / "mine", "chord")
    (tmp_path / "mine" / rows[3]["path"]).unlink()
    assert f"{rows[3]['path']}: missing" in refusal(tmp_path / "mine", MissingError)
    assert evaluate(tmp_path / "mine", missing="report").counts.missing
