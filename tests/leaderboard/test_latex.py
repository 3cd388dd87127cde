"""LaTeX: a well-formed table, escaped text, and the marks of the best and of ties."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from marble_eval.leaderboard import board, board_latex, latex_text, section_latex
from tests.leaderboard.conftest import example_file, named, scores

# What a LaTeX reader makes of an escape; written down from the LaTeX manual, not from the code.
MEANS = {
    r"\textbackslash{}": "\\",
    r"\{": "{",
    r"\}": "}",
    r"\$": "$",
    r"\&": "&",
    r"\#": "#",
    r"\%": "%",
    r"\_": "_",
    r"\textasciitilde{}": "~",
    r"\textasciicircum{}": "^",
    r"\textless{}": "<",
    r"\textgreater{}": ">",
    r"\textbar{}": "|",
    r"\textquotedbl{}": '"',
    r"\textasciigrave{}": "`",
    "{[}": "[",
    "{*}": "*",
}
_TOKEN = re.compile("|".join(re.escape(each) for each in sorted(MEANS, key=len, reverse=True)))
HOSTILE = [
    "50 % of R&D_1 {x} #2 $y^2$ ~z \\input{/etc/passwd}",
    'a|b <script> `c` "d" e\\\\f',
    "[2ex] after a line",
    "*starred",
    "=cmd",
]


def _read(text: str) -> str:
    """Read LaTeX text; fail at a character that LaTeX would act on."""
    plain = _TOKEN.split(text)
    assert not re.search(r"[\\{}$&#%_~^]", "".join(plain)), text
    return _TOKEN.sub(lambda found: MEANS[found.group()], text)


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_read_back_as_it_was(text: str) -> None:
    assert _read(latex_text(text)) == text


def test_line_breaks_do_not_end_a_row() -> None:
    assert latex_text("one\n\ntwo") == "one two"


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_name_leaves_the_table_well_formed(tmp_path: Path, text: str) -> None:
    def hostile(values: dict[str, Any]) -> None:
        values["encoder"]["name"] = text

    written = section_latex(board([example_file(tmp_path, "a", hostile)]).sections[0])
    body = written.split("\\toprule\n")[1].split("\\bottomrule")[0]
    rows = [line for line in body.splitlines() if not line.startswith("\\midrule")]
    (columns,) = re.findall(r"\\begin\{tabular\}\{([lr]+)\}", written)
    for row in rows[1:]:  # the first has spans
        assert row.endswith(" \\\\")
        assert len(re.findall(r"(?<!\\)&", row)) == len(columns) - 1
    spans = sum(int(each) - 1 for each in re.findall(r"\\multicolumn\{(\d+)\}", rows[0]))
    assert len(re.findall(r"(?<!\\)&", rows[0])) + spans == len(columns) - 1
    assert not any(row.startswith(("[", "*")) for row in rows)


def test_braces_and_environments_are_balanced() -> None:
    written = board_latex(board([]))
    without_escapes = re.sub(r"\\[{}]", "", written)
    assert without_escapes.count("{") == without_escapes.count("}")
    begun = re.findall(r"\\begin\{(\w+\*?)\}", written)
    assert sorted(begun) == sorted(re.findall(r"\\end\{(\w+\*?)\}", written))
    assert begun.count("tabular") == 3
    for rule in ("toprule", "bottomrule"):
        assert written.count(f"\\{rule}") == 3


def test_reported_rows_stand_below_a_rule_and_the_best_run_is_bold(tmp_path: Path) -> None:
    paths = [
        example_file(tmp_path, name, named(name), scores(accuracy=value))
        for name, value in (("low", 0.1), ("high", 0.2))
    ]
    written = section_latex(board(paths).sections[0])
    _, _, runs, reported = re.split(r"\\(?:top|mid)rule\n", written)
    assert [line.split(" & ")[0] for line in runs.splitlines()] == ["high", "low"]
    assert "\\textbf{20.0}" in runs
    assert len(reported.split("\\bottomrule")[0].splitlines()) == 9
    assert "\\textbf" not in reported


def test_minus_is_set_as_minus(tmp_path: Path) -> None:
    path = example_file(tmp_path, "a", scores(accuracy=-0.25))
    assert "& $-$25.0 &" in section_latex(board([path]).sections[0])
