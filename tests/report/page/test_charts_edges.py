"""The charts where data is missing, odd or hostile, the screen narrow or the theme dark."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.report.page.chart_harness import (
    Draw,
    Spec,
    chart_on,
    costs,
    curve,
    grid,
    label_of,
    layer,
    table_of,
)
from tests.report.page.conftest import Watched

if TYPE_CHECKING:
    from playwright.sync_api import Locator

HOSTILE = "</script><img src=x onerror=alert(1)>\n\u202eevil"
SCORED = {"metric": "accuracy", "unit": "percent"}
COLOUR = """(css) => {
  const probe = document.querySelector(".mc").appendChild(document.createElement("i"));
  probe.style.color = css;
  const pen = document.createElement("canvas").getContext("2d");
  pen.fillStyle = getComputedStyle(probe).color;
  pen.fillRect(0, 0, 1, 1);
  return [...pen.getImageData(0, 0, 1, 1).data].slice(0, 3);
}"""
NARROWER = """(width) => new Promise((done) => {
  const look = () => {
    const drawn = Number(document.querySelector("svg[role=img]").getAttribute("width"));
    drawn < width ? done() : requestAnimationFrame(look);
  };
  look();
})"""


SECOND = """(spec) => {
  const place = document.getElementById("chart");
  place.replaceChildren();
  MarbleCharts.sumWeights(place, spec);
}"""


@pytest.fixture
def draw(tab: Watched, tmp_path: Path) -> Draw:
    """Draw one chart in a page of its own."""

    def drawn(name: str, spec: Spec, **how: Any) -> Locator:
        return chart_on(tab, tmp_path, name, spec, **how)

    return drawn


def _empty() -> list[tuple[str, Spec]]:
    return [
        ("layerCurve", curve(layers=[])),
        ("layerCurve", curve(layers=[layer("0", None, valid=None), layer("1", None)])),
        ("sumWeights", {"weights": []}),
        ("gridMap", {**grid(), "points": [], "layers": []}),
        ("confusion", {"labels": [], "table": []}),
        ("confusion", {"labels": ["a", "b"], "table": [[0, 0], [0, 0]]}),
        ("labelScores", {"labels": []}),
        ("labelScores", {"labels": [{"name": "a", "n": 0, "scores": {"f1": None}}]}),
        ("checkpointCurve", {"points": [], **SCORED}),
        ("costScore", costs([], [], [])),
        ("costScore", costs(["a"], [1], [None])),
    ]


def _least() -> list[tuple[str, Spec]]:
    even = [layer(str(i), 0.5) for i in range(3)]
    one_cell = [{"layer": "0", "setting": 0.1, "seed": 1, "epochs": None, "valid": 0.5}]
    point = {"step": 5, "value": 0, "low": None, "high": None, "encoder": "a"}
    return [
        ("layerCurve", curve(layers=even)),
        ("layerCurve", curve(layers=[layer("mel", 0.0, low=None, high=None), layer("cqt", 0.0)])),
        ("sumWeights", {"weights": [{"layer": "0", "weight": 1}]}),
        ("gridMap", {**grid(), "points": one_cell, "layers": ["0"], "chosen": None}),
        ("confusion", {"labels": ["a"], "table": [[3]]}),
        ("labelScores", {"labels": [{"name": "a", "n": 1, "scores": {"f1": 0}}]}),
        ("checkpointCurve", {"points": [point], **SCORED}),
        ("costScore", costs(["a"], [0], [0.5])),
        ("costScore", costs(["a", "b"], [0, 100], [0.5, 0.5])),
    ]


def _hostile() -> list[tuple[str, Spec]]:
    named = [HOSTILE, HOSTILE + "2"]
    return [
        ("layerCurve", curve(layers=[layer(each, 0.5, chosen=True) for each in named])),
        ("sumWeights", {"weights": [{"layer": each, "weight": 0.5} for each in named]}),
        ("gridMap", {**grid(), "settingName": HOSTILE, "metric": HOSTILE}),
        ("confusion", {"labels": named, "table": [[1, 2], [3, 4]]}),
        ("labelScores", {"labels": [{"name": e, "n": 1, "scores": {e: 0.5}} for e in named]}),
        ("costScore", costs(named, [1, 2], [0.5, 0.6])),
        (
            "checkpointCurve",
            {
                "points": [{**layer("", 0.5), "step": i, "encoder": named[i]} for i in (0, 1)],
                **SCORED,
            },
        ),
    ]


def test_without_data_a_sentence_says_so(draw: Draw) -> None:
    for name, spec in _empty():
        chart = draw(name, spec)
        assert chart.locator("svg").count() == 0, name
        assert (chart.locator("p").text_content() or "").endswith("."), name


def test_the_least_data_draws_sane_charts(draw: Draw) -> None:
    for name, spec in _least():
        chart = draw(name, spec)
        assert chart.locator("svg[role=img]").count() == 1, name
        drawn = chart.inner_html()
        assert "NaN" not in drawn and "undefined" not in drawn and "Infinity" not in drawn, name


def test_one_layer_alone_is_told_in_a_sentence(draw: Draw) -> None:
    chart = draw("layerCurve", curve(layers=[layer("0", 0.5, chosen=True)], published=0.45))
    assert chart.locator("p").text_content() == (
        "One layer only (0): accuracy (%) 50.0 [48.0, 52.0] on test, 50.0 on validation. "
        "Published: 45.0."
    )
    assert table_of(chart)[1][:2] == ["0", "50.0"]


def test_hostile_names_stay_text(draw: Draw) -> None:
    for name, spec in _hostile():
        chart = draw(name, spec)
        assert chart.locator("img, script, foreignObject").count() == 0, name
        assert "<img" in (chart.text_content() or "")
        page = chart.page
        page.mouse.move(300, 200)  # a hint at the pointer is text as well
        assert page.locator("img").count() == 0, name


def test_a_chart_is_drawn_anew_for_another_width(draw: Draw) -> None:
    chart = draw("layerCurve", curve(published=0.7))
    svg = chart.locator("svg[role=img]")
    wide = float(svg.get_attribute("width") or 0)
    chart.locator("summary").click()
    chart.page.set_viewport_size({"width": 340, "height": 800})
    chart.page.evaluate(NARROWER, 340)
    assert wide > 900
    assert chart.locator("g.mc-dots > *").count() == 5
    assert chart.locator("details[open] td").count() > 0  # what was open stays open


def test_a_second_chart_in_one_place_takes_the_first_ones_place(draw: Draw) -> None:
    chart = draw("layerCurve", curve())
    page = chart.page
    page.evaluate(SECOND, {"weights": [{"layer": "0", "weight": 1}]})

    page.set_viewport_size({"width": 500, "height": 800})
    page.evaluate(NARROWER, 500)
    assert chart.locator("svg[role=img]").count() == 1
    assert label_of(chart).startswith("Weights")


@pytest.mark.parametrize("width", [340, 1200])
def test_text_is_readable_and_nothing_pushes_the_page_sideways(draw: Draw, width: int) -> None:
    many = curve(layers=[layer(str(i), 0.5 + i / 100) for i in range(25)] + [layer("sum", 0.7)])
    labels = [{"name": "a long name of a label", "n": 5, "scores": {"f1": 0.5}}]
    classes = {"labels": [f"class {i}" for i in range(40)], "table": [[1] * 40] * 40}
    for name, spec in [
        ("layerCurve", many),
        ("gridMap", grid()),
        ("confusion", classes),
        ("labelScores", {"labels": labels}),
        ("costScore", costs(["an encoder", "b"], [1, 100], [0.5, 0.6])),
    ]:
        chart = draw(name, spec, width=width)
        sizes = chart.locator("svg text").evaluate_all(
            "texts => texts.filter(each => each.textContent)"
            ".map(each => parseFloat(getComputedStyle(each).fontSize))"
        )
        assert min(sizes) >= 11, name
        assert chart.page.evaluate("document.documentElement.scrollWidth") <= width, name


def test_names_of_layers_do_not_run_into_each_other_on_a_phone(draw: Draw) -> None:
    layers = [layer(str(i), 0.5 + i / 100) for i in range(25)] + [layer("sum", 0.7)]
    chart = draw("layerCurve", curve(layers=layers), width=340)
    ends = chart.locator("g[aria-label='x-axis tick label'] text").evaluate_all(
        "texts => texts.map(each => each.getBoundingClientRect()).map(box => [box.left, box.right])"
    )
    assert len(ends) > 5
    assert all(one[1] <= other[0] for one, other in itertools.pairwise(ends))


def _luminance(colour: list[int]) -> float:
    """Relative luminance, WCAG 2.2."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in _shares(colour)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _shares(colour: list[int]) -> list[float]:
    return [each / 255 for each in colour]


def _contrast(one: list[int], other: list[int]) -> float:
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_marks_and_text_stand_out_in_both_themes(draw: Draw, theme: str) -> None:
    page = draw("layerCurve", curve(), theme=theme).page
    ground = page.evaluate(COLOUR, "var(--mc-surface)")
    for name, least in [("accent", 3), ("accent-2", 3), ("ink", 4.5), ("muted", 4.5)]:
        assert _contrast(page.evaluate(COLOUR, f"var(--mc-{name})"), ground) >= least, name
    for percent in range(0, 101, 2):
        shade, ink = page.evaluate(
            "each => [MarbleCharts.parts.shade(each), MarbleCharts.parts.inkOn(each)]", percent
        )
        assert _contrast(page.evaluate(COLOUR, shade), page.evaluate(COLOUR, ink)) >= 4.5, percent
