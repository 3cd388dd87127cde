"""The page in a real browser: it opens from a file, asks for nothing, and works."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from marble_eval.leaderboard import published_scores
from marble_eval.report.page import page as page_module
from tests.report.page.conftest import ROWS, Watched, WritePage, column, some_results
from tests.report.page.many_results import example, many_results

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


def choose(page: Page, name: str, value: str) -> None:
    page.locator("#filters").locator(f"[name={name}]").select_option(value)
    page.wait_for_timeout(150)


def test_nothing_is_requested_but_the_file(tab: Watched, write: WritePage) -> None:
    file = write(some_results(), published=published_scores())
    page = tab.open(file)
    page.locator(f"{ROWS} a").first.click()
    page.wait_for_selector("dialog[open] .chart *")
    page.mouse.wheel(0, 5000)
    assert tab.requests == [file.as_uri()]


def test_a_request_would_be_refused(tab: Watched, write: WritePage) -> None:
    """The page's policy holds: neither an image nor a script of others comes in."""
    page = tab.open(write([example()]))
    page.evaluate(
        """() => {
          document.body.append(Object.assign(new Image(), {src: "https://example.org/a.png"}));
          const script = document.createElement("script");
          script.textContent = "window.foreign = true";
          document.body.append(script);
        }"""
    )
    page.wait_for_timeout(100)
    assert page.evaluate("window.foreign") is None
    assert len(tab.faults) == 2 and all("Content Security Policy" in each for each in tab.faults)
    tab.faults.clear()


def test_the_scripts_draw_the_rows_that_stand_in_the_file(
    browser: Browser, tab: Watched, write: WritePage
) -> None:
    one, two, three, *others = some_results()
    encoder = replace(three.encoder, name="MERT-v1-95M")  # with a published value beside it
    results = [one, two, replace(three, encoder=encoder), *others]
    file = write(results, published=published_scores())
    plain = browser.new_page(java_script_enabled=False)
    plain.goto(file.as_uri())
    static = [line.split("\t") for line in plain.locator(ROWS).all_inner_texts()]
    plain.close()
    page = tab.open(file)
    drawn = [line.split("\t") for line in page.locator(ROWS).all_inner_texts()]
    assert len(static) == 200
    assert {"reported", "run", "run reproduced"} <= {line[5] for line in static}
    assert "marble-v1@2 deviates" in {line[8] for line in static}
    assert drawn == static


def test_without_scripts_every_row_and_map_is_there(
    browser: Browser, write: WritePage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page_module, "FIRST_ROWS", 2)
    file = write(many_results(3, 2))
    page = browser.new_page(java_script_enabled=False)
    page.goto(file.as_uri())
    assert page.locator("table.scores tbody tr").count() == 6
    assert page.locator("table.scores").nth(1).is_visible()
    assert page.locator("table.heat tbody td").count() == 6
    assert page.locator("noscript p").first.is_visible()
    assert not page.locator("#filters").is_visible()
    page.close()


def test_without_decompression_the_tables_still_read(
    browser: Browser, write: WritePage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page_module, "FIRST_ROWS", 2)
    file = write(many_results(3, 2))
    page = browser.new_page()
    page.add_init_script("delete globalThis.DecompressionStream")
    page.goto(file.as_uri())
    page.wait_for_selector("#failure:visible")
    assert "cannot unpack" in page.inner_text("#failure")
    assert page.locator("table.scores tbody tr").count() == 6
    page.close()


def test_a_header_sorts_by_click_and_by_key(tab: Watched, write: WritePage) -> None:
    page = tab.open(write(some_results()))
    header = page.locator("#scores").get_by_role("columnheader", name="Score")
    assert header.get_attribute("aria-sort") == "none"
    header.get_by_role("button").click()
    scores = [float(each) for each in column(page, 4)]
    assert header.get_attribute("aria-sort") == "descending"
    assert scores == sorted(scores, reverse=True)
    header.get_by_role("button").focus()
    page.keyboard.press("Enter")
    assert header.get_attribute("aria-sort") == "ascending"
    assert [float(each) for each in column(page, 4)] == scores[::-1]
    assert "Sorted by score, ascending" in page.inner_text("#status")
    page.keyboard.press("Space")
    assert header.get_attribute("aria-sort") == "none"


def test_layers_sort_as_numbers_and_what_has_none_comes_last(
    tab: Watched, write: WritePage
) -> None:
    papers = [each for each in published_scores() if each.metric == "roc_auc"][:2]
    page = tab.open(write(many_results(8, 1), published=papers))
    page.locator("#scores").get_by_role("columnheader", name="Layer").get_by_role("button").click()
    layers = column(page, 8)
    numbers = [int(each) for each in layers if each.isdigit()]
    assert numbers == sorted(numbers) and max(numbers) > 9
    assert layers[-2:] == ["–", "–"]


def test_filters_narrow_the_table_and_clear(tab: Watched, write: WritePage) -> None:
    page = tab.open(write(some_results(), published=published_scores()))
    choose(page, "source", "run")
    assert len(column(page, 1)) == 20
    choose(page, "protocol", "marble-v2")
    assert column(page, 9) == ["marble-v2@2"]
    choose(page, "protocol", "")
    page.locator("[name=conforming]").check()
    page.wait_for_timeout(150)
    assert len(column(page, 1)) == 19 and not any("deviates" in each for each in column(page, 9))
    choose(page, "licence", "MIT")
    assert set(column(page, 11)) == {"MIT"}
    choose(page, "task", "MTGMood")
    assert set(column(page, 2)) == {"MTGMood"}
    choose(page, "metrics", "all")
    assert {each.split()[0] for each in column(page, 3)} == {"roc_auc", "average_precision"}
    page.get_by_label("Find").fill("nothing has this name")
    page.wait_for_timeout(200)
    assert page.inner_text("#status") == "No row passes the filters."
    page.get_by_role("button", name="Clear filters").click()
    page.wait_for_timeout(50)
    assert page.locator("[name=task]").input_value() == "" and len(column(page, 1)) == 200


def test_a_long_table_is_drawn_in_slices(tab: Watched, write: WritePage) -> None:
    page = tab.open(write(many_results(13), published=()))
    assert page.inner_text("#status") == "Showing 200 of 260 rows."
    page.get_by_role("button", name="Show 60 more of 60").click()
    assert page.locator(ROWS).count() == 260
    assert not page.locator("#more").is_visible()
    assert page.evaluate("document.activeElement.closest('tr').rowIndex") == 201


def test_a_view_is_kept_in_the_address(tab: Watched, write: WritePage) -> None:
    file = write(some_results())
    page = tab.open(file)
    choose(page, "task", "MTGMood")
    page.get_by_label("Find").fill("encoder-00 & co=1#")
    page.wait_for_timeout(200)
    page.get_by_label("Find").fill("encoder-00")
    page.wait_for_timeout(200)
    page.locator("#scores").get_by_role("columnheader", name="Encoder").get_by_role(
        "button"
    ).click()
    shown, fragment = column(page, 1), page.evaluate("location.hash")
    again = tab.open(file, fragment)
    assert column(again, 1) == shown and len(shown) == 4
    assert again.get_by_label("Find").input_value() == "encoder-00"
    header = again.locator("#scores").get_by_role("columnheader", name="Encoder")
    assert header.get_attribute("aria-sort") == "ascending"


@pytest.mark.parametrize(
    "fragment",
    [
        '#q=<img src=x onerror=alert(1)>&task=<script>alert(2)</script>&r="><svg onload=alert(3)>',
        "#sort=constructor&direction=ascending&map=__proto__&r=__proto__&source=toString",
        "#sort=value&direction=<b>&map=-1&licence=%00%ff&conforming=maybe",
        "#%E0%A4%A=%&&&===",
    ],
)
def test_a_malicious_address_changes_nothing(tab: Watched, write: WritePage, fragment: str) -> None:
    page = tab.open(write(some_results()), fragment)
    page.wait_for_timeout(50)
    assert page.locator("img, iframe, svg:not(.chart svg)").count() == 0
    assert page.locator("dialog[open]").count() == 0
    assert page.locator("[name=task]").input_value() == ""


def test_the_theme_can_be_chosen_and_is_remembered(tab: Watched, write: WritePage) -> None:
    file = write([example()])
    page = tab.open(file)
    ground = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(ground)
    page.get_by_text("Dark", exact=True).click()
    dark = page.evaluate(ground)
    assert dark != light
    assert tab.open(file).evaluate(ground) == dark
    assert page.get_by_label("Dark").is_checked()
    page.get_by_text("Auto", exact=True).click()
    page.emulate_media(color_scheme="dark")
    assert page.evaluate(ground) == dark
    page.get_by_text("Light", exact=True).click()
    assert page.evaluate(ground) == light


def test_the_theme_works_where_storage_throws(tab: Watched, write: WritePage) -> None:
    tab.page.add_init_script(
        "Object.defineProperty(window, 'localStorage', {get() { throw new Error('no'); }})"
    )
    page = tab.open(write([example()]))
    page.get_by_text("Dark", exact=True).click()
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
