"""Charts say only what is so: what was not run, counted or named apart is not made up."""

from __future__ import annotations

from pathlib import Path

from tests.report.page.chart_harness import chart_on, grid, table_of
from tests.report.page.conftest import Watched


def test_cells_of_fewer_seeds_are_not_said_to_be_means_over_all(
    tab: Watched, tmp_path: Path
) -> None:
    spec = grid()
    spec["points"] = [
        each for each in spec["points"] if each["seed"] == 0 or each["setting"] == 0.001
    ]
    chart = chart_on(tab, tmp_path, "gridMap", spec)
    said = chart.locator("figcaption").text_content() or ""
    assert "mean over 2 seeds" not in said
    assert "mean over the 1 to 2 seeds of a cell" in said
    assert "not run" in table_of(chart)[2]


def test_a_lacking_count_is_no_zero(tab: Watched, tmp_path: Path) -> None:
    spec = {"labels": ["a", "b"], "table": [[None, 2], [1, 3]]}
    chart = chart_on(tab, tmp_path, "confusion", spec)
    assert chart.locator("svg[role=img]").count() == 0
    assert "0" not in (chart.text_content() or "")


def test_shortened_names_of_classes_still_differ(tab: Watched, tmp_path: Path) -> None:
    names = [f"class name {i}" for i in range(40)]
    spec = {"labels": names, "table": [[1] * 40] * 40}
    chart = chart_on(tab, tmp_path, "confusion", spec, width=390)
    shown = chart.locator(".mc-scroll svg[aria-hidden] g text").all_text_contents()
    assert len(set(shown)) == 40, shown[:15]


def test_a_label_without_items_says_why(tab: Watched, tmp_path: Path) -> None:
    labels = [
        {"name": "a", "n": 0, "scores": {"f1": None}},
        {"name": "b", "n": 3, "scores": {"f1": 0.5}},
    ]
    chart = chart_on(tab, tmp_path, "labelScores", {"labels": labels})
    assert "no positive on test" in (chart.locator("g.mc-missing").text_content() or "")
