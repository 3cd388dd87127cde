"""Measure the report page of a large board: its size, and how fast it opens in Chromium.

200 encoders on 20 tasks, every number drawn at random so that nothing packs better than
real results; the page is opened from a file in a new tab each time. The goals are 5 MB
and, to the first table that can be used, 2 seconds.
"""

from __future__ import annotations

import argparse
import logging
import shutil
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import NamedTuple

from playwright.sync_api import Browser, sync_playwright

from marble_eval.leaderboard import published_scores
from marble_eval.report.page import render
from tests.report.page.conftest import ARGUMENTS, MADE, PROGRAMS
from tests.report.page.many_results import many_results


class PageFigures(NamedTuple):
    """What a large page costs.

    Attributes
    ----------
    results, size : int
        Results on the page, and its bytes.
    made : float
        Seconds to make it from results in memory.
    loaded, usable : float
        Seconds from the start to the load event, and to a table that sorts and filters.
    detail : float
        Seconds from the click on a result to its first chart.
    rounds : int
        How often it was opened; the seconds are medians.
    """

    results: int
    size: int
    made: float
    loaded: float
    usable: float
    detail: float
    rounds: int

    def __str__(self) -> str:
        return (
            f"page of {self.results} results: {self.size / 1e6:.2f} MB, made in {self.made:.1f} s, "
            f"loaded in {self.loaded:.2f} s, usable in {self.usable:.2f} s, details of a result in "
            f"{self.detail:.2f} s, median of {self.rounds}"
        )


def page_figures(*, encoders: int = 200, rounds: int = 5) -> PageFigures:
    """Make a page and open it.

    Parameters
    ----------
    encoders : int
        How many, on 20 tasks each.
    rounds : int
        How often the page is opened.

    Returns
    -------
    PageFigures
        The figures; ``str`` makes a line of them.

    Raises
    ------
    FileNotFoundError
        If there is no Chromium.
    """
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        raise FileNotFoundError(f"none of {', '.join(PROGRAMS)} is installed.")
    results = many_results(encoders)
    start = time.perf_counter()
    text = render(results, published=published_scores(), made=MADE)
    made = time.perf_counter() - start
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        file = Path(folder) / "report.html"
        file.write_text(text, encoding="utf-8")
        browser = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        times = [_opened(browser, file) for _ in range(rounds)]
        browser.close()
        loaded, usable, detail = (median(each) for each in zip(*times, strict=True))
        size = file.stat().st_size
    return PageFigures(len(results), size, made, loaded, usable, detail, rounds)


def _opened(browser: Browser, file: Path) -> tuple[float, float, float]:
    """Open the page in a new tab and a result on it."""
    tab = browser.new_page(viewport={"width": 1280, "height": 900})
    start = time.perf_counter()
    tab.goto(file.as_uri())
    loaded = time.perf_counter() - start
    tab.wait_for_selector("html[data-ready]")
    usable = time.perf_counter() - start
    start = time.perf_counter()
    tab.locator("#scores a[data-r]").first.click()
    tab.wait_for_selector("dialog[open] .chart *")
    detail = time.perf_counter() - start
    tab.close()
    return loaded, usable, detail


def main() -> None:
    """Measure the page from the command line."""
    parser = argparse.ArgumentParser(description="Measure the report page of a large board.")
    parser.add_argument("--encoders", type=int, default=200, help="on 20 tasks each (200)")
    parser.add_argument("--rounds", type=int, default=5, help="how often it is opened (5)")
    chosen = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    logging.info("%s", page_figures(encoders=chosen.encoders, rounds=chosen.rounds))


if __name__ == "__main__":
    main()
