"""One value is one text on the terminal, in every table, on the page and in figures."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from marble_eval.leaderboard import board, board_latex, board_markdown
from marble_eval.leaderboard.score_text import score_text
from marble_eval.leaderboard.terminal import board_text
from marble_eval.report import curve_text, layer_curve, summary
from marble_eval.report.figures.maps import heat_map
from marble_eval.report.page import render
from marble_eval.report.paper import paper_table
from marble_eval.results import Result, ScoreRange
from tests.report.result_files import example, write


def scored(value: float, encoder: str = "zebra") -> Result:
    """The example whose score, interval and layers all have one value."""
    result = example(encoder)
    name, score = next(iter(result.metrics.items()))
    every = tuple(replace(each, test=ScoreRange(value, value, value)) for each in result.layers)
    return replace(
        result,
        metrics={name: replace(score, value=value, low=value, high=value)},
        layers=every,
        encoder=replace(result.encoder, step=7),
    )


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.3125, "31.3"),  # half to even would be 31.2
        (0.7485, "74.9"),  # 74.85 is 74.8499999... as a binary number
        (0.0005, "0.1"),
        (-0.0005, "-0.1"),  # away from zero
        (-0.0004, "0.0"),  # no negative zero
        (0.31249996, "31.3"),  # four decimals first: 31.25, which CSV and JSON hold
    ],
)
def test_every_form_writes_the_same_digits(tmp_path: Path, share: float, text: str) -> None:
    result = scored(share)
    (path,) = write(tmp_path, result)
    tables = board([path])
    figure = heat_map([result, scored(share, "b")])
    assert figure is not None
    minus = text.replace("-", "−")
    latex = text.replace("-", "$-$")
    cell = re.escape(text)
    for form, said in (
        (rf" {cell} +\[{cell}, {cell}\]", summary(result)),
        (rf" {cell} \[ *{cell}, +{cell}\]", layer_curve(result)),
        (rf" {cell} \[ *{cell}, +{cell}\]", curve_text([result])),
        (rf"zebra .*run .* {cell} ", board_text(tables)),
        (rf"\| zebra .*\| {cell} \|", board_markdown(tables)),
        (rf"zebra .*& {re.escape(latex)} ", board_latex(tables)),
        (re.escape(f"[{latex}, {latex}]"), paper_table([path])),
        (f">{minus}<.*>{re.escape(f'[{minus}, {minus}]')}<", page_of(result)),
    ):
        assert re.search(form, said), (form, said[-3000:])
    assert {each.get_text() for each in figure.axes[0].texts} == {text}
    row = tables.rows[[each.source for each in tables.rows].index("run")]
    assert (row.value, row.low) == (round(100 * share, 4), round(100 * share, 4))


def page_of(result: Result) -> str:
    return render([result], made=datetime(2026, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (5.65, "dB", "5.7"),
        (0.0405, "1", "0.041"),
        (1.0005, "cents", "1.001"),
        (-0.00004, "1", "0.000"),
    ],
)
def test_other_units_have_decimals_of_their_own(value: float, unit: str, text: str) -> None:
    assert score_text(value, unit) == text
