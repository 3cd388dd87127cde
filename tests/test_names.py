"""Names somebody else chose: what cannot be seen is written out, look-alikes are found."""

from __future__ import annotations

import json

import pytest

from marble_eval.names import look_alikes, odd_signs, one_line, visible

KNOWN = ("MERT-v1-95M", "mel", "MusiCNN")
HIDDEN = "\x1b\x07\r\x9b\x00\x7f\u200b\u200d\u202e\u2066\ufeff\ud800\u2028\u3164\U000e0041"


@pytest.mark.parametrize("sign", HIDDEN)
def test_what_cannot_be_seen_is_written_so_that_json_reads_the_same(sign: str) -> None:
    shown = visible(f"a{sign}b")
    assert shown.isascii() and shown.isprintable()
    assert json.loads(f'"{shown}"') == f"a{sign}b"


def test_text_of_every_language_stays_as_it_is() -> None:
    text = "naïve 音楽 музыка μουσική ± … – “x”\n\ttab"
    assert visible(text) == text


def test_breaks_become_spaces_on_one_line() -> None:
    assert one_line("a\r\nb\u2028c\x1b") == "a b c\\u001b"


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("\u041cERT-v1-95M", "mixes letters of several scripts (Cyrillic, Latin)"),
        ("ME\u13a1T-v1-95M", "mixes letters"),
        ("\uff2dERT-v1-95M", "forms of other letters"),
        ("MERT\u200b-v1-95M", "cannot be seen (U+200B zero width space)"),
        ("\u202eM59-1v-TREM", "cannot be seen (U+202E right-to-left override)"),
        ("MERT-v1-95M ", "spaces that cannot be seen"),
        ("MERT\u00a0v1", "spaces that cannot be seen"),
        ("MERT-vl-95M", "looks like 'MERT-v1-95M'"),
        ("MERT–v1–95M", "looks like 'MERT-v1-95M'"),
        ("MERT-v1-95\u1e3e", "looks like 'MERT-v1-95M'"),
        ("\u043c\u0435\u04cf", "looks like 'mel'"),
        ("MusiCИN", "mixes letters"),
    ],
)
def test_a_look_alike_is_said_to_be_one(name: str, why: str) -> None:
    assert why in look_alikes([name, "MERT-v1-95M"], KNOWN)[name]


@pytest.mark.parametrize(
    "name",
    [
        "MERT-v1-95M",
        "mert-v1-95m",
        "MERT-v1-330M",
        "β-VAE",
        "MERT中文",
        "µ-net",
        "музыка",
        "é",
        "a b",
    ],
)
def test_an_honest_name_is_no_look_alike(name: str) -> None:
    assert odd_signs(name) == ""
    assert not look_alikes([name], KNOWN)


def test_of_two_unknown_names_that_look_the_same_one_is_named() -> None:
    assert list(look_alikes(["net-O1", "net-Ol", "other"])) == ["net-Ol"]
