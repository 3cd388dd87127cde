"""Files of notes: MIDI with and without pedal, lines of text, and what is no such file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import mido  # type: ignore[import-untyped]
import numpy as np
import pretty_midi
import pytest

from marble_eval.data.annotations.note_files import Notes, checked_notes, read_notes

TICKS = 1000  # a second, at mido's 500000 µs a beat and 500 ticks a beat


def refusal(path: Path) -> str:
    with pytest.raises(ValueError) as caught:
        read_notes(path)
    assert str(caught.value).startswith(str(path))
    return str(caught.value).removeprefix(str(path))


def rows(notes: Notes) -> list[tuple[float, float, int]]:
    assert notes.intervals.dtype == np.float64
    assert notes.pitches.dtype == np.int64
    return [
        (round(onset, 6), round(end, 6), pitch)
        for (onset, end), pitch in zip(
            notes.intervals.tolist(), notes.pitches.tolist(), strict=True
        )
    ]


def midi_file(
    path: Path,
    notes: Sequence[tuple[float, float, int]],
    pedal: Sequence[tuple[float, int]] = (),
    channel: int = 0,
) -> Path:
    """Write a file event by event, as a piano records it; a key is lifted with velocity 0."""
    events = [
        *((at, 1, "control_change", {"control": 64, "value": value}) for at, value in pedal),
        *((end, 0, "note_on", {"note": pitch, "velocity": 0}) for _, end, pitch in notes),
        *((at, 2, "note_on", {"note": pitch, "velocity": 80}) for at, _, pitch in notes),
    ]
    track = mido.MidiTrack()
    now = 0
    for at, _, name, values in sorted(events, key=lambda each: each[:2]):
        tick = round(at * TICKS)
        track.append(mido.Message(name, channel=channel, time=tick - now, **values))
        now = tick
    tempo = mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=500000, time=0)])
    mido.MidiFile(tracks=[tempo, track], ticks_per_beat=TICKS // 2).save(path)
    return path


# --- MIDI ---


def test_notes_of_a_midi_file_are_in_order(tmp_path: Path) -> None:
    given = [(1.0, 2.0, 64), (0.0, 0.5, 72), (1.0, 1.5, 60), (0.25, 3.0, 108)]
    for name in ("Für Elise.mid", "a.midi", "A.MID"):
        found = read_notes(midi_file(tmp_path / name, given))
        assert rows(found) == [
            (0.0, 0.5, 72), (0.25, 3.0, 108), (1.0, 1.5, 60), (1.0, 2.0, 64),
        ]  # fmt: skip


@pytest.mark.parametrize(
    ("notes", "pedal", "wanted"),
    [
        # A key released while the pedal is down sounds until the pedal comes up.
        ([(0.0, 1.0, 60)], [(0.5, 127), (2.0, 0)], [(0.0, 2.0, 60)]),
        # One that is held beyond the pedal ends by itself, and one released before it too.
        ([(0.0, 3.0, 60)], [(0.5, 127), (2.0, 0)], [(0.0, 3.0, 60)]),
        ([(0.0, 0.4, 60)], [(0.5, 127), (2.0, 0)], [(0.0, 0.4, 60)]),
        # Pressed at the moment of release it catches the note; lifted then, it does not.
        ([(0.0, 0.5, 60)], [(0.5, 127), (2.0, 0)], [(0.0, 2.0, 60)]),
        ([(0.0, 2.0, 60)], [(0.5, 127), (2.0, 0)], [(0.0, 2.0, 60)]),
        # The same key struck again ends the note; another key does not.
        (
            [(0.0, 0.2, 60), (1.0, 1.2, 60), (1.5, 1.7, 62)],
            [(0.1, 127), (2.0, 0)],
            [(0.0, 1.0, 60), (1.0, 2.0, 60), (1.5, 2.0, 62)],
        ),
        # Down is 64 and more; values within the same state change nothing.
        (
            [(0.0, 0.2, 60), (1.2, 1.3, 62)],
            [(0.1, 64), (0.5, 100), (0.7, 65), (1.0, 63), (1.1, 20)],
            [(0.0, 1.0, 60), (1.2, 1.3, 62)],
        ),
        # A pedal that never comes up lasts to the last event.
        ([(0.0, 0.2, 60), (1.0, 4.0, 62)], [(0.1, 127)], [(0.0, 4.0, 60), (1.0, 4.0, 62)]),
    ],
)
def test_the_sustain_pedal_makes_notes_longer(
    tmp_path: Path,
    notes: list[tuple[float, float, int]],
    pedal: list[tuple[float, int]],
    wanted: list[tuple[float, float, int]],
) -> None:
    path = midi_file(tmp_path / "a.mid", notes, pedal)
    assert rows(read_notes(path)) == wanted
    assert rows(read_notes(path, sustained=False)) == notes


def test_pedalled_notes_sound_where_the_piano_roll_of_pretty_midi_does(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    notes = []
    for pitch in range(48, 60):
        # Rising times of one key: struck, released, struck …; in the middle of 10 ms, so
        # that it does not matter how the roll rounds.
        grid = np.sort(rng.choice(np.arange(1, 1500), 60, replace=False)) * 0.02 + 0.005
        notes += [(float(a), float(b), pitch) for a, b in grid.reshape(-1, 2)]
    grid = np.sort(rng.choice(np.arange(1, 1500), 80, replace=False)) * 0.02 + 0.015
    pedal = [(float(at), 127 if number % 2 == 0 else 0) for number, at in enumerate(grid)]
    path = midi_file(tmp_path / "a.mid", notes, pedal)
    roll = pretty_midi.PrettyMIDI(str(path)).get_piano_roll(fs=100, pedal_threshold=64) > 0
    sounding = np.zeros_like(roll)
    found = read_notes(path)
    assert len(found.pitches) == len(notes) == 360
    for (onset, end), pitch in zip(found.intervals, found.pitches, strict=True):
        sounding[pitch, int(onset * 100) : int(end * 100)] = True
    assert (sounding == roll).all()
    assert sounding.sum() > 1.2 * sum(end - onset for onset, end, _ in notes) * 100


def test_drums_are_left_out_and_other_instruments_put_together(tmp_path: Path) -> None:
    midi = pretty_midi.PrettyMIDI()
    for program, is_drum, pitch, pedal in (
        (0, False, 60, True),
        (40, False, 67, False),
        (0, True, 38, False),
    ):
        part = pretty_midi.Instrument(program, is_drum=is_drum)
        part.notes = [pretty_midi.Note(90, pitch, 0.5, 1.0)]
        if pedal:  # which lengthens the notes of its own instrument alone
            part.control_changes = [
                pretty_midi.ControlChange(64, 127, 0.0),
                pretty_midi.ControlChange(64, 0, 2.0),
            ]
        midi.instruments.append(part)
    midi.write(str(tmp_path / "band.mid"))
    assert rows(read_notes(tmp_path / "band.mid")) == [(0.5, 2.0, 60), (0.5, 1.0, 67)]
    midi_file(tmp_path / "drums.mid", [(0.0, 1.0, 38)], channel=9)
    assert refusal(tmp_path / "drums.mid") == (
        ": must have one note or more that is not of drums. Got none."
    )


def test_a_broken_midi_file_is_told(tmp_path: Path) -> None:
    whole = midi_file(tmp_path / "whole.mid", [(0.0, 1.0, 60)]).read_bytes()
    broken = {
        "empty": b"",
        "text": b"0.5 1.0 60\n",
        "cut": whole[:-7],
        "head": whole[:14],
        "status": whole.replace(b"\x90", b"\x17", 1),
    }
    for name, content in broken.items():
        path = tmp_path / f"{name}.mid"
        path.write_bytes(content)
        assert refusal(path).startswith(": must be a MIDI file. Got ")
    assert refusal(tmp_path / "gone.mid") == ": there is no such file."


def mido_file(path: Path, *tracks: Sequence[Any], form: int = 1) -> Path:
    """Write tracks of messages at 1000 ticks a second."""
    file = mido.MidiFile(ticks_per_beat=TICKS // 2, type=form)
    file.tracks.extend(mido.MidiTrack(each) for each in tracks)
    file.save(path)
    return path


def note(pitch: int, onset: int, length: int, channel: int = 0) -> list[Any]:
    return [
        mido.Message("note_on", note=pitch, velocity=80, channel=channel, time=onset),
        mido.Message("note_off", note=pitch, channel=channel, time=length),
    ]


def pedal(value: int, time: int, channel: int = 0) -> Any:
    return mido.Message("control_change", control=64, value=value, channel=channel, time=time)


def test_a_pedal_in_another_track_holds_the_notes_of_its_channel(tmp_path: Path) -> None:
    path = mido_file(
        tmp_path / "a.mid",
        note(60, 0, 500),
        [pedal(127, 0), pedal(0, 2000)],
        note(72, 0, 500, channel=1),
    )
    assert rows(read_notes(path)) == [(0.0, 2.0, 60), (0.0, 0.5, 72)]
    assert rows(read_notes(path, sustained=False)) == [(0.0, 0.5, 60), (0.0, 0.5, 72)]


def test_a_tempo_counts_in_whichever_track_it_is(tmp_path: Path) -> None:
    slow = mido.MetaMessage("set_tempo", tempo=1_000_000, time=0)
    path = mido_file(tmp_path / "a.mid", [], note(60, 0, 500), [slow])
    assert rows(read_notes(path)) == [(0.0, 1.0, 60)]


@pytest.mark.parametrize(
    "meta",
    [
        b"\xff\x59\x02\xfe\xff",  # no such key
        b"\xff\x59\x02\x63\x63",
        b"\xff\x59\x00",
        b"\xff\x58\x01\x04",  # half a time signature
        b"\xff\x51\x03\x00\x00\x00",  # no time at all for a beat
        b"\xff\x54\x01\x00",
        b"\xff\x03\x02\xff\xfe",  # a title in no charset
        b"\xff\x7e\x01\x00",
        b"\xf0\x02\x41\xf7",
    ],
)
def test_what_is_no_note_does_not_hinder_notes(tmp_path: Path, meta: bytes) -> None:
    whole = mido_file(tmp_path / "a.mid", note(60, 0, 500)).read_bytes()
    start = whole.index(b"MTrk")
    length = int.from_bytes(whole[start + 4 : start + 8], "big") + len(meta) + 1
    content = whole[: start + 4] + length.to_bytes(4, "big") + b"\0" + meta + whole[start + 8 :]
    (tmp_path / "a.mid").write_bytes(content)
    assert rows(read_notes(tmp_path / "a.mid")) == [(0.0, 0.5, 60)]


def test_time_that_is_no_musical_time_is_refused_with_the_reason(tmp_path: Path) -> None:
    path = mido_file(tmp_path / "a.mid", note(60, 0, 500))
    content = path.read_bytes()
    path.write_bytes(content[:12] + b"\xe7\x28" + content[14:])  # 25 frames of 40 ticks
    assert "Got SMPTE time, 25 frames a second" in refusal(path)
    path.write_bytes(content[:12] + b"\0\0" + content[14:])
    assert "must have ticks in a quarter note. Got 0" in refusal(path)
    path.write_bytes(content[:8] + b"\0\2" + content[10:])
    assert "must be of format 0 or 1. Got 2" in refusal(path)


def test_notes_are_those_of_pretty_midi_to_the_last_bit(tmp_path: Path) -> None:
    rng = np.random.default_rng(7)
    for case in range(20):
        tempi = [
            mido.MetaMessage("set_tempo", tempo=int(each), time=int(rng.integers(0, 900)))
            for each in rng.integers(200_000, 900_000, 4)
        ]
        events = [
            mido.Message(
                "note_on" if on else "note_off",
                note=int(pitch),
                velocity=int(velocity),
                time=int(time),
            )
            for on, pitch, velocity, time in zip(
                rng.integers(0, 2, 200),
                rng.integers(58, 64, 200),
                rng.choice([0, 80], 200),
                rng.choice([0, 0, 17, 233], 200),
                strict=True,
            )
        ]
        path = mido_file(tmp_path / f"{case}.mid", tempi, events)
        (piano,) = pretty_midi.PrettyMIDI(str(path)).instruments
        wanted = checked_notes(
            [[each.start, each.end] for each in piano.notes], [each.pitch for each in piano.notes]
        )
        found = read_notes(path)
        assert found.intervals.tobytes() == wanted.intervals.tobytes()
        assert found.pitches.tolist() == wanted.pitches.tolist()


# --- text ---


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_text_has_onset_end_and_pitch(tmp_path: Path, end: str) -> None:
    texts = {
        "a.txt": "# Größe\n1.0 2 64 90\n0.5\t1.5\t60\n1.0 1.5 60.0\n",
        "a.csv": "\ufeffonset,offset,pitch,velocity\n1.0,2,64,90\n0.5,1.5,60,1\n1.0,1.5,60,1\n",
        "a.tsv": "start_time\tend_time\tMIDI\n1.0\t2\t64\n0.5\t1.5\t60\n1.0\t1.5\t60\n",
    }
    for name, text in texts.items():
        (tmp_path / name).write_bytes(text.replace("\n", end).encode())
        assert rows(read_notes(tmp_path / name)) == [(0.5, 1.5, 60), (1.0, 1.5, 60), (1.0, 2.0, 64)]


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("a.txt", "0 1 60\n0 1 440.\n", "line 2: a pitch must be a MIDI number, 0 to 127. Got"),
        ("a.txt", "0 1 82.41\n", "Got 82.41."),
        ("a.txt", "0 1 -1\n", "Got -1."),
        ("a.txt", "0 1 nan\n", "Got 'nan'."),
        ("a.txt", "0 1 6_0\n", "Got '6_0'."),
        ("a.txt", "0 1 C4\n", "Got 'C4'."),
        ("a.txt", "0,5 1 60\n", "with a decimal point. Got '0,5'."),
        ("a.txt", "0 1 60\n1 1 60\n", ", line 2: a note must start at 0 s or later, and then end."),
        ("a.txt", "0 1\n", ", line 1: a line must have onset, end and pitch of a note."),
        ("a.csv", "start_time,end_time,instrument,note\n1,2,3,4\n", "must be onset, end, pitch."),
        ("a.csv", "onset,end,pitch\n", ": must have one note or more. Got none."),
        ("a.xml", "0 1 60\n", ": a file of notes must be one of .mid, .midi, .csv, .tsv, .txt."),
    ],
)  # fmt: skip
def test_a_bad_line_is_told(tmp_path: Path, name: str, text: str, told: str) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    assert told in refusal(tmp_path / name)


# --- notes in memory ---


@pytest.mark.parametrize(
    ("intervals", "pitches", "told"),
    [
        ([[0, 1]], [60, 61], "notes must have an onset and an end in seconds and a pitch each."),
        ([[0, 1, 2]], [60], "notes must have an onset and an end in seconds"),
        ([["now", "then"]], [60], "notes must have an onset and an end in seconds"),
        ([[0, 1], [1, float("inf")]], [60, 60], "note 2: a note must start at 0 s or later, and"),
        ([[-0.5, 1]], [60], "note 1: a note must start at 0 s or later"),
        ([[0, 1]], [128], "note 1: a pitch must be a MIDI number, 0 to 127. Got 128."),
    ],
)
def test_what_is_no_note_is_told(intervals: Any, pitches: Any, told: str) -> None:
    with pytest.raises(ValueError) as caught:
        checked_notes(intervals, pitches)
    assert str(caught.value).startswith(told)


def test_there_may_be_no_notes_in_memory() -> None:
    found = checked_notes([], [])
    assert (found.intervals.shape, found.pitches.shape) == ((0, 2), (0,))
