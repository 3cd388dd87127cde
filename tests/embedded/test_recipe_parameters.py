"""EmbeddedRecipe: what the parameters move, and that they cannot be told exactly."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn.linear_model import LinearRegression

from marble_eval.embedded.programs import ROLES
from marble_eval.embedded.recipe_parameters import arrange, character, recipe_parameters

CLIPS = recipe_parameters().clips
DRIVE = np.array([clip.recipe.drive for clip in CLIPS])
BRIGHTNESS = np.array([clip.recipe.brightness for clip in CLIPS])
MADE = [arrange(clip.recipe)[1] for clip in CLIPS]


def test_labels_are_the_parameters_of_the_recipe() -> None:
    assert recipe_parameters().columns == ("drive", "brightness")
    for clip in CLIPS:
        assert tuple(map(float, clip.labels)) == (clip.recipe.drive, clip.recipe.brightness)


def test_parameters_are_spread_evenly_and_tell_nothing_of_each_other() -> None:
    for values in (DRIVE, BRIGHTNESS):
        assert -1 <= values.min() < -0.97
        assert 0.97 < values.max() <= 1
        # Evenly from -1 to 1: mean 0, deviation 1 / sqrt(3).
        assert abs(values.mean()) < 0.1
        assert values.std() == pytest.approx(3**-0.5, abs=0.04)
    assert abs(np.corrcoef(DRIVE, BRIGHTNESS)[0, 1]) < 0.1


def test_drive_moves_tempo_articulation_loudness_and_density_alone() -> None:
    for name, sign in (
        *(("tempo_bpm", 1), ("held", -1), ("velocity", 1), ("level_dbfs", 1), ("every", -1)),
    ):
        values = [getattr(each, name) for each in MADE]
        assert 0.75 < sign * spearmanr(DRIVE, values).statistic < 0.98
        assert abs(spearmanr(BRIGHTNESS, values).statistic) < 0.2


def test_brightness_moves_mode_and_register_alone() -> None:
    for values in (
        [each.mode == "major" for each in MADE],
        [each.higher_semitones for each in MADE],
    ):
        assert 0.7 < spearmanr(BRIGHTNESS, values).statistic < 0.98
        assert abs(spearmanr(DRIVE, values).statistic) < 0.2


def test_who_knew_all_that_was_played_would_come_near_but_not_all_the_way() -> None:
    known = np.array(
        [
            [
                *(np.log(each.tempo_bpm), each.held, each.velocity, each.level_dbfs),
                *(np.log(each.every), each.mode == "major", each.higher_semitones),
            ]
            for each in MADE
        ]
    )
    train = np.array([clip.split == "train" for clip in CLIPS])
    for values in (DRIVE, BRIGHTNESS):
        r2 = (
            LinearRegression().fit(known[train], values[train]).score(known[~train], values[~train])
        )
        assert 0.8 < r2 < 0.97


def test_what_parameters_come_to_stays_within_bounds() -> None:
    rng = np.random.default_rng(0)
    for _ in range(500):
        drive, brightness = rng.choice([-1.0, 1.0], size=2)
        made = character(float(drive), float(brightness), rng)
        assert 60 < made.tempo_bpm < 180
        assert 0.2 < made.held <= 1.03
        assert 40 < made.velocity < 120
        assert made.every in (0.25, 0.5, 1.0, 2.0, 4.0)
        assert abs(made.higher_semitones) <= 18


def test_notes_are_as_the_parameters_say() -> None:
    for clip in CLIPS[::10]:
        parts, made = arrange(clip.recipe)
        centre = np.mean([note.pitch for note in parts[0].notes])
        assert centre == pytest.approx(61.0 + made.higher_semitones, abs=4)
        programs = [part.program for part in parts]
        assert programs == [clip.recipe.chords, clip.recipe.bass, clip.recipe.lead]


def test_all_splits_are_played_on_the_same_programs() -> None:
    for role, table in ROLES.items():
        pool = {number for programs in table.values() for number in programs.values()}
        for split in ("train", "test"):
            assert {getattr(c.recipe, role) for c in CLIPS if c.split == split} == pool
