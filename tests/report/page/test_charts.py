"""The charts in a real browser: their marks, words and tables against the data given."""

from __future__ import annotations

import hashlib
import itertools
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from marble_eval.report.page.listing import shown_score
from tests.report.page.chart_harness import (
    FOLDER,
    VENDOR,
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


@pytest.fixture
def draw(tab: Watched, tmp_path: Path) -> Draw:
    """Draw one chart in a page of its own."""

    def drawn(name: str, spec: Spec, **how: Any) -> Locator:
        return chart_on(tab, tmp_path, name, spec, **how)

    return drawn


def test_the_library_is_the_one_that_its_readme_names() -> None:
    folder = FOLDER / "vendor"
    sums = dict(re.findall(r"`(\S+\.js)`.*`([0-9a-f]{64})`", (folder / "README.md").read_text()))
    assert set(sums) == set(VENDOR) == {e.name for e in folder.iterdir() if e.name.endswith(".js")}
    for name, expected in sums.items():
        held = (folder / name).read_bytes()
        assert hashlib.sha256(held).hexdigest() == expected
        assert b"sourceMappingURL" not in held
    for name in ("LICENSE-d3", "LICENSE-plot"):
        assert "Permission to use, copy, modify" in (folder / name).read_text()


def test_every_layer_has_one_mark_and_the_chosen_one_is_named(draw: Draw) -> None:
    chart = draw("layerCurve", curve(published=0.7))
    assert chart.locator("g.mc-dots path, g.mc-dots circle").count() == 5
    assert chart.locator("g.mc-chosen > *").count() == 1
    assert chart.locator("g.mc-tied > *").count() == 2
    assert chart.locator("g.mc-interval line").count() == 5
    assert chart.locator("g.mc-chosen-label").text_content() == "chosen: layer 2, 74.8"
    assert chart.get_by_text("published 70.0").count() == 1
    assert "shown, not chosen from" in (chart.locator("figcaption").text_content() or "")
    assert label_of(chart) == (
        "accuracy (%) on test by layer, 4 layers and sum: from 50.0 (layer 0) to 76.0 (sum). "
        "Chosen on validation: layer 2, 74.8 [72.8, 76.8]. Published: 70.0."
    )


def test_the_table_of_layers_holds_the_same_numbers(draw: Draw) -> None:
    heads, *rows = table_of(draw("layerCurve", curve()))
    assert heads == [
        "Layer",
        "Test",
        "Low",
        "High",
        "Validation",
        "Setting",
        "Chosen on validation",
    ]
    assert rows[2] == ["2", "74.8", "72.8", "76.8", "50.0", "0.001", "chosen"]
    assert [row[-1] for row in rows] == ["–", "tied", "chosen", "–", "tied"]


def test_the_learned_sum_stands_apart(draw: Draw) -> None:
    chart = draw("layerCurve", curve())
    places = sorted(
        box["x"] + box["width"] / 2
        for box in (each.bounding_box() for each in chart.locator("g.mc-dots > *").all())
        if box
    )
    steps = [after - before for before, after in itertools.pairwise(places)]
    assert steps[:3] == pytest.approx([steps[0]] * 3, abs=1)
    assert steps[3] > 1.3 * steps[0]


def test_a_layer_without_a_score_is_no_zero(draw: Draw) -> None:
    layers = [layer("0", 0.5), layer("1", None, valid=None), layer("2", 0.6)]
    chart = draw("layerCurve", curve(layers=layers))
    assert chart.locator("g.mc-dots > *").count() == 2
    assert table_of(chart)[2][1:5] == ["no value"] * 4
    assert "from 50.0" in label_of(chart)


def test_decibels_and_plain_numbers_are_shown_as_they_are(draw: Draw) -> None:
    layers = [layer("0", -3.25), layer("1", 6.5)]
    assert "from −3.3 (layer 0) to 6.5" in label_of(
        draw("layerCurve", curve(layers=layers, unit="dB"))
    )
    assert "from −3.250 (layer 0) to 6.500" in label_of(
        draw("layerCurve", curve(layers=layers, unit="1"))
    )


def test_weights_are_bars_as_high_as_their_share(draw: Draw) -> None:
    weights = [
        {"layer": "0", "weight": 0.2},
        {"layer": "1", "weight": 0.6},
        {"layer": "2", "weight": 0.2},
    ]
    chart = draw("sumWeights", {"weights": weights})
    heights = [
        float(each.get_attribute("height") or 0) for each in chart.locator("g.mc-bars rect").all()
    ]
    assert heights[1] == pytest.approx(3 * heights[0], rel=1e-3)
    assert table_of(chart)[1:] == [["0", "0.2000"], ["1", "0.6000"], ["2", "0.2000"]]


@pytest.mark.parametrize("width", [1000, 340])
def test_the_grid_shows_means_over_seeds_and_outlines_the_chosen(draw: Draw, width: int) -> None:
    chart = draw("gridMap", grid(), width=width)
    shown = chart.locator("g.mc-cell-text text")
    assert sorted(shown.all_text_contents()) == ["15.0", "30.0", "45.0", "70.0"]
    outline, text = (
        chart.locator("g.mc-chosen rect").bounding_box(),
        shown.filter(has_text="70.0").bounding_box(),
    )
    assert outline and text and outline["x"] < text["x"] < outline["x"] + outline["width"]
    assert outline["y"] < text["y"] < outline["y"] + outline["height"]
    rows = table_of(chart)
    assert rows[3] == ["1", "0.001", "70.0", "80.0", "60.0", "7, 7", "chosen"]
    assert rows[4][2:5] == ["30.0", "no value", "30.0"]


def test_a_confusion_shows_counts_and_names_the_most_frequent_mistake(draw: Draw) -> None:
    spec = {"labels": ["rock", "pop", "jazz"], "table": [[8, 2, 0], [1, 9, 0], [0, 0, 0]]}
    chart = draw("confusion", spec)
    assert chart.locator("g.mc-counts text").all_text_contents() == ["8", "2", "1", "9"]
    assert label_of(chart) == (
        "Confusion of 3 classes: 17 of 20 on the diagonal (85.0 %). "
        "Most often mistaken: rock as pop (2 of 10)."
    )
    assert "1 class had no item" in (chart.locator("figcaption").text_content() or "")
    assert table_of(chart)[1] == ["rock", "8", "2", "0", "10"]


def test_128_classes_are_drawn_quickly_and_named(draw: Draw) -> None:
    count = 128
    table = [[(3 * i + 7 * j) % 11 for j in range(count)] for i in range(count)]
    chart = draw("confusion", {"labels": [f"class {i}" for i in range(count)], "table": table})
    assert chart.page.evaluate("window.took") < 1500
    assert chart.locator("svg *").count() < 600
    assert chart.get_by_text("class 127", exact=True).count() == 2
    assert chart.locator("details td").count() == 0
    chart.locator("summary").click()
    chart.locator("details td").first.wait_for()
    assert chart.locator("details tbody tr").nth(5).locator("td").all_text_contents()[:-1] == [
        str(each) for each in table[5]
    ]


def test_labels_sort_by_score_and_by_name_and_say_what_has_none(draw: Draw) -> None:
    labels = [
        {"name": "b", "n": 2, "scores": {"f1": 0.25}},
        {"name": "a", "n": 0, "scores": {"f1": None}},
        {"name": "c", "n": 9, "scores": {"f1": 0.75}},
    ]
    chart = draw("labelScores", {"labels": labels})
    names = chart.locator("g.mc-names text")
    by_height = (
        "texts => texts.map(text => [text.getBoundingClientRect().y, text.textContent])"
        ".sort((one, other) => one[0] - other[0]).map(each => each[1])"
    )
    assert names.evaluate_all(by_height) == ["c", "b", "a"]
    assert chart.locator("g.mc-dots circle").count() == 2
    assert chart.locator("g.mc-missing").text_content() == "no positive on test"
    assert label_of(chart).endswith("from 0.250 (b) to 0.750 (c). 1 without a value.")
    chart.get_by_label("Sort by").select_option("name")
    assert names.evaluate_all(by_height) == ["a", "b", "c"]
    assert "sorted by name" in label_of(chart)
    assert ["a", "0", "no positive on test"] in table_of(chart)


def test_200_labels_scroll_in_a_region_of_their_own(draw: Draw) -> None:
    labels = [
        {"name": f"tag {i}", "n": i, "scores": {"roc_auc": 0.5 + i / 500, "f1": None}}
        for i in range(200)
    ]
    chart = draw("labelScores", {"labels": labels}, width=390)
    region = chart.locator(".mc-scroll")
    assert region.evaluate("e => e.scrollHeight > e.clientHeight && e.tabIndex === 0")
    assert chart.locator("g.mc-dots circle").count() == 200
    assert chart.page.evaluate("document.documentElement.scrollWidth") <= 390


def test_checkpoints_are_one_line_an_encoder(draw: Draw) -> None:
    points = [
        {"step": step, "value": 0.5 + step / 10000, "low": 0.4, "high": 0.7, "encoder": name}
        for name in ("small", "base") for step in (1000, 0, 500)
    ]  # fmt: skip
    chart = draw("checkpointCurve", {"points": points, "metric": "accuracy", "unit": "percent"})
    assert chart.locator("g[aria-label=line] path").count() == 2
    assert chart.locator("g.mc-dots > *").count() == 6
    assert "best 60.0 at step 1k" in label_of(chart)
    assert table_of(chart)[-1] == ["base", "1,000", "60.0", "40.0", "70.0"]


def test_names_of_points_do_not_cover_each_other(draw: Draw) -> None:
    names = [f"encoder number {i}" for i in range(12)]
    chart = draw(
        "costScore",
        costs(names, [1e6 * (1 + i % 3) for i in range(12)], [0.5 + i / 300 for i in range(12)]),
        width=500,
    )
    boxes = [box for each in chart.locator("g.mc-names text").all() if (box := each.bounding_box())]
    assert 0 < len(boxes) < 12
    for i, one in enumerate(boxes):
        for other in boxes[i + 1 :]:
            apart_x = (
                one["x"] + one["width"] <= other["x"] or other["x"] + other["width"] <= one["x"]
            )
            apart_y = (
                one["y"] + one["height"] * 0.8 <= other["y"]
                or other["y"] + other["height"] * 0.8 <= one["y"]
            )
            assert apart_x or apart_y


def test_costs_are_logarithmic_only_where_they_span_more_than_twentyfold(draw: Draw) -> None:
    wide = draw("costScore", costs(["a", "b"], [1e6, 1e8], [0.5, 0.6]))
    assert "logarithmic" in (wide.locator("figcaption").text_content() or "")
    narrow = draw("costScore", costs(["a", "b", "c"], [1e6, 2e7, 2e6], [0.5, 0.6, None]))
    said = narrow.locator("figcaption").text_content() or ""
    assert "logarithmic" not in said and "1 point without a value is not drawn" in said
    assert narrow.locator("g.mc-dots > *").count() == 2


def test_scripts_round_as_the_tables_do(tab: Watched) -> None:
    """Halves and their neighbours, of both signs, by the page's function and by Python's."""
    script = (FOLDER / "score_text.js").read_text(encoding="utf-8")
    tab.page.add_script_tag(content=script)
    values = [sign * each / 10_000 for each in range(0, 30_000, 7) for sign in (1, -1)]
    values += [31.25, 74.85, -0.05, -0.04, 0.0005, 1.00005, 99.95, 100.0]
    for unit in ("percent", "dB", "1"):
        found = tab.page.evaluate(
            "([values, unit]) => values.map((each) => scoreText(each, unit))", [values, unit]
        )
        assert found == [shown_score(each, unit) for each in values]
