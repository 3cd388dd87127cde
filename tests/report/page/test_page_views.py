"""Results, heat maps and charts of the page in a real browser."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from importlib import resources
from typing import TYPE_CHECKING, Any

import pytest

from marble_eval.leaderboard import published_scores
from marble_eval.report.page.data import detail_blocks, index_block
from marble_eval.report.page.listing import listed_results
from marble_eval.results import Result
from tests.report.page.conftest import ROWS, Watched, WritePage, column, some_results
from tests.report.page.many_results import deviating, example, many_results
from tests.report.page.test_page import HOSTILE, hostile_results

if TYPE_CHECKING:
    from playwright.sync_api import Browser


def test_a_result_opens_with_the_focus_and_escape_gives_it_back(
    tab: Watched, write: WritePage
) -> None:
    page = tab.open(write(some_results()))
    link = page.locator(f"{ROWS} a").nth(3)
    link.focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("dialog[open]")
    assert page.evaluate("document.activeElement.id") == "detail-title"
    assert page.evaluate("location.hash").startswith("#r=")
    page.keyboard.press("Escape")
    page.wait_for_selector("dialog:not([open])", state="attached")
    page.wait_for_function("location.hash === ''")
    assert link.evaluate("each => each === document.activeElement")


def test_back_closes_a_result_and_a_link_opens_it(tab: Watched, write: WritePage) -> None:
    file = write(some_results())
    page = tab.open(file, "#task=MTT")
    page.locator(f"{ROWS} a").first.click()
    page.wait_for_selector("dialog[open]")
    title, fragment = page.inner_text("#detail-title"), page.evaluate("location.hash")
    page.go_back()
    page.wait_for_selector("dialog:not([open])", state="attached")
    page.wait_for_function("location.hash === '#task=MTT'")
    other = tab.open(file, fragment)
    other.wait_for_selector("dialog[open]")
    assert other.inner_text("#detail-title") == title
    assert set(column(other, 2)) == {"MTT"}


def test_a_result_tells_its_provenance_and_what_is_wrong_with_it(
    tab: Watched, write: WritePage
) -> None:
    base = example()
    encoder = replace(base.encoder, overlap="GTZAN", step=1000, remote_code="a/b@12")
    result = replace(deviating(base), encoder=encoder)
    page = tab.open(write([result], published=published_scores()))
    page.locator("a[data-r]").first.click()
    page.wait_for_selector("dialog[open] .chart *")
    told = page.inner_text("dialog")
    wanted = [
        "toy-encoder on GTZAN", "another batch", "may have seen this data GTZAN",
        "remote code a/b@12", "4 test tracks scored of 5; not rock.00099 (no such file).",
        "one fit of layer 0 did not converge", base.unit, base.task.data_digest,
        base.task.split_digest, base.task.card_digest, base.encoder.fingerprint,
        base.features.fingerprint, "94,371,712", "CC-BY-NC-4.0",
        "20,000 hours of music (not published)", "arXiv 2306.00107", "torchaudio-sinc", "float16",
        "torch 2.4.0", "2025-01-02T03:04:05Z", "[25.0, 100.0]", "74.5, 75.2", "0.46", "1,000",
        "2.97 MB",
    ]  # fmt: skip
    assert [each for each in wanted if each not in told] == []


def test_a_published_value_stands_beside_ours(tab: Watched, write: WritePage) -> None:
    (result,) = many_results(1, 1)
    score = replace(result.metrics["roc_auc"], value=0.9, low=0.88, high=0.92)
    result = replace(
        result,
        encoder=replace(result.encoder, name="MERT-v1-95M"),
        metrics={
            "roc_auc": score,
            "average_precision": replace(score, value=0.5, low=0.4, high=0.6),
        },
    )
    page = tab.open(write([result], published=published_scores()))
    page.locator("a[data-r]").first.click()
    page.wait_for_selector("dialog[open]")
    cells = page.locator("dialog table.scores td:last-child").all_inner_texts()
    # Table 3 of arXiv 2306.10548: MTT 91.0 and 39.3.
    assert cells[0].startswith("91.0 (MARBLE") and cells[0].endswith(" reproduced")
    assert "not reproduced" not in cells[0] and cells[1].endswith("not reproduced")


def test_cells_of_a_map_lead_to_their_results_and_arrows_walk(
    tab: Watched, write: WritePage
) -> None:
    results = many_results(3, 3)
    page = tab.open(write(results[:4] + results[5:]))  # one cell is empty
    cells = page.locator(".heat td a")
    assert cells.count() == 8
    assert page.locator(".heat td a[tabindex='0']").count() == 1
    cells.first.focus()
    place = """() => {
      const cell = document.activeElement.closest("td");
      return [cell.parentNode.rowIndex, cell.cellIndex];
    }"""
    page.keyboard.press("ArrowDown")  # over the empty cell
    assert page.evaluate(place) == [3, 1]
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowUp")
    assert page.evaluate(place) == [2, 2]
    page.keyboard.press("Enter")
    page.wait_for_selector("dialog[open]")
    assert page.inner_text("#detail-title").startswith("encoder-001 on")


def test_one_map_is_shown_and_another_can_be_chosen(tab: Watched, write: WritePage) -> None:
    page = tab.open(write(some_results(), published=published_scores()))
    assert page.locator(".map:visible").count() == 1
    chooser = page.get_by_label("Comparable results")
    titles = chooser.locator("option").all_inner_texts()
    wanted = next(each for each in titles if each.startswith("reported") and "2306.10548" in each)
    chooser.select_option(label=wanted)
    assert page.locator(".map:visible caption").inner_text().startswith(wanted)
    fragment = page.evaluate("location.hash")
    assert f"map={titles.index(wanted)}" in fragment


def test_what_the_browser_unpacks_is_what_was_packed(browser: Browser) -> None:
    """The page's own reader, without the page, against the results."""
    folder = resources.files("marble_eval.report.page")
    results = [*many_results(1), *many_results(1, 1, seed=1), example()]
    shown = listed_results(results, ())
    blocks = detail_blocks(shown)
    index = index_block(shown, (), (), chunks=blocks.starts, every_seed=True)
    packed = [("index", index), *((f"block-{i}", text) for i, text in enumerate(blocks.texts))]
    tab = browser.new_page()
    tab.set_content(
        "".join(f'<script type="text/plain" id="{name}">{text}</script>' for name, text in packed)
    )
    for name in ("elements", "packing", "score_text", "score_rows", "data"):
        tab.add_script_tag(content=(folder / f"{name}.js").read_text(encoding="utf-8"))
    found = tab.evaluate(
        """async () => {
          const index = await openIndex();
          return Promise.all(index.results.map(async (result) =>
            ({ rows: result.rows.map(({ result, ...row }) => row), chosen: result.chosen,
               ...(await openDetail(index, result)) })));
        }"""
    )
    tab.close()
    for entry, told in zip(shown, found, strict=True):
        check_unpacked(entry.result, told)
        rows = [(row["metric"], row["value"], row["low"], row["high"]) for row in told["rows"]]
        assert rows == [(row.metric, row.value, row.low, row.high) for row in entry.rows]


def check_unpacked(result: Result, told: dict[str, Any]) -> None:
    close = partial(pytest.approx, abs=1.01e-4)  # an end of an interval is rounded twice
    assert (told["unit"], told["features"]) == (result.unit, result.features.fingerprint)
    assert [each["name"] for each in told["layers"]] == [each.layer for each in result.layers]
    for ours, theirs in zip(result.layers, told["layers"], strict=True):
        assert (theirs["tied"], theirs["setting"]) == (ours.tied, ours.setting)
        assert theirs["valid"] == close(ours.valid)
        scores = [theirs[name] for name in ("value", "low", "high")]
        assert scores == close([ours.test.value, ours.test.low, ours.test.high])
    points = {(each["layer"], each["setting"], each["seed"]): each for each in told["grid"]}
    assert len(points) == len(result.grid)
    for point in result.grid:
        cell = points[point.layer, point.setting, point.seed]
        assert (cell["epochs"], cell["valid"]) == (point.epochs, close(point.valid))
    weights = result.chosen.sum_weights or {}
    assert {each["layer"]: each["weight"] for each in told["weights"]} == close(dict(weights))
    for score, spread in zip(result.metrics.values(), told["scores"], strict=True):
        assert spread["seeds"] == close(list(score.seed_values))
        assert spread["spread"] == close(score.seed_spread) and spread["ceiling"] == score.ceiling
    assert told["confusion"] == [list(row) for row in result.confusion]
    for label, shown in zip(result.labels, told["labels"], strict=True):
        assert (shown["name"], shown["n"]) == (label.name, label.n)
        assert shown["scores"] == close(dict(label.scores))
    assert (told["expected"], told["scored"]) == (result.counts.expected, result.counts.scored)


def test_hostile_names_stay_text_everywhere(tab: Watched, write: WritePage) -> None:
    page = tab.open(write(hostile_results()))
    assert (
        page.locator("#scores tbody script, #scores tbody img, #maps img, #maps svg").count() == 0
    )
    page.get_by_label("Find").fill("onerror")
    page.wait_for_timeout(150)
    assert column(page, 1) == [HOSTILE[1]]
    page.get_by_role("button", name="Clear filters").click()
    page.wait_for_timeout(50)
    for number in range(len(HOSTILE)):
        page.locator("#scores a[data-r]").nth(number).click()
        page.wait_for_selector("dialog[open] .chart *")
        assert page.locator("dialog img, dialog script, dialog iframe").count() == 0
        page.keyboard.press("Escape")
        page.wait_for_selector("dialog:not([open])", state="attached")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_large_page_is_small_and_draws_few_rows(tab: Watched, write: WritePage) -> None:
    """200 encoders on 20 tasks; how fast it opens is measured by tests.benchmarks.page."""
    file = write(many_results(200), published=published_scores())
    assert file.stat().st_size < 5_000_000
    page = tab.open(file)
    assert page.locator(ROWS).count() == 200
    assert page.evaluate("document.querySelectorAll('*').length") < 20_000
    page.locator("#scores a[data-r]").first.click()
    page.wait_for_selector("dialog[open] .chart *")
    assert "Means over the seeds" in page.inner_text("dialog")


def test_cost_and_checkpoints_are_drawn_when_they_come_near(tab: Watched, write: WritePage) -> None:
    (base,) = many_results(1, 1)
    steps = [
        replace(
            base,
            unit=f"{step:032x}",
            encoder=replace(base.encoder, revision=f"step {step}", step=step),
        )
        for step in (200, 100)
    ]
    page = tab.open(write([*steps, *many_results(3, 2, seed=1)]))
    assert page.locator("#overview .chart *").count() == 0
    page.locator("#overview").scroll_into_view_if_needed()
    page.wait_for_selector("#cost-chart *")
    page.wait_for_selector("#step-chart *")
    series = page.get_by_label("Series").locator("option").all_inner_texts()
    assert len(series) == 1 and series[0].startswith("encoder-000 on MTT, marble-v1")
    tasks = page.locator("[name=cost-task] option").all_inner_texts()
    assert [each.split(",")[0] for each in tasks] == ["MTGInstrument", "MTT"]
    before = page.inner_text("#cost-chart")
    page.locator("[name=cost-x]").select_option("parameters")
    page.wait_for_function(
        "text => document.querySelector('#cost-chart').innerText !== text", arg=before
    )


def test_without_costs_or_steps_there_is_no_overview(tab: Watched, write: WritePage) -> None:
    base = example()
    cached = replace(
        base,
        encoder=replace(base.encoder, parameters=None),
        cost=replace(base.cost, clips_encoded=0),
    )
    page = tab.open(write([cached]))
    assert not page.locator("#overview").is_visible()
