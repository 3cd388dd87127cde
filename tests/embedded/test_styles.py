"""EmbeddedGenre: that instruments, tempo and level have the same share in every style."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest

from marble_eval.embedded.accompaniment import STYLES
from marble_eval.embedded.collection import SAMPLE_RATE, Clip
from marble_eval.embedded.programs import DRUMS, ROLES
from marble_eval.embedded.renderer import Renderer
from marble_eval.embedded.styles import StylePiece, arrange, styles

CLIPS = styles().clips


def ensembles() -> dict[str, list[Clip[StylePiece]]]:
    found: dict[str, list[Clip[StylePiece]]] = {}
    for clip in CLIPS:
        found.setdefault(clip.group, []).append(clip)
    return found


def drum_gaps(recipe: StylePiece, drum: int) -> Any:
    """Return the distances between the strokes of a drum, in seconds; nothing without drums."""
    strokes = [
        n.onset_seconds for p in arrange(recipe) if p.drums for n in p.notes if n.pitch == drum
    ]
    return np.diff(strokes)


def test_every_ensemble_plays_all_eight_styles() -> None:
    assert Counter(clip.split for clip in CLIPS) == {"train": 160, "valid": 48, "test": 128}
    for clips in ensembles().values():
        assert [clip.labels[0] for clip in clips] == list(STYLES)
        assert len({clip.recipe.seed for clip in clips}) == 1


def test_programs_and_drums_are_those_of_the_split_and_the_same_in_all_styles() -> None:
    for clips in ensembles().values():
        for role, table in (ROLES | DRUMS).items():
            (program,) = {getattr(clip.recipe, role) for clip in clips}
            assert program in table[clips[0].split].values()
        played = [
            [(part.program, part.drums, part.level_db) for part in arrange(clip.recipe)]
            for clip in clips
        ]
        assert all(each == played[0] for each in played)


def test_the_tempo_is_the_same_in_all_styles_of_an_ensemble() -> None:
    drummed = 0
    for clips in ensembles().values():
        recipes = {clip.labels[0]: clip.recipe for clip in clips}
        disco, waltz = recipes["disco"], recipes["waltz"]
        on_every_beat = drum_gaps(disco, disco.low)
        if len(on_every_beat):
            assert np.median(on_every_beat) == pytest.approx(
                np.median(drum_gaps(waltz, waltz.high)), abs=0.012
            )
            assert 60 / 140 - 0.012 < np.median(on_every_beat) < 60 / 92 + 0.012
            drummed += 1
    assert 0.5 < drummed / len(ensembles()) < 0.9


def test_clips_begin_anywhere_in_a_bar() -> None:
    first = [
        min(n.onset_seconds for n in part.notes if n.pitch == clip.recipe.low)
        for clip in CLIPS
        if clip.labels[0] == "march"  # the low drum on every second beat
        for part in arrange(clip.recipe)
        if part.drums
    ]
    assert min(first) < 0.2
    assert max(first) > 0.8


def test_styles_of_an_ensemble_are_at_one_level() -> None:
    renderer, play = Renderer(SAMPLE_RATE), styles().play
    for clips in list(ensembles().values())[::20]:
        levels = [
            10 * np.log10(np.mean(np.square(play(renderer, clip.recipe), dtype=np.float64)))
            for clip in clips
        ]
        assert max(levels) - min(levels) < 0.01
