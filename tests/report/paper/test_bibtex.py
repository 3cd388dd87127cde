"""BibTeX is read as BibTeX reads it, or refused with the line."""

from __future__ import annotations

import pytest

from marble_eval.registry import task_folders
from marble_eval.report.paper.bibliography import shipped_entries
from marble_eval.report.paper.bibtex import BibEntry, parse_entries

TWO = """Some comment, 100 % free.
@Article{one2000,
  Title = {The {A} of B},
  author = "O'Neill, {\\"O}",
  year = 2000,
}
another comment
@misc{two, month = jan # { 3}, note={x = y, z}}
"""


def test_two_entries_are_read_with_what_stands_between() -> None:
    one, two = parse_entries(TWO)
    assert (one.kind, one.key) == ("article", "one2000")
    assert one.fields == (
        ("title", "{The {A} of B}"), ("author", '"O\'Neill, {\\"O}"'), ("year", "2000"),
    )  # fmt: skip
    assert (one.value("title"), one.value("year"), one.value("pages")) == (
        "The {A} of B",
        "2000",
        "",
    )
    assert two.fields == (("month", "jan # { 3}"), ("note", "{x = y, z}"))


def test_an_entry_that_is_written_reads_the_same() -> None:
    assert parse_entries("\n".join(each.text() for each in parse_entries(TWO))) == parse_entries(
        TWO
    )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("@article{key, title = {a}", "'}' in line 1"),
        ("\n@article{key,\n title = {a {b}\n", "balanced braces in line 3"),
        ("@article{key, title {a}}", "'=' in line 1"),
        ("@article{, title = {a}}", "a key in line 1"),
        ("@article{key}", "at least one field"),
        ("@article{key, title = {a}, title = {b}}", "each field once"),
        ("me@example.org", "'{' in line 1"),
        ('@article{key, title = "a } b"}', "balanced braces"),
    ],
)
def test_what_is_not_bibtex_is_refused(text: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        parse_entries(text)


def test_every_card_s_citation_is_bibtex_with_a_year_and_a_title() -> None:
    found: list[BibEntry] = []
    for name, folder in task_folders().items():
        entries = parse_entries(folder.spec.citation)
        assert entries or folder.spec.embedded, f"{name} has nothing to cite"
        found += entries
    assert len(found) > 20
    for each in found:
        assert all(each.value(name) for name in ("title", "author", "year")), each.key


@pytest.mark.parametrize("file", ["encoders.bib", "methods.bib"])
def test_shipped_entries_are_whole_and_their_keys_differ(file: str) -> None:
    entries = shipped_entries(file)
    assert len({each.key.casefold() for each in entries}) == len(entries)
    for each in entries:
        assert all(each.value(name) for name in ("title", "author", "year")), each.key
        assert "others" not in each.value("author")
        assert all(text.isascii() for _, text in each.fields), each.key
        if each.value("eprint"):
            # An arXiv number begins with the year and month of the paper's first version.
            assert int(each.value("year")) - 2000 >= int(each.value("eprint")[:2]), each.key
