"""A comparison as text: scores, tests and items in words, nothing too long for a line."""

from __future__ import annotations

import dataclasses

import pandas as pd

from marble_eval.report import configuration_text, difference_overview, difference_text
from marble_eval.results import read_result
from marble_eval.scores.comparison import Difference, SettingChange, Side
from tests.stored_results import EXAMPLE

SIDE = Side("MERT", "0123", "marble-v1", "mlp", "7", 0.748, 0.004, 3)
FOUND = Difference(
    task="GTZAN@1",
    metric="accuracy",
    unit="percent",
    higher_is_better=True,
    items=290,
    groups=120,
    left_out=2,
    first=SIDE,
    second=dataclasses.replace(SIDE, encoder="MuQ", value=0.786),
    difference=0.038,
    low=0.003,
    high=0.074,
    level=0.95,
    p_bootstrap=0.031,
    p_permutation=0.02,
    p_holm=0.06,
)


def items(count: int, reference: str = "rock") -> pd.DataFrame:
    return pd.DataFrame(
        {
            "id": [f"track {at}" for at in range(count)],
            "reference": reference,
            "first": "pop",
            "second": reference,
            "score_first": 0.0,
            "score_second": 1.0,
            "change": 1.0,
        }
    )


def test_scores_are_percent_and_the_verdict_follows_the_adjusted_test() -> None:
    text = difference_text(FOUND, items(7))
    assert "290 test items in 120 groups" in text and "2 test items left out" in text
    assert "74.80" in text and "78.60" in text and "3 seeds ± 0.40" in text
    assert "+3.80   95 % interval [+0.30, +7.40]" in text
    assert "0.02   by permutation (0.06 after Holm), 0.031 by bootstrap: no difference" in text
    clear = difference_text(dataclasses.replace(FOUND, p_holm=0.04), items(0))
    assert "B is better" in clear
    worse = dataclasses.replace(FOUND, p_holm=0.04, higher_is_better=False)
    assert "A is better" in difference_text(worse, items(0))


def test_a_few_items_are_shown_and_all_if_asked() -> None:
    brief, whole = difference_text(FOUND, items(7)), difference_text(FOUND, items(7), every=True)
    assert brief.count("track ") == 5 and "2 more (--items)" in brief
    assert whole.count("track ") == 7 and "--items" not in whole
    assert "track 3   0.00 -> 1.00   rock: pop -> rock" in whole


def test_events_of_a_track_are_no_text_for_a_line() -> None:
    text = difference_text(FOUND, items(1, reference='{"beats":[0.5,1.0]}'))
    assert "track 0   0.00 -> 1.00\n" in text + "\n" and "beats" not in text


def test_metrics_that_are_no_shares_are_not_multiplied() -> None:
    text = difference_text(dataclasses.replace(FOUND, unit="dB"), items(0))
    assert "0.75" in text and "74.80" not in text


def test_several_tests_have_a_line_each() -> None:
    lines = difference_overview([FOUND, dataclasses.replace(FOUND, task="GS@1")]).splitlines()
    assert lines[0] == "2 tests; p values after Holm"
    assert [line.split()[0] for line in lines[1:]] == ["GTZAN@1", "GS@1"]


def test_settings_that_differ_stand_beside_each_other() -> None:
    result = read_result(EXAMPLE)
    text = configuration_text(result, result, [SettingChange("encoder.step", None, "400000")])
    assert text.splitlines() == ["GTZAN@1", "  encoder.step   -   ->   400000"]
    assert "same configuration" in configuration_text(result, result, [])


def test_one_seed_has_no_spread_and_recordings_are_no_items() -> None:
    found = dataclasses.replace(
        FOUND,
        metric="accuracy_by_recording",
        first=dataclasses.replace(SIDE, seeds=1, seed_spread=0.0),
    )
    text = difference_text(found, items(0))
    assert "layer 7, 1 seed\n" in text and "290 test recordings in 120 groups" in text


def test_resamples_without_a_value_are_told() -> None:
    told = "12 resamples have no value"
    assert told in difference_text(dataclasses.replace(FOUND, undefined=12), items(0))
    assert told not in difference_text(FOUND, items(0))


def test_halves_are_rounded_as_the_leaderboard_rounds_them() -> None:
    # 100 * 0.28745 is 28.744999…, and the tables round 28.745 as it is given.
    side = dataclasses.replace(SIDE, value=0.28745)
    text = difference_text(dataclasses.replace(FOUND, first=side), items(0))
    assert "A        28.75 " in text
