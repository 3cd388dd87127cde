"""Études: what is annotated is what sounds, at that time."""

from __future__ import annotations

import io
from itertools import pairwise

import mir_eval.chord
import numpy as np
import pytest

from marble_eval.kinds import KINDS, load_kind
from marble_eval.kinds.example import SAMPLE_RATE, Piece, Player

PIECES = range(20)
ETUDES = [each for each in KINDS if load_kind(each).estimate == "frame"]


def etude(kind: str, number: int) -> Piece:
    """Play a piece in tune, without overtones that decay."""
    return load_kind(kind).example.play(
        number, Player(0.0, 0.0, 1.0), np.random.default_rng(number)
    )


def rows(piece: Piece) -> list[list[str]]:
    return [line.replace(",", " ").split() for line in piece.annotation.splitlines()]


def spectrum(piece: Piece, start: float, seconds: float) -> tuple[np.ndarray, np.ndarray]:
    """Return MIDI numbers, and the magnitude at each, of a part of a piece."""
    at = round(start * SAMPLE_RATE)
    part = piece.sound[at : at + round(seconds * SAMPLE_RATE)]
    length = 8 * SAMPLE_RATE  # an eighth of a Hertz from bin to bin
    magnitudes = np.abs(np.fft.rfft(part * np.hanning(len(part)), length))[1:]
    hertz = np.arange(1, len(magnitudes) + 1) * SAMPLE_RATE / length
    return 69 + 12 * np.log2(hertz / 440), magnitudes


def loudest(piece: Piece, start: float, seconds: float) -> float:
    notes, magnitudes = spectrum(piece, start, seconds)
    return float(notes[np.argmax(magnitudes)])


@pytest.mark.parametrize("kind", ETUDES)
def test_a_piece_lasts_eight_seconds_and_is_annotated_within_them(kind: str) -> None:
    for number in PIECES:
        piece = etude(kind, number)
        assert piece.sound.shape == (8 * SAMPLE_RATE,)
        assert np.isfinite(piece.sound).all() and np.abs(piece.sound).max() > 0.1
        times = [float(each[0]) for each in rows(piece)[kind == "frames" :]]
        assert times == sorted(times) and 0 <= times[0] and times[-1] < 8


def test_clicks_start_at_the_beats_and_those_of_downbeats_are_lower() -> None:
    tempi, bars = [], set()
    for number in PIECES:
        piece = etude("beat", number)
        beats = [(float(time), int(place)) for time, place in rows(piece)]
        for time, place in beats:
            at = round(time * SAMPLE_RATE)
            before = piece.sound[max(0, at - 400) : at - 2]  # 25 ms; the click before is over
            assert np.abs(before).max(initial=0) < 0.05 < np.abs(piece.sound[at : at + 400]).max()
            assert (loudest(piece, time, 0.1) < 75) == (place == 1)
        places = [place for _, place in beats]
        bars.add(max(places))
        assert all(after == before % max(places) + 1 for before, after in pairwise(places))
        periods = np.diff([time for time, _ in beats])
        assert np.ptp(periods) < 1e-3
        tempi.append(60 / periods.mean())
    assert 80 <= min(tempi) < 95 and 145 < max(tempi) <= 160
    assert bars == {3, 4}


def test_the_chords_are_those_of_mir_eval() -> None:
    for number in PIECES:
        piece = etude("chord", number)
        (silence, *chords) = rows(piece)
        assert silence == ["0.000", "0.500", "N"] and not piece.sound[: SAMPLE_RATE // 2].any()
        assert [each[0] for each in chords] == [silence[1], *(each[1] for each in chords[:-1])]
        assert chords[-1][1] == "8.000"
        for start, end, name in chords:
            notes, magnitudes = spectrum(piece, float(start), float(end) - float(start))
            # The keys of a chord without their overtones: two octaves from C below middle C.
            near = (notes > 47.5) & (notes < 71.5) & (np.abs(notes - notes.round()) < 0.3)
            classes = notes[near].round().astype(int) % 12
            strength = [magnitudes[near][classes == each].max() for each in range(12)]
            root, bitmap, _ = mir_eval.chord.encode(name)
            assert {*np.argsort(strength)[-3:].tolist()} == {
                *((np.flatnonzero(bitmap) + root) % 12).tolist()
            }


def test_four_pieces_have_every_triad_once() -> None:
    orders = set()
    for first in PIECES[::4]:
        names = [
            row[2] for number in range(first, first + 4) for row in rows(etude("chord", number))[1:]
        ]
        assert len(names) == len(set(names)) == 24
        orders.add(tuple(names))
    assert len(orders) == 5


def test_the_notes_of_a_melody_are_in_tune_and_in_time() -> None:
    for number in PIECES:
        piece = etude("frames", number)
        titles, *notes = rows(piece)
        assert titles == ["onset", "end", "pitch"] and len(notes) > 6
        sounding = np.zeros(len(piece.sound), dtype=bool)
        for onset, end, pitch in notes:
            start, stop = float(onset), float(end)
            assert loudest(piece, start, stop - start) == pytest.approx(int(pitch), abs=0.1)
            sounding[round(start * SAMPLE_RATE) - 5 : round(stop * SAMPLE_RATE) + 5] = True
        assert not piece.sound[~sounding].any()
        assert all(float(after[0]) - float(before[1]) > 0.09 for before, after in pairwise(notes))


def test_the_annotations_are_what_other_readers_take() -> None:
    times, places = np.loadtxt(io.StringIO(etude("beat", 0).annotation)).T
    assert len(times) == len(places) > 10
    table = np.loadtxt(io.StringIO(etude("frames", 0).annotation), delimiter=",", skiprows=1)
    assert table.shape[1] == 3
    with io.StringIO(etude("chord", 0).annotation) as stream:
        intervals, names = mir_eval.io.load_labeled_intervals(stream)
    mir_eval.chord.validate(names, names)
    assert intervals.shape == (7, 2) and intervals[-1, 1] == 8
