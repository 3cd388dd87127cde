"""Grooves: how often a position of the bar is struck, and the parts that are put on strokes."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from marble_eval.embedded.arrangement import Sounding
from marble_eval.embedded.grooves import (
    Stroke,
    bass_on,
    chords_on,
    groove,
    over_bars,
    running,
    tune_on,
)
from marble_eval.embedded.harmony import chord

C, G = chord(0, "major", "I"), chord(0, "major", "V")
HARMONY = [Sounding(0.0, 4, C), Sounding(4.0, 4, G)]
EIGHTHS = [Stroke(at / 2, 0.5, at) for at in range(16)]


def shares(syncopation: float, *, density: float = 1.0, steps: int = 4) -> dict[float, float]:
    """Return how often each position of a bar of three is struck."""
    drawn = [
        groove(
            np.random.default_rng(seed),
            beats=3,
            steps=steps,
            syncopation=syncopation,
            density=density,
        )
        for seed in range(600)
    ]
    counts = Counter(stroke.beat for strokes in drawn for stroke in strokes)
    return {at / steps: counts[at / steps] / len(drawn) for at in range(3 * steps)}


def test_without_syncopation_strong_positions_are_struck_more() -> None:
    plain = shares(0.0)
    assert plain[0.0] > 0.95
    assert plain[0.0] > plain[1.0] > plain[0.5] > plain[0.25]
    assert plain[1.0] == pytest.approx(plain[2.0], abs=0.06)


def test_with_it_a_beat_is_struck_no_more_than_what_lies_between() -> None:
    syncopated = shares(1.0)
    assert syncopated[1.5] > syncopated[1.0] - 0.05
    assert syncopated[0.0] < 0.75
    assert syncopated[0.25] > 2 * shares(0.0)[0.25] * 0.8


def test_density_scales_all_and_two_strokes_always_stay() -> None:
    full, half = shares(0.5), shares(0.5, density=0.5)
    for at in full:
        assert half[at] == pytest.approx(full[at] / 2, abs=0.09)
    for seed in range(100):
        rng = np.random.default_rng(seed)
        assert len(groove(rng, beats=3, steps=1, syncopation=1.0, density=0.2)) >= 2


def test_accents_do_not_regard_the_beat() -> None:
    rng = np.random.default_rng(0)
    strokes = [
        stroke
        for _ in range(600)
        for stroke in groove(rng, beats=4, steps=2, syncopation=0.5, density=1.0)
    ]
    on = [each.accent for each in strokes if each.beat % 1 == 0]
    off = [each.accent for each in strokes if each.beat % 1 == 0.5]
    assert np.mean(on) == pytest.approx(np.mean(off), abs=0.9)  # deviation 7.2, 600 and more each
    assert set(on) == set(off) == set(range(-12, 13))


def test_a_stroke_is_held_until_the_next_over_the_bar_line_and_two_beats_at_most() -> None:
    for seed in range(50):
        strokes = groove(
            np.random.default_rng(seed), beats=4, steps=2, syncopation=0.5, density=0.7
        )
        again = [*strokes, strokes[0]._replace(beat=strokes[0].beat + 4)]
        for one, other in zip(strokes, again[1:], strict=True):
            assert one.beats == min(other.beat - one.beat, 2.0)


def test_running_strikes_every_position() -> None:
    strokes = running(np.random.default_rng(0), beats=3, steps=2)
    assert [each.beat for each in strokes] == [0.0, 0.5, 1.0, 1.5, 2.0, 2.5]
    assert {each.beats for each in strokes} == {0.5}


def test_a_groove_comes_again_in_every_bar_and_loses_a_stroke_now_and_then() -> None:
    pattern = (Stroke(0.0, 1.0, 3), Stroke(2.5, 0.5, -3))
    part = over_bars([pattern], np.random.default_rng(0), beats=3, bars=200)
    assert {(each.beat % 3, each.accent) for each in part} == {(0.0, 3), (2.5, -3)}
    assert max(each.beat for each in part) == 199 * 3 + 2.5
    assert 0.9 < len(part) / 400 < 0.98
    assert [each.beat for each in part] == sorted(each.beat for each in part)


def test_of_two_grooves_one_is_played_in_each_bar() -> None:
    one, other = (Stroke(0.0, 1.0, 0), Stroke(1.0, 1.0, 0)), (Stroke(0.5, 2.0, 0),)
    part = over_bars([one, other], np.random.default_rng(0), beats=2, bars=100)
    bars = [{each.beat % 2 for each in part if each.beat // 2 == bar} for bar in range(100)]
    assert all(not (0.5 in bar and (0.0 in bar or 1.0 in bar)) for bar in bars)
    assert 25 < sum(0.5 in bar for bar in bars) < 75


def test_the_bass_begins_a_chord_with_its_root_and_stays_in_it() -> None:
    part = bass_on(EIGHTHS, HARMONY, np.random.default_rng(0), lowest=36)
    assert [each.beat for each in part] == [each.beat for each in EIGHTHS]
    assert [part[0].pitch, part[8].pitch] == [36, 43]
    assert {each.pitch % 12 for each in part[:8]} == {0, 4, 7}
    assert {each.pitch % 12 for each in part[8:]} == {7, 11, 2}
    assert [each.stress for each in part] == list(range(16))


def test_chords_are_struck_whole_or_broken_up_and_down() -> None:
    struck = chords_on(EIGHTHS, HARMONY, centre=60.0, broken=False)
    assert len(struck) == 48
    assert {each.pitch % 12 for each in struck if each.beat == 4.0} == {7, 11, 2}
    broken = chords_on(EIGHTHS, HARMONY, centre=60.0, broken=True)
    low, middle, high = sorted({each.pitch for each in broken[:8]})
    assert [each.pitch for each in broken[:8]] == [low, middle, high, middle] * 2
    assert broken[8].pitch == min(each.pitch for each in broken[8:])  # begins anew


def test_long_notes_of_a_tune_are_of_the_chord_wherever_they_fall() -> None:
    strokes = [Stroke(at * 1.5 + 0.5, 1.5 if at % 2 else 0.5, 0) for at in range(4)]
    pitches = set()
    for seed in range(40):
        tune = tune_on(strokes, HARMONY, np.random.default_rng(seed), lowest=60)
        for note in tune:
            sounding = C if note.beat < 4 else G
            allowed = sounding.tones if note.beats >= 1 else sounding.scale
            assert 60 <= note.pitch <= 74 and note.pitch % 12 in allowed
            pitches.add(note.pitch)
    assert len(pitches) > 6
