"""Free text for LaTeX: nothing in it is a command, and braces balance."""

from __future__ import annotations

import pytest

from marble_eval.report.paper.bibtex import bibtex_text, spelt_out


@pytest.mark.parametrize(
    ("text", "latex"),
    [
        ("R&B 50 %", r"R\&B 50 \%"),
        ("a_b #1 $2", r"a\_b \#1 \$2"),
        ("C:\\x~y^2", r"C:\textbackslash{}x\textasciitilde{}y\textasciicircum{}2"),
        ("{", r"\textbraceleft{}"),
        ("Ángel Faraldo", r"{\'A}ngel Faraldo"),
        ("Hörschläger, Søren", r'H{\"o}rschl{\"a}ger, S{\o}ren'),
        ("Łukasz, François", r"{\L}ukasz, Fran{\c c}ois"),
        ("naïve", r'na{\"{\i}}ve'),
        ("1–2 “x”", "1--2 ``x''"),
    ],
)  # fmt: skip
def test_text_is_escaped(text: str, latex: str) -> None:
    assert bibtex_text(text) == latex


def test_braces_balance_whatever_the_text() -> None:
    for text in ("}{", "{{{", "a}b\\}c", "ü{"):
        depth = 0
        for sign in bibtex_text(text):
            depth += {"{": 1, "}": -1}.get(sign, 0)
            assert depth >= 0
        assert depth == 0


def test_a_letter_without_a_spelling_stays() -> None:
    assert spelt_out("日本 e\u0301") == r"日本 {\'e}"


def test_latex_that_is_there_is_left_alone() -> None:
    assert spelt_out(r"B{\"o}ck \& Widmer") == r"B{\"o}ck \& Widmer"
