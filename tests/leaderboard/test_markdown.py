"""Markdown: every section with its table, and no text that breaks out of its cell."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path
from typing import Any

import pytest

from marble_eval.leaderboard import board, board_markdown, markdown_text
from tests.leaderboard.conftest import deviating, example_file, named, scores, task

HOSTILE = [
    "a|b",
    "<script>alert(1)</script>",
    "two\nlines\r\nthree",
    "50 % of R&D_1 and _2_",
    "*bold* `code` [x](http://y) ~~z~~ $m$ # h",
    "back\\slash \\| pipe",
    "@somebody",
]


def _cells(line: str) -> list[str]:
    """Split a table row at the pipes that are not escaped, as GitHub does."""
    return [each.strip() for each in re.split(r"(?<!\\)(?:\\\\)*\|", line.strip())[1:-1]]


def _shown(cell: str) -> str:
    """Take back the escapes, as a renderer does."""
    return html.unescape(re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", cell))


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_stays_in_its_cell_and_is_shown_as_it_was(tmp_path: Path, text: str) -> None:
    def hostile(values: dict[str, Any]) -> None:
        values["encoder"].update(name=text, revision=text, licence=text)

    written = board_markdown(board([example_file(tmp_path, "a", hostile)]))
    rows = [line for line in written.splitlines() if line.startswith("|")]
    table = rows[: rows.index(next(line for line in rows if "MusiCNN" in line)) + 1]
    assert {len(_cells(line)) for line in table} == {len(_cells(table[0]))}
    ours = _cells(table[2])
    on_one_line = re.sub(r"[\r\n]+", " ", text)
    assert _shown(ours[0]) in (on_one_line, f"'{on_one_line}")
    assert "<script" not in written
    assert "http://" not in written


def test_formulas_have_an_apostrophe_in_front() -> None:
    assert markdown_text("=cmd()") == "'=cmd()"


def test_a_mention_calls_nobody_but_versions_stay_readable() -> None:
    assert markdown_text("marble-v1@2") == "marble-v1@2"
    assert "@" not in markdown_text("by @somebody")


def test_every_section_is_there_with_its_reason(tmp_path: Path) -> None:
    tables = board([example_file(tmp_path, "a"), example_file(tmp_path, "b", deviating)])
    written = board_markdown(tables)
    for section in tables.sections:
        assert f"## {markdown_text(section.title)}\n\n{markdown_text(section.reason)}" in written
    assert written.count("\n## ") == len(tables.sections) == 4
    assert "| batch 128 instead of 64 |" in written


def test_the_best_run_is_bold_and_reported_rows_never_are(tmp_path: Path) -> None:
    paths = [
        example_file(tmp_path, name, named(name), scores(accuracy=value))
        for name, value in (("low", 0.1), ("high", 0.2))
    ]
    written = board_markdown(board(paths))
    bold = re.findall(r"^\| (\S+) .*\*\*([\d.]+)\*\*", written, re.MULTILINE)
    assert bold == [("high", "20.0")]  # though CLMR's reported 65.2 is higher
    assert "Ties were not tested" in written


def test_a_reported_value_that_equals_the_best_run_is_not_bold(tmp_path: Path) -> None:
    paths = [
        example_file(tmp_path, name, named(name), scores(accuracy=value))
        for name, value in (("low", 0.1), ("high", 0.748))
    ]
    written = board_markdown(board(paths))
    assert written.count("**74.8**") == 1
    assert "| MERT-v1-95M |" in written and "| 74.8 |" in written


def test_one_run_alone_is_no_best(tmp_path: Path) -> None:
    assert "**" not in board_markdown(board([example_file(tmp_path, "a")]))


def test_rows_that_do_not_compare_have_no_best(tmp_path: Path) -> None:
    paths = [
        example_file(tmp_path, name, named(name), scores(accuracy=value), deviating)
        for name, value in (("low", 0.1), ("high", 0.2))
    ]
    assert "**" not in board_markdown(board(paths))


def test_a_reproduced_value_has_its_mark(tmp_path: Path) -> None:
    path = example_file(tmp_path, "a", named("MERT-v1-95M"), scores(accuracy=0.75))
    assert "| 74.8<sup>r</sup> |" in board_markdown(board([path]))


def test_units_and_directions_are_said(tmp_path: Path) -> None:
    assert "\n\nPercent, separation in dB. " in board_markdown(board([]))

    def lower(values: dict[str, Any]) -> None:
        values["metrics"] = {
            "hop_error": values["metrics"]["accuracy"] | {"higher_is_better": False, "unit": "1"}
        }

    paths = [example_file(tmp_path, name, task("T"), lower, named(name)) for name in ("one", "two")]
    values = json.loads(paths[1].read_text())
    values["metrics"]["hop_error"]["value"] = 0.25
    paths[1].write_text(json.dumps(values))
    written = board_markdown(board(paths))
    assert "Percent, others in their own unit. Lower is better: T hop\\_error." in written
    assert "| run | **0.250** |" in written and "| run | 0.748 |" in written
