"""Who reads the page: contrast, names, keys, and small screens, as a browser computes them.

Contrast is WCAG 2.2's ratio of relative luminances: 4.5 for text, 3 for the edges of
controls (success criteria 1.4.3 and 1.4.11); a target has 24 px (2.5.8).
"""

from __future__ import annotations

import re
from importlib import resources
from itertools import pairwise

import pytest

from marble_eval.leaderboard import published_scores
from tests.report.page.conftest import Watched, WritePage
from tests.report.page.many_results import deviating, example, many_results
from tests.report.page.test_page import hostile_results

STYLE = (resources.files("marble_eval.report.page") / "page.css").read_text(encoding="utf-8")
TEXT = [
    *((text, ground) for text in ("text", "muted") for ground in ("ground", "surface", "raised")),
    *(("accent", ground) for ground in ("ground", "surface", "raised")),
    ("warn-text", "warn-ground"),
    ("surface", "accent"),
]
EDGES = [("edge", "ground"), ("edge", "surface"), ("accent", "surface"), ("accent", "ground")]

# Text whose contrast falls below 4.5, by the colours that are really drawn.
FAINT = """() => {
  const parse = (text) => {
    const [r, g, b, a = 1] = text.match(/[\\d.]+/g).map(Number);
    return [r, g, b, a];
  };
  const over = ([r, g, b, a], [x, y, z]) =>
    [r * a + x * (1 - a), g * a + y * (1 - a), b * a + z * (1 - a), 1];
  const ground = (node) => {
    if (!node) return [255, 255, 255, 1];
    const own = parse(getComputedStyle(node).backgroundColor);
    return own[3] === 1 ? own : over(own, ground(node.parentElement));
  };
  const linear = (part) =>
    part / 255 <= 0.04045 ? part / 255 / 12.92 : ((part / 255 + 0.055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
  const faint = new Set();
  for (const node of document.querySelectorAll("body *:not(svg *, option, script, noscript)")) {
    const written = [...node.childNodes].some((each) => each.nodeType === 3 && each.data.trim());
    if (!written || !node.checkVisibility()) continue;
    const behind = ground(node);
    const text = light(over(parse(getComputedStyle(node).color), behind));
    const [dark, bright] = [text, light(behind)].sort((a, b) => a - b);
    const ratio = (bright + 0.05) / (dark + 0.05);
    if (ratio < 4.5) faint.add(`${node.tagName} ${ratio.toFixed(2)} ${node.textContent}`);
  }
  return [...faint];
}"""

NAMELESS = """() => [...document.querySelectorAll("input, select")]
  .filter((each) => each.labels.length === 0).map((each) => each.name)"""
WITHOUT_CAPTION = """() => [...document.querySelectorAll("table.scores, table.heat")]
  .filter((each) => !each.caption?.textContent.trim() && !each.parentNode.ariaLabel).length"""
WITHOUT_SCOPE = """() => [...document.querySelectorAll("th")]
  .filter((each) => !each.scope).map((each) => each.textContent)"""
OUT_OF_REACH = """() => [...document.querySelectorAll("*")].filter((each) =>
  /auto|scroll/.test(getComputedStyle(each).overflowX) && each.scrollWidth > each.clientWidth
  && each.tabIndex < 0 && each.checkVisibility()).map((each) => each.className)"""
OUTLINE = """() => {
  const seen = (each) => each ? parseFloat(getComputedStyle(each).outlineWidth) : 0;
  const node = document.activeElement;
  return Math.max(seen(node), node.type === "radio" ? seen(node.nextElementSibling) : 0);
}"""
SMALL = """() =>
  [...document.querySelectorAll("button, select, input:not([type=radio]), summary, th a")]
    .filter((each) => each.checkVisibility())
    .map((each) => (each.type === "checkbox" ? each.labels[0] : each))
    .map((each) => [each.textContent.trim() || each.name, each.getBoundingClientRect()])
    .filter(([, box]) => box.height < 23.5 || box.width < 23.5).map(([name]) => name)"""
WIDE = """() => [document.documentElement, ...document.querySelectorAll("dialog[open]")]
  .filter((each) => each.scrollWidth > each.clientWidth).map((each) => each.tagName)"""
HEADINGS = """() => [...document.querySelectorAll("h1, h2, h3, h4")]
  .map((each) => Number(each.tagName[1]))"""


def themes() -> dict[str, dict[str, str]]:
    """Read the named colours of the three blocks of the style sheet."""
    blocks = re.findall(r"(:root[^{]*)\{([^}]*)\}", STYLE)
    named = {
        selector.strip(): dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", body))
        for selector, body in blocks
        if "--edge" in body
    }
    return dict(zip(("light", "dark", "dark by the system"), named.values(), strict=True))


def luminance(colour: str) -> float:
    def linear(part: str) -> float:
        value = int(part, 16) / 255
        return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4

    red, green, blue = (linear(colour[i : i + 2]) for i in (1, 3, 5))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def test_contrast_is_computed_as_the_standard_does() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(
        4.48, abs=0.005
    )  # known to fail by a hair


def test_both_ways_into_the_dark_give_the_same_colours() -> None:
    assert themes()["dark"] == themes()["dark by the system"]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_named_colours_are_told_apart(theme: str) -> None:
    colours = themes()[theme]
    ratios = {pair: contrast(colours[pair[0]], colours[pair[1]]) for pair in TEXT}
    assert {pair: ratio for pair, ratio in ratios.items() if ratio < 4.5} == {}
    edges = {pair: contrast(colours[pair[0]], colours[pair[1]]) for pair in EDGES}
    assert {pair: ratio for pair, ratio in edges.items() if ratio < 3} == {}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_that_is_drawn_can_be_read(tab: Watched, write: WritePage, scheme: str) -> None:
    one, two, *others = many_results(9, 2)
    tab.page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    page = tab.open(write([deviating(one), two, *others], published=published_scores()))
    assert page.evaluate(FAINT) == []
    page.locator("a[data-r]").first.click()
    page.wait_for_selector("dialog[open] .chart *")
    assert page.evaluate(FAINT) == []


def test_everything_has_a_name_and_a_place(tab: Watched, write: WritePage) -> None:
    results = [deviating(example()), *many_results(2, 2)]
    page = tab.open(write(results, published=published_scores()))
    page.locator("a[data-r]").first.click()
    page.wait_for_selector("dialog[open] .chart *")
    for fault in (NAMELESS, WITHOUT_SCOPE):
        assert page.evaluate(fault) == []
    assert page.evaluate(WITHOUT_CAPTION) == 0
    ids: list[str] = page.evaluate(
        "() => [...document.querySelectorAll('[id]')].map((each) => each.id)"
    )
    assert len(ids) == len(set(ids))
    assert page.get_by_role("dialog").get_attribute("aria-labelledby") == "detail-title"
    assert page.evaluate("document.documentElement.lang") == "en"
    page.keyboard.press("Escape")
    page.wait_for_selector("dialog:not([open])", state="attached")
    for landmark in ("banner", "main", "contentinfo", "search"):
        assert page.get_by_role(landmark).count() == 1, landmark


def test_headings_step_down_one_by_one(tab: Watched, write: WritePage) -> None:
    page = tab.open(write([example()]))
    page.locator("a[data-r]").first.click()
    page.wait_for_selector("dialog[open] .chart *")
    levels: list[int] = page.evaluate(HEADINGS)
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_regions_that_scroll_are_reached_by_the_keyboard(tab: Watched, write: WritePage) -> None:
    page = tab.open(write(many_results(3, 20)))
    assert page.evaluate(OUT_OF_REACH) == []
    assert page.evaluate("document.querySelector('.heat').scrollWidth > innerWidth")


def test_the_first_tab_skips_to_the_scores(tab: Watched, write: WritePage) -> None:
    page = tab.open(write([example()]))
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the scores"
    assert page.evaluate("document.activeElement.getBoundingClientRect().x") >= 0
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"


def test_the_focus_is_seen(tab: Watched, write: WritePage) -> None:
    page = tab.open(write([example()]))
    for _ in range(20):
        page.keyboard.press("Tab")
        assert page.evaluate(OUTLINE) >= 2


@pytest.mark.parametrize("width", [390, 1280])
def test_targets_are_large_and_the_page_never_scrolls_sideways(
    tab: Watched, write: WritePage, width: int
) -> None:
    tab.page.set_viewport_size({"width": width, "height": 844})
    results = [*hostile_results(), *many_results(2)]
    page = tab.open(write(results, published=published_scores()))
    assert page.evaluate(WIDE) == []
    assert page.evaluate(SMALL) == []
    page.locator("a[data-r]").first.click()
    page.wait_for_selector("dialog[open] .chart *")
    assert page.evaluate(WIDE) == []
    assert page.evaluate(SMALL) == []


def test_paper_is_white_and_holds_whole_tables(tab: Watched, write: WritePage) -> None:
    page = tab.open(write(many_results(3, 3)))
    page.emulate_media(media="print", color_scheme="dark")
    style = "getComputedStyle(document.querySelector('{}')).{}"
    assert page.evaluate(style.format("body", "backgroundColor")) == "rgb(255, 255, 255)"
    assert page.evaluate(style.format(".region", "overflowX")) == "visible"
    assert not page.locator("#filters").is_visible()


def test_paper_holds_the_charts_that_nobody_scrolled_to(tab: Watched, write: WritePage) -> None:
    tab.page.set_viewport_size({"width": 800, "height": 300})
    page = tab.open(write(many_results(3, 3)))
    assert page.locator("#cost-chart *").count() == 0
    page.pdf()
    assert page.locator("#cost-chart svg").count() > 0


def test_the_chosen_theme_shows_in_forced_colours(tab: Watched, write: WritePage) -> None:
    page = tab.open(write([example()]))
    page.emulate_media(forced_colors="active")
    colour = "element => getComputedStyle(element).backgroundColor"
    auto, light = (page.locator("#theme span").nth(at).evaluate(colour) for at in range(2))
    assert auto != light


def test_who_wants_no_motion_gets_none(tab: Watched, write: WritePage) -> None:
    page = tab.open(write([example()]))
    page.emulate_media(reduced_motion="reduce")
    page.add_style_tag(content="button { transition: all 1s }")
    assert page.evaluate("getComputedStyle(document.querySelector('button')).transition") in (
        "none",
        "all 0s ease 0s",
    )
