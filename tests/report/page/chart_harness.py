"""A page with one chart on it, under the report's own policy, and data to draw."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.report.page.conftest import Watched

if TYPE_CHECKING:
    from playwright.sync_api import Locator

FOLDER = resources.files("marble_eval.report.page")
VENDOR = ("d3.min.js", "plot.umd.min.js")
Spec = dict[str, Any]
Draw = Callable[..., "Locator"]
_POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:"
_DRAW = """([name, spec]) => {
  const drawing = document.getElementById("chart");
  drawing.replaceChildren();
  const start = performance.now();
  const returned = MarbleCharts[name](drawing, spec);
  window.took = performance.now() - start;
  return returned === undefined;
}"""


def _page() -> str:
    found = (each.name for each in FOLDER.iterdir())
    parts = sorted(each for each in found if re.fullmatch(r"charts(_\w+)?\.js", each))
    files = [*(FOLDER / "vendor" / each for each in VENDOR), FOLDER / "score_text.js"]
    files += [FOLDER / each for each in parts]
    scripts = "\n".join(each.read_text(encoding="utf-8") for each in files)
    style = (FOLDER / "page.css").read_text(encoding="utf-8")
    return (
        '<!doctype html><html lang="en" data-ready="yes"><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}"><style>{style}</style>'
        f'<body><div class="chart" id="chart"></div><script>{scripts}</script>'
    )


def chart_on(
    tab: Watched,
    folder: Path,
    name: str,
    spec: Spec,
    *,
    width: int = 1000,
    theme: str = "light",
) -> Locator:
    """Draw a chart; the page, loaded once a tab, may request nothing but itself."""
    file = folder / "chart.html"
    page = tab.page
    page.set_viewport_size({"width": width, "height": 800})
    if not file.exists():
        file.write_text(_page(), encoding="utf-8")
        tab.open(file)
    page.evaluate("each => { document.documentElement.dataset.theme = each; }", theme)
    assert page.evaluate(_DRAW, [name, spec])
    assert tab.requests == [file.as_uri()]
    return page.locator("#chart")


def table_of(chart: Locator) -> list[list[str]]:
    """Open the numbers and read them, the heads first."""
    chart.locator("summary").click()
    rows: list[list[str]] = chart.locator("details tr").evaluate_all(
        "rows => rows.map(row => [...row.cells].map(cell => cell.textContent))"
    )
    return rows


def label_of(chart: Locator) -> str:
    """Read what a screen reader is told."""
    return chart.locator("svg[role=img]").get_attribute("aria-label") or ""


def layer(name: str, value: float | None, **more: Any) -> Spec:
    """Make one layer, its interval 4 points wide."""
    low, high = (None, None) if value is None else (value - 0.02, value + 0.02)
    shared = {"valid": 0.5, "tied": False, "chosen": False, "setting": 0.001}
    return {"name": name, "value": value, "low": low, "high": high, **shared, **more}


def curve(**more: Any) -> Spec:
    """Make four layers and the learned sum; layer 2 is chosen."""
    layers = [
        layer("0", 0.5),
        layer("1", 0.6, tied=True),
        layer("2", 0.748, chosen=True, tied=True),
        layer("3", 0.7),
        layer("sum", 0.76, tied=True),
    ]
    shared = {"metric": "accuracy", "unit": "percent", "published": None}
    return {"layers": layers, **shared, **more}


def grid() -> Spec:
    """Make two layers at two learning rates with two seeds, the points out of order."""
    valid: dict[tuple[str, float], list[float | None]] = {
        ("0", 0.001): [0.4, 0.5],
        ("0", 0.01): [0.1, 0.2],
        ("1", 0.001): [0.6, 0.8],
        ("1", 0.01): [0.3, None],
    }
    points = [
        {"layer": name, "setting": setting, "seed": seed, "epochs": 7, "valid": each}
        for (name, setting), values in valid.items()
        for seed, each in enumerate(values)
    ]
    return {
        "points": points[::-1],
        "layers": ["0", "1"],
        "chosen": {"layer": "1", "setting": 0.001},
        "metric": "accuracy",
        "unit": "percent",
        "settingName": "learning rate",
    }


def costs(names: Sequence[str], xs: Sequence[float], values: Sequence[float | None]) -> Spec:
    """Make one point an encoder."""
    points = [
        {"task": "GTZAN", "x": x, "group": name, **layer(name, value)}
        for name, x, value in zip(names, xs, values, strict=True)
    ]
    axis = {"xName": "parameters", "xUnit": ""}
    return {"points": points, **axis, "metric": "accuracy", "unit": "percent"}
