"""A real browser, and pages written for it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from marble_eval.leaderboard import PublishedScore
from marble_eval.report.page import render
from marble_eval.results import Result
from tests.report.page.many_results import deviating, many_results

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

MADE = datetime(2025, 1, 2, 3, 4, tzinfo=UTC)
PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--no-first-run",
]  # fmt: skip

WritePage = Callable[..., Path]
ROWS = "#scores tbody tr"


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Start Chromium once; where a change must not go untested, its absence is a failure."""
    from playwright.sync_api import sync_playwright

    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        told = f"none of {', '.join(PROGRAMS)} is installed: apt-get install chromium"
        if os.environ.get("CI"):
            pytest.fail(told)
        pytest.skip(told)
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        yield started
        started.close()


@pytest.fixture
def write(tmp_path: Path) -> WritePage:
    """Write a page of results into a file."""

    def written(
        results: Sequence[Result],
        *,
        published: Sequence[PublishedScore] = (),
        embedded: bool = False,
    ) -> Path:
        file = tmp_path / "report.html"
        text = render(results, published=published, embedded=embedded, made=MADE)
        file.write_text(text, encoding="utf-8", errors="replace")
        return file

    return written


class Watched:
    """A tab that notes what must not happen: requests, errors, dialogs."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.requests: list[str] = []
        self.faults: list[str] = []
        page.on("request", lambda request: self.requests.append(request.url))
        page.on(
            "console",
            lambda said: (
                self.faults.append(said.text) if said.type in ("error", "warning") else None
            ),
        )
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.on("dialog", self._refuse)

    def _refuse(self, dialog: object) -> None:
        self.faults.append("a dialog of the browser opened")
        dialog.dismiss()  # type: ignore[attr-defined]

    def open(self, file: Path, fragment: str = "") -> Page:
        self.page.goto(f"{file.as_uri()}{fragment}")
        self.page.wait_for_selector("html[data-ready]")
        return self.page


@pytest.fixture
def tab(browser: Browser) -> Iterator[Watched]:
    """Open a tab of 1280 px; at its end nothing may have gone wrong."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    watched = Watched(context.new_page())
    yield watched
    context.close()
    assert watched.faults == []


def column(page: Page, number: int) -> list[str]:
    return page.locator(f"{ROWS} > *:nth-child({number})").all_inner_texts()


def some_results() -> list[Result]:
    one, two, *others = many_results(4, 5)
    v2 = replace(two, protocol=replace(two.protocol, name="marble-v2"))
    return [deviating(one), v2, *others]
