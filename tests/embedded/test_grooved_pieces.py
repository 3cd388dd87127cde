"""Pieces in grooves: that what is played is what is written, by the beats that are annotated."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from marble_eval.embedded.grooved_pieces import GroovedPiece, arrange, score_of, timing_of

SECONDS = 12.0
RECIPES = [
    GroovedPiece(metre, drummed, tempo, seed, 0, 32, 73, 36, 38, 42)
    for seed, (metre, drummed, tempo) in enumerate(
        (metre, drummed, tempo)
        for metre in (3, 4)
        for drummed in (False, True)
        for tempo in (65.0, 85.0, 120.0, 166.0)
    )
]


def test_the_music_goes_on_from_before_the_clip_to_behind_it() -> None:
    for recipe in RECIPES:
        times = timing_of(recipe, seconds=SECONDS).beats
        assert -recipe.metre * 60 / recipe.tempo_bpm * 1.001 < times[0] <= 0.0
        assert times[-1] >= SECONDS
        bass = score_of(recipe, seconds=SECONDS)[0].part
        assert bass[-1].beat > len(times) - 1 - 2 * recipe.metre


def test_beats_are_at_60_to_180_a_minute_all_the_time() -> None:
    for recipe in RECIPES:
        tempi = 60 / np.diff(timing_of(recipe, seconds=SECONDS).beats)
        assert tempi.min() >= 59.95 and tempi.max() <= 180.05


def test_a_part_is_played_by_the_beats_and_no_farther_from_them_than_players_are() -> None:
    for recipe in RECIPES:
        timing = timing_of(recipe, seconds=SECONDS)
        parts = arrange(recipe, seconds=SECONDS)
        for voice, part in zip(score_of(recipe, seconds=SECONDS), parts, strict=True):
            assert (part.program, part.drums) == (voice.program, voice.drums)
            written = np.array([timing.seconds(note.beat) for note in voice.part])
            for note in part.notes:
                nearest = written[np.argmin(np.abs(written - note.onset_seconds))]
                assert -0.0122 <= note.onset_seconds - nearest <= 0.0242
                assert 0 <= note.onset_seconds < SECONDS
            inside = np.sum((written > 0.03) & (written < SECONDS - 0.2))
            assert len(part.notes) >= inside


def test_a_piece_has_drums_or_not_and_is_else_the_same() -> None:
    for recipe in RECIPES:
        voices = score_of(replace(recipe, drummed=True), seconds=SECONDS)
        bare = score_of(replace(recipe, drummed=False), seconds=SECONDS)
        assert voices[: len(bare)] == bare
        assert [voice.drums for voice in voices[len(bare) :]] == [True] * 3
        played = [{note.pitch for note in voice.part} for voice in voices[len(bare) :]]
        assert played == [{36}, {38}, {42}]


def test_bars_have_as_many_beats_as_the_metre_says() -> None:
    for recipe in RECIPES:
        bass = score_of(recipe, seconds=SECONDS)[0].part
        places = {note.beat % recipe.metre for note in bass}
        # The groove comes again: far fewer places than notes.
        assert len(places) < 0.7 * len(bass)
        assert max(places) < recipe.metre


@pytest.mark.parametrize("seed", range(5))
def test_equal_recipes_are_played_alike_and_others_otherwise(seed: int) -> None:
    recipe = replace(RECIPES[5], seed=seed)
    assert arrange(recipe, seconds=SECONDS) == arrange(recipe, seconds=SECONDS)
    other = replace(recipe, seed=seed + 100)
    assert arrange(recipe, seconds=SECONDS) != arrange(other, seconds=SECONDS)
