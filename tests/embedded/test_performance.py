"""Scores turned into seconds: onsets, lengths and velocities by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from marble_eval.embedded.performance import Performance, Written

# 120 beats a minute: half a second a beat.
PLAIN = Performance(seconds=4.0, tempo_bpm=120.0, start_seconds=0.5, held=0.5, velocity=80)


def played(performance: Performance, *part: Written) -> list[tuple[float, float, int, int]]:
    return [
        (note.onset_seconds, note.duration_seconds, note.pitch, note.velocity)
        for note in performance.of(part, np.random.default_rng(0))
    ]


def test_a_beat_at_120_is_half_a_second_and_half_of_it_is_held() -> None:
    ((onset, duration, pitch, velocity),) = played(PLAIN, Written(2.0, 1.0, 60, 10))
    assert 1.5 <= onset <= 1.512  # 0.5 + 2 x 0.5, and a player's 12 ms
    assert duration == pytest.approx(0.25)
    assert pitch == 60
    assert abs(velocity - 90) <= 6


def test_notes_outside_the_clip_are_left_out_and_long_ones_cut() -> None:
    early, late, long = Written(-3.0, 1.0, 60), Written(7.0, 1.0, 61), Written(5.0, 8.0, 62)
    ((onset, duration, pitch, _),) = played(PLAIN, early, late, long)
    assert pitch == 62
    assert onset + duration == pytest.approx(4.0)


def test_a_piece_may_have_begun_before_the_clip() -> None:
    begun = replace(PLAIN, start_seconds=-1.0)
    notes = played(begun, *(Written(beat, 1.0, 60 + beat) for beat in range(4)))
    assert [pitch for _, _, pitch, _ in notes] == [62, 63]
    assert notes[0][0] == pytest.approx(0.0, abs=0.0121)


def test_velocities_stay_in_the_range_of_midi() -> None:
    for velocity, stress in ((125, 30), (2, -30)):
        ((_, _, _, struck),) = played(
            replace(PLAIN, velocity=velocity), Written(0.0, 1.0, 60, stress)
        )
        assert struck in (1, 127)


def test_equal_generators_play_alike_and_the_order_of_the_score_does_not_matter() -> None:
    part = [Written(beat / 2, 0.5, 60 + beat % 5) for beat in range(8)]
    assert played(PLAIN, *part) == played(PLAIN, *reversed(part))
    assert PLAIN.of(part, np.random.default_rng(1)) != PLAIN.of(part, np.random.default_rng(2))
