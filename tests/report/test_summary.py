"""A result as text: what a reader must be told, and in which unit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from marble_eval.report import layer_curve, summary
from marble_eval.results import MetricScore, Result
from marble_eval.results.schema import from_json

EXAMPLE = Path(__file__).parents[1] / "results" / "example_result.json"


@pytest.fixture
def result() -> Result:
    return from_json(EXAMPLE.read_text(encoding="utf-8"), str(EXAMPLE))


def with_licences(result: Result, weights: str, data: str) -> Result:
    return replace(
        result,
        encoder=replace(result.encoder, licence=weights),
        task=replace(result.task, licence=data),
    )


@pytest.mark.parametrize(
    ("weights", "data", "told"),
    [
        ("cc-by-nc-4.0", "CC BY 4.0", ["weights"]),
        ("Apache-2.0", "CC BY-NC-SA 3.0 as its page states", ["data"]),
        ("mit", "for non-commercial research", ["data"]),
        ("cc-by-nc-4.0", "CC BY-NC-SA 3.0", ["weights", "data"]),
        ("an open licence", "free since 1999", []),
    ],
)
def test_terms_that_the_scores_inherit_are_told(
    result: Result, weights: str, data: str, told: list[str]
) -> None:
    text = summary(with_licences(result, weights, data))
    lines = [line.strip() for line in text.splitlines() if "inherit its terms" in line]
    assert [line.removeprefix("licence of the ").split(":")[0] for line in lines] == told


def test_long_names_of_metrics_keep_the_columns_apart(result: Result) -> None:
    score = MetricScore(-0.25, -0.5, 0.125, 0.95, True, 7, (-0.25,), 0.0, None, "percent", "R²", "")
    found = summary(replace(result, metrics={"accuracy_by_recording": score, "r2": score}))
    lines = [line.split() for line in found.splitlines()]
    assert ["accuracy_by_recording", "-25.0", "[-50.0,", "12.5]", "7"] in [x[:5] for x in lines]
    assert ["r2", "-25.0", "[-50.0,", "12.5]", "7"] in [x[:5] for x in lines]


def test_a_curve_below_zero_has_no_bar(result: Result) -> None:
    layers = tuple(
        replace(each, test=replace(each.test, value=-0.3, low=-0.6, high=0.1))
        for each in result.layers
    )
    curve = layer_curve(replace(result, layers=layers))
    assert "-30.0 [-60.0,  10.0]" in curve
    assert "█" not in curve
