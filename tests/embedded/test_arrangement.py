"""Parts of a piece, held against the chords they are written over."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from marble_eval.embedded.arrangement import (
    Sounding,
    bass_line,
    broken_chords,
    chord_at,
    held_chords,
    melody,
    spread,
    struck_chords,
)
from marble_eval.embedded.harmony import chord

C, F, G7 = (chord(0, "major", numeral) for numeral in ("I", "IV", "V7"))
CADENCE = (Sounding(0, 2, C), Sounding(2, 1, F), Sounding(3, 1, G7), Sounding(4, 4, C))


def test_chords_fill_a_piece_without_a_gap_and_the_last_has_its_length() -> None:
    lengths = set()
    for seed in range(50):
        harmony = spread([C, F, G7, C], np.random.default_rng(seed), beats=8, last_beats=3)
        assert [each.chord for each in harmony] == [C, F, G7, C]
        assert harmony[0].beat == 0
        for one, other in itertools.pairwise(harmony):
            assert one.beat + one.beats == other.beat
            assert one.beats >= 1
        assert harmony[-1].beats == 3
        lengths.add(tuple(each.beats for each in harmony[:-1]))
    # Five beats for three chords: the ways to cut are 4 over 2.
    assert len(lengths) == 6


@pytest.mark.parametrize(("chords", "beats"), [([C], 8), ([C, F, G7, C], 5)])
def test_too_few_beats_or_chords_are_refused(chords: list[object], beats: int) -> None:
    with pytest.raises(ValueError, match=f"Got {beats}"):
        spread(chords, np.random.default_rng(0), beats=beats, last_beats=3)  # type: ignore[arg-type]


def test_the_chord_at_a_beat_is_the_one_that_began_last() -> None:
    assert [chord_at(CADENCE, beat) for beat in (0, 1.9, 2, 3.5, 4, 99)] == [C, C, F, G7, C, C]


def test_a_melody_keeps_to_its_range_the_scale_and_the_chord_on_every_beat() -> None:
    rhythms = set()
    for seed in range(30):
        tune = melody(CADENCE, np.random.default_rng(seed), beats=8, lowest=60)
        rhythms.add(tuple(beat for beat, _, _, _ in tune))
        assert sum(each.beats for each in tune) == 8
        for beat, _, pitch, _ in tune:
            sounding = chord_at(CADENCE, beat)
            assert 60 <= pitch <= 74
            assert pitch % 12 in (sounding.tones if beat % 1 == 0 else sounding.scale)
    assert len(rhythms) > 20


def test_held_chords_sound_once_each() -> None:
    part = held_chords(CADENCE, centre=60.0)
    assert len(part) == 3 + 3 + 4 + 3
    assert {each.pitch % 12 for each in part if each.beat == 3} == {7, 11, 2, 5}
    assert {each.beats for each in part if each.beat == 4} == {4}


def test_struck_chords_come_at_even_distances() -> None:
    part = struck_chords(CADENCE, centre=60.0, every=1.0, offset=0.5)
    assert sorted({each.beat for each in part}) == [at + 0.5 for at in range(8)]
    assert {each.pitch % 12 for each in part if each.beat == 2.5} == {5, 9, 0}


def test_broken_chords_are_one_note_at_a_time_up_and_down() -> None:
    part = broken_chords([Sounding(0, 4, C)], centre=60.0, every=0.5)
    assert [each.beat for each in part] == [at / 2 for at in range(8)]
    low, middle, high = sorted({each.pitch for each in part})
    assert [each.pitch for each in part] == [low, middle, high, middle] * 2


def test_a_bass_plays_root_and_fifth_in_its_register() -> None:
    part = bass_line(CADENCE, lowest=40, every=1.0)
    assert [each.pitch for each in part] == [48, 43, 41, 43, 48, 43, 48, 43]  # C G F G, C G C G
