"""Styles, held against what drummers and bass players are taught of each."""

from __future__ import annotations

import pytest

from marble_eval.embedded.accompaniment import (
    DRUM_ROLES,
    STYLES,
    accompany_bass,
    accompany_chords,
    accompany_drums,
)
from marble_eval.embedded.harmony import chord

CHORDS = (chord(0, "major", "I"), chord(0, "major", "V"))
VOICES = {"low": 36, "mid": 38, "high": 42}


@pytest.mark.parametrize("name", STYLES)
def test_a_style_keeps_to_its_bar_and_uses_all_roles(name: str) -> None:
    style = STYLES[name]
    assert set(style.drums) == set(DRUM_ROLES)
    assert all(style.drums.values())
    beats = [beat for beat, *_ in (*style.bass, *style.chords)]
    beats += [beat for struck in style.drums.values() for beat in struck]
    assert all(0 <= beat < style.beats for beat in beats)
    for part in (*style.drums.values(), tuple(beat for beat, _, _ in style.bass)):
        assert sorted(set(part)) == list(part)
    for beat, length, _ in style.bass:
        assert beat + length <= style.beats


def test_no_two_styles_are_alike() -> None:
    assert len({str(style) for style in STYLES.values()}) == len(STYLES) == 8


def test_a_waltz_has_three_beats_with_the_bass_on_the_first() -> None:
    waltz = STYLES["waltz"]
    assert waltz.beats == 3
    assert [beat for beat, _, _ in waltz.bass] == [0]
    assert [beat for beat, _ in waltz.chords] == [1, 2]


def test_disco_has_four_on_the_floor_and_a_bass_in_octaves() -> None:
    disco = STYLES["disco"]
    assert disco.drums["low"] == (0, 1, 2, 3)
    line = accompany_bass(disco, CHORDS, beats=4, lowest=36)
    assert [each.pitch for each in line] == [36, 48] * 4


def test_rock_and_shuffle_have_a_backbeat_and_reggae_drops_the_one() -> None:
    assert STYLES["rock"].drums["mid"] == STYLES["shuffle"].drums["mid"] == (1, 3)
    assert STYLES["reggae"].drums["low"] == (2,)
    assert min(beat for beat, _, _ in STYLES["reggae"].bass) > 0


def test_a_shuffle_s_off_beats_are_late_and_rock_s_are_even() -> None:
    assert {round(beat % 1, 2) for beat in STYLES["shuffle"].drums["high"]} == {0.0, 0.67}
    assert {beat % 1 for beat in STYLES["rock"].drums["high"]} == {0.0, 0.5}


def test_bossa_nova_has_its_clave_over_two_bars_of_four() -> None:
    assert STYLES["bossa nova"].drums["mid"] == (0, 1.5, 3, 5, 6.5)
    assert STYLES["bossa nova"].beats == 8


def test_a_tango_s_bass_divides_the_bar_three_three_two_with_the_third_beat() -> None:
    assert [beat for beat, _, _ in STYLES["tango"].bass] == [0, 1.5, 2, 3]


def test_chords_change_with_the_bar_and_begin_again() -> None:
    rock = STYLES["rock"]
    bass = accompany_bass(rock, CHORDS, beats=12, lowest=36)
    roots = [{each.pitch % 12 for each in bass if each.beat // 4 == bar} for bar in range(3)]
    assert roots == [{0}, {7}, {0}]
    chords = accompany_chords(rock, CHORDS, beats=12, centre=60.0)
    for bar, tones in ((0, {0, 4, 7}), (1, {7, 11, 2}), (2, {0, 4, 7})):
        assert {each.pitch % 12 for each in chords if each.beat // 4 == bar} == tones


def test_drums_are_struck_on_the_voices_of_one_s_choice_in_every_bar() -> None:
    part = accompany_drums(STYLES["disco"], VOICES, beats=8)
    assert sorted(each.beat for each in part if each.pitch == 36) == list(range(8))
    assert {each.pitch for each in part} == set(VOICES.values())
